"""How much better than the best a place may be: what is expected of each objective there, put together to the total.

An objective's score is the absolute value of its deviation from the target. The deviation is smooth in the parameters
where the score has an edge, and each has parameters of its own that it depends on; so every deviation has its own
Gaussian process, and the total is drawn from all of them (Astudillo & Frazier 2019, Bayesian Optimization of Composite
Functions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.search.gaussian_process import Covariance, GaussianProcesses
from rheobase.fitting.search.weighting import EXCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_DRAWS = 32
_NEAR = Covariance(length=0.35, linear=0.0, noise=0.0)
_PLAIN = 5.0  # standard deviations; beyond them deviations are taken on a logarithmic scale
_SMALLEST_CHANCE = 0.5  # of being admitted, below which a place is left out
_SMALLEST_DOUBT = 0.05  # about whether something can be measured, or is admitted


class CompositeModel:
    """Totals at places that were not evaluated, learnt from those that were.

    Args:
        places: That were admitted, in the unit cube, shape (places, dimensions).
        deviations: Of their objectives, NaN where one could not be measured, shape (places, objectives).
        failure_scores: What an objective adds to the total where it cannot be measured, shape (objectives,).
        limits: Sizes of deviations beyond which each counts five times, shape (objectives,).
        others: Places that were not admitted, shape (others, dimensions).
        awaited: Places whose outcomes are awaited, shape (awaited, dimensions).
    """

    def __init__(
        self,
        places: FloatArray,
        deviations: FloatArray,
        failure_scores: FloatArray,
        limits: FloatArray,
        others: FloatArray,
        awaited: FloatArray,
    ) -> None:
        self._parts: list[_Part] = []
        for measured, objectives in _measured_alike(deviations):
            values = _compressed(deviations[measured][:, objectives])
            self._parts.append(
                _Part(
                    GaussianProcesses(places[measured], values) if measured.any() else None,
                    None if measured.all() or not measured.any() else _Chance(places, measured),
                    float(failure_scores[objectives].sum()),
                    limits[objectives],
                )
            )
        self._admitted = None
        if len(others):
            admitted = np.arange(len(places) + len(others)) < len(places)
            self._admitted = _Chance(np.concatenate([places, others]), admitted)
        self._awaited = awaited

    def improvements(
        self, places: FloatArray, best_total: float, generator: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Expected improvement over the best total, and the expected total, shape (places,) each.

        The nearer a place is to one whose outcome is awaited, the less is gained by it.

        Args:
            places: In the unit cube, shape (places, dimensions).
            best_total: Lowest total known.
            generator: For the draws.
        """
        totals = np.zeros((_DRAWS, len(places)))
        for part in self._parts:
            totals += part.draw(places, generator)
        gains = np.maximum(best_total - totals, 0.0).mean(0)
        expected = totals.mean(0)
        if len(self._awaited):
            gains *= 1.0 - np.minimum(_NEAR.between(places, self._awaited).max(1), 1.0)
        if self._admitted is not None:
            chances = self._admitted.at(places)
            gains *= chances
            # Where the best place borders on those that are not admitted, all there is to gain lies beyond.
            doubtful = chances < _SMALLEST_CHANCE
            gains[doubtful], expected[doubtful] = 0.0, np.inf
        return gains, expected


class _Chance:
    """How likely something holds at a place, from where it did; far from all of them it does not."""

    def __init__(self, places: FloatArray, holds: NDArray[np.bool_]) -> None:
        self._processes = GaussianProcesses(places, holds[:, np.newaxis].astype(float), 0.0)

    def at(self, places: FloatArray) -> FloatArray:
        """Probability, shape (places,)."""
        from scipy.special import ndtr

        means, deviations = self._processes.predict(places)
        chances: FloatArray = ndtr((means[:, 0] - 0.5) / np.maximum(deviations[:, 0], _SMALLEST_DOUBT))
        return chances


class _Part:
    """Objectives that were measured at the same places.

    Args:
        processes: Of their deviations; None: they were measured nowhere.
        chance: That they can be measured; None: they always can, or never.
        failure_score: What they add to the total where they cannot.
        limits: Sizes of deviations beyond which each counts five times, shape (objectives,).
    """

    def __init__(
        self, processes: GaussianProcesses | None, chance: _Chance | None, failure_score: float, limits: FloatArray
    ) -> None:
        self._processes, self._chance = processes, chance
        self._failure_score, self._limits = failure_score, limits

    def draw(self, places: FloatArray, generator: np.random.Generator) -> FloatArray:
        """Draws of what the objectives add to the total, shape (draws, places)."""
        if self._processes is None:
            return np.full((_DRAWS, len(places)), self._failure_score)
        means, deviations = self._processes.predict(places)
        # The same draw for all places: they are compared with each other.
        normal = generator.standard_normal((_DRAWS, 1, means.shape[1]))
        sizes = _expanded(np.abs(means + deviations * normal))
        totals: FloatArray = (sizes + EXCESS * np.maximum(sizes - self._limits, 0.0)).sum(-1)
        if self._chance is not None:
            levels = generator.permutation((np.arange(_DRAWS) + 0.5) / _DRAWS)
            totals = np.where(levels[:, np.newaxis] < self._chance.at(places), totals, self._failure_score)
        return totals


def _measured_alike(deviations: FloatArray) -> Sequence[tuple[NDArray[np.bool_], list[int]]]:
    """Objectives measured at the same places: where, and which."""
    alike: dict[bytes, tuple[NDArray[np.bool_], list[int]]] = {}
    for objective, measured in enumerate(~np.isnan(deviations.T)):
        alike.setdefault(measured.tobytes(), (measured, []))[1].append(objective)
    return list(alike.values())


def _compressed(deviations: FloatArray) -> FloatArray:
    """A few that are far off would drown the differences between good ones."""
    sizes = np.abs(deviations)
    far: FloatArray = _PLAIN + _PLAIN * np.log(np.maximum(sizes, _PLAIN) / _PLAIN)
    return np.sign(deviations) * np.where(sizes < _PLAIN, sizes, far)


def _expanded(sizes: FloatArray) -> FloatArray:
    """The reverse of `_compressed`, for sizes."""
    far = _PLAIN * np.exp(np.clip(sizes / _PLAIN - 1.0, 0.0, 4.0))  # 4: beyond the failure score
    return np.where(sizes < _PLAIN, sizes, far)
