"""Multi-objective evolution with the operators of DEAP: IBEA, NSGA-II and NSGA-III."""

from __future__ import annotations

import contextlib
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.fitting.search.algorithm import Proposal
from rheobase.fitting.search.founders import Founders
from rheobase.fitting.search.options import check_range
from rheobase.fitting.search.randomness import LentRandomness
from rheobase.fitting.search.selection import Individual, Selection, admission_limit

if TYPE_CHECKING:
    from rheobase.fitting.search.algorithm import Outcome, Setup

# Selection costs more than linearly in the population: it waits until this part of it has arrived anew.
_NEWCOMERS_PER_SELECTION = 1.0 / 25.0


@dataclass(frozen=True)
class EvolutionOptions:
    """How children are made, and which of them are considered.

    Attributes:
        crossover_eta: Distribution index of simulated binary crossover: higher stays nearer to the parents.
        mutation_eta: Distribution index of polynomial mutation.
        mutation_probability: Chance of each parameter to mutate.
        admission_ratio: A newcomer with a total above this many times the median total of the population is not
            admitted to selection, where evaluations may end early.
        founder_part: A random first model with a total above this part of the largest total there is, a failure in
            every objective, is replaced by another, where evaluations may end early.
    """

    crossover_eta: float = 10.0
    mutation_eta: float = 20.0
    mutation_probability: float = 0.25
    admission_ratio: float = 2.0
    founder_part: float = 0.25

    def __post_init__(self) -> None:
        check_range("crossover_eta", self.crossover_eta, 0.0)
        check_range("mutation_eta", self.mutation_eta, 0.0)
        check_range("mutation_probability", self.mutation_probability, 0.0, 1.0)
        check_range("admission_ratio", self.admission_ratio, 1.0)
        check_range("founder_part", self.founder_part, 0.0, above=True)


@dataclass(frozen=True)
class _Proposal(Proposal):
    """A proposal that may belong to the first population."""

    founder: bool = False


class Evolution:
    """Evolution in the unit cube: parents by tournament, simulated binary crossover, polynomial mutation.

    Asynchronous: children are bred from whoever survives at the moment; selection is made among survivors and
    newcomers as soon as a few have arrived. Children of a deterministic search come by generations, all of the same
    survivors.

    Early end: Pareto dominance gives no bound worth having. A candidate whose last group is not measured yet may still
    score zero there, and then nobody dominates it; and a population that holds on to extremes accepts nearly anything
    that is new in one group. So a newcomer must in addition come near to the others in the sum of its scores, which is
    what models are chosen by in the end: its total may be at most `admission_ratio` times the median total of the
    population that it was bred from, once that is complete and free of failures; before that, see `Founders`. This is a
    rule of this search, applied whether evaluations end early or not; what was selected is therefore the same in both
    cases.

    Args:
        setup: What it works on; the population is 50 unless given.
        options: How it evolves.
        selection: One of `SELECTIONS`.
    """

    def __init__(self, setup: Setup, options: EvolutionOptions, selection: str) -> None:
        self._population = setup.population or 50
        self._options = options
        self._dimensions = setup.dimensions
        self._ratio = options.admission_ratio if setup.early_end else math.inf
        self._selection = Selection(selection, setup.groups, self._population)
        self._random = LentRandomness(setup.seed)
        self._survivors: list[Individual] = []
        self._newcomers: list[Individual] = []
        self._learnt = 0
        self._limit = math.inf
        part = options.founder_part if setup.early_end else math.inf
        self._founders = Founders(setup, self._population, part, few_enough=True)
        self._waiting: list[tuple[float, ...]] = []

    @property
    def generation_size(self) -> int:
        """One child per survivor."""
        return self._population

    @property
    def exhausted(self) -> bool:
        """Never: mutations go on."""
        return False

    def propose(self) -> _Proposal:
        """The first population, then children."""
        if self._founders.wanted:
            return _Proposal(*self._founders.propose(), founder=True)
        if not self._waiting:
            if len(self._newcomers) >= max(1.0, _NEWCOMERS_PER_SELECTION * self._population):
                self._select()
            self._waiting = self._breed()
        # Until the population is complete children, and random places beside its founders, are held to the same.
        limit = self._limit if len(self._survivors) >= self._population else min(self._limit, self._founders.limit)
        return _Proposal(self._waiting.pop(0), limit)

    def learn(self, proposal: _Proposal, outcome: Outcome) -> None:
        """A newcomer, unless it is rejected."""
        if outcome.rejected:
            if proposal.founder:
                self._founders.reject()
            return
        if proposal.founder:
            self._founders.admit()
        newcomer = Individual(proposal.position)
        self._selection.judge(newcomer, outcome, self._learnt)
        self._learnt += 1
        self._newcomers.append(newcomer)

    def _select(self) -> None:
        with self._random.lent_numpy() if self._selection.draws else contextlib.nullcontext():
            self._survivors = self._selection.survivors(self._survivors + self._newcomers)
        self._newcomers = []
        self._limit = admission_limit(self._survivors, self._population, self._ratio)

    def _breed(self) -> list[tuple[float, ...]]:
        """Two children of two parents; random ones as long as there is nobody to breed from."""
        from deap import tools

        with self._random.lent_python():
            if not self._survivors:
                return [tuple(random.random() for _ in range(self._dimensions)) for _ in range(2)]
            parents = [self._parent(), self._parent()]
            children = [list(parent) for parent in parents]
            tools.cxSimulatedBinaryBounded(*children, eta=self._options.crossover_eta, low=0.0, up=1.0)
            for child in children:
                tools.mutPolynomialBounded(
                    child, self._options.mutation_eta, 0.0, 1.0, self._options.mutation_probability
                )
                if child in parents:  # evaluated already
                    tools.mutPolynomialBounded(child, self._options.mutation_eta, 0.0, 1.0, 1.0)
            return [tuple(child) for child in children]

    def _parent(self) -> Individual:
        """Winner of a binary tournament."""
        first, second = (self._survivors[int(random.random() * len(self._survivors))] for _ in range(2))
        return first if self._selection.prefers(first, second) else second
