"""Bayesian optimisation: each proposal is where the total is expected to improve most, from all that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.search.algorithm import Proposal
from rheobase.fitting.search.composite import CompositeModel
from rheobase.fitting.search.founders import Founders
from rheobase.fitting.search.options import check_range

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from threadpoolctl import ThreadpoolController

    from rheobase.fitting.search.algorithm import Outcome, Setup

    FloatArray = NDArray[np.float64]

_PATIENCE = 20  # random places for each founder, before whoever comes is taken
_FEWEST_KNOWN = 2
_KNOWN_AT_MOST = 200  # places that were admitted: decompositions take the third power of their number
_OTHERS_AT_MOST = 100
_AWAITED_AT_MOST = 50
_ELITE = 12
_CANDIDATES = 600
_REFINED, _NEAR_EACH, _ROUNDS = 20, 8, 3
_CONVERGED = 1e-6  # expected improvement in parts of the best total
_CONVERGED_FOR = 20  # proposals in a row


@dataclass(frozen=True)
class BayesianOptions:
    """Where it begins, and what is admitted to the model.

    Attributes:
        founders: Random places to begin with, and how many proposals a deterministic search makes before it learns
            their outcomes.
        admission_ratio: Of a place with a total above this many times the best one nothing but that is learnt, where
            evaluations may end early.
        founder_part: A random first model with a total above this part of the largest total there is, a failure in
            every objective, is replaced by another, where evaluations may end early.
    """

    founders: int = 10
    admission_ratio: float = 2.0
    founder_part: float = 0.125

    def __post_init__(self) -> None:
        check_range("founders", self.founders, 2)
        check_range("admission_ratio", self.admission_ratio, 1.0)
        check_range("founder_part", self.founder_part, 0.0, above=True)


@dataclass(frozen=True)
class _Proposal(Proposal):
    """A proposal that may belong to the first ones."""

    founder: bool = False


@dataclass(frozen=True)
class _Known:
    """A place that was evaluated, and what came of it.

    Attributes:
        position: Where it is.
        deviations: Of each objective, NaN where it could not be measured.
        total: Sum of scores.
    """

    position: tuple[float, ...]
    deviations: tuple[float, ...]
    total: float


class BayesianOptimisation:
    """Expected improvement of the total, from a Gaussian process for each objective's deviation (`CompositeModel`).

    It is made for evaluations that take tenths of a second and more: a proposal takes some hundredths, and an
    improvement a tenth of the evaluations that evolution needs. It goes for one best model: for models as varied as the
    biology let another search start from its best ones.

    Candidates are crossings and mutations of the best places, and neighbours of those of them that promise most.

    Asynchronous: proposals keep away from places whose outcomes are awaited.

    Early end: of a place with a total above `admission_ratio` times the best one the search learns that, and nothing
    else, whether its evaluation was ended or not; it only lowers the chance that a place near it is admitted. The
    ratio is taken from the best total at the time of the proposal.

    Args:
        setup: What it works on; it has no population.
        options: Where it begins, and what is admitted.
    """

    def __init__(self, setup: Setup, options: BayesianOptions) -> None:
        self._failure_scores = np.array(setup.failure_scores)
        self._limits = np.array(setup.limits)
        self._options, self._ends_early = options, setup.early_end
        part = options.founder_part if setup.early_end else math.inf
        self._founders = Founders(setup, options.founders, part, patience=_PATIENCE)
        self._generator = np.random.default_rng([setup.seed, 1])
        self._known: list[_Known] = []  # best first
        self._others: list[tuple[float, ...]] = []  # latest last
        self._awaited: list[tuple[float, ...]] = []
        self._hopeless = 0  # proposals in a row that promised nothing

    @property
    def generation_size(self) -> int:
        """As many as there are founders."""
        return self._options.founders

    @property
    def exhausted(self) -> bool:
        """Whether nothing is expected to improve any more."""
        return self._hopeless >= _CONVERGED_FOR

    def propose(self) -> _Proposal:
        """Random places, then the most promising one."""
        if self._founders.wanted or len(self._known) < _FEWEST_KNOWN:
            proposal = _Proposal(*self._founders.propose(), founder=True)
        else:
            limit = self._options.admission_ratio * self._known[0].total if self._ends_early else math.inf
            proposal = _Proposal(self._most_promising(), limit)
        self._awaited.append(proposal.position)
        return proposal

    def learn(self, proposal: _Proposal, outcome: Outcome) -> None:
        """What came of a proposal."""
        self._awaited.remove(proposal.position)
        if proposal.founder:
            (self._founders.reject if outcome.rejected else self._founders.admit)()
        if outcome.rejected or outcome.failed:
            self._others = [*self._others, proposal.position][-_OTHERS_AT_MOST:]
            return
        self._known.append(_Known(proposal.position, outcome.deviations, outcome.total))
        self._known.sort(key=lambda known: known.total)
        del self._known[_KNOWN_AT_MOST:]

    def _most_promising(self) -> tuple[float, ...]:
        # Threads of linear algebra as small as this wait for each other, ten times as long where workers are at work.
        with _linear_algebra().limit(limits=1, user_api="blas"):
            return self._search_model()

    def _search_model(self) -> tuple[float, ...]:
        places = np.array([known.position for known in self._known])
        shape = (-1, places.shape[1])
        model = CompositeModel(
            places,
            np.array([known.deviations for known in self._known]),
            self._failure_scores,
            self._limits,
            np.array(self._others).reshape(shape),
            np.array(self._awaited[-_AWAITED_AT_MOST:]).reshape(shape),
        )
        best_total, seed = self._known[0].total, int(self._generator.integers(2**32))

        def improvements(some: FloatArray) -> tuple[FloatArray, FloatArray]:
            return model.improvements(some, best_total, np.random.default_rng(seed))

        candidates = self._offspring(places[:_ELITE])
        gains, totals = improvements(candidates)
        for _ in range(_ROUNDS):
            best = np.lexsort((totals, -gains))[:_REFINED]
            near = self._neighbours(np.repeat(candidates[best], _NEAR_EACH, axis=0))
            candidates = np.concatenate([candidates[best], near])
            near_gains, near_totals = improvements(near)
            gains, totals = np.concatenate([gains[best], near_gains]), np.concatenate([totals[best], near_totals])
        chosen = np.lexsort((totals, -gains))[0]
        self._hopeless = 0 if gains[chosen] > _CONVERGED * best_total else self._hopeless + 1
        return tuple(candidates[chosen].tolist())

    def _offspring(self, elite: FloatArray) -> FloatArray:
        """Crossings of the best places, moved at random by small and large steps in some or all parameters."""
        generator, dimensions = self._generator, elite.shape[1]
        first = np.minimum(generator.exponential(3.0, _CANDIDATES).astype(int), len(elite) - 1)
        parents, others = elite[first], elite[generator.integers(len(elite), size=_CANDIDATES)]
        parts = generator.uniform(-0.3, 1.0, parents.shape)
        shares = generator.uniform(0.2, 1.0, (_CANDIDATES, 1)) * (generator.random((_CANDIDATES, 1)) < 0.7)
        crossed = parents + parts * (others - parents) * (generator.random(parents.shape) < shares)
        steps = 10.0 ** generator.uniform(-2.0, -0.5, (_CANDIDATES, 1)) * generator.standard_normal(parents.shape)
        moved = generator.random(parents.shape) < generator.choice([0.15, 0.4, 1.0], (_CANDIDATES, 1))
        moved[np.arange(_CANDIDATES), generator.integers(dimensions, size=_CANDIDATES)] = True
        return _reflected(crossed + steps * moved)

    def _neighbours(self, places: FloatArray) -> FloatArray:
        generator = self._generator
        steps = 10.0 ** generator.uniform(-3.0, -0.8, (len(places), 1)) * generator.standard_normal(places.shape)
        moved = generator.random(places.shape) < 0.5
        moved[np.arange(len(places)), generator.integers(places.shape[1], size=len(places))] = True
        return _reflected(places + steps * moved)


@cache
def _linear_algebra() -> ThreadpoolController:
    """Its libraries, which are loaded by now."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _reflected(places: FloatArray) -> FloatArray:
    """Places beyond a border are reflected at it."""
    reflected: FloatArray = np.clip(1.0 - np.abs(1.0 - np.abs(places)), 0.0, 1.0)
    return reflected
