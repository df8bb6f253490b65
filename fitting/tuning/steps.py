"""Steps that the slopes of the targets suggest: Gauss-Newton, damped, within bounds and a trust region."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.tuning.response import fit_response
from rheobase.fitting.tuning.stage import PROBE, SAMPLED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.tuning.judging import Judging
    from rheobase.fitting.tuning.response import Response
    from rheobase.fitting.tuning.targets import TuningTarget
    from rheobase.fitting.tuning.trials import Place

    Numbers = NDArray[np.float64]

FIRST_RADIUS = math.log(2.0)
_LARGEST_RADIUS = math.log(4.0)
_SMALLEST_RADIUS = 0.03
_RECOVERY = 1.15
_DAMPING = 0.5  # moving every knob by a factor of e costs as much as half a tolerance
_HOMING = 0.3  # likewise for being away from where the stage began: of two solutions the modest one
_HALVINGS = 3  # of a step towards places that were stopped
_FARTHEST = 10.0  # a target that is off by more tolerances than this pulls no harder


@dataclass(frozen=True, eq=False)
class Box:
    """Where a stage may go.

    Attributes:
        low: Smallest logarithm of each factor, shape (knobs,).
        high: Largest.
    """

    low: Numbers
    high: Numbers

    def clipped(self, position: Numbers) -> tuple[float, ...]:
        """The nearest position inside."""
        return tuple(float(x) for x in np.clip(position, self.low, self.high))

    def within(self, centre: Numbers, radius: float) -> Box:
        """The part of it that is no farther than `radius` from a place, in any knob."""
        return Box(np.maximum(self.low, centre - radius), np.minimum(self.high, centre + radius))

    def knobs_at_bounds(self, position: Sequence[float]) -> list[tuple[int, bool]]:
        """Index of each knob at one of its bounds, and whether it is the upper one."""
        margin = 0.01 * (self.high - self.low)
        found = []
        for n, (x, low, high, near) in enumerate(zip(position, self.low, self.high, margin, strict=True)):
            if x <= low + near or x >= high - near:
                found.append((n, bool(x >= high - near)))
        return found


class JacobianSteps:
    """Proposes steps from the best place so far by the slopes measured with all places of the stage.

    Slopes begin as what is expected of them and are measured by the steps themselves, as in Broyden's method (Broyden
    1965, Math Comput 19:577), but by regression, since rates are noisy; the step is Gauss-Newton's with damping
    (Levenberg 1944, Q Appl Math 2:164) inside a trust region that grows with success.

    Args:
        judging: Targets and noise.
        box: Bounds.
        expected: Expected slopes, shape (targets, knobs).
        rng: Of everything drawn.
    """

    def __init__(self, judging: Judging, box: Box, expected: Numbers, rng: np.random.Generator) -> None:
        self._judging = judging
        self._box = box
        self._expected = expected
        self._rng = rng
        self._radius = FIRST_RADIUS

    @property
    def radius(self) -> float:
        """Largest change of the logarithm of a factor in one step."""
        return self._radius

    def response(self, places: Sequence[Place], centre: Sequence[float]) -> Response:
        """How targets respond near a place."""
        return fit_response(self._judging, places, centre, self._expected)

    def propose(self, kind: str, places: Sequence[Place], best: Place) -> tuple[float, ...]:
        """A position.

        Args:
            kind: "jacobian" for the most likely step, "jacobian_sampled" for one by slopes drawn within their errors,
                "probe" for one in the direction in which slopes are least known.
            places: All places of the stage.
            best: The best of them.
        """
        centre = np.array(best.position)
        response = self.response(places, best.position)
        box = self._box.within(centre, self._radius)
        if kind == SAMPLED:
            damping = _DAMPING * float(self._rng.choice([0.5, 1.0, 2.0]))
            position = gauss_newton(response.drawn(self._rng), self._judging.targets, box, damping)
        elif kind == PROBE:
            position = centre + self._radius * self._least_known(response)
        else:
            position = gauss_newton(response, self._judging.targets, box, _DAMPING)
        for _ in range(_HALVINGS):
            if best.stopped or not _resembles_stopped(position, places):
                break
            position = 0.5 * (centre + position)
        return self._box.clipped(position)

    def _least_known(self, response: Response) -> Numbers:
        """Direction of the largest uncertainty, in tolerances; 1 is its largest part, and it points to the goals."""
        widths = np.array([target.width for target in self._judging.targets])
        together = np.sum(response.covariances[:, 1:, 1:] / widths[:, np.newaxis, np.newaxis] ** 2, axis=0)
        direction = np.linalg.eigh(together)[1][:, -1]
        distances = np.array([target.goal for target in self._judging.targets]) - response.level
        towards = float(
            np.sum(np.clip(distances / widths, -_FARTHEST, _FARTHEST) * (response.slopes @ direction) / widths)
        )
        return np.asarray(direction * math.copysign(1.0, towards) / np.max(np.abs(direction)))

    def restart(self) -> None:
        """Begin with the first trust region again, elsewhere."""
        self._radius = FIRST_RADIUS

    def learn(self, place: Place, improved: bool, worsened: bool) -> None:
        """Grow the trust region after a step that improved, shrink it after one that made things worse.

        Args:
            place: Where the step led.
            improved: Whether it is better than the best before by more than the noise.
            worsened: Whether it is worse by more than the noise, though the best before was not hopeless itself.
        """
        if improved:
            self._radius = min(1.5 * self._radius, _LARGEST_RADIUS)
        elif worsened:
            self._radius = max((0.5 if place.stopped else 0.75) * self._radius, _SMALLEST_RADIUS)
        else:
            self._radius = max(self._radius, min(_RECOVERY * self._radius, FIRST_RADIUS))


def _resembles_stopped(position: Numbers, places: Sequence[Place]) -> bool:
    """Whether the nearest place with a result was stopped: beyond a jump into runaway no slope holds."""
    known = [place for place in places if place.outcomes]
    distances = [float(np.sum((position - np.array(place.position)) ** 2)) for place in known]
    return known[int(np.argmin(distances))].stopped


def gauss_newton(response: Response, targets: Sequence[TuningTarget], box: Box, damping: float) -> Numbers:
    """Position that brings all targets near their goals, if they respond in straight lines.

    Args:
        response: The lines.
        targets: The targets; a constraint pulls only where it is at more than half its tolerance.
        box: Where the position may lie, the response's centre inside.
        damping: Cost of a knob's change, in tolerances for a factor of e.
    """
    from scipy.optimize import lsq_linear

    residuals, rows = [], []
    for target, level, slopes in zip(targets, response.level, response.slopes, strict=True):
        residual = (target.goal - level) / target.width
        if target.constraint:
            residual = math.copysign(max(abs(residual) - 0.5, 0.0), residual)
        residuals.append(min(max(residual, -_FARTHEST), _FARTHEST))
        rows.append(slopes / target.width)
    knobs = len(response.centre)
    matrix = np.vstack([np.array(rows), damping * np.eye(knobs), _HOMING * np.eye(knobs)])
    low, high = box.low - response.centre, box.high - response.centre
    wanted = np.array([*residuals, *np.zeros(knobs), *(-_HOMING * response.centre)])
    solved = lsq_linear(matrix, wanted, (low - 1e-9, high + 1e-9))
    return np.asarray(response.centre + np.clip(solved.x, low, high))
