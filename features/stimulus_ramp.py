"""Finding one linear ramp in a current trace."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.box import outside_of
from rheobase.features.stimulus_statistics import (
    MAD_TO_DEVIATION,
    block_medians,
    deviation,
    median,
    share_within,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# The place of the ramp is looked for in medians of a 256th of the sweep or more, its edges in the samples around.
BLOCKS = 256
SHORTEST_BLOCK_MS = 8.0
FEWEST_BLOCKS = 6
MARGIN_BLOCKS = 3

# This share of the medians in each part of the line, and in the baseline before and after it, lies within TOLERANCE
# of the change, or within three standard deviations of the noise if these are no more than LARGEST_TOLERANCE of it.
# The change is CHANGE_TO_NOISE times as large as the deviation of all from line and baseline.
TOLERANCE = 0.03
LARGEST_TOLERANCE = 0.1
SHARE = 0.8
LINE_PARTS = 4
CHANGE_TO_NOISE = 8.0

# Where the line meets the baseline is preferred to another edge unless that one fits better by this much (in
# variances of the noise: six standard deviations, as hundreds are tried). It is looked for this many margins around.
BETTER_EDGE = 36.0
FAR = 4


@dataclass(frozen=True)
class Ramp:
    """Samples [start, stop) on a line.

    Attributes:
        start: First sample.
        stop: First sample after it.
        start_nA: Current at its start (nA).
        end_nA: Current at its end (nA).
        base_nA: Median of all other samples (nA).
    """

    start: int
    stop: int
    start_nA: float
    end_nA: float
    base_nA: float


@dataclass(frozen=True)
class _Line:
    """Current `at_zero_nA` + `slope_nA` * sample."""

    at_zero_nA: float
    slope_nA: float

    def __call__(self, sample: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.at_zero_nA + self.slope_nA * sample, dtype=np.float64)


def find_ramp(current_nA: NDArray[np.float64], time_step_ms: float) -> Ramp | None:
    """The one linear ramp in a current trace; None when it is no line on a baseline.

    It may start or end away from the baseline, but a baseline before and after it is needed: a current that runs
    away to the end of the sweep is taken for drift.

    Args:
        current_nA: Injected current (nA), shape (samples,).
        time_step_ms: Sampling interval (ms).
    """
    # Medians of blocks that are longer than the artefacts of spikes.
    width = max(len(current_nA) // BLOCKS, math.ceil(SHORTEST_BLOCK_MS / time_step_ms))
    blocks_nA = block_medians(current_nA, width)
    if len(blocks_nA) < 2 * FEWEST_BLOCKS:
        return None
    first, last = _place(blocks_nA)
    # The blocks at its edges are partly baseline.
    inner = slice(first + 1, last - 1)
    centres = np.asarray(width * (np.arange(len(blocks_nA)) + 0.5) - 0.5, dtype=np.float64)
    line = _fit_line(centres[inner], blocks_nA[inner])
    base = _Line(median(outside_of(blocks_nA, first, last)), 0.0)
    before_nA = blocks_nA[: max(1, first - 1)] - base.at_zero_nA
    after_nA = blocks_nA[min(last + 1, len(blocks_nA) - 1) :] - base.at_zero_nA
    change_nA = abs(line.slope_nA) * width * (last - first)
    if not _fits(blocks_nA[inner] - line(centres[inner]), (before_nA, after_nA), change_nA, spread(blocks_nA)):
        return None
    samples = np.arange((first + 1) * width, (last - 1) * width)
    noise_nA = deviation(current_nA[samples] - line(samples), 0.0)
    margin = MARGIN_BLOCKS * width
    start = _edge(current_nA, (first * width, margin), (base, line), noise_nA)
    stop = _edge(current_nA, (last * width, margin), (line, base), noise_nA)
    base_nA = median(outside_of(current_nA, start, stop))
    return Ramp(start, stop, line.at_zero_nA + line.slope_nA * start, line.at_zero_nA + line.slope_nA * stop, base_nA)


def _fits(
    off_line_nA: NDArray[np.float64], off_base_nA: Sequence[NDArray[np.float64]], change_nA: float, spread_nA: float
) -> bool:
    """Whether a line of some change, and the baseline before and after it, explain the medians, which are `spread`."""
    noise_nA = max(deviation(off_line_nA, 0.0), deviation(np.concatenate(off_base_nA), 0.0))
    if change_nA == 0.0 or change_nA < CHANGE_TO_NOISE * noise_nA:
        return False
    tolerance_nA = min(max(3.0 * spread_nA, TOLERANCE * change_nA), LARGEST_TOLERANCE * change_nA)
    parts = (*np.array_split(off_line_nA, LINE_PARTS), *off_base_nA)
    return min(share_within(part, tolerance_nA) for part in parts) >= SHARE


def _place(values: NDArray[np.float64]) -> tuple[int, int]:
    """First and stop of the stretch that a line fits best, a constant fitting the rest; least squares, all tried."""
    scaled = values - median(values)
    scaled = scaled / max(float(np.abs(scaled).max()), np.finfo(np.float64).tiny)
    x = np.linspace(-1.0, 1.0, len(scaled))
    sums = [np.concatenate(([0.0], np.cumsum(terms))) for terms in (scaled, scaled**2, x, x**2, x * scaled)]
    starts, stops = np.triu_indices(len(scaled), FEWEST_BLOCKS)
    inner = (starts >= 1) & (stops <= len(scaled) - 1)
    starts, stops = starts[inner], stops[inner]
    y, yy, t, tt, ty = (sum_[stops] - sum_[starts] for sum_ in sums)
    count = stops - starts
    error_of_line = yy - y**2 / count - (ty - t * y / count) ** 2 / (tt - t**2 / count)
    error_of_rest = sums[1][-1] - yy - (sums[0][-1] - y) ** 2 / (len(scaled) - count)
    best = int(np.argmin(error_of_line + error_of_rest))
    return int(starts[best]), int(stops[best])


def _fit_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> _Line:
    """Line of least squares through all that is no farther from a robust one than three standard deviations.

    The robust one has the median of the slopes between points half of all apart (Siegel and Theil take all pairs).
    """
    half = len(x) // 2
    slope = median((y[-half:] - y[:half]) / (x[-half:] - x[:half]))
    at_zero = median(y - slope * x)
    distance = np.abs(y - at_zero - slope * x)
    kept = distance <= max(3.0 * MAD_TO_DEVIATION * median(distance), 1e-9 * float(np.ptp(y)))
    centre = x[kept].mean()
    slope = np.sum((x[kept] - centre) * y[kept]) / np.sum(np.square(x[kept] - centre))
    return _Line(float(y[kept].mean() - slope * centre), float(slope))


def _edge(current_nA: NDArray[np.float64], around: tuple[int, int], lines: tuple[_Line, _Line], noise_nA: float) -> int:
    """First sample on the second of two lines: where they cross, or where the current jumps from one to the other.

    Args:
        current_nA: Injected current (nA), shape (samples,).
        around: A sample near the edge, and how many before and after it are looked at.
        lines: The lines before and after it.
        noise_nA: Standard deviation of the noise (nA).
    """
    place, margin = around
    at_zero_nA = lines[1].at_zero_nA - lines[0].at_zero_nA
    crossing = math.ceil(at_zero_nA / (lines[0].slope_nA - lines[1].slope_nA) - 1e-6)
    # A coarse fit sees little of a ramp's start at the baseline.
    nearest, farthest = (place, place) if abs(crossing - place) > FAR * margin else sorted((place, crossing))
    first, last = max(1, nearest - margin), min(len(current_nA) - 1, farthest + margin)
    samples = np.arange(first, last)
    before_nA, after_nA = (line(samples) for line in lines)
    limit_nA = 3.0 * noise_nA + np.abs(after_nA - before_nA)
    of_before, of_after = (
        np.minimum(np.abs(current_nA[first:last] - line), limit_nA) ** 2 for line in (before_nA, after_nA)
    )
    errors = np.concatenate(([0.0], np.cumsum(of_before - of_after)))
    best = int(np.argmin(errors))
    if first <= crossing <= last and errors[crossing - first] - errors[best] <= BETTER_EDGE * noise_nA**2:
        return crossing
    return first + best
