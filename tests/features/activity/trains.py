"""Spike trains for tests: made by hand, drawn from known processes, or by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains

# Multiples of a quarter millisecond: sums and halves of them are exact.
TICK_MS = 0.25
DURATION_MS = 256.0


def trains_of(
    trains: Sequence[Sequence[float] | NDArray[np.float64]],
    duration_ms: float = DURATION_MS,
    sizes: dict[str, int] | None = None,
) -> SpikeTrains:
    """Spike trains from the times of each unit."""
    times = np.concatenate([np.asarray(train, dtype=float) for train in trains]) if trains else np.zeros(0)
    unit_of_spike = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    return SpikeTrains(times, unit_of_spike, Units.from_sizes(sizes or {"E": len(trains)}), 0.0, duration_ms)


def gamma_trains(order: float, rate_Hz: float, units: int, duration_ms: float, seed: int) -> SpikeTrains:
    """Renewal processes with gamma-distributed intervals (order 1: Poisson), in equilibrium at the start."""
    random = np.random.default_rng(seed)
    mean_ms = 1000.0 / rate_Hz
    burn_in_ms = 20.0 * mean_ms
    count = int(1.5 * (duration_ms + burn_in_ms) / mean_ms) + 50
    times = np.cumsum(random.gamma(order, mean_ms / order, (units, count)), axis=1) - burn_in_ms
    assert times[:, -1].min() > duration_ms
    return trains_of([train[(train >= 0) & (train <= duration_ms)] for train in times], duration_ms)


def reference_trains() -> list[NDArray[np.float64]]:
    """Six trains of 2000 ms from a formula (no random numbers); the third is regular, on the edges of bins."""
    trains = []
    for unit in range(6):
        k = np.arange(1, 500)
        times = np.cumsum(4.0 + 60.0 * np.mod(k * np.sqrt(2.0 + unit), 1.0) ** 2)
        trains.append(times[times < 2000.0])
    return trains


def one_train(smallest: int = 0, largest: int = 30) -> st.SearchStrategy[list[float]]:
    """Times of one unit, multiples of TICK_MS within DURATION_MS, all different."""
    ticks = st.integers(0, int(DURATION_MS / TICK_MS) - 1)
    return st.lists(ticks, min_size=smallest, max_size=largest, unique=True).map(
        lambda found: [tick * TICK_MS for tick in sorted(found)]
    )


def many_trains() -> st.SearchStrategy[list[list[float]]]:
    """Times of three to seven units, some silent."""
    return st.lists(one_train(), min_size=3, max_size=7)
