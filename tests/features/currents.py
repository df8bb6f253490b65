"""Currents made up for tests, as they are commanded and as amplifiers record them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

ARTEFACT = np.array([0.3, 1.0, 0.6, -0.7, -0.4, -0.2, -0.1])


def trace(samples: int = 12000, *pieces: tuple[int, int, float], holding_nA: float = 0.0) -> NDArray[np.float64]:
    """Clean current (nA) with steps of (start, stop, amplitude), which add up where they overlap."""
    current = np.full(samples, holding_nA)
    for start, stop, amplitude in pieces:
        current[start:stop] += amplitude
    return current


def ramp(samples: int, start: int, stop: int, start_nA: float, end_nA: float) -> NDArray[np.float64]:
    """Clean current (nA) with a ramp that reaches its end at `stop`."""
    current = np.zeros(samples)
    current[start:stop] = start_nA + (end_nA - start_nA) * np.arange(stop - start) / (stop - start)
    return current


def fluctuation(random: np.random.Generator, samples: int, correlation: float = 0.0) -> NDArray[np.float64]:
    """Noise of mean 0 and standard deviation 1 with a correlation time (in samples): an Ornstein-Uhlenbeck process."""
    kept = np.exp(-1.0 / correlation) if correlation else 0.0
    values = lfilter([np.sqrt(1.0 - kept**2)], [1.0, -kept], random.normal(0.0, 1.0, samples + int(10 * correlation)))
    return np.asarray(values[-samples:])


def with_artefacts(
    current: NDArray[np.float64], starts: Iterable[int], time_step_ms: float = 0.25, height_nA: float = 1.0
) -> NDArray[np.float64]:
    """The current with artefacts of spikes as they are in the rat recordings: up, then down, within 2 ms."""
    current = current.copy()
    at_ms = np.arange(0.0, 0.25 * len(ARTEFACT), time_step_ms)
    shape = height_nA * np.interp(at_ms, 0.25 * np.arange(len(ARTEFACT)), ARTEFACT)
    for start in starts:
        part = current[start : start + len(shape)]
        part += shape[: len(part)]
    return current
