"""Current and voltage clamp at the soma of a cell instance, with settled states kept and restored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.fitting.cells.instance import CellInstance

_FAR_MS = 1e9
_LOOK_EVERY_MS = 25.0  # how often a search for the first spike looks whether there was one
# A silent cell takes some hundred variable time steps in two seconds; one whose axon or dendrites fire takes
# a hundred for each of their spikes.
_STEPS_OF_A_SILENT_CELL = 3000


class SimulationError(Exception):
    """NEURON could not integrate this candidate; its scores are failure scores, the campaign goes on."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Voltage at the soma.

    Attributes:
        time_ms: Times of the integrator's own steps (ms from the start of the sweep), shape (samples,).
        voltage_mV: Membrane potential (mV), shape (samples,).
    """

    time_ms: NDArray[np.float64]
    voltage_mV: NDArray[np.float64]

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


class SomaClamp:
    """Electrodes in the soma of one cell.

    Args:
        instance: The cell; its parameters may change between calls.
        absolute_tolerance: CVODE's absolute tolerance.
    """

    def __init__(self, instance: CellInstance, absolute_tolerance: float = 1e-3) -> None:
        self._instance = instance
        self._h = h = instance.h
        self._middle = instance.soma(0.5)
        self._cvode = h.CVode()
        self._absolute_tolerance = absolute_tolerance
        self._holding = h.IClamp(self._middle)
        self._holding.dur = _FAR_MS
        self._step = h.IClamp(self._middle)
        self._clamp = h.SEClamp(self._middle)
        self._clamp.rs = 0.01
        self._time = h.Vector().record(h._ref_t)
        self._voltage = h.Vector().record(self._middle._ref_v)

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

    def step(
        self,
        state: SettledState,
        amplitude_nA: float,
        onset_ms: float,
        duration_ms: float,
        after_ms: float,
        stop_above_mV: float | None = None,
    ) -> Trace:
        """A current step on top of the holding current, from a settled state.

        Args:
            state: Where to start from.
            amplitude_nA: Step above holding (nA).
            onset_ms: Time before the step (ms).
            duration_ms: Length of the step (ms).
            after_ms: Time simulated after the step (ms).
            stop_above_mV: End soon after the soma has passed this voltage (mV): enough to know that it spikes.

        Raises:
            SimulationError: the integration failed.
        """
        self._initialize(state.holding_current_nA)
        state.saved.restore()
        begin = float(self._h.t)
        self._step.delay, self._step.dur, self._step.amp = begin + onset_ms, duration_ms, amplitude_nA
        self._cvode.re_init()
        self._time.resize(0)
        self._voltage.resize(0)
        try:
            return self._run(onset_ms + duration_ms + after_ms, stop_above_mV)
        finally:
            self._step.dur, self._step.amp = 0.0, 0.0

    def _initialize(self, holding_current_nA: float) -> None:
        h, model = self._h, self._instance.model
        h.celsius = model.temperature_degC
        h.cvode_active(1)
        self._cvode.atol(self._absolute_tolerance)
        self._holding.amp = holding_current_nA
        self._step.delay, self._step.dur, self._step.amp = _FAR_MS, 0.0, 0.0
        try:
            h.finitialize(model.initial_voltage_mV)
        except RuntimeError as error:
            raise SimulationError(f"NEURON could not initialise the cell: {error}") from error

    def _run(self, duration_ms: float, stop_above_mV: float | None = None) -> Trace:
        begin = float(self._h.t)
        end = begin + duration_ms
        try:
            if stop_above_mV is None:
                self._h.continuerun(end)
            else:
                reached = begin
                while reached < end and (self._voltage.size() == 0 or self._voltage.max() <= stop_above_mV):
                    if self._time.size() > _STEPS_OF_A_SILENT_CELL:
                        raise SimulationError("ectopic: axon or dendrites fire while the soma is silent")
                    reached = min(reached + _LOOK_EVERY_MS, end)
                    self._h.continuerun(reached)
        except RuntimeError as error:
            raise SimulationError(f"NEURON could not integrate the cell: {error}") from error
        time, voltage = np.array(self._time), np.array(self._voltage)
        if not np.isfinite(voltage).all():
            raise SimulationError("the membrane potential became NaN")
        if len(time) == 0 or (stop_above_mV is None and not math.isclose(time[-1], end, abs_tol=1e-3)):
            raise SimulationError(f"the integration stopped at {time[-1] - begin if len(time) else 0:.3f} ms")
        return Trace(time - begin, voltage)

    def _save(self) -> Any:
        saved = self._h.SaveState()
        saved.save()
        return saved
