"""Finding fluctuating current in a trace, and telling noise from an oscillation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.box import fit_box, outside_of
from rheobase.features.stimulus_statistics import block_means, block_medians, deviation, median

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The fluctuation is looked for in median distances from the baseline within a 256th of the sweep.
BLOCKS = 256
FEWEST_BLOCKS = 4
MARGIN_BLOCKS = 6
SHARE_FAR = 0.1

# It is so much larger than the noise of the baseline, and its edge is the first sample so far from the baseline.
TO_BASELINE_NOISE = 3.0
EDGE_TO_NOISE = 5.0

# It is alike from start to end: deviations of its quarters differ by no more than this factor, and their medians
# from that of all by no more than this part of the deviation.
PARTS = 4
PARTS_FACTOR = 3.0
PARTS_SHIFT = 0.8

# Samples farther than this many standard deviations are artefacts of spikes.
FARTHEST = 4.0
FEWEST_KEPT = 0.85

# It crosses its mean, from this many standard deviations on one side to as many on the other, at least so often;
# an oscillation does so in periods of which each is nearly as long as the one before (median of the absolute
# logarithm of their ratio).
CROSSING = 0.5
FEWEST_PERIODS = 8
REGULAR = 0.15


@dataclass(frozen=True)
class Fluctuation:
    """Samples [start, stop) of fluctuating current.

    Attributes:
        start: First sample.
        stop: First sample after it.
        mean_nA: Its mean (nA).
        deviation_nA: Its standard deviation (nA), that of the baseline taken off.
        base_nA: Median of all other samples (nA).
        periodic: Whether it is an oscillation, such as a sine of constant or sweeping frequency.
    """

    start: int
    stop: int
    mean_nA: float
    deviation_nA: float
    base_nA: float
    periodic: bool


def find_fluctuation(current_nA: NDArray[np.float64]) -> Fluctuation | None:
    """The stretch of current, between two of baseline, that fluctuates alike from start to end; None without one.

    Args:
        current_nA: Injected current (nA), shape (samples,).
    """
    place = _place(current_nA)
    if place is None:
        return None
    start, stop = place
    outside_nA, inside_nA = outside_of(current_nA, start, stop), current_nA[start:stop]
    base_nA, centre_nA = median(outside_nA), median(inside_nA)
    baseline_noise_nA, robust_nA = deviation(outside_nA, base_nA), deviation(inside_nA, centre_nA)
    if robust_nA == 0.0 or robust_nA < TO_BASELINE_NOISE * baseline_noise_nA:
        return None
    quarters = np.array_split(inside_nA, PARTS)
    deviations = [deviation(quarter, centre_nA) for quarter in quarters]
    shift_nA = max(abs(median(quarter) - centre_nA) for quarter in quarters)
    if max(deviations) > PARTS_FACTOR * min(deviations) or shift_nA > PARTS_SHIFT * robust_nA:
        return None
    periods = _periods(inside_nA - centre_nA, CROSSING * robust_nA)
    if len(periods) < FEWEST_PERIODS:
        return None
    kept_nA = inside_nA[np.abs(inside_nA - centre_nA) <= FARTHEST * robust_nA]
    if len(kept_nA) < FEWEST_KEPT * len(inside_nA):
        return None
    return Fluctuation(
        start,
        stop,
        mean_nA=float(kept_nA.mean()),
        deviation_nA=math.sqrt(max(0.0, float(kept_nA.var()) - baseline_noise_nA**2)),
        base_nA=base_nA,
        periodic=median(np.abs(np.diff(np.log(periods)))) < REGULAR,
    )


def _place(current_nA: NDArray[np.float64]) -> tuple[int, int] | None:
    """First sample and the one after the last that are far from the baseline; None without a baseline on each side."""
    width = max(1, len(current_nA) // BLOCKS)
    base_nA = median(np.concatenate((current_nA[:width], current_nA[-width:])))
    box = fit_box(block_medians(np.abs(current_nA - base_nA), width))
    if box is None or box.height < 0.0 or box.stop - box.start < FEWEST_BLOCKS:
        return None
    outside_nA = outside_of(current_nA, box.start * width, box.stop * width)
    if len(outside_nA) == 0:
        return None
    base_nA = median(outside_nA)
    far = np.abs(current_nA - base_nA) > EDGE_TO_NOISE * deviation(outside_nA, base_nA)
    first = _reach(block_means(far.astype(np.float64), width), box.start)
    last = _reach(block_means(far[::-1].astype(np.float64), width), (len(current_nA) - box.stop * width) // width)
    if first == 0 or last == 0:
        return None
    start = (first - 1) * width + int(np.argmax(far[(first - 1) * width :]))
    stop = len(current_nA) - (last - 1) * width - int(np.argmax(far[::-1][(last - 1) * width :]))
    return (start, stop) if 0 < start < stop < len(current_nA) else None


def _reach(share_far: NDArray[np.float64], first: int) -> int:
    """First block of those that are far from the baseline, not more than some blocks apart, before a given one."""
    while (active := np.flatnonzero(share_far[max(0, first - MARGIN_BLOCKS) : first] > SHARE_FAR)).size:
        first = max(0, first - MARGIN_BLOCKS) + int(active[0])
    return first


def _periods(values: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Samples from each rise above a threshold, after a fall as far below zero, to the next."""
    far = np.flatnonzero(np.abs(values) >= threshold)
    above = values[far] > 0.0
    rises = far[1:][above[1:] & ~above[:-1]]
    return np.diff(rises).astype(np.float64)
