"""Spike trains of many units over one interval: the same for recordings and models."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.activity.populations import Units
from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class SpikeTrains:
    """Spikes of every unit of some populations over an interval in which all of them were observed.

    Spikes are given in any order, and kept sorted by unit, and by time within a unit.

    Attributes:
        times_ms: Time of each spike (ms), shape (spikes,).
        unit_of_spike: Index into `units` of each spike, shape (spikes,).
        units: All units that were observed, with or without spikes.
        start_ms: Start of the observation (ms).
        stop_ms: End of the observation (ms); a spike may fall on it.
        source: Where the spikes come from, for messages and targets.
    """

    times_ms: NDArray[np.float64]
    unit_of_spike: NDArray[np.intp]
    units: Units
    start_ms: float
    stop_ms: float
    source: str = "spike trains"

    def __post_init__(self) -> None:
        times, units = _as_arrays(self.times_ms, self.unit_of_spike, self.source)
        _check_interval(self.start_ms, self.stop_ms, self.source)
        self._check_spikes(times, units)
        times, units = _sorted(times, units, len(self.units))
        object.__setattr__(self, "times_ms", times)
        object.__setattr__(self, "unit_of_spike", units)

    @property
    def duration_s(self) -> float:
        """Length of the observation (s)."""
        return (self.stop_ms - self.start_ms) / 1000.0

    @functools.cached_property
    def counts(self) -> NDArray[np.intp]:
        """Number of spikes of each unit, shape (units,)."""
        return np.bincount(self.unit_of_spike, minlength=len(self.units))

    def train(self, unit: int) -> NDArray[np.float64]:
        """Spike times (ms) of one unit, by its index."""
        first, last = np.searchsorted(self.unit_of_spike, [unit, unit + 1])
        return self.times_ms[first:last]

    def between(self, start_ms: float, stop_ms: float) -> SpikeTrains:
        """The part of the observation from `start_ms` up to, not including, `stop_ms` (included at its very end).

        Raises:
            FeatureError: The part does not lie within the observation.
        """
        _check_interval(start_ms, stop_ms, self.source)
        if start_ms < self.start_ms or stop_ms > self.stop_ms:
            raise FeatureError(
                f"{self.source}: {start_ms:g} to {stop_ms:g} ms is not within what was observed, "
                f"{self.start_ms:g} to {self.stop_ms:g} ms"
            )
        before_stop = self.times_ms <= stop_ms if stop_ms == self.stop_ms else self.times_ms < stop_ms
        kept = before_stop & (self.times_ms >= start_ms)
        return replace(
            self,
            times_ms=self.times_ms[kept],
            unit_of_spike=self.unit_of_spike[kept],
            start_ms=start_ms,
            stop_ms=stop_ms,
        )

    def of(self, *populations: str) -> SpikeTrains:
        """Spikes of some populations.

        Raises:
            FeatureError: An unknown population, or one named twice.
        """
        if len(set(populations)) < len(populations):
            raise FeatureError(f"each population can be chosen once, got {', '.join(populations)}")
        return self.regrouped({population: [population] for population in populations})

    def regrouped(self, groups: Mapping[str, Sequence[str]]) -> SpikeTrains:
        """Spikes of chosen populations under new names, for example {"L5I": ["L5 PV", "L5 SST"]}.

        Raises:
            FeatureError: An unknown population, one that is wanted twice, or an empty group.
        """
        units, kept = self.units.regrouped(groups)
        place = np.full(len(self.units), -1, dtype=np.intp)
        place[kept] = np.arange(len(kept))
        unit_of_spike = place[self.unit_of_spike]
        wanted = unit_of_spike >= 0
        return replace(self, times_ms=self.times_ms[wanted], unit_of_spike=unit_of_spike[wanted], units=units)

    def _check_spikes(self, times: NDArray[np.float64], units: NDArray[np.intp]) -> None:
        if not times.size:
            return
        if not 0 <= units.min() <= units.max() < len(self.units):
            wrong = int(np.argmax((units < 0) | (units >= len(self.units))))
            raise FeatureError(
                f"{self.source}: spike {wrong} is of unit {units[wrong]}, but there are {len(self.units)} units, "
                "numbered from 0"
            )
        outside = ~((times >= self.start_ms) & (times <= self.stop_ms))  # NaN is outside too
        if np.any(outside):
            first = int(np.argmax(outside))
            unit = int(units[first])
            raise FeatureError(
                f"{self.source}: {int(outside.sum())} of {len(times)} spikes lie outside the observation of "
                f"{self.start_ms:g} to {self.stop_ms:g} ms, the first at {times[first]:g} ms (unit "
                f"'{self.units.names[unit]}' of '{self.units.populations[self.units.population_of[unit]]}'); "
                "correct the interval or the unit of time"
            )


def merged(parts: Sequence[SpikeTrains]) -> SpikeTrains:
    """Spike trains of different populations observed over the same interval, as one.

    Raises:
        FeatureError: Nothing to merge, different intervals, or two populations of one name.
    """
    if not parts:
        raise FeatureError("there are no spike trains to merge")
    first = parts[0]
    for part in parts[1:]:
        if (part.start_ms, part.stop_ms) != (first.start_ms, first.stop_ms):
            raise FeatureError(
                f"only spike trains of the same interval can be merged, got {first.start_ms:g} to "
                f"{first.stop_ms:g} ms ({first.source}) and {part.start_ms:g} to {part.stop_ms:g} ms ({part.source})"
            )
    earlier_populations = np.cumsum([0] + [len(part.units.populations) for part in parts[:-1]])
    earlier_units = np.cumsum([0] + [len(part.units) for part in parts[:-1]])
    units = Units(
        tuple(name for part in parts for name in part.units.populations),
        np.concatenate([part.units.population_of + n for part, n in zip(parts, earlier_populations, strict=True)]),
        tuple(name for part in parts for name in part.units.names),
        all(part.units.silent_included for part in parts),
    )
    return SpikeTrains(
        np.concatenate([part.times_ms for part in parts]),
        np.concatenate([part.unit_of_spike + n for part, n in zip(parts, earlier_units, strict=True)]),
        units,
        first.start_ms,
        first.stop_ms,
        ", ".join(dict.fromkeys(part.source for part in parts)),
    )


def _as_arrays(times: ArrayLike, units: ArrayLike, source: str) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    time_array, unit_array = np.asarray(times, dtype=np.float64), np.asarray(units)
    if time_array.ndim != 1 or time_array.shape != unit_array.shape:
        raise FeatureError(
            f"{source}: expected one time and one unit a spike, got arrays of shapes {time_array.shape} "
            f"and {unit_array.shape}"
        )
    if unit_array.size and not np.issubdtype(unit_array.dtype, np.integer):
        raise FeatureError(f"{source}: units are numbered with integers, got {unit_array.dtype}")
    return time_array, unit_array.astype(np.intp, copy=False)


def _check_interval(start_ms: float, stop_ms: float, source: str) -> None:
    if not (math.isfinite(start_ms) and math.isfinite(stop_ms) and start_ms < stop_ms):
        raise FeatureError(f"{source}: an observation has a start before its end, got {start_ms:g} to {stop_ms:g} ms")


def _sorted(
    times: NDArray[np.float64], units: NDArray[np.intp], unit_count: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Spikes by unit, then by time; read-only, and never the arrays of the caller."""
    if np.any((np.diff(units) < 0) | ((np.diff(units) == 0) & (np.diff(times) < 0))):
        by_time = np.argsort(times, kind="stable") if np.any(np.diff(times) < 0) else np.arange(len(times))
        # Numpy sorts 16-bit numbers by radix, many times faster.
        keys = units[by_time].astype(np.uint16) if unit_count <= 2**16 else units[by_time]
        order = by_time[np.argsort(keys, kind="stable")]
        times, units = times[order], units[order]
    else:
        times, units = times.copy(), units.copy()
    times.setflags(write=False)
    units.setflags(write=False)
    return times, units
