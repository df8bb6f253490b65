"""Multi-objective evolutionary searches on DEAP and BluePyOpt: IBEA (Zitzler & Kunzli 2004), NSGA-II (Deb 2002)."""

from __future__ import annotations

import contextlib
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import qmc

from rheobase.fitting.evaluation import Candidate
from rheobase.fitting.search.interface import SearchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rheobase.fitting.search.space import Dimension

ALGORITHMS = ("ibea", "nsga2")


@dataclass(frozen=True)
class EvolutionSettings:
    """How the population evolves.

    Attributes:
        algorithm: "ibea" or "nsga2".
        population: Number of survivors.
        deterministic: Whether whole generations are awaited, so that the result does not depend on the order in
            which evaluations end. Otherwise a new candidate is bred whenever one is asked for.
        crossover_eta: Distribution index of simulated binary crossover: higher stays nearer to the parents.
        mutation_eta: Distribution index of polynomial mutation.
        mutation_probability: Chance of each parameter to mutate.
    """

    algorithm: str = "ibea"
    population: int = 50
    deterministic: bool = False
    crossover_eta: float = 10.0
    mutation_eta: float = 20.0
    mutation_probability: float = 0.25


class EvolutionarySearch:
    """Steady-state or generational evolution in the unit cube of the parameters.

    Args:
        dimensions: The free parameters.
        objectives: Names of all objectives, to be minimised.
        settings: How the population evolves.
        seed: Seed of everything random here.
        groups: Group of each objective, by name. Selection sees the mean of a group: among some thirty objectives
            nearly every model is the best at something and nothing is selected; among a few groups the good ones are.
            None: every objective is its own group.
    """

    def __init__(
        self,
        dimensions: Sequence[Dimension],
        objectives: Sequence[str],
        settings: EvolutionSettings,
        seed: int,
        groups: Mapping[str, str] | None = None,
    ) -> None:
        if settings.algorithm not in ALGORITHMS:
            raise SearchError(f"expected one of {ALGORITHMS}, got '{settings.algorithm}'")
        self._dimensions = tuple(dimensions)
        self._objectives = tuple(objectives)
        self._settings = settings
        self._random = random.Random(seed)
        names = [name if groups is None else groups[name] for name in self._objectives]
        self._groups = [[i for i, name in enumerate(names) if name == group] for group in dict.fromkeys(names)]
        self._fitness = _fitness_class(len(self._groups))
        self._asked: dict[int, _Individual] = {}
        self._next_number = 0
        self._survivors: list[_Individual] = []
        self._newcomers: list[_Individual] = []
        sample = qmc.LatinHypercube(len(self._dimensions), rng=np.random.default_rng(seed))
        self._waiting = [_Individual(row) for row in sample.random(settings.population).tolist()]

    def ask(self) -> Candidate | None:
        """The next candidate; None while a generation of a deterministic search is incomplete."""
        if not self._waiting:
            if self._settings.deterministic and self._asked:
                return None
            self._select()
            pairs = max(1, self._settings.population // 2) if self._settings.deterministic else 1
            for _ in range(pairs):
                self._waiting.extend(self._breed())
        individual = self._waiting.pop(0)
        number = self._next_number
        self._next_number += 1
        individual.number = number
        self._asked[number] = individual
        return Candidate(
            number, {d.name: d.value(position) for d, position in zip(self._dimensions, individual, strict=True)}
        )

    def tell(self, number: int, scores: Mapping[str, float], failed: bool = False) -> None:
        """The scores of a candidate that was asked for."""
        if number not in self._asked:
            raise SearchError(f"candidate {number} is not awaited: it was never asked for, or was told before")
        try:
            values = tuple(scores[name] for name in self._objectives)
        except KeyError as missing:
            raise SearchError(f"candidate {number} comes without a score for the objective {missing}") from None
        for name, value in zip(self._objectives, values, strict=True):
            if not 0.0 <= value < math.inf:  # NaN neither
                raise SearchError(f"candidate {number}, '{name}': expected a finite score, zero or more, got {value}")
        individual = self._asked.pop(number)
        # On a logarithmic scale the failure scores of a few do not drown the differences between good models;
        # the order within each objective, and so dominance, stays as it is.
        logarithms = [math.log1p(value) for value in values]
        means = (sum(logarithms[i] for i in group) / len(group) for group in self._groups)
        individual.fitness = self._fitness(tuple(means))
        individual.failed = failed
        individual.total = sum(values)
        self._newcomers.append(individual)

    def _select(self) -> None:
        """Keep the best of survivors and newcomers; by number, so that the order of arrival does not matter."""
        if not self._newcomers:
            return
        everyone = sorted([*self._survivors, *self._newcomers], key=lambda individual: individual.number)
        self._newcomers = []
        # Constraint domination (Deb 2002): who failed survives only where those who did not leave room.
        pool = [individual for individual in everyone if not individual.failed]
        if len(pool) < self._settings.population:
            failed = sorted((i for i in everyone if i.failed), key=lambda individual: individual.total)
            pool += failed[: self._settings.population - len(pool)]
        size = min(self._settings.population, len(pool))
        with self._own_random():
            if self._settings.algorithm == "ibea":
                from bluepyopt.deapext.tools import selIBEA

                selIBEA(pool, 0, alpha=size)  # leaves the survivors in the list, with their IBEA fitness
                self._survivors = pool
            else:
                from deap import tools

                self._survivors = tools.selNSGA2(pool, size)

    def _breed(self) -> list[_Individual]:
        """Two children of two parents; random ones as long as nothing was told."""
        from deap import tools

        with self._own_random():
            if not self._survivors:
                return [_Individual([random.random() for _ in self._dimensions]) for _ in range(2)]
            children = [_Individual(self._parent()) for _ in range(2)]
            tools.cxSimulatedBinaryBounded(*children, eta=self._settings.crossover_eta, low=0.0, up=1.0)
            for child in children:
                tools.mutPolynomialBounded(
                    child, self._settings.mutation_eta, 0.0, 1.0, self._settings.mutation_probability
                )
            return children

    def _parent(self) -> _Individual:
        """Winner of a binary tournament."""
        first, second = (self._survivors[int(random.random() * len(self._survivors))] for _ in range(2))
        if self._settings.algorithm == "ibea":
            return first if first.ibea_fitness <= second.ibea_fitness else second
        if first.fitness.dominates(second.fitness):
            return first
        if second.fitness.dominates(first.fitness):
            return second
        return first if first.fitness.crowding_dist >= second.fitness.crowding_dist else second

    @contextlib.contextmanager
    def _own_random(self) -> Iterator[None]:
        """DEAP draws from Python's global generator: lend it ours, and give the global state back."""
        outside = random.getstate()
        random.setstate(self._random.getstate())
        try:
            yield
        finally:
            self._random.setstate(random.getstate())
            random.setstate(outside)


class _Individual(list[float]):
    """Position in the unit cube, with what DEAP's operators look for."""

    number: int = -1
    fitness: Any = None
    ibea_fitness: float = 0.0
    failed: bool = False
    total: float = 0.0


def _fitness_class(objectives: int) -> type:
    """DEAP's fitness for that many minimised objectives, without DEAP's global registry of classes."""
    from deap import base

    return type("Fitness", (base.Fitness,), {"weights": (-1.0,) * objectives})
