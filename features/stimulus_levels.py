"""The constant levels of a current trace: when each starts and ends, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.box import edge_within, fit_box, outside_of
from rheobase.features.stimulus_changes import MOST_PARTS, Search, smallest_height
from rheobase.features.stimulus_plateaus import (
    NO_PLATEAU,
    SHORT_MS,
    is_brief_plateau,
    is_quiet,
    is_quiet_throughout,
    quietest,
    why_no_plateau,
    why_no_return,
)
from rheobase.features.stimulus_statistics import block_means, median, rounded_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Changes are looked for in means of this many milliseconds, of which there are not more than MOST_MEANS; only
# their edges are fitted to the samples, those within two means and this many milliseconds.
RESOLUTION_MS = 0.25
MOST_MEANS = 32768
EDGE_MS = 20.0
SHORTEST_MS = 0.5

# Briefer levels are looked at sample by sample.
BRIEF_MS = 3.0


@dataclass(frozen=True)
class Level:
    """Samples [start, stop) at one level (nA), away from the baseline."""

    start: int
    stop: int
    level_nA: float


@dataclass(frozen=True)
class Levels:
    """Constant levels of a trace in the order of time.

    Attributes:
        levels: The stretches away from the baseline; none when nothing stands out of the noise.
        base_nA: Median of all other samples (nA).
        smallest_nA: What the noise hides (nA).
        complaint: Why the trace is not made of levels on a baseline, in words; None when it is.
    """

    levels: tuple[Level, ...]
    base_nA: float
    smallest_nA: float
    complaint: str | None = None


@dataclass(frozen=True)
class _Run:
    """Means from `start` on that are of one part; the edge before them begins with the mean `earliest`."""

    earliest: int
    start: int
    part: int


def find_levels(current_nA: NDArray[np.float64], time_step_ms: float) -> Levels:
    """Constant levels of a current trace.

    Args:
        current_nA: Injected current (nA), shape (samples,), at least one.
        time_step_ms: Sampling interval (ms).
    """
    width = _width(current_nA, time_step_ms)
    means, mean_ms = block_means(current_nA, width), width * time_step_ms
    first = fit_box(means)
    smallest_nA = smallest_height(means, first, mean_ms) if first else 0.0
    if first is None or abs(first.height) <= smallest_nA:
        return Levels((), median(current_nA), smallest_nA)
    onset_ms, duration_ms = first.start * mean_ms, (first.stop - first.start) * mean_ms
    search = Search(first, mean_ms, rounded_to(current_nA))
    parts = search.parts(means)
    if duration_ms < SHORTEST_MS:
        complaint: str | None = "is too short for a stimulus"
    elif parts is None:
        complaint = f"is one of more than {MOST_PARTS} changes of level"
    else:
        runs = _runs(means, parts, search.shortest_ms / mean_ms)
        complaint = _why_not_levels(means, parts, runs, mean_ms)
        if not complaint:
            levels, base_nA = _fitted_to_samples(current_nA, means, parts, runs, time_step_ms)
            if _are_plateaus(current_nA, levels, base_nA, time_step_ms):
                return Levels(levels, base_nA, smallest_nA)
            complaint = NO_PLATEAU
    what = f"the deflection of {1000.0 * first.height:.4g} pA from {onset_ms:g} ms for {duration_ms:g} ms"
    return Levels((), median(current_nA), smallest_nA, f"{what} {complaint}")


def _width(current_nA: NDArray[np.float64], time_step_ms: float) -> int:
    """Samples of a mean."""
    return max(1, int(RESOLUTION_MS / time_step_ms), len(current_nA) // MOST_MEANS)


def _runs(means: NDArray[np.float64], parts: Sequence[NDArray[np.int64]], shortest: float) -> list[_Run]:
    """Runs of one part each, but those of fewer than `shortest` means: these belong to the edges of a filtered current.

    So do those of fewer than twice as many whose level lies between its neighbours'.
    """
    labels = np.empty(len(means), dtype=np.int64)
    for number, part in enumerate(parts):
        labels[part] = number
    level_nA = [median(means[part]) for part in parts]
    starts = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist()]
    numbers = labels[starts].tolist()
    runs = [_Run(0, 0, numbers[0])]
    earliest = None
    for index in range(1, len(starts)):
        start, number = starts[index], numbers[index]
        earliest = start if earliest is None else earliest
        if index + 1 < len(starts):
            below, above = sorted((level_nA[runs[-1].part], level_nA[numbers[index + 1]]))
            needed = 2.0 * shortest if below < level_nA[number] < above else shortest
            if starts[index + 1] - start < needed:
                continue
        if number != runs[-1].part:
            runs.append(_Run(earliest, start, number))
        earliest = None
    return runs


def _why_not_levels(
    means: NDArray[np.float64], parts: Sequence[NDArray[np.int64]], runs: Sequence[_Run], mean_ms: float
) -> str | None:
    """Reason why parts are no levels on a baseline; None when they are."""
    base, *others = parts
    if not others:
        return NO_PLATEAU
    if runs[0].part != 0 or runs[-1].part != 0:
        return "has a baseline on one side only"
    base_nA = median(means[base])
    outside_nA = means[base] - base_nA
    numbers = [run.part for run in runs]
    heights_nA = []
    for number, part in enumerate(others, 1):
        level_nA = median(means[part])
        heights_nA.append(level_nA - base_nA)
        is_short = len(part) * mean_ms < SHORT_MS * numbers.count(number)
        complaint = why_no_plateau(means[part] - level_nA, outside_nA, heights_nA[-1], is_short)
        if complaint:
            return complaint
    ends_nA = (means[: runs[1].earliest] - base_nA, means[runs[-1].start :] - base_nA)
    return why_no_return(ends_nA, outside_nA, min(heights_nA, key=abs))


def _are_plateaus(
    current_nA: NDArray[np.float64], levels: Sequence[Level], base_nA: float, time_step_ms: float
) -> bool:
    """Whether the samples agree: all is quiet, and what is brief is flat."""
    outside_nA = outside_of(current_nA, levels[0].start, levels[-1].stop) - base_nA
    noise_nA = quietest(outside_nA)
    if not is_quiet_throughout(outside_nA, noise_nA, min((level.level_nA - base_nA for level in levels), key=abs)):
        return False
    for level in levels:
        inside_nA, height_nA = current_nA[level.start : level.stop] - level.level_nA, level.level_nA - base_nA
        duration_ms = (level.stop - level.start) * time_step_ms
        if duration_ms < BRIEF_MS and not is_brief_plateau(inside_nA, height_nA, noise_nA):
            return False
        if duration_ms >= SHORT_MS and not is_quiet(inside_nA, noise_nA, height_nA):
            return False
    return True


def _fitted_to_samples(
    current_nA: NDArray[np.float64],
    means: NDArray[np.float64],
    parts: Sequence[NDArray[np.int64]],
    runs: Sequence[_Run],
    time_step_ms: float,
) -> tuple[tuple[Level, ...], float]:
    """Levels with edges and medians of samples, and the baseline's median (nA)."""
    width = _width(current_nA, time_step_ms)
    rough_nA = [median(means[part]) for part in parts]
    ends = [*(run.start * width for run in runs[1:]), len(current_nA)]
    starts = [0]
    margin = max(2 * width, round(EDGE_MS / time_step_ms))
    for before, after, end in zip(runs[:-1], runs[1:], ends[1:], strict=True):
        earliest = max(starts[-1] + 1, after.earliest * width - margin)
        latest = min(after.start * width + margin, end) - 1
        levels_nA = (rough_nA[before.part], rough_nA[after.part])
        starts.append(edge_within(current_nA, (earliest, latest), *levels_nA, ties_after=after.part == 0))
    samples: dict[int, list[tuple[int, int]]] = {}
    for run, start, stop in zip(runs, starts, [*starts[1:], len(current_nA)], strict=True):
        samples.setdefault(run.part, []).append((start, stop))
    levels = []
    for stretches in samples.values():
        level_nA = median(np.concatenate([current_nA[start:stop] for start, stop in stretches]))
        levels += [Level(start, stop, level_nA) for start, stop in stretches]
    base_nA = levels[0].level_nA
    away = levels[len(samples[0]) :]
    return tuple(sorted(away, key=lambda level: level.start)), base_nA
