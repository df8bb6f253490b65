"""Spike counts in consecutive bins, kept sparse: memory and time go with the number of spikes, not units x bins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.activity.spike_trains import SpikeTrains

# Share of a bin by which a spike may miss the edge it lies on: times are multiples of the time step, rounded.
_EDGE = 1e-6


@dataclass(frozen=True, eq=False)
class BinnedCounts:
    """Counts above zero, of each unit in each bin.

    Attributes:
        unit: Unit of each entry, shape (entries,).
        bin_of_entry: Bin of each entry, shape (entries,).
        count: Number of spikes of the unit in the bin, shape (entries,).
        units: Number of units.
        bins: Number of bins.
    """

    unit: NDArray[np.intp]
    bin_of_entry: NDArray[np.intp]
    count: NDArray[np.float64]
    units: int
    bins: int

    def means(self) -> NDArray[np.float64]:
        """Mean count over bins, shape (units,)."""
        return np.bincount(self.unit, self.count, self.units) / self.bins

    def variances(self) -> NDArray[np.float64]:
        """Variance of the count over bins, divided by bins - 1, shape (units,); exactly 0 for equal counts."""
        # Sums of small integers are exact, so the difference is.
        sums = np.bincount(self.unit, self.count, self.units)
        squares = np.bincount(self.unit, self.count**2, self.units)
        variances: NDArray[np.float64] = (squares * self.bins - sums**2) / (self.bins * (self.bins - 1))
        return variances


def bin_spikes(trains: SpikeTrains, bin_ms: float) -> BinnedCounts:
    """Count spikes in consecutive bins [start, start + bin), ...; what is left after the last whole bin is not used.

    A spike on the very end of the observation belongs to the last bin, when the bins end there.

    Raises:
        FeatureError: The observation is shorter than two bins.
    """
    duration_ms = trains.stop_ms - trains.start_ms
    if not (math.isfinite(bin_ms) and bin_ms > 0 and duration_ms / bin_ms + _EDGE >= 2):
        raise FeatureError(
            f"{trains.source}: expected bins of at most half the observation of {duration_ms:g} ms, got {bin_ms:g} ms"
        )
    bins = math.floor(duration_ms / bin_ms + _EDGE)
    place = np.floor((trains.times_ms - trains.start_ms) / bin_ms + _EDGE).astype(np.intp)
    if math.isclose(bins * bin_ms, duration_ms, rel_tol=_EDGE):
        place[trains.times_ms == trains.stop_ms] = bins - 1
    used = place < bins
    # Sorted by unit and time, so equal keys are neighbours.
    keys = trains.unit_of_spike[used] * bins + place[used]
    first = np.flatnonzero(np.concatenate([[True], np.diff(keys) > 0])) if keys.size else np.zeros(0, dtype=np.intp)
    count = np.diff(np.concatenate([first, [len(keys)]])).astype(np.float64)
    return BinnedCounts(keys[first] // bins, keys[first] % bins, count, len(trains.units), bins)
