"""Fitting one box (a level within a segment, another level outside) to a noisy signal.

The box is the one of least absolute error, with each sample's say limited to the height of the box: spike
artefacts in a current channel, however tall, weigh no more than the samples they replace. For given levels it
is a maximum-sum segment, found exactly in one pass (Bentley 1984, Programming pearls, Communications of the
ACM 27:865); the levels are the medians inside and outside. Edges and levels are fitted in turn until they
stay, first to means of blocks, then around the edges to the samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rheobase.features.stimulus_statistics import block_means, median, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Number = TypeVar("_Number", bound=np.generic)

_BLOCKS = 512
_MARGIN_BLOCKS = 3
_FEW = 32
_ROUNDS = 10
_SHORTER = 0.02
_TIE = 1e-6
_CORE = 0.25
_GUESSES = 2


@dataclass(frozen=True)
class Box:
    """Samples [start, stop) at `level`, the rest at `base`, both in the unit of the signal."""

    start: int
    stop: int
    level: float
    base: float

    @property
    def levels(self) -> tuple[float, float]:
        """Level and base."""
        return self.level, self.base

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
    if width == 1:
        return coarse
    margin = _MARGIN_BLOCKS * width
    box = refine(signal, Box(coarse.start * width, min(coarse.stop * width, len(signal)), *coarse.levels), margin)
    if box.start > 0 and box.stop < len(signal):
        return box
    start, stop = (box.stop, len(signal)) if box.start == 0 else (0, box.start)
    inverse = refine(signal, Box(start, stop, box.base, box.level), margin)
    return inverse if inverse.start > 0 and inverse.stop < len(signal) else box


def refine(signal: NDArray[np.float64], box: Box, margin: int) -> Box:
    """Box fitted to the samples within `margin` of its edges, and to those between them as well when these are few."""
    first, last = max(0, box.start - margin), min(len(signal), box.stop + margin)
    if last - first <= _FEW * margin:
        inner = _settle(signal[first:last], Box(box.start - first, box.stop - first, box.level, box.base))
        return box_at(signal, first + inner.start, first + inner.stop)
    for _ in range(_ROUNDS):
        start = edge_within(signal, (box.start - margin, box.start + margin), box.base, box.level)
        stop = edge_within(signal, (box.stop - margin, box.stop + margin), box.level, box.base, ties_after=True)
        moved = (start, stop) != (box.start, box.stop)
        box = box_at(signal, start, stop)
        if not moved:
            break
    return box


def box_at(signal: NDArray[np.float64], start: int, stop: int) -> Box:
    """Box with given edges; its levels are the medians of the samples inside and outside."""
    inside, outside = signal[start:stop], outside_of(signal, start, stop)
    if len(inside) == 0 or len(outside) == 0:
        level = median(signal)
        return Box(start, stop, level, level)
    return Box(start, stop, median(inside), median(outside))


def core_of(signal: NDArray[np.float64], box: Box) -> Box:
    """Box around the samples at the level of another one, without those halfway to its base."""
    return box_at(signal, *_largest_segment(_score(signal, box) - _CORE * abs(box.height)))


def outside_of(values: NDArray[_Number], start: int, stop: int) -> NDArray[_Number]:
    """All values but those of [start, stop)."""
    return np.concatenate((values[:start], values[stop:]))


def edge_within(
    signal: NDArray[np.float64], window: tuple[int, int], before: float, after: float, ties_after: bool = False
) -> int:
    """First sample in a window (clipped to the signal) from which on `after` explains the signal better.

    Args:
        signal: The signal, shape (samples,).
        window: First sample and the one after the last.
        before: Level before the edge.
        after: Level after it.
        ties_after: Whether samples halfway between the levels belong after the edge, not before it.
    """
    first, last = max(0, window[0]), min(len(signal), window[1])
    score = _score(signal[first:last], Box(0, 0, after, before))
    score += _TIE * abs(after - before) * (1.0 if ties_after else -1.0)
    return first + int(np.argmin(np.concatenate(([0.0], np.cumsum(score)))))


def _first_guesses(means: NDArray[np.float64]) -> list[Box]:
    """Boxes of what is far from the start or from the median: for the noise, or for the largest deflection."""
    segments = set()
    for base in (median(means[: max(1, len(means) // 200)]), median(means)):
        for above in (means - base, base - means):
            for threshold in (spread(means), 0.5 * float(above.max())):
                segments.add(_largest_segment(above - threshold))
    boxes = [box_at(means, start, stop) for start, stop in sorted(segments) if stop > start]
    boxes = sorted((box for box in boxes if box.height != 0.0), key=lambda box: _error(means, box))
    return [_settle(means, box) for box in boxes[:_GUESSES]]


def _settle(signal: NDArray[np.float64], box: Box) -> Box:
    """Box with the best edges for its levels and the best levels for its edges, starting from `box`."""
    for _ in range(_ROUNDS):
        if box.height == 0.0:
            break
        previous = box
        # Of equal boxes the shortest: one pulse rather than a train of pulses as long as the gaps between them.
        box = box_at(signal, *_largest_segment(_score(signal, previous) - _SHORTER * abs(previous.height)))
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
