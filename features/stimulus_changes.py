"""Splitting a current trace into the parts that lie at one level each.

The trace is split where one box (a level within a stretch, another around it) explains it best, then what lies
inside and what lies outside of the box are split again, until nothing is left that could be a change of level:
circular binary segmentation (Olshen, Venkatraman, Lucito, Wigler 2004, Biostatistics 5:557), with the robust
box of `rheobase.features.box` instead of the t-statistic, as spikes leave artefacts in a current channel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.box import Box, core_of, fit_box, outside_of, refine
from rheobase.features.stimulus_plateaus import SHORT_MS, is_short_plateau
from rheobase.features.stimulus_statistics import block_means, block_medians, deviation, median, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

MOST_PARTS = 400

# A level must stand out of the noise: NOISE_SUM standard deviations for the sum of its means, of which only those
# INDEPENDENT_MS apart count (amplifiers filter at a few kHz), and LEVEL_TO_NOISE of those of the mean of a 256th of
# the sweep, against drift and slow hum.
NOISE_SUM = 8.0
INDEPENDENT_MS = 0.25
LEVEL_TO_NOISE = 3.0
SLOW_NOISE = 30.0

# Every further level differs by this part of the first one, and by this many times what samples are rounded to.
# Artefacts of spikes last some ms, so a level as short as they are has to differ by more, and to be a plateau, and
# not to be much shorter than the first one.
FURTHER_LEVEL = 0.03
ROUNDED_TO_LEVEL = 2.0
SHORT_LEVEL = 0.7
SHORTEST_FURTHER_MS = 2.2
SHORTEST_PART = 0.75
EDGE_REMAINDER_MS = 3.0

# Currents jump from level to level. The medians around one edge at least differ by SHARP_EDGE of the height of
# the box, those around the other, which may go to a third level, by BLUNT_EDGE. They are taken over EDGE_PART
# of the box's duration, no less and no more than EDGE_MS.
SHARP_EDGE = 0.5
JUMP_TO_NOISE = 8.0
WHITE = 2.0
SPANS = 8
BLUNT_EDGE = 0.2
EDGE_PART = 0.125
EDGE_MS = (0.75, 20.0)


@dataclass(frozen=True)
class Search:
    """Search for parts of one level in means of a current, the first change of it being known.

    Attributes:
        first: Box that fits all the means best.
        mean_ms: Duration of a mean (ms).
        rounded_nA: What the samples are rounded to (nA).
    """

    first: Box
    mean_ms: float
    rounded_nA: float

    def parts(self, means: NDArray[np.float64]) -> list[NDArray[np.int64]] | None:
        """Indices of the means at each level, the baseline's first; None when there are more than MOST_PARTS.

        Args:
            means: Current (nA), shape (means,).
        """
        parts: list[NDArray[np.int64]] = []
        inner: list[NDArray[np.int64]] = []
        where = np.arange(len(means), dtype=np.int64)
        box = self._accepted(means, self.first)
        while len(parts) < MOST_PARTS:
            if box:
                inner.append(where[box.start : box.stop])
                where = outside_of(where, box.start, box.stop)
            else:
                parts.append(where)
                if not inner:
                    return self._joined(means, parts)
                where = inner.pop()
            box = self._next_change(means[where], within_level=bool(parts))
        return None

    @property
    def shortest_ms(self) -> float:
        """Shortest duration of a further level (ms)."""
        return min(SHORTEST_FURTHER_MS, SHORTEST_PART * (self.first.stop - self.first.start) * self.mean_ms)

    @property
    def _further_nA(self) -> float:
        """Smallest difference between two levels (nA)."""
        return max(FURTHER_LEVEL * abs(self.first.height), ROUNDED_TO_LEVEL * self.rounded_nA)

    def _next_change(self, values: NDArray[np.float64], within_level: bool) -> Box | None:
        """Box that splits values further; None when they are of one level."""
        long, short = self._stands_out(values)
        candidates: list[Callable[[NDArray[np.float64]], Box | None]] = [fit_box] if long or short else []
        if long:
            # Artefacts of spikes can be the best box although there is another.
            candidates.append(self._fit_without_artefacts)
        for fit in candidates:
            box = fit(values)
            if box is None or abs(box.height) <= smallest_height(values, box, self.mean_ms):
                continue
            if within_level:
                # What such a box leaves at the ends is the edge of a current that was filtered.
                edge = math.ceil(EDGE_REMAINDER_MS / self.mean_ms)
                start = box.start if box.start >= edge else 0
                stop = box.stop if box.stop <= len(values) - edge else len(values)
                box = Box(start, stop, box.level, box.base)
            if box.stop - box.start < len(values) and (accepted := self._accepted(values, box)):
                return accepted
        return None

    def _accepted(self, values: NDArray[np.float64], box: Box) -> Box | None:
        """The box, or its core where an edge is blurred by a third level halfway; None when neither is a change."""
        if self._is_change(values, box):
            return box
        core = core_of(values, box)
        is_long = (core.stop - core.start) * self.mean_ms >= SHORT_MS
        return core if is_long and core.height != 0.0 and self._is_change(values, core) else None

    def _fit_without_artefacts(self, values: NDArray[np.float64]) -> Box | None:
        width = max(1, round(SHORT_MS / self.mean_ms))
        box = fit_box(block_medians(values, width))
        return None if box is None else refine(values, Box(box.start * width, box.stop * width, *box.levels), width)

    def _stands_out(self, values: NDArray[np.float64]) -> tuple[bool, bool]:
        """Whether anything long or short could be a change; a tenth of the cost of a fit, most parts are spared."""
        away_nA = values - median(values)
        needed = max(1, int(SHORTEST_PART * self.shortest_ms / self.mean_ms))
        tall = np.flatnonzero(np.abs(away_nA) > 0.5 * SHORT_LEVEL * abs(self.first.height))
        short = np.any(tall[needed - 1 :] - tall[: max(0, len(tall) - needed + 1)] == needed - 1)
        of_blocks_nA = spread(block_means(values, max(1, len(values) // 256)))
        smallest_nA = max(self._further_nA, LEVEL_TO_NOISE * of_blocks_nA)
        limit_nA = max(2.0 * deviation(away_nA, 0.0), smallest_nA)
        width = max(1, int(SHORT_MS / self.mean_ms))
        whole_blocks = block_means(np.clip(away_nA, -limit_nA, limit_nA), width)[: max(1, len(values) // width)]
        return bool(np.abs(whole_blocks).max() > 0.5 * smallest_nA), bool(short)

    def _is_change(self, values: NDArray[np.float64], box: Box) -> bool:
        """Whether a box is a change of current rather than an artefact, a drift or a part of a ramp."""
        height_nA = abs(box.height) * (1.0 + 1e-9)
        duration_ms = (box.stop - box.start) * self.mean_ms
        noise_nA = deviation(outside_of(values, box.start, box.stop), box.base)
        if duration_ms < SHORT_MS:
            if height_nA < SHORT_LEVEL * abs(self.first.height) or duration_ms < self.shortest_ms:
                return False
            return is_short_plateau(values[box.start : box.stop] - box.level, height_nA, noise_nA)
        if height_nA < self._further_nA:
            return False
        span_ms = min(max(EDGE_PART * duration_ms, EDGE_MS[0]), EDGE_MS[1])
        return _is_sharp(values, box, max(3, round(span_ms / self.mean_ms)))

    def _joined(self, means: NDArray[np.float64], parts: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """Parts, those of about one level joined; the baseline's first."""
        level_nA = np.array([median(means[part]) for part in parts])
        order = np.argsort(level_nA)
        group = np.empty(len(parts), dtype=np.int64)
        group[order] = np.cumsum(np.diff(level_nA[order], prepend=-np.inf) >= self._further_nA)
        groups = dict.fromkeys(group.tolist())
        return [np.sort(np.concatenate([parts[i] for i in np.flatnonzero(group == one).tolist()])) for one in groups]


def smallest_height(values: NDArray[np.float64], box: Box, mean_ms: float) -> float:
    """Smallest height (nA) at which a box of this duration cannot be noise.

    Args:
        values: Current (nA), shape (means,).
        box: The box.
        mean_ms: Duration of a mean (ms).
    """
    # Several levels outside the box would pass for noise, were it not for the differences of neighbours; a few
    # values outside for none.
    fast_nA = spread(values)
    of_means_nA = deviation(outside_of(values, box.start, box.stop), box.base)
    of_means_nA = min(max(of_means_nA, fast_nA), SLOW_NOISE * fast_nA)
    of_blocks_nA = spread(block_means(values, max(1, len(values) // 256)))
    inside = box.stop - box.start
    fewer = inside * (len(values) - inside) / len(values)
    independent = max(1.0, fewer * min(1.0, mean_ms / INDEPENDENT_MS))
    return max(NOISE_SUM * of_means_nA / math.sqrt(independent), LEVEL_TO_NOISE * of_blocks_nA)


def _is_sharp(values: NDArray[np.float64], box: Box, span: int) -> bool:
    """Whether the current jumps at the edges of a box, seen from the medians of `span` values around them."""
    jumps_nA = [_jump(values, edge, span) for edge in (box.start, box.stop) if 0 < edge < len(values)]
    if max(jumps_nA) < SHARP_EDGE * abs(box.height) or min(jumps_nA) < BLUNT_EDGE * abs(box.height):
        return False
    # Where all of the trace changes as much in as much time, it drifts or fluctuates. Within a train of pulses it
    # does, but not outside, of which there may be too little to tell.
    outside = outside_of(values, box.start, box.stop)
    return any(_is_steady(part, max(1, min(span, len(part) // SPANS)), max(jumps_nA)) for part in (values, outside))


def _is_steady(values: NDArray[np.float64], span: int, jump_nA: float) -> bool:
    """Whether a jump is more than what happens from one `span` to the next. White noise does not count."""
    slow_nA = spread(block_medians(values, span))
    return slow_nA < WHITE * spread(values) / math.sqrt(span) or jump_nA >= JUMP_TO_NOISE * slow_nA


def _jump(values: NDArray[np.float64], edge: int, span: int) -> float:
    """How much the medians of `span` values before and after an edge differ."""
    return abs(median(values[edge : edge + span]) - median(values[max(0, edge - span) : edge]))
