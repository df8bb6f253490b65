"""What is drawn of a sweep: as many points as can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.recording import Recording

_POINTS = 700  # a tile is some 220 dots wide
_ARTEFACTS_PERCENT = 5.0


@dataclass(frozen=True, eq=False)
class Trace:
    """A sweep, thinned.

    Attributes:
        protocol: As the recordings name it.
        sweep: The sweep's name.
        duration_s: Its length (s).
        voltage_times_s: Times of the voltages (s), shape (points,).
        voltage_mV: Voltages, smallest and largest of each stretch (mV).
        current_times_s: Times of the currents (s), shape (points,).
        current_nA: Currents (nA).
        current_range_nA: Where nearly all samples of the current lie (nA).
        spikes_s: Upward crossings of the spike threshold (s).
    """

    protocol: str
    sweep: str
    duration_s: float
    voltage_times_s: NDArray[np.float64]
    voltage_mV: NDArray[np.float64]
    current_times_s: NDArray[np.float64]
    current_nA: NDArray[np.float64]
    current_range_nA: tuple[float, float]
    spikes_s: NDArray[np.float64]


def thinned(recording: Recording, spike_threshold_mV: float) -> Trace:
    """What is drawn of a recording; spikes keep their height.

    Args:
        recording: The sweep.
        spike_threshold_mV: A spike is a crossing of this voltage (mV).
    """
    above = recording.voltage_mV > spike_threshold_mV
    crossings = np.flatnonzero(above[1:] & ~above[:-1]) + 1
    current_times_s, current_nA = _extremes(recording.current_nA, recording.time_step_ms)
    low, high = np.percentile(recording.current_nA, [_ARTEFACTS_PERCENT, 100.0 - _ARTEFACTS_PERCENT])
    times_s, voltage_mV = _extremes(recording.voltage_mV, recording.time_step_ms)
    return Trace(
        recording.protocol,
        recording.sweep,
        recording.duration_ms / 1000.0,
        times_s,
        voltage_mV,
        current_times_s,
        current_nA,
        (float(low), float(high)),
        np.multiply(crossings, recording.time_step_ms / 1000.0, dtype=np.float64),
    )


def _extremes(values: NDArray[np.float64], time_step_ms: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (s) and values: smallest and largest of stretches of equal length."""
    step_s = time_step_ms / 1000.0
    width = -(-2 * len(values) // _POINTS)
    if width <= 2:
        return np.multiply(np.arange(len(values)), step_s, dtype=np.float64), values
    starts = np.arange(0, len(values), width)
    ends = np.column_stack((np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)))
    times = starts[:, None] + np.array([0.0, width / 2.0], dtype=np.float64)
    return np.multiply(times.ravel(), step_s, dtype=np.float64), ends.ravel()
