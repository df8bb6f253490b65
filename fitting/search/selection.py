"""Who survives among evaluated candidates, by DEAP's selections and BluePyOpt's.

- "ibea": additive epsilon indicator (Zitzler & Kunzli 2004, Indicator-Based Selection in Multiobjective Search).
- "nsga2": non-dominated sorting and crowding distance (Deb et al. 2002, A Fast and Elitist Multiobjective Genetic
  Algorithm).
- "nsga3": non-dominated sorting and niches around reference directions (Deb & Jain 2014, An Evolutionary
  Many-Objective Optimization Algorithm, Part I).
- "hypervolume": non-dominated sorting, then the contribution to the hypervolume (Igel, Hansen & Roth 2007, Covariance
  Matrix Adaptation for Multi-objective Optimization).
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.fitting.search.indicator import indicator_losses
from rheobase.fitting.search.niching import select_by_niches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.search.algorithm import Outcome

SELECTIONS = ("ibea", "nsga2", "nsga3", "hypervolume")


class Individual(list[float]):
    """Position in the unit cube, with what DEAP's operators look for."""

    fitness: Any = None
    ibea_fitness: float = 0.0
    crowding: int = 0
    order: int = -1
    failed: bool = False
    total: float = math.inf
    _ps: tuple[str, int] = ("p", 0)  # DEAP's multi-objective strategy notes who is the parent of whom


class Selection:
    """Environmental selection among individuals.

    Args:
        name: One of `SELECTIONS`.
        groups: Number of groups of objectives.
        population: Number of survivors.
    """

    def __init__(self, name: str, groups: int, population: int) -> None:
        self._name = name
        self._population = population
        self._fitness = fitness_class(groups)
        self._directions = reference_directions(groups, population) if name == "nsga3" else None
        self.draws = name == "nsga3"  # from numpy's global generator

    def judge(self, individual: Individual, outcome: Outcome, order: int) -> None:
        """Write an outcome to its individual; `order` sorts the pool, so that equals are treated alike."""
        individual.fitness = self._fitness(outcome.groups)
        individual.failed = outcome.failed
        individual.total = outcome.total
        individual.order = order

    def survivors(self, everyone: Sequence[Individual]) -> list[Individual]:
        """The best, at most a population of them. May draw from numpy's global generator."""
        # Constraint domination (Deb et al. 2002): who failed survives only where those who did not leave room.
        pool = sorted((i for i in everyone if not i.failed), key=lambda individual: individual.order)
        room = self._population - len(pool)
        if room > 0:
            pool += sorted((i for i in everyone if i.failed), key=lambda i: (i.total, i.order))[:room]
        size = min(self._population, len(pool))
        if self._name == "ibea":
            losses = indicator_losses(-np.array([individual.fitness.wvalues for individual in pool]))
            for individual, loss in zip(pool, losses.tolist(), strict=True):
                individual.ibea_fitness = loss
            return sorted(pool, key=lambda individual: individual.ibea_fitness)[:size]
        if self._directions is not None:
            return select_by_niches(pool, size, self._directions)
        if self._name == "nsga2":
            from deap import tools

            sorting = "standard" if len(pool[0].fitness.wvalues) == 1 else "log"
            return list(tools.selNSGA2(pool, size, nd=sorting))
        return _by_hypervolume(pool, size)

    def prefers(self, first: Individual, second: Individual) -> bool:
        """Whether the first of two survivors wins a tournament."""
        if self._name == "ibea":
            return bool(first.ibea_fitness <= second.ibea_fitness)
        if self._name == "nsga3":
            # Deb & Jain choose parents at random. Dominance here, on top of the selection, loses the ends of a front
            # before they are explored; a preference for thinly settled niches keeps them.
            return (first.failed, first.crowding) <= (second.failed, second.crowding)
        if first.fitness.dominates(second.fitness):
            return True
        if second.fitness.dominates(first.fitness):
            return False
        return bool(first.fitness.crowding_dist >= second.fitness.crowding_dist)


def _by_hypervolume(pool: list[Individual], size: int) -> list[Individual]:
    from deap import tools

    fronts = _fronts(pool, size)
    last = fronts[-1]
    worst = np.max([individual.fitness.values for individual in pool], axis=0) + 1.0
    while sum(map(len, fronts)) > size:
        del last[-1 if len(worst) == 1 else tools.hypervolume(last, ref=worst)]
    return [individual for front in fronts for individual in front]


def first_front(individuals: Sequence[Individual]) -> list[int]:
    """Places of those that nobody dominates; those who failed are left out unless all have."""
    pool = [individual for individual in individuals if not individual.failed] or list(individuals)
    front = {id(individual) for individual in _fronts(pool, 1)[0]}
    return [place for place, individual in enumerate(individuals) if id(individual) in front]


def _fronts(individuals: list[Individual], size: int) -> list[list[Individual]]:
    """Non-dominated fronts, best first, as many as hold that many individuals."""
    from deap import tools

    one_objective = len(individuals[0].fitness.wvalues) == 1
    return [
        list(front)
        for front in (tools.sortNondominated if one_objective else tools.sortLogNondominated)(individuals, size)
    ]


def fitness_class(groups: int) -> type:
    """DEAP's fitness for that many minimised objectives, without DEAP's global registry of classes."""
    from deap import base

    return type("Fitness", (base.Fitness,), {"weights": (-1.0,) * groups})


def reference_directions(groups: int, population: int) -> NDArray[np.float64]:
    """Reference directions of NSGA-III, about as many as survivors: shape (directions, groups), each of sum 1.

    Evenly spaced (Das & Dennis 1998); where so many groups allow points on the border only, a second layer lies half
    way to the centre (Deb & Jain 2014).
    """
    from deap.tools import uniform_reference_points

    outer = _most_divisions(groups, population)
    points = uniform_reference_points(groups, outer)
    room = population - len(points)
    if groups > 1 and outer < groups and room > 0:
        inner = _most_divisions(groups, room)
        if math.comb(groups + inner - 1, inner) <= room:
            points = np.concatenate([points, uniform_reference_points(groups, inner, scaling=0.5)])
    return np.asarray(points, dtype=float)


def _most_divisions(groups: int, points: int) -> int:
    """Divisions of each axis, at least one, that make at most so many evenly spaced points."""
    if groups == 1:
        return 1
    divisions = 1
    while math.comb(groups + divisions, divisions + 1) <= points:
        divisions += 1
    return divisions


def admission_limit(survivors: Sequence[Individual], population: int, ratio: float) -> float:
    """Largest total with which a newcomer is admitted to selection; infinity while there is room for anyone.

    See `Evolution` for the rule and why it is needed.
    """
    if len(survivors) < population or any(survivor.failed for survivor in survivors):
        return math.inf
    return ratio * statistics.median(survivor.total for survivor in survivors)
