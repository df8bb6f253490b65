"""Properties of each recorded cell: rheobase, holding, input resistance, resting potential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.rheobase import LONG_STEP_MS, Rheobase, RheobaseSettings, find_rheobase
from rheobase.features.targets import INPUT_RESISTANCE_DEFLECTION_mV

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.sweeps import SweepMeasurement

_LARGEST_DEFLECTION_mV = 15.0  # with larger steps only, the input resistance near rest is unknown


@dataclass(frozen=True, slots=True)
class CellProperties:
    """What a recorded cell's sweeps say about the cell itself; None where they do not.

    Attributes:
        rheobase: Smallest step that made it fire.
        holding_current_nA: Median current outside the stimuli (nA).
        holding_voltage_mV: Median voltage before the stimuli (mV).
        input_resistance_MOhm: Plateau deflection over amplitude of a step that hyperpolarises by 5 mV (MOhm).
        resting_potential_mV: Plateau voltage at which the whole injected current is zero (mV), interpolated.
        sweeps: Number of sweeps with a stimulus.
    """

    rheobase: Rheobase | None
    holding_current_nA: float
    holding_voltage_mV: float
    input_resistance_MOhm: float | None
    resting_potential_mV: float | None
    sweeps: int

    @property
    def rheobase_nA(self) -> float | None:
        """The rheobase itself (nA above holding)."""
        return None if self.rheobase is None else self.rheobase.value_nA


def cell_properties(sweeps: Sequence[SweepMeasurement], settings: RheobaseSettings) -> CellProperties:
    """Properties of one cell from all its sweeps.

    Args:
        sweeps: The cell's sweeps, at least one.
        settings: How its rheobase is found.
    """
    steps = [sweep for sweep in sweeps if sweep.stimulus.kind in ("step", "pulse")]
    long_steps = [sweep for sweep in steps if sweep.step.duration_ms >= LONG_STEP_MS]
    return CellProperties(
        rheobase=find_rheobase(sweeps, settings),
        holding_current_nA=float(np.median([sweep.stimulus.holding_nA for sweep in sweeps])),
        holding_voltage_mV=float(np.median([sweep.baseline_mV for sweep in sweeps])),
        input_resistance_MOhm=_input_resistance(long_steps),
        resting_potential_mV=_resting_potential(long_steps),
        sweeps=len(sweeps),
    )


def _input_resistance(sweeps: Sequence[SweepMeasurement]) -> float | None:
    """Interpolated to the deflection at which models are measured too: rectification bends the I-V curve."""
    below = [sweep for sweep in sweeps if sweep.step.amplitude_nA < 0 and sweep.plateau_mV < sweep.baseline_mV]
    points = sorted(
        (sweep.baseline_mV - sweep.plateau_mV, (sweep.plateau_mV - sweep.baseline_mV) / sweep.step.amplitude_nA)
        for sweep in below
    )
    if not points or points[0][0] > _LARGEST_DEFLECTION_mV:
        return None
    deflection, resistance = np.array(points).T
    return float(np.interp(INPUT_RESISTANCE_DEFLECTION_mV, deflection, resistance))


def _resting_potential(sweeps: Sequence[SweepMeasurement]) -> float | None:
    points = []
    for sweep in sweeps:
        points.append((sweep.step.holding_nA, sweep.baseline_mV))
        if not sweep.spikes:
            points.append((sweep.step.holding_nA + sweep.step.amplitude_nA, sweep.plateau_mV))
    if not points:
        return None
    current, voltage = np.array(points).T
    if current.min() > 0 or current.max() < 0:
        return None  # extrapolating an I-V curve that rectifies would be a guess
    # The nearest points and all that are as near: the order of the sweeps must not matter.
    farthest = np.sort(np.abs(current))[: max(4, len(current) // 3)][-1]
    near = np.abs(current) <= farthest
    if np.ptp(current[near]) == 0:
        return float(np.mean(voltage[near]))
    return float(np.polyfit(current[near], voltage[near], 1)[1])
