"""Multi-objective covariance matrix adaptation (MO-CMA-ES) with the strategy of DEAP."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.fitting.search.algorithm import Proposal
from rheobase.fitting.search.options import check_range
from rheobase.fitting.search.positions import first_positions
from rheobase.fitting.search.randomness import LentRandomness
from rheobase.fitting.search.selection import Individual, Selection, admission_limit, first_front

if TYPE_CHECKING:
    from rheobase.fitting.search.algorithm import Outcome, Setup

_PENALTY = 0.1  # added to every group for a squared distance of 1 from the unit cube
_CONVERGED_STEP = 1e-7  # of the unit cube; no conductance is known as well as that
_MOST_GROUPS_FOR_HYPERVOLUME = 3  # its cost grows exponentially with them
_OWN_PARAMETERS = ("sigmas", "A", "invCholesky", "pc", "psucc")  # DEAP's lists with one entry for each parent


@dataclass(frozen=True)
class MultiCovarianceOptions:
    """How it begins, and which newcomers are considered.

    Attributes:
        initial_step: Standard deviation in each parameter to begin with, in parts of its range.
        admission_ratio: A newcomer with a total above this many times the median total of the population is not
            admitted to selection, where evaluations may end early.
    """

    initial_step: float = 0.15
    admission_ratio: float = 2.0

    def __post_init__(self) -> None:
        check_range("initial_step", self.initial_step, 0.0, 1.0, above=True)
        check_range("admission_ratio", self.admission_ratio, 1.0)


@dataclass(frozen=True)
class Offspring(Proposal):
    """A child, with its parent and the parent's own step size and covariance when it was made."""

    drawn: tuple[float, ...] = ()
    parent: Individual | None = None
    strategy: tuple[Any, ...] = ()


class MultiCovarianceAdaptation:
    """Steady-state MO-CMA-ES: every member of the population has a step size and a covariance of its own.

    Igel, Hansen & Roth (2007), with one child at a time of a random parent of the first front (Igel, Suttorp & Hansen
    2007, Steady-state selection and efficient covariance matrix update in the multi-objective CMA-ES), and the step
    sizes of Voss, Hansen & Igel (2010) as in DEAP. Selection is by non-dominated sorting and hypervolume for up to
    three groups of objectives, by the indicator of IBEA for more. A child drawn outside the cube is evaluated at the
    nearest place inside and pays for its distance. A small population serves best: each member has its own steps to
    learn.

    Asynchronous: a child is compared when its outcome comes. Was its parent replaced meanwhile, the child brings the
    parent's step size and covariance along. Early end: as in `Evolution`; a child that is not admitted counts as
    one that was not selected.

    Args:
        setup: What it works on; the population is 10 unless given.
        options: How it begins.
    """

    def __init__(self, setup: Setup, options: MultiCovarianceOptions) -> None:
        self._population = max(2, setup.population or 10)
        self._options = options
        self._dimensions = setup.dimensions
        self._ratio = options.admission_ratio if setup.early_end else math.inf
        kind = "hypervolume" if setup.groups <= _MOST_GROUPS_FOR_HYPERVOLUME else "ibea"
        self._selection = Selection(kind, setup.groups, self._population)
        self._generator = np.random.default_rng(setup.seed)
        self._random = LentRandomness(setup.seed)
        self._waiting = first_positions(setup, self._population, self._generator)
        self._parents: list[Individual] = []
        self._front: list[int] = []
        self._strategy: Any = None
        self._learnt = 0
        self._limit = math.inf

    @property
    def generation_size(self) -> int:
        """As many as parents."""
        return self._population

    @property
    def exhausted(self) -> bool:
        """Whether the step sizes of all that have children have shrunk to nothing."""
        return (
            self._strategy is not None and max(self._strategy.sigmas[place] for place in self._front) < _CONVERGED_STEP
        )

    def propose(self) -> Offspring:
        """The first population, then children of single parents; random ones as long as there are no parents."""
        if self._waiting:
            return Offspring(self._waiting.pop(0))
        if self._strategy is None:
            return Offspring(tuple(self._generator.random(self._dimensions).tolist()))
        place = self._front[int(self._generator.integers(len(self._front)))]
        own = tuple(getattr(self._strategy, name)[place] for name in _OWN_PARAMETERS)
        sigma, factor, *_ = own
        drawn = np.array(self._parents[place]) + sigma * (factor @ self._generator.standard_normal(self._dimensions))
        inside = np.clip(drawn, 0.0, 1.0)
        return Offspring(tuple(inside.tolist()), self._limit, tuple(drawn.tolist()), self._parents[place], own)

    def learn(self, proposal: Offspring, outcome: Outcome) -> None:
        """Select among parents and child, and adapt step sizes and covariances."""
        if self._strategy is not None and proposal.parent is None:
            return  # drawn before there were parents
        child = Individual(proposal.drawn or proposal.position)
        outside = sum((there - here) ** 2 for there, here in zip(child, proposal.position, strict=True))
        groups = tuple(value + _PENALTY * outside for value in outcome.groups)
        self._selection.judge(child, replace(outcome, groups=groups), self._learnt)
        self._learnt += 1
        if self._strategy is None:
            self._begin(child)
        else:
            self._update(child, proposal, outcome.rejected)
        self._limit = admission_limit(self._parents, self._population, self._ratio)

    def _begin(self, first: Individual) -> None:
        from deap.cma import StrategyMultiObjective

        self._parents.append(first)
        if len(self._parents) == self._population:
            self._strategy = StrategyMultiObjective(self._parents, self._options.initial_step, mu=self._population)
            self._front = first_front(self._parents)

    def _update(self, child: Individual, proposal: Offspring, rejected: bool) -> None:
        strategy, parents = self._strategy, self._parents
        places = {id(parent): place for place, parent in enumerate(parents)}
        for parent, place in zip(parents, places.values(), strict=True):
            parent._ps = "p", place
        child._ps = "o", places.get(id(proposal.parent), len(parents))
        if id(proposal.parent) not in places:  # DEAP finds it behind the parents
            strategy.parents = [*parents, proposal.parent]
            for name, value in zip(_OWN_PARAMETERS, proposal.strategy, strict=True):
                getattr(strategy, name).append(value)

        def select(_: list[Individual]) -> tuple[list[Individual], list[Individual]]:
            if rejected:
                return parents, [child]
            with self._random.lent_numpy():
                chosen = self._selection.survivors([*parents, child])
            return chosen, [child] if all(survivor is not child for survivor in chosen) else []

        strategy._select = select  # in place of DEAP's own, which knows of neither failures nor many objectives
        strategy.update([child])
        self._parents = strategy.parents
        self._front = first_front(self._parents)
