"""Cutting a continuous signal into epochs around its events, without what is marked as bad."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.signals.signal import event_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.signals.signal import Event, Signal


def cut_epochs(signal: Signal, event: str, window_ms: tuple[float, float]) -> Signal:
    """Epochs around each event of one name.

    An epoch starts at the sample nearest to the event plus `window_ms[0]`, and has the same number of samples
    for all events. Events too close to an end of the recording, and those whose epoch touches a stretch marked
    as bad or a cut, are left out; `events` of the result are those kept.

    Args:
        signal: A continuous signal.
        event: Name of the events.
        window_ms: From and to, relative to the event (ms), for example (-200, 800).

    Raises:
        FeatureError: The signal is cut already, has no such event, or none with a whole epoch.
    """
    if signal.values.ndim == 3:
        raise FeatureError("expected a continuous signal, got one that is cut into epochs already")
    first, samples = _grid(signal, window_ms)
    named = [found for found in signal.events if found.name == event]
    if not named:
        raise FeatureError(f"no event is called '{event}'; there are {event_names(signal)}")
    starts = [round(found.onset_ms * signal.sampling_rate_Hz / 1000.0) + first for found in named]
    free = usable_starts(signal, np.array(starts), samples)
    kept = [(found, start) for found, start, usable in zip(named, starts, free, strict=True) if usable]
    if not kept:
        raise FeatureError(
            f"none of {len(named)} events '{event}' has a whole epoch from {window_ms[0]:g} to {window_ms[1]:g} ms "
            f"within the {signal.samples * 1000.0 / signal.sampling_rate_Hz:g} ms of the recording that is free of "
            "bad stretches; take a shorter window"
        )
    return replace(
        signal,
        values=np.stack([signal.values[:, start : start + samples] for _, start in kept]),
        start_ms=first * 1000.0 / signal.sampling_rate_Hz,
        events=tuple(found for found, _ in kept),
    )


def usable_starts(signal: Signal, starts: NDArray[np.int64], samples: int) -> NDArray[np.bool_]:
    """Whether `samples` samples from each start lie within the signal and touch nothing that is marked as bad."""
    stops = starts + samples
    usable = (starts >= 0) & (stops <= signal.samples)
    if signal.values.ndim == 3:  # the events of epochs are their own, none of them marks a stretch
        return np.asarray(usable)
    for event in signal.events:
        if event.unusable:
            usable &= ~_touches(event, signal.sampling_rate_Hz, starts, stops)
    return np.asarray(usable)


def _touches(event: Event, rate_Hz: float, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.bool_]:
    begin, end = (time_ms * rate_Hz / 1000.0 for time_ms in (event.onset_ms, event.onset_ms + event.duration_ms))
    if event.duration_ms == 0.0:
        # A cut lies before a sample; BrainVision marks that sample, EEGLAB the middle between the two.
        following = math.ceil(begin - 1e-6)
        return np.asarray((starts < following) & (following < stops))
    return np.asarray((starts < end) & (begin < stops))


def _grid(signal: Signal, window_ms: tuple[float, float]) -> tuple[int, int]:
    """First sample relative to the event, and number of samples."""
    low, high = window_ms
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise FeatureError(f"expected a window with its start before its end, got {low:g} to {high:g} ms")
    first = round(low * signal.sampling_rate_Hz / 1000.0)
    samples = round(high * signal.sampling_rate_Hz / 1000.0) - first
    if samples < 1:
        raise FeatureError(f"there is no sample between {low:g} and {high:g} ms at {signal.sampling_rate_Hz:g} Hz")
    return first, samples
