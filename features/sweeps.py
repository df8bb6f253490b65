"""One recorded sweep, measured: its stimulus, its spikes and its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.measurement import SPIKE_SHAPE_FEATURES, MeasurementSettings, measure
from rheobase.features.stimulus import Unrecognised, detect_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.features.recording import Recording, Step

# An action potential lasts about a millisecond: with fewer than ten samples its shape is a guess.
COARSEST_SPIKE_SAMPLING_MS = 0.1


@dataclass(frozen=True)
class SweepMeasurement:
    """What is kept of a sweep once its samples are gone.

    Attributes:
        cell: The cell.
        protocol: The protocol as the recording names it.
        sweep: The sweep's name.
        step: The stimulus found in its current.
        spikes: Upward crossings of the spike threshold during the step.
        baseline_mV: Median voltage before the step (mV).
        plateau_mV: Median voltage in the last tenth of the step (mV).
        features: Value of each feature it has.
    """

    cell: str
    protocol: str
    sweep: str
    step: Step
    spikes: int
    baseline_mV: float
    plateau_mV: float
    features: dict[str, float]


def measure_sweep(
    recording: Recording,
    names: Sequence[str],
    settings: MeasurementSettings,
    window_ms: tuple[float, float] | None = None,
) -> SweepMeasurement | Unrecognised:
    """Stimulus, spikes and features of a sweep; Unrecognised when its current is not a step.

    Args:
        recording: The sweep.
        names: Features to measure; shapes of action potentials are left out of coarsely sampled sweeps.
        settings: How to measure.
        window_ms: Onset and end of the step (ms), when the campaign states them.
    """
    step = detect_step(recording.current_nA, recording.time_step_ms, window_ms=window_ms)
    if isinstance(step, Unrecognised):
        return step
    if recording.time_step_ms > COARSEST_SPIKE_SAMPLING_MS:
        names = [name for name in names if name not in SPIKE_SHAPE_FEATURES]
    time_ms = np.multiply(np.arange(len(recording.voltage_mV)), recording.time_step_ms, dtype=np.float64)
    measured = measure(time_ms, recording.voltage_mV, step, names, settings)
    on = round(step.onset_ms / recording.time_step_ms)
    off = round(step.offset_ms / recording.time_step_ms)
    plateau = recording.voltage_mV[off - max(1, (off - on) // 10) : off]
    return SweepMeasurement(
        cell=recording.cell,
        protocol=recording.protocol,
        sweep=recording.sweep,
        step=step,
        spikes=count_spikes(recording.voltage_mV[on:off], settings.spike_threshold_mV),
        baseline_mV=float(np.median(recording.voltage_mV[: max(on, 1)])),
        plateau_mV=float(np.median(plateau)),
        features={name: value for name, value in measured.items() if value is not None},
    )


def count_spikes(voltage_mV: NDArray[np.float64], threshold_mV: float) -> int:
    """Number of upward crossings of a threshold."""
    above = voltage_mV > threshold_mV
    return int(np.count_nonzero(above[1:] & ~above[:-1]))
