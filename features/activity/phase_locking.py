"""Locking of spikes to the phase of an oscillation in a field potential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import butter, hilbert, sosfiltfilt

from rheobase.features.activity.unit_values import UnitValues, values_where
from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.activity.populations import Units
    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.features.signals.signal import Signal

# Order of the Butterworth filter, which runs over the signal forwards and backwards: no shift of phase.
_FILTER_ORDER = 2
# Share of the signal below which what is left of it by the filter is rounding.
_NOTHING = 1e-9
MINIMUM_SPIKES = 10


@dataclass(frozen=True, eq=False)
class SpikePhases:
    """Phase of an oscillation at each spike.

    Attributes:
        phases: Phase (radians, -pi to pi, 0 at the peak of the signal), shape (spikes,).
        unit_of_spike: Index into `units` of each spike, shape (spikes,).
        units: All units.
        band_Hz: Band that the signal was filtered to (Hz).
        left_out: Number of spikes outside the signal or too near its ends, where a filtered signal is not reliable.
        source: Where the spikes come from.
    """

    phases: NDArray[np.float64]
    unit_of_spike: NDArray[np.intp]
    units: Units
    band_Hz: tuple[float, float]
    left_out: int
    source: str


def spike_phases(trains: SpikeTrains, signal: Signal, band_Hz: tuple[float, float]) -> SpikePhases:
    """Phase of a signal, filtered to a band, at each spike.

    The phase is that of the analytic signal (Hilbert transform), interpolated between samples. Spikes nearer to an
    end of the signal or to a bad stretch than one over the width of the band, the time over which the filter rings,
    are left out.

    Args:
        trains: The spikes.
        signal: One continuous channel (LFP, EEG, dipole), its `start_ms` on the clock of the spikes.
        band_Hz: Lower and upper edge of the band (Hz).

    Raises:
        FeatureError: More than one channel or epoch, a band that is not below half the sampling rate, or a signal
            that is too short for the band or has nothing in it.
    """
    step_ms = 1000.0 / signal.sampling_rate_Hz
    _check_signal(signal, step_ms, band_Hz)
    values = signal.values[0] - signal.values[0].mean()
    sections = butter(_FILTER_ORDER, band_Hz, btype="bandpass", fs=signal.sampling_rate_Hz, output="sos")
    # Mirrored at its ends a rhythm goes on, where scipy's default (odd) adds a jump of its own.
    mirrored = min(len(values) - 1, int(6.0 * _ringing_ms(band_Hz) / step_ms))
    analytic = np.asarray(hilbert(sosfiltfilt(sections, values, padtype="even", padlen=mirrored)))
    if np.abs(analytic).max() <= _NOTHING * np.abs(signal.values).max():
        raise FeatureError(f"the signal has no power between {band_Hz[0]:g} and {band_Hz[1]:g} Hz, so it has no phase")
    used = _far_from_edges(trains.times_ms - signal.start_ms, signal, step_ms, _ringing_ms(band_Hz))
    sample = (trains.times_ms[used] - signal.start_ms) / step_ms
    return SpikePhases(
        np.angle(np.interp(sample, np.arange(len(values)), analytic)),
        trains.unit_of_spike[used],
        trains.units,
        (float(band_Hz[0]), float(band_Hz[1])),
        int(np.count_nonzero(~used)),
        trains.source,
    )


def pairwise_phase_consistency(phases: SpikePhases, minimum_spikes: int = MINIMUM_SPIKES) -> UnitValues:
    """Pairwise phase consistency: mean over all pairs of spikes of the cosine of their difference in phase.

    0 on average without locking, whatever the number of spikes (it may be below 0), 1 for perfect locking; the square
    of the vector strength without its bias (Vinck et al. 2010, NeuroImage 51:112).

    Args:
        phases: Phases of the spikes.
        minimum_spikes: Units with fewer have no value.

    Raises:
        FeatureError: `minimum_spikes` is below 2.
    """
    if minimum_spikes < 2:
        raise FeatureError(f"pairs need at least 2 spikes, got minimum_spikes {minimum_spikes}")
    count, length = _resultant(phases)
    values = (length**2 - count) / np.maximum(count * (count - 1.0), 1.0)
    return _locking(phases, "pairwise_phase_consistency", values, count, minimum_spikes)


def vector_strength(phases: SpikePhases, minimum_spikes: int = MINIMUM_SPIKES) -> UnitValues:
    """Vector strength: length of the mean of the phases as unit vectors, 0 to 1.

    Without locking it is about 0.89 / sqrt(spikes), so compare it only between equal numbers of spikes; else take
    `pairwise_phase_consistency` (Goldberg and Brown 1969, J Neurophysiol 32:613).

    Args:
        phases: Phases of the spikes.
        minimum_spikes: Units with fewer have no value.

    Raises:
        FeatureError: `minimum_spikes` is below 1.
    """
    if minimum_spikes < 1:
        raise FeatureError(f"a phase needs at least 1 spike, got minimum_spikes {minimum_spikes}")
    count, length = _resultant(phases)
    return _locking(phases, "vector_strength", length / np.maximum(count, 1), count, minimum_spikes)


def _resultant(phases: SpikePhases) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Number of spikes of each unit, and length of the sum of their phases as unit vectors."""
    units = len(phases.units)
    x = np.bincount(phases.unit_of_spike, np.cos(phases.phases), units)
    y = np.bincount(phases.unit_of_spike, np.sin(phases.phases), units)
    return np.bincount(phases.unit_of_spike, minlength=units), np.hypot(x, y)


def _locking(
    phases: SpikePhases, measure: str, values: NDArray[np.float64], count: NDArray[np.intp], minimum_spikes: int
) -> UnitValues:
    settings = (
        ("band_low_Hz", phases.band_Hz[0]),
        ("band_high_Hz", phases.band_Hz[1]),
        ("minimum_spikes", float(minimum_spikes)),
    )
    return values_where(count >= minimum_spikes, values, phases.units, measure, settings, phases.source)


def _ringing_ms(band_Hz: tuple[float, float]) -> float:
    return 1000.0 / (band_Hz[1] - band_Hz[0])


def _far_from_edges(
    times_ms: NDArray[np.float64], signal: Signal, step_ms: float, margin_ms: float
) -> NDArray[np.bool_]:
    """Which times (ms from the first sample) are far enough from the ends and from what is not to be used."""
    used = (times_ms >= margin_ms) & (times_ms <= step_ms * (signal.samples - 1) - margin_ms)
    for event in signal.events:
        if event.unusable:
            used &= (times_ms < event.onset_ms - margin_ms) | (
                times_ms > event.onset_ms + event.duration_ms + margin_ms
            )
    return used


def _check_signal(signal: Signal, step_ms: float, band_Hz: tuple[float, float]) -> None:
    if signal.values.ndim != 2 or len(signal.channels) != 1:
        raise FeatureError(
            f"expected one channel of a continuous signal, got {len(signal.channels)} channels and {signal.epochs} "
            "epochs; choose the channel with Signal.pick"
        )
    low, high = band_Hz
    if not 0 < low < high < signal.sampling_rate_Hz / 2:
        raise FeatureError(
            f"expected a band between 0 and {signal.sampling_rate_Hz / 2:g} Hz (half the sampling rate), "
            f"got {low:g} to {high:g} Hz"
        )
    duration_ms = step_ms * (signal.samples - 1)
    # What is left between the two ends, and two cycles.
    needed_ms = max(2.0 * _ringing_ms(band_Hz), 2000.0 / low)
    if duration_ms <= needed_ms:
        raise FeatureError(
            f"a signal of {duration_ms:g} ms is too short for the band of {low:g} to {high:g} Hz; it needs more than "
            f"{needed_ms:g} ms"
        )
