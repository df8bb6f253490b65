"""The run of a trial on a network: steps, looks in between, spikes and signals gathered."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.fitting.circuits.circuit import CircuitResponse
from rheobase.fitting.circuits.dipole import dipole_readout, dipole_signal
from rheobase.fitting.circuits.line_sources import electrodes_at, potential_readout, potential_signal
from rheobase.fitting.circuits.rate_watch import RateWatch
from rheobase.fitting.circuits.spike_record import total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from rheobase.features.signals.signal import Signal
    from rheobase.fitting.circuits.circuit import Trial
    from rheobase.fitting.circuits.network import Network
    from rheobase.fitting.circuits.readout import CurrentReadout

# Interval between samples of the dipole and of potentials, or the multiple of the time step that is next to it.
_SAMPLING_MS = 0.5
# A simulation without limits is looked at this often, whether its voltages are still numbers.
_LOOK_EVERY_MS = 100.0
_LONGEST_EXCHANGE_MS = 10.0


def run(network: Network, trial: Trial, *, coreneuron: bool = False) -> CircuitResponse:
    """Simulate a trial.

    Args:
        network: The parts of the circuit that the trial needs.
        trial: What to simulate; its names are known to be right.
        coreneuron: Whether CoreNEURON computes a trial without signals; its mechanisms have been loaded.
    """
    with_currents = bool(trial.signals or trial.electrodes_um)
    network.prepare(trial)
    outside = coreneuron and not with_currents and int(network.context.nhost()) == 1
    with _integrating(network, with_currents):
        steps = _Steps(network, trial, outside)
        signals = _Signals(network, trial, steps) if with_currents else None
        steps.start()
        stopped = _advance(steps, signals)
    reached_ms = max(steps.reached_ms, steps.step_ms)  # an observation has some length
    start_ms = trial.dropped_ms if reached_ms > trial.dropped_ms else 0.0
    return CircuitResponse(
        network.spikes.trains(start_ms, reached_ms),
        stopped,
        signals.dipole() if signals and not stopped else None,
        signals.potential() if signals and not stopped else None,
        steps.reached_ms,
    )


def _advance(steps: _Steps, signals: _Signals | None) -> str | None:
    """To the end, or to the look that says why to stop."""
    samples = frozenset(signals.steps if signals else ())
    for step in sorted(samples | steps.looks):
        problem = steps.advance_to(step)
        if problem:
            return problem
        if signals and step in samples:
            signals.sample()
        if step in steps.looks:
            problem = steps.look()
            if problem:
                return problem
    return None


@contextlib.contextmanager
def _integrating(network: Network, with_currents: bool) -> Iterator[None]:
    """NEURON's settings for circuits; afterwards it computes no membrane currents, which cells do not need."""
    from neuron import h

    blueprint = network.plan.blueprint
    cvode = h.CVode()
    cvode.active(0)
    h.secondorder = 0
    h.celsius = blueprint.temperature_degC
    h.dt = blueprint.time_step_ms
    cvode.use_fast_imem(int(with_currents))
    network.context.set_maxstep(_LONGEST_EXCHANGE_MS)
    try:
        yield
    finally:
        cvode.use_fast_imem(0)


class _Steps:
    """The time steps of a trial, and the looks in between."""

    def __init__(self, network: Network, trial: Trial, outside: bool) -> None:
        from neuron import coreneuron

        self._network, self._duration_ms = network, trial.duration_ms
        self._solver = functools.partial(coreneuron, enable=outside, verbose=0)
        self.step_ms = network.plan.blueprint.time_step_ms
        self.total = round(trial.duration_ms / self.step_ms)
        self._reached = 0
        self._watch = RateWatch(trial.limits, network.sizes) if trial.limits else None
        checks = self._watch.times_ms(trial.duration_ms).tolist() if self._watch else []
        self._checks = {round(time / self.step_ms): time for time in checks}
        regular = range(0, self.total, max(round(_LOOK_EVERY_MS / self.step_ms), 1))
        self.looks = frozenset(regular[1:]) | self._checks.keys() | {self.total}
        self._voltages = _gatherer([cell.soma(0.5)._ref_v for _, cell in network.cells.values()])

    @property
    def reached_ms(self) -> float:
        """How far the simulation has come (ms)."""
        return self._duration_ms if self._reached == self.total else self._reached * self.step_ms

    def start(self) -> None:
        """Initialise NEURON."""
        from neuron import h

        self._network.spikes.clear()
        h.finitialize(self._network.plan.blueprint.initial_voltage_mV)

    def advance_to(self, step: int) -> str | None:
        """Integrate up to a step; what NEURON complains of, if it does."""
        # NEURON's time is a sum of steps with rounding errors: a quarter of a step beyond is always that step.
        try:
            if step > self._reached:
                with self._solver():
                    self._network.context.psolve((step + 0.25) * self.step_ms)
        except RuntimeError as error:
            return f"NEURON could not integrate beyond {self.reached_ms:g} ms: {error}"
        self._reached = step
        return None

    def look(self) -> str | None:
        """Why to stop here, in words."""
        broken = np.array([np.count_nonzero(~np.isfinite(self._voltages()))], dtype=float)
        if total(self._network.context, broken)[0] > 0.0:
            return f"the membrane potential of {self._broken_cells()} became NaN before {self.reached_ms:g} ms"
        if self._watch is None or self._reached not in self._checks:
            return None
        until_ms = self._checks[self._reached]
        return self._watch.look(until_ms, self._network.spikes.counts(self._watch.begin_ms(until_ms)))

    def _broken_cells(self) -> str:
        names = {
            placed.population for placed, cell in self._network.cells.values() if not np.isfinite(cell.soma(0.5).v)
        }
        return f"a cell of {', '.join(sorted(names))}" if names else "a cell"


class _Signals:
    """Dipole and potentials, accumulated sample by sample."""

    def __init__(self, network: Network, trial: Trial, steps: _Steps) -> None:
        self._context, self._trial = network.context, trial
        self._interval = max(round(_SAMPLING_MS / steps.step_ms), 1)
        self._first = round(trial.dropped_ms / steps.step_ms)
        self._step_ms = steps.step_ms
        self._currents = _gatherer([segment._ref_i_membrane_ for segment in network.segments()])
        geometry = network.segments_geometry()
        self._readouts: dict[str, CurrentReadout] = {}
        if geometry is not None and trial.signals:
            self._readouts["dipole"] = dipole_readout(geometry)
        if geometry is not None and trial.electrodes_um:
            self._readouts["potential"] = potential_readout(geometry, electrodes_at(trial.electrodes_um))
        self.steps = range(self._first, steps.total, self._interval)

    def sample(self) -> None:
        """Take a sample now."""
        currents = self._currents()
        for readout in self._readouts.values():
            readout.add(currents)

    def dipole(self) -> Signal | None:
        """The dipole, if it was asked for."""
        if not self._trial.signals:
            return None
        return dipole_signal(self._samples("dipole", 3), self._interval * self._step_ms, self._first * self._step_ms)

    def potential(self) -> Signal | None:
        """The potentials, if they were asked for."""
        depths = self._trial.electrodes_um
        if not depths:
            return None
        samples = self._samples("potential", len(depths))
        return potential_signal(samples, depths, self._interval * self._step_ms, self._first * self._step_ms)

    def _samples(self, name: str, outputs: int) -> NDArray[np.float64]:
        """Those of all processes together."""
        own = self._readouts[name].samples if name in self._readouts else np.zeros((len(self.steps), outputs))
        return total(self._context, own.ravel()).reshape(own.shape)


def _gatherer(pointers: list[Any]) -> Callable[[], NDArray[np.float64]]:
    """What reads the values behind NEURON's pointers; its array is overwritten at the next call."""
    from neuron import h

    if not pointers:
        return lambda: np.empty(0)
    gathered, vector = h.PtrVector(len(pointers)), h.Vector(len(pointers))
    for place, pointer in enumerate(pointers):
        gathered.pset(place, pointer)
    values: NDArray[np.float64] = vector.as_numpy()

    def gather() -> NDArray[np.float64]:
        gathered.gather(vector)
        return values

    return gather
