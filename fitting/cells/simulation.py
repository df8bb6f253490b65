"""Current and voltage clamp at the soma of a cell instance, with settled states kept and restored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from rheobase.features.stimuli import Piece
from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.cells.mechanisms import ramp_clamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rheobase.features.sites import RecordingSite
    from rheobase.fitting.cells.instance import CellInstance

_FAR_MS = 1e9
# The grid on which a running simulation is looked at. Each look adds a recorded point and changes no time step;
# every simulation has the same ones, so that looking changes no result.
_LOOK_EVERY_MS = 25.0
_LARGEST_STEP_MS = 10.0  # NEURON's default; a cell alone exchanges no spikes
# Spikes elsewhere are counted each time so many steps were taken: a silent cell takes some hundred in two seconds, a
# spike takes one or two hundred.
_STEPS_BETWEEN_COUNTS = 300
_ECTOPIC_SPIKES = 3


class SimulationError(Exception):
    """NEURON could not integrate this candidate; its scores are failure scores, the campaign goes on."""


@dataclass(frozen=True)
class Integrator:
    """How NEURON steps through time.

    Attributes:
        kind: "variable": CVODE; "fixed": backward Euler; "coreneuron": the same, to rounding, computed by CoreNEURON.
            `tests/benchmarks/integrators.py` has what they cost and what they do to scores.
        absolute_tolerance: CVODE's.
        time_step_ms: Of the fixed step (ms).
    """

    kind: Literal["variable", "fixed", "coreneuron"] = "variable"
    absolute_tolerance: float = 1e-3
    time_step_ms: float = 0.025


@dataclass(frozen=True, eq=False)
class Trace:
    """What was recorded in a simulation.

    Attributes:
        time_ms: Times of the integrator's own steps (ms from the start of the sweep), shape (samples,).
        voltage_mV: Membrane potential at the soma (mV), shape (samples,).
        sites: What further sites recorded, by location and variable ("dend1.v", "soma.cai"), in NEURON's units,
            shape (samples,) each.
        complete: Whether the simulation went on to its end.
    """

    time_ms: NDArray[np.float64]
    voltage_mV: NDArray[np.float64]
    sites: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    complete: bool = True

    def spikes(self, threshold_mV: float) -> int:
        """Number of upward crossings of the threshold."""
        above = self.voltage_mV > threshold_mV
        return int(np.count_nonzero(above[1:] & ~above[:-1]))

    @property
    def end_mV(self) -> float:
        """Last voltage (mV)."""
        return float(self.voltage_mV[-1])


@dataclass(frozen=True, eq=False)
class SettledState:
    """The whole cell after it settled under a holding current.

    Attributes:
        holding_current_nA: Current that keeps it there (nA).
        voltage_mV: Voltage at the soma (mV).
        trace: The way there.
    """

    holding_current_nA: float
    voltage_mV: float
    trace: Trace
    saved: Any


class Watch(Protocol):
    """Whoever looks at a simulation while it runs, and may end it."""

    def ends(self, elapsed_ms: float, spike_times_ms: Sequence[float]) -> bool:
        """Whether to end it now.

        Args:
            elapsed_ms: Simulated so far (ms from the start of the sweep).
            spike_times_ms: When the soma has crossed the spike threshold upwards (ms).
        """


class SomaClamp:
    """Electrodes in the soma of one cell.

    Args:
        instance: The cell; its parameters may change between calls.
        integrator: How to step through time.
        sites: What to record beside the voltage at the soma: name in the traces -> (variable, place).
        spike_threshold_mV: A spike is a crossing of this voltage (mV).
        ectopic_limit: Spikes elsewhere for each of the soma's, three more aside, with which a simulation still goes on.

    Raises:
        ModelError: the model has no such place, or no such variable there.
    """

    def __init__(
        self,
        instance: CellInstance,
        integrator: Integrator | None = None,
        sites: Mapping[str, tuple[str, RecordingSite | None]] | None = None,
        spike_threshold_mV: float = -20.0,
        ectopic_limit: float = 2.0,
    ) -> None:
        self._instance = instance
        self._h = h = instance.h
        self._integrator = integrator or Integrator()
        self._spike_threshold_mV = spike_threshold_mV
        self._middle = instance.soma(0.5)
        self._cvode = h.CVode()
        self._holding = h.IClamp(self._middle)
        self._holding.dur = _FAR_MS
        self._parallel = h.ParallelContext()
        self._parallel.set_maxstep(_LARGEST_STEP_MS)
        self._elsewhere = [section for section in instance.cell.all if section != instance.soma]
        self._ectopic_limit = ectopic_limit
        self._spikes_elsewhere: Sequence[_SectionSpikes] = ()
        if self._integrator.kind != "coreneuron":
            self._spikes_elsewhere = [_CountedSpikes(h, section, spike_threshold_mV) for section in self._elsewhere]
        self._steps: list[Any] = []
        self._ramps: list[Any] = []
        self._clamp = h.SEClamp(self._middle)
        self._clamp.rs = 0.01
        self._time = h.Vector().record(h._ref_t)
        self._voltage = h.Vector().record(self._middle._ref_v)
        self._sites = {
            name: h.Vector().record(instance.reference(variable, site))
            for name, (variable, site) in (sites or {}).items()
        }

    def settle(self, holding_current_nA: float, duration_ms: float) -> SettledState:
        """Current clamp from the initial voltage until the cell has come to rest.

        Raises:
            SimulationError: the integration failed.
        """
        self._initialize(holding_current_nA)
        trace = self._run(duration_ms)
        return SettledState(holding_current_nA, trace.end_mV, trace, self._save())

    def hold(self, voltage_mV: float, duration_ms: float) -> SettledState:
        """Voltage clamp until the cell has settled; its clamp current is the holding current sought.

        One simulation instead of a search over currents: at rest the current clamp that injects the same current
        continues from the same state.

        Raises:
            SimulationError: the integration failed.
        """
        self._clamp.dur1, self._clamp.amp1 = _FAR_MS, voltage_mV
        try:
            self._initialize(0.0)
            trace = self._run(duration_ms)
            current = float(self._clamp.i)
            saved = self._save()
        finally:
            self._clamp.dur1 = 0.0
        return SettledState(current, trace.end_mV, trace, saved)

    def inject(
        self, state: SettledState, pieces: Sequence[Piece], total_ms: float, watch: Watch | None = None
    ) -> Trace:
        """Currents on top of the holding current, from a settled state.

        Args:
            state: Where to start from.
            pieces: What to inject, in ms from the start of the sweep.
            total_ms: Time simulated (ms).
            watch: May end the simulation early.

        Raises:
            SimulationError: the integration failed.
        """
        steps = [piece for piece in pieces if piece.start_nA == piece.end_nA]
        ramps = [piece for piece in pieces if piece.start_nA != piece.end_nA]
        self._provide_electrodes(len(steps), len(ramps))
        self._initialize(state.holding_current_nA)
        state.saved.restore()
        begin = float(self._h.t)
        for electrode, piece in zip(self._steps, steps, strict=False):
            electrode.delay, electrode.dur, electrode.amp = begin + piece.onset_ms, piece.duration_ms, piece.end_nA
        for electrode, piece in zip(self._ramps, ramps, strict=False):
            electrode.delay, electrode.dur = begin + piece.onset_ms, piece.duration_ms
            electrode.start, electrode.end = piece.start_nA, piece.end_nA
        if self._integrator.kind == "variable":
            self._cvode.re_init()
        for vector in (self._time, self._voltage, *self._sites.values()):
            vector.resize(0)
        try:
            return self._run(total_ms, watch)
        finally:
            self._switch_off()

    def step(
        self,
        state: SettledState,
        amplitude_nA: float,
        onset_ms: float,
        duration_ms: float,
        after_ms: float,
        watch: Watch | None = None,
    ) -> Trace:
        """One current step on top of the holding current, from a settled state.

        Args:
            state: Where to start from.
            amplitude_nA: Step above holding (nA).
            onset_ms: Time before the step (ms).
            duration_ms: Length of the step (ms).
            after_ms: Time simulated after the step (ms).
            watch: May end the simulation early.

        Raises:
            SimulationError: the integration failed.
        """
        piece = Piece(onset_ms, onset_ms + duration_ms, amplitude_nA, amplitude_nA)
        return self.inject(state, [piece], onset_ms + duration_ms + after_ms, watch)

    def spikes_at(self, state: SettledState, amplitude_nA: float, duration_ms: float) -> Trace:
        """A step from time zero that ends soon after the first spike: enough to know whether there is one.

        Raises:
            SimulationError: the integration failed, or the cell fires elsewhere while its soma is silent.
        """
        return self.step(state, amplitude_nA, 0.0, duration_ms, 5.0, _FirstSpike())

    def _provide_electrodes(self, steps: int, ramps: int) -> None:
        while len(self._steps) < steps:
            self._steps.append(self._h.IClamp(self._middle))
        if ramps and not self._ramps:
            load_mechanisms([ramp_clamp()])
        while len(self._ramps) < ramps:
            self._ramps.append(self._h.RampClamp(self._middle))

    def _switch_off(self) -> None:
        for electrode in (*self._steps, *self._ramps):
            electrode.delay, electrode.dur = _FAR_MS, 0.0

    def _initialize(self, holding_current_nA: float) -> None:
        h, model = self._h, self._instance.model
        h.celsius = model.temperature_degC
        if self._integrator.kind == "variable":
            h.cvode_active(1)
            self._cvode.atol(self._integrator.absolute_tolerance)
        else:
            h.cvode_active(0)
            h.steps_per_ms = 1.0 / self._integrator.time_step_ms
            h.dt = self._integrator.time_step_ms
        self._holding.amp = holding_current_nA
        self._switch_off()
        if self._integrator.kind == "coreneuron" and math.isfinite(self._ectopic_limit):  # it has no APCount
            self._spikes_elsewhere = [
                _RecordedSpikes(h, section, self._spike_threshold_mV) for section in self._elsewhere
            ]
        try:
            h.finitialize(model.initial_voltage_mV)
        except RuntimeError as error:
            raise SimulationError(f"NEURON could not initialise the cell: {error}") from error

    def _run(self, duration_ms: float, watch: Watch | None = None) -> Trace:
        begin = float(self._h.t)
        end = begin + duration_ms
        # NEURON's own loops; `continuerun` takes the same steps in interpreted hoc.
        advance_to = self._cvode.solve if self._integrator.kind == "variable" else self._take_steps
        spikes = _SpikeCounter(self._spike_threshold_mV, begin)
        counted_at = 0
        reached, ended = begin, False
        try:
            while reached < end and not ended:
                reached = min(reached + _LOOK_EVERY_MS, end)
                advance_to(reached)
                spikes.look(self._time, self._voltage)
                if watch is not None:
                    ended = reached < end and watch.ends(reached - begin, spikes.times_ms)
                if self._time.size() >= counted_at + _STEPS_BETWEEN_COUNTS:
                    counted_at = int(self._time.size())
                    self._refuse_ectopic(len(spikes.times_ms))
        except RuntimeError as error:
            raise SimulationError(f"NEURON could not integrate the cell: {error}") from error
        time, voltage = np.array(self._time), np.array(self._voltage)
        sites = {name: np.array(vector) for name, vector in self._sites.items()}
        if not all(np.isfinite(values).all() for values in (voltage, *sites.values())):
            raise SimulationError("the membrane potential became NaN")
        nearest_ms = 0.05 if self._integrator.kind == "variable" else max(0.05, 0.51 * self._integrator.time_step_ms)
        if len(time) == 0 or not math.isclose(time[-1], reached, abs_tol=nearest_ms):
            raise SimulationError(f"the integration stopped at {time[-1] - begin if len(time) else 0:.3f} ms")
        return Trace(time - begin, voltage, sites, not ended)

    def _refuse_ectopic(self, somatic: int) -> None:
        """An axon that fires by itself costs minutes of computing, and the cell is of no use."""
        if math.isinf(self._ectopic_limit):
            return
        most = max((section.count() for section in self._spikes_elsewhere), default=0)
        if most > _ECTOPIC_SPIKES + self._ectopic_limit * somatic:
            raise SimulationError(f"ectopic: axon or dendrites fired {most} times, the soma {somatic} times")

    def _take_steps(self, time_ms: float) -> None:
        """Fixed steps to the one nearest to a time, by NEURON, or by CoreNEURON, which gives its state back."""
        from neuron import coreneuron

        with coreneuron(enable=self._integrator.kind == "coreneuron", verbose=0):
            # `psolve` takes the whole steps until then, rounded down.
            self._parallel.psolve(time_ms + 0.5 * self._integrator.time_step_ms)

    def _save(self) -> Any:
        saved = self._h.SaveState()
        saved.save()
        return saved


class _SectionSpikes(Protocol):
    """Upward crossings of the spike threshold in the middle of a section."""

    def count(self) -> int:
        """How many there were since NEURON was initialised."""


class _CountedSpikes:
    """The same, counted by NEURON."""

    def __init__(self, h: Any, section: Any, threshold_mV: float) -> None:
        self._counter = h.APCount(section(0.5))
        self._counter.thresh = threshold_mV

    def count(self) -> int:
        return int(self._counter.n)


class _RecordedSpikes:
    """The same, counted in the voltage that was recorded since they were counted last."""

    def __init__(self, h: Any, section: Any, threshold_mV: float) -> None:
        self._voltage = h.Vector().record(section(0.5)._ref_v)
        self._threshold_mV = threshold_mV
        self._count, self._was_above = 0, False

    def count(self) -> int:
        above = self._voltage.as_numpy() > self._threshold_mV
        if len(above):
            before = np.concatenate(([self._was_above], above[:-1]))
            self._count += int(np.count_nonzero(above & ~before))
            self._was_above = bool(above[-1])
            self._voltage.resize(0)
        return self._count


class _SpikeCounter:
    """Upward crossings of a threshold in growing vectors; what was seen before is not looked at again."""

    def __init__(self, threshold_mV: float, begin_ms: float) -> None:
        self._threshold_mV = threshold_mV
        self._begin_ms = begin_ms
        self._seen = 0
        self.times_ms: list[float] = []

    def look(self, time: Any, voltage: Any) -> None:
        first = max(self._seen - 1, 0)
        above = voltage.as_numpy()[first:] > self._threshold_mV
        for index in np.flatnonzero(above[1:] & ~above[:-1]):
            self.times_ms.append(float(time[first + int(index) + 1]) - self._begin_ms)
        self._seen = int(voltage.size())


class _FirstSpike:
    """Ends a simulation at the first spike."""

    def ends(self, elapsed_ms: float, spike_times_ms: Sequence[float]) -> bool:  # noqa: ARG002
        return bool(spike_times_ms)
