"""Fitting one box (a level within a segment, another level outside) to a noisy signal.

The box is the one of least absolute error, with each sample's say limited to the height of the box: spike
artefacts in a current channel, however tall, weigh no more than the samples they replace. For given levels it
is a maximum-sum segment, found exactly in one pass (Bentley 1984, Programming pearls, Communications of the
ACM 27:865); the levels are the medians inside and outside. Edges and levels are fitted in turn until they
stay, first to means of blocks, then to the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCKS = 512
_ROUNDS = 10


@dataclass(frozen=True)
class Box:
    """Samples [start, stop) at `level`, the rest at `base`, both in the unit of the signal."""

    start: int
    stop: int
    level: float
    base: float

    @property
    def height(self) -> float:
        """Level above the base; negative for a box that points down."""
        return self.level - self.base


def fit_box(signal: NDArray[np.float64]) -> Box | None:
    """Box that fits a signal best, pointing up or down; None when every sample is the same."""
    width = max(1, len(signal) // _BLOCKS)
    means = block_means(signal, width)
    guesses = [box for box in _first_guesses(means) if box.height != 0.0]
    if not guesses:
        return None
    # The shorter one of two boxes that are each other's outside.
    coarse = min(guesses, key=lambda box: (_error(means, box), box.stop - box.start))
    return _settle(signal, Box(coarse.start * width, coarse.stop * width, coarse.level, coarse.base))


def box_at(signal: NDArray[np.float64], start: int, stop: int) -> Box:
    """Box with given edges; its levels are the medians of the samples inside and outside."""
    inside, outside = signal[start:stop], np.concatenate((signal[:start], signal[stop:]))
    if len(inside) == 0 or len(outside) == 0:
        level = median(signal)
        return Box(start, stop, level, level)
    return Box(start, stop, median(inside), median(outside))


def median(values: NDArray[np.float64]) -> float:
    """Median, as numpy's and ten times as fast for a hundred thousand values."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    upper_half = np.partition(values, middle)
    return 0.5 * (float(upper_half[:middle].max()) + float(upper_half[middle]))


def block_means(signal: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Means of blocks of `width` samples; the last block may be shorter."""
    starts = np.arange(0, len(signal), width)
    return np.asarray(np.add.reduceat(signal, starts) / np.diff(starts, append=len(signal)))


def block_medians(signal: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Medians of whole blocks of `width` samples; of all samples when they do not fill one."""
    whole = len(signal) // width * width
    if whole == 0:
        return np.array([median(signal)])
    blocks = np.sort(signal[:whole].reshape(-1, width), axis=1)
    return np.asarray(0.5 * (blocks[:, (width - 1) // 2] + blocks[:, width // 2]))


def spread(values: NDArray[np.float64]) -> float:
    """Standard deviation of noise from the steps between neighbours: a few changes of level do not matter."""
    return 1.0483 * median(np.abs(np.diff(values))) if len(values) > 1 else 0.0


def _first_guesses(means: NDArray[np.float64]) -> list[Box]:
    """Boxes of what is far from the start or from the median: for the noise, or for the largest deflection."""
    segments = set()
    for base in (median(means[: max(1, len(means) // 200)]), median(means)):
        for deviation in (means - base, base - means):
            for threshold in (spread(means), 0.5 * float(deviation.max())):
                segments.add(_largest_segment(deviation - threshold))
    return [_settle(means, box_at(means, start, stop)) for start, stop in sorted(segments) if stop > start]


def _settle(signal: NDArray[np.float64], box: Box) -> Box:
    """Box with the best edges for its levels and the best levels for its edges, starting from `box`."""
    for _ in range(_ROUNDS):
        if box.height == 0.0:
            break
        previous = box
        box = box_at(signal, *_largest_segment(_score(signal, previous)))
        moved = abs(box.level - previous.level) + abs(box.base - previous.base)
        if moved <= 0.01 * abs(previous.height):
            break
    return box


def _score(signal: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    """How much better each sample is explained by the level than by the base."""
    height = abs(box.height)
    score = signal - box.base
    if box.height < 0.0:
        np.negative(score, out=score)
    np.clip(score, 0.0, height, out=score)
    score -= 0.5 * height
    return score


def _error(signal: NDArray[np.float64], box: Box) -> float:
    error = np.abs(signal - box.base)
    error[box.start : box.stop] = np.abs(signal[box.start : box.stop] - box.level)
    return float(error.sum())


def _largest_segment(score: NDArray[np.float64]) -> tuple[int, int]:
    """Start and stop of the segment [start, stop) with the largest sum."""
    sums = np.concatenate(([0.0], np.cumsum(score)))
    gain = sums - np.minimum.accumulate(sums)
    stop = int(np.argmax(gain))
    # The last of equal minima: samples that score nothing stay outside.
    start = stop - int(np.argmin(sums[stop::-1]))
    return start, stop
