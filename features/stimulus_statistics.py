"""Levels and noise of a signal, in numbers that spikes' artefacts and a few changes of level do not move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Standard deviation of normally distributed noise over its median absolute deviation.
MAD_TO_DEVIATION = 1.4826

# Values that are enough to measure noise by.
ENOUGH = 4096
_TOGGLING = 0.2


def median(values: NDArray[np.float64]) -> float:
    """Median, as numpy's and ten times as fast for a hundred thousand values."""
    middle = len(values) // 2
    ordered = values.copy()
    ordered.partition(middle)
    upper = float(ordered[middle])
    return upper if len(values) % 2 else 0.5 * (float(ordered[:middle].max()) + upper)


def deviation(values: NDArray[np.float64], level: float) -> float:
    """Standard deviation around a level, from the median absolute deviation; zero of no values.

    Of more than some thousand values every other, third and so on is taken: that is exact to a few percent.
    """
    some = values[:: max(1, len(values) // ENOUGH)]
    return MAD_TO_DEVIATION * median(np.abs(some - level)) if len(some) else 0.0


def spread(values: NDArray[np.float64]) -> float:
    """Standard deviation of noise from the steps between neighbours: a few changes of level do not matter."""
    return 1.0483 * median(np.abs(np.diff(values))) if len(values) > 1 else 0.0


def block_means(signal: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Means of blocks of `width` samples; the last block may be shorter."""
    if width == 1:
        return signal
    whole = len(signal) // width * width
    # No BLAS here: it would wake threads for so little work.
    means = np.einsum("ij->i", signal[:whole].reshape(-1, width)) / width
    return means if whole == len(signal) else np.append(means, signal[whole:].mean())


def block_medians(signal: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Medians of whole blocks of `width` samples; of all samples when they do not fill one."""
    whole = len(signal) // width * width
    if whole == 0:
        return np.array([median(signal)])
    blocks = np.sort(signal[:whole].reshape(-1, width), axis=1)
    return np.asarray(0.5 * (blocks[:, (width - 1) // 2] + blocks[:, width // 2]))


def share_within(values: NDArray[np.float64], tolerance: float) -> float:
    """Share of values no farther from zero than `tolerance`."""
    return float(np.count_nonzero(np.abs(values) <= tolerance)) / len(values)


def rounded_to(signal: NDArray[np.float64]) -> float:
    """One bit of a coarsely digitised signal, by which its medians jump when it hardly moves; zero of any other.

    It is the smallest difference of neighbouring samples, where most of those that differ do so by not much more.
    """
    differences = np.abs(np.diff(signal[:ENOUGH]))
    differences = differences[differences > 0.0]
    if len(differences) < _TOGGLING * min(len(signal), ENOUGH):
        return 0.0
    smallest = float(differences.min())
    return smallest if median(differences) <= 2.5 * smallest else 0.0
