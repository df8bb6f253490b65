"""What an algorithm has to do to become a search: propose places in the unit cube, and learn what came of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar

from rheobase.objectives.scores import FAILURE_SCORE


@dataclass(frozen=True)
class Setup:
    """What every algorithm is made of.

    Attributes:
        dimensions: Number of free parameters.
        groups: Number of groups of objectives.
        seed: Seed of everything random.
        population: How many good places are kept (evolution), or drawn per generation (covariance adaptation); None:
            what suits the algorithm.
        start: Places in the unit cube to evaluate first, best first; as many as fit into the population.
        early_end: Whether evaluations may be ended early. Where this needs a rule of selection of its own, the rule
            holds whether they are ended or not.
        deterministic: Whether outcomes come by whole generations.
        failure_scores: What each objective counts that cannot be measured.
        limits: Sizes of deviations beyond which each counts five times in its score (`Weighting`).
    """

    dimensions: int
    groups: int
    seed: int
    population: int | None = None
    start: tuple[tuple[float, ...], ...] = ()
    early_end: bool = True
    deterministic: bool = False
    failure_scores: tuple[float, ...] = (FAILURE_SCORE,)
    limits: tuple[float, ...] = (math.inf,)

    @property
    def largest_total(self) -> float:
        """Total of a candidate that fails in every objective."""
        return sum(self.failure_scores)


@dataclass(frozen=True)
class Proposal:
    """A place to be evaluated. Algorithms extend it by what they want to know again when its outcome comes.

    Attributes:
        position: Coordinates in the unit cube.
        largest_total: The algorithm treats every total above this like every other one, so that its evaluation may be
            ended there; infinity: it wants to know them all.
    """

    position: tuple[float, ...]
    largest_total: float = math.inf


@dataclass(frozen=True)
class Outcome:
    """What an algorithm learns about a proposal.

    Attributes:
        groups: Mean of log(1 + score) over each group of objectives. On a logarithmic scale the failure scores of a few
            do not drown the differences between good models; the order within each objective, and so dominance,
            stays as it is.
        total: Sum of all scores.
        failed: Whether a constraint was violated: ranks behind everyone who did not fail.
        rejected: Whether its total is above the proposal's largest total, or it failed though there is one. Nothing
            else is known then: groups and total are infinite, and there are no deviations.
        deviations: Of each objective from its target, with their signs where those are known; NaN where it could not be
            measured. Their sizes are the scores where those are within the limits.
    """

    groups: tuple[float, ...]
    total: float
    failed: bool = False
    rejected: bool = False
    deviations: tuple[float, ...] = ()


P = TypeVar("P", bound=Proposal)


class Algorithm(Protocol[P]):
    """A search in the unit cube. The same calls give the same proposals; outcomes come in any order."""

    @property
    def generation_size(self) -> int:
        """How many proposals a deterministic search makes before it learns their outcomes."""

    @property
    def exhausted(self) -> bool:
        """Whether it has converged, and further proposals are not worth their evaluation."""

    def propose(self) -> P:
        """The next place; always one, however many outcomes are still awaited."""

    def learn(self, proposal: P, outcome: Outcome) -> None:
        """What came of a proposal, once for each."""
