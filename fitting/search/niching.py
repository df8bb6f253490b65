"""Selection of NSGA-III by DEAP, and which of its niches are crowded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.search.selection import Individual

    FloatArray = NDArray[np.float64]


class _Translated:
    """An individual with the fitness that DEAP is to see."""

    def __init__(self, individual: Individual, values: Sequence[float]) -> None:
        self.individual = individual
        self.fitness = type(individual.fitness)(values)


def select_by_niches(pool: Sequence[Individual], size: int, directions: FloatArray) -> list[Individual]:
    """Survivors by NSGA-III (Deb & Jain 2014), each with the number of survivors in its niche as `crowding`.

    DEAP is shown objectives whose smallest values are zero. DEAP 1.4 measures the intercepts from the ideal point and
    then takes the ideal point off once more; with one that is not zero objectives are normalised by too little, even
    by something negative, and the survivors gather at one end of the front. Who dominates whom stays as it is.

    Draws from numpy's global generator.

    Args:
        pool: Evaluated individuals.
        size: How many survive, at most as many as there are.
        directions: Reference directions, shape (directions, objectives).
    """
    from deap import tools

    values = _from_ideal(pool)
    shown = [_Translated(*pair) for pair in zip(pool, values.tolist(), strict=True)]
    sorting = "standard" if values.shape[1] == 1 else "log"
    chosen = [one.individual for one in tools.selNSGA3(shown, size, directions, nd=sorting)]
    niches = _niches(_from_ideal(chosen), directions)
    crowding = np.bincount(niches)[niches]
    for individual, count in zip(chosen, crowding.tolist(), strict=True):
        individual.crowding = count
    return chosen


def _from_ideal(individuals: Sequence[Individual]) -> FloatArray:
    """Objectives above the smallest of each, shape (individuals, objectives)."""
    values = -np.array([individual.fitness.wvalues for individual in individuals])
    shifted: FloatArray = values - values.min(axis=0)
    return shifted


def _niches(values: FloatArray, directions: FloatArray) -> NDArray[np.intp]:
    """Nearest direction of each individual, by the distance from the line, in normalised objectives."""
    from deap.tools import emo

    ideal, worst = np.zeros(values.shape[1]), values.max(axis=0)
    intercepts = emo.find_intercepts(emo.find_extreme_points(values, ideal), ideal, worst, worst)
    niches: NDArray[np.intp] = emo.associate_to_niche(values, directions, ideal, intercepts)[0]
    return niches
