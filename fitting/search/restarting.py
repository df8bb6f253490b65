"""Restarts: a fresh population when the search has converged or does not get any further."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.fitting.search.algorithm import Proposal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rheobase.fitting.search.algorithm import Algorithm, Outcome, Setup

_LARGEST_GROWTH = 16.0  # of the population, so that memory and time per candidate stay bounded


@dataclass(frozen=True)
class Restarts:
    """When to begin anew.

    Attributes:
        after: So many outcomes in a row without the best total improving by `improvement`; None: only when the
            algorithm has converged to a point. It grows with the population.
        improvement: Smallest improvement that counts, in parts of the best total.
        growth: The population is multiplied by this at each restart, to 16 times the first one at most (Auger & Hansen
            2005, A restart CMA evolution strategy with increasing population size).
    """

    after: int | None = None
    improvement: float = 0.01
    growth: float = 1.0


@dataclass(frozen=True)
class _FromRun(Proposal):
    """A proposal, with the run that it came from."""

    run: int = 0
    inner: Proposal = Proposal(())


class RestartingAlgorithm:
    """An algorithm that is replaced by a fresh one when it has come to its end.

    A fresh one begins from a Latin hypercube over the whole cube, elites and places to start from kept out: what was
    found stays in the record. Outcomes of an earlier run's proposals are forgotten.

    Args:
        make: Makes the algorithm of a run.
        setup: That of the first run; later ones differ in seed, places to start from and population.
        restarts: When to begin anew.
    """

    def __init__(self, make: Callable[[Setup], Algorithm[Any]], setup: Setup, restarts: Restarts) -> None:
        self._make = make
        self._setup = setup
        self._restarts = restarts
        self._run = 0
        self._growth = 1.0
        self._algorithm = make(setup)
        self._first_population = self._algorithm.generation_size
        self._best = math.inf
        self._outcomes_since_best = 0

    @property
    def generation_size(self) -> int:
        """That of the present run."""
        return self._algorithm.generation_size

    @property
    def exhausted(self) -> bool:
        """Never: it begins anew."""
        return False

    def propose(self) -> Proposal:
        """A proposal of the present run."""
        inner = self._algorithm.propose()
        return _FromRun(inner.position, inner.largest_total, self._run, inner)

    def learn(self, proposal: Proposal, outcome: Outcome) -> None:
        """Pass an outcome on to the run that it belongs to, unless that is over."""
        assert isinstance(proposal, _FromRun)
        if proposal.run != self._run:
            return
        self._algorithm.learn(proposal.inner, outcome)
        self._outcomes_since_best += 1
        if not outcome.failed and outcome.total < self._best * (1.0 - self._restarts.improvement):
            self._best, self._outcomes_since_best = outcome.total, 0
        after = self._restarts.after
        if (after is not None and self._outcomes_since_best >= after * self._growth) or self._algorithm.exhausted:
            self._restart()

    def _restart(self) -> None:
        self._run += 1
        seed = int(np.random.SeedSequence([self._setup.seed, self._run]).generate_state(1)[0])
        self._growth = min(self._growth * self._restarts.growth, _LARGEST_GROWTH)
        population = round(self._first_population * self._growth)
        self._algorithm = self._make(replace(self._setup, seed=seed, start=(), population=population))
        self._best, self._outcomes_since_best = math.inf, 0
