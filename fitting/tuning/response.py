"""How targets respond to knobs near a place: slopes with their errors, from all places tried so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.tuning.judging import Judging
    from rheobase.fitting.tuning.stage import Knob
    from rheobase.fitting.tuning.targets import TuningTarget
    from rheobase.fitting.tuning.trials import Place

    Numbers = NDArray[np.float64]

SLOPE_STD = 1.5  # how far slopes are expected to lie from what is expected of them
_CURVATURE = 0.5  # error of a straight line at a distance d, on the logarithmic scale: _CURVATURE d^2
_LEVEL_STD = 5.0
_BOUND_REACH = 4.0  # a bound says that a target is off by so many tolerances at least: a jump is no slope


@dataclass(frozen=True, eq=False)
class Response:
    """A straight line for each target, on the scale of planning.

    Attributes:
        centre: Position that it is about, shape (knobs,).
        level: Targets there, shape (targets,).
        slopes: Change of each target with the logarithm of each factor, shape (targets, knobs).
        covariances: Of level and slopes of each target, shape (targets, 1 + knobs, 1 + knobs).
    """

    centre: Numbers
    level: Numbers
    slopes: Numbers
    covariances: Numbers

    @property
    def slope_errors(self) -> Numbers:
        """Standard errors of the slopes, shape (targets, knobs)."""
        variances = np.diagonal(self.covariances, axis1=1, axis2=2)
        return np.asarray(np.sqrt(variances[:, 1:]))

    @property
    def level_errors(self) -> Numbers:
        """Standard errors of the level, shape (targets,)."""
        return np.asarray(np.sqrt(self.covariances[:, 0, 0]))

    def at(self, position: Sequence[float] | Numbers) -> Numbers:
        """Targets at another position, shape (targets,)."""
        return np.asarray(self.level + self.slopes @ (np.asarray(position) - self.centre))

    def drawn(self, rng: np.random.Generator) -> Response:
        """Another line for each target, as likely as its errors say."""
        lines = [
            rng.multivariate_normal([level, *slopes], covariance, method="cholesky")
            for level, slopes, covariance in zip(self.level, self.slopes, self.covariances, strict=True)
        ]
        drawn = np.array(lines)
        return Response(self.centre, drawn[:, 0], drawn[:, 1:], self.covariances)


def expected_slopes(
    targets: Sequence[TuningTarget], knobs: Sequence[Knob], measured: Mapping[tuple[str, str], float]
) -> Numbers:
    """What slopes are expected to be: measured in an earlier stage, else what the knobs say, else 0.

    Args:
        targets: The targets.
        knobs: The knobs.
        measured: Slopes by keys of targets and names of knobs.

    Returns:
        Slopes, shape (targets, knobs).
    """
    return np.array(
        [[measured.get((t.key, k.name), k.effects.get(t.key, 0.0)) for k in knobs] for t in targets], dtype=float
    ).reshape(len(targets), len(knobs))


def fit_response(judging: Judging, places: Sequence[Place], centre: Sequence[float], expected: Numbers) -> Response:
    """Bayesian linear regression about a place (Bishop 2006, Pattern Recognition and Machine Learning, section 3.3).

    Every place counts by its noise and by how far it is: a straight line errs with the square of the distance. What
    was stopped, and populations without a spike, only bound a target from one side: they count where the line without
    them contradicts them.

    Args:
        judging: Targets and their noise.
        places: Places with results.
        centre: Position of the centre.
        expected: Expected slopes, shape (targets, knobs).
    """
    middle = np.asarray(centre, dtype=float)
    known = [place for place in places if place.outcomes]
    offsets = np.array([place.position for place in known], dtype=float).reshape(len(known), len(middle)) - middle
    planned = np.array([judging.planned(place) for place in known]).reshape(len(known), len(judging.targets))
    errors = np.array([judging.errors(place) for place in known]).reshape(len(known), len(judging.targets))
    variances = errors**2 + (_CURVATURE * np.sum(offsets**2, axis=1)[:, np.newaxis]) ** 2
    stopped = np.array([place.stopped for place in known], dtype=bool)
    lines, covariances = [], []
    for row, target in enumerate(judging.targets):
        y, there = planned[:, row], np.isfinite(planned[:, row])
        sides = np.where(stopped, np.sign(y - target.goal), 0.0)
        if target.logarithmic:
            sides = np.where(y <= np.log(judging.floor(target)) + 1e-9, -1.0, sides)
        prior = _Prior(target.goal, target.width, expected[row])
        exact = there & (sides == 0)
        line, covariance = _line(offsets[exact], y[exact], variances[exact, row], prior)
        bounds = target.goal + np.clip(y - target.goal, -_BOUND_REACH * target.width, _BOUND_REACH * target.width)
        contradicted = there & (sides * (bounds - line[0] - offsets @ line[1:]) > 0)
        if np.any(contradicted):
            used = exact | contradicted
            values, vague = np.where(contradicted, bounds, y), np.where(contradicted, _BOUND_REACH * target.width, 0.0)
            line, covariance = _line(offsets[used], values[used], (variances[:, row] + vague**2)[used], prior)
        lines.append(line)
        covariances.append(covariance)
    found = np.array(lines)
    return Response(middle, found[:, 0], found[:, 1:], np.array(covariances))


@dataclass(frozen=True, eq=False)
class _Prior:
    goal: float
    width: float
    slopes: Numbers

    @property
    def stds(self) -> Numbers:
        """Slopes of what is not logarithmic have the scale of its tolerance."""
        scale = max(1.0, self.width / 0.3)
        return np.array([_LEVEL_STD * scale, *np.full(len(self.slopes), SLOPE_STD * scale)])


def _line(offsets: Numbers, y: Numbers, variances: Numbers, prior: _Prior) -> tuple[Numbers, Numbers]:
    """Level and slopes, and their covariance."""
    design = np.column_stack([np.ones(len(y)), offsets])
    expected = np.array([prior.goal, *prior.slopes])
    weighted = design / variances[:, np.newaxis]
    precision = weighted.T @ design + np.diag(prior.stds**-2.0)
    covariance = np.linalg.inv(precision)
    line = expected + covariance @ (weighted.T @ (y - design @ expected))
    return np.asarray(line, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
