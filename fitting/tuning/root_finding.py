"""One root for each population, all in the same simulations: unconnected populations do not know of each other."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.tuning.stage import ROOT
from rheobase.fitting.tuning.trials import Outcome, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.tuning.judging import Judging
    from rheobase.fitting.tuning.stage import TuningStage

    Numbers = NDArray[np.float64]

_STRIDE = math.log(1.5)
_USUAL_SLOPE = 3.0  # of the logarithm of a rate with that of the background's strength
_RESOLUTION = 0.01  # a narrower bracket is not divided: the noise is larger
_CLOSEST = 1e-4  # two factors that differ less than this are the same


@dataclass(frozen=True)
class _Level:
    """What a population does at one factor: rates by seed."""

    x: float
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return sum(self.values) / len(self.values)


class RootFinding:
    """The factor of each knob that brings its one target to its goal, which rises (or falls) with it.

    Each root is bracketed, and divided by the secant on logarithms; where the target is silent on one side, in the
    middle. Noise may put points in the wrong order: their isotonic regression is used. A factor whose value is within
    the tolerance is kept and simulated with further seeds, while others are still sought.

    Args:
        stage: The stage; each knob has an effect on one target, with the sign of its slope.
        judging: Targets and noise.
    """

    def __init__(self, stage: TuningStage, judging: Judging) -> None:
        self._judging = judging
        self._needed = stage.seeds + stage.confirming_seeds
        self._confirming = stage.confirming_seeds
        targets = {target.key: target for target in stage.targets}
        self._knobs = [(*knob.log_bounds, *next(iter(knob.effects.items()))) for knob in stage.free]
        self._targets = [targets[key] for _, _, key, _ in self._knobs]

    def propose(self, places: Sequence[Place], alternative: int) -> tuple[float, ...]:
        """Factors to simulate.

        Args:
            places: All places so far.
            alternative: How many simulations are awaited: others than those are proposed.
        """
        return tuple(self._next(n, self._levels(n, places), alternative) for n in range(len(self._knobs)))

    def settled(self, places: Sequence[Place]) -> bool:
        """Whether every knob's factor is confirmed, or known not to lie within its bounds."""
        return all(self._settled(n, self._levels(n, places)) for n in range(len(self._knobs)))

    def _settled(self, knob: int, levels: list[_Level]) -> bool:
        kept = self._kept(knob, levels)
        if kept is not None:
            return len(kept.values) >= self._needed
        return self._stuck(knob, levels)

    def stuck(self, places: Sequence[Place]) -> list[int]:
        """Indices of the knobs whose root lies beyond their bounds."""
        return [n for n in range(len(self._knobs)) if self._stuck(n, self._levels(n, places))]

    def best(self, places: Sequence[Place]) -> Place:
        """Every knob at its best factor, with the values that its target had there: those of different simulations.

        Args:
            places: All places with results, one at least.
        """
        position, columns = [], {}
        for n, target in enumerate(self._targets):
            levels = self._levels(n, places)
            kept = self._kept(n, levels) or min(
                levels, key=lambda one: abs(self._deviation(n, one)), default=_Level(places[-1].position[n], ())
            )
            position.append(kept.x)
            columns[target.key] = kept.values[-self._needed :]
        rows = max(len(values) for values in columns.values())
        best = Place(-1, tuple(position), ROOT)
        for row in range(rows):
            best.outcomes[row] = Outcome({key: values[row] for key, values in columns.items() if row < len(values)})
        return best

    def _levels(self, knob: int, places: Sequence[Place]) -> list[_Level]:
        values: dict[float, list[float]] = defaultdict(list)
        for place in places:
            values[place.position[knob]] += place.values(self._targets[knob].key)
        return [_Level(x, tuple(values[x])) for x in sorted(values) if values[x]]

    def _deviation(self, knob: int, level: _Level, first: int = 0) -> float:
        values = level.values[first:]
        target = self._targets[knob]
        return target.judged(sum(values) / len(values) if values else None).deviation

    def _kept(self, knob: int, levels: list[_Level]) -> _Level | None:
        """The factor within the tolerance that has most seeds: in all, and in those that confirm it."""
        good = []
        for level in levels:
            first = len(level.values) - self._confirming if len(level.values) >= self._needed else 0
            if abs(self._deviation(knob, level)) <= 1.0 and abs(self._deviation(knob, level, first)) <= 1.0:
                good.append(level)
        return max(good, key=lambda one: (len(one.values), -abs(self._deviation(knob, one))), default=None)

    def _next(self, knob: int, levels: list[_Level], alternative: int) -> float:
        low, high, _, slope = self._knobs[knob]
        if not levels:
            return min(max(alternative * _STRIDE, low), high)
        kept = self._kept(knob, levels)
        if kept is not None:
            return kept.x
        target = self._targets[knob]
        floor, sign = self._judging.floor(target), math.copysign(1.0, slope)
        x = np.array([level.x for level in levels])
        y = sign * np.array([target.planned(level.mean, floor) for level in levels])
        y = _rising(y, [len(level.values) for level in levels]) - sign * target.goal
        below, above = np.flatnonzero(y < 0.0), np.flatnonzero(y >= 0.0)
        if not above.size:
            return min(float(x[-1]) + _stride(x[::-1], y[::-1]) * (1 + alternative), high)
        if not below.size:
            return max(float(x[0]) - _stride(x, y) * (1 + alternative), low)
        left, right = int(below[-1]), int(above[0])
        if x[right] - x[left] < _RESOLUTION:
            return min(levels[left], levels[right], key=lambda one: len(one.values)).x
        silent = target.logarithmic and min(levels[left].mean, levels[right].mean) < floor
        share = 0.5 if silent else float(-y[left] / (y[right] - y[left]))
        share = min(max(share, 0.1), 0.9)
        for _ in range(alternative):
            share = 0.5 * (share + (1.0 if share < 0.5 else 0.0))
        return float(x[left] + share * (x[right] - x[left]))

    def _stuck(self, knob: int, levels: list[_Level]) -> bool:
        """Whether its bound was tried with all seeds and the goal lies beyond."""
        low, high, _, slope = self._knobs[knob]
        for level in levels:
            outward = 1.0 if abs(level.x - high) < _CLOSEST else -1.0 if abs(level.x - low) < _CLOSEST else 0.0
            beyond = outward * math.copysign(1.0, slope) * self._deviation(knob, level) < -1.0
            if outward and beyond and len(level.values) >= self._needed:
                return True
        return False


def _rising(y: Numbers, weights: Sequence[float]) -> Numbers:
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(y, weights=weights).x)


def _stride(x: Numbers, y: Numbers) -> float:
    """How far to go beyond the outermost factor, `x[0]`, where the goal is `y[0]` away: by the secant, limited."""
    slope = _USUAL_SLOPE
    if len(x) > 1 and abs(y[0] - y[1]) > 1e-9:
        slope = abs(float((y[0] - y[1]) / (x[0] - x[1])))
    return min(max(1.2 * abs(float(y[0])) / slope, 0.25 * _STRIDE), 2.0 * _STRIDE)
