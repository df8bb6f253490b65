"""Evoked responses: averages over epochs, and differences of such averages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.signals.signal import Signal


def evoked_response(trials: Signal, baseline_ms: tuple[float, float] | None) -> Signal:
    """Average over epochs, relative to the mean of each channel's baseline.

    Args:
        trials: Epochs around an event.
        baseline_ms: From and to (ms), the end not included, for example (-100, 0); None to leave the values as
            they are.

    Returns:
        A signal of the shape (channels, samples) with the times of the epochs.

    Raises:
        FeatureError: The signal is not in epochs, or the baseline has no sample.
    """
    if trials.values.ndim != 3:
        raise FeatureError("expected a signal in epochs, got a continuous one; cut it first (cut_epochs)")
    average = trials.values.mean(axis=0)
    if baseline_ms is not None:
        average -= average[:, samples_within(trials, baseline_ms)].mean(axis=1, keepdims=True)
    return replace(trials, values=average, events=())


def difference_wave(deviant: Signal, standard: Signal) -> Signal:
    """Evoked response to the deviant minus that to the standard; in it lies the mismatch negativity.

    Raises:
        FeatureError: The two differ in channels, sampling, times or unit.
    """
    for name in ("channels", "sampling_rate_Hz", "start_ms", "samples", "unit"):
        ours, theirs = getattr(deviant, name), getattr(standard, name)
        if ours != theirs:
            raise FeatureError(f"a difference needs two responses with the same {name}, got {ours} and {theirs}")
    if deviant.values.ndim != 2 or standard.values.ndim != 2:
        raise FeatureError("a difference is taken between averages; average the epochs first (evoked_response)")
    return replace(deviant, values=deviant.values - standard.values)


def samples_within(signal: Signal, window_ms: tuple[float, float]) -> NDArray[np.bool_]:
    """Which samples lie from the start of a window (included) to its end (not included), shape (samples,).

    Raises:
        FeatureError: The window is empty or not within the signal.
    """
    low, high = window_ms
    step = 1000.0 / signal.sampling_rate_Hz
    first, last = float(signal.times_ms[0]), float(signal.times_ms[-1])
    slack = 1e-6 * step
    if not (first - step < low < high <= last + step + slack):
        raise FeatureError(
            f"the window from {low:g} to {high:g} ms is not within the signal, which lasts from {first:g} to "
            f"{last + step:g} ms"
        )
    within = (signal.times_ms >= low - slack) & (signal.times_ms < high - slack)
    if not np.any(within):
        raise FeatureError(f"there is no sample between {low:g} and {high:g} ms at {signal.sampling_rate_Hz:g} Hz")
    return np.asarray(within)
