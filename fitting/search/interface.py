"""What a search is: it proposes candidates and learns their scores. It never simulates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.evaluation import Bound, Candidate


@dataclass(frozen=True)
class TotalBound:
    """A largest total of scores: the bound of every search here.

    The total of the scores measured so far is a lower bound of the whole total, because no score is negative: once it
    is above the largest total allowed, no further measurement brings it back. Sums are taken in the order of the
    objectives, and floating-point addition is monotone, so this holds to the last bit.

    Attributes:
        objectives: Names of all objectives.
        largest_total: Largest sum of all scores with which the candidate still counts.
    """

    objectives: tuple[str, ...]
    largest_total: float

    def excludes(self, scores: Mapping[str, float]) -> bool:
        """Whether a candidate with at least these scores is out, whatever its other objectives turn out to be.

        Args:
            scores: Scores, or lower bounds of them, of the objectives known so far.
        """
        return total_score(self.objectives, scores) > self.largest_total


def total_score(objectives: tuple[str, ...], scores: Mapping[str, float]) -> float:
    """Sum over objectives, zero for those that are absent."""
    return sum((scores.get(name, 0.0) for name in objectives), start=0.0)


class Search(Protocol):
    """Ask/tell search over a box of parameters.

    The same sequence of calls gives the same candidates: whoever repeats the recorded calls is where the
    interrupted search was. Candidates may be told in any order, each of them once.
    """

    def ask(self) -> Candidate | None:
        """The next candidate; None when the search has to be told more first (a generation is not complete)."""

    def bound(self, number: int) -> Bound | None:
        """What a candidate that is awaited must not exceed, None when its evaluation must not end early.

        It is fixed when the candidate is asked for, so it depends neither on when this is called nor on the number
        of workers, and a repeated sequence of calls gives the same. It is sound: the search does with a candidate told
        as excluded exactly what it would have done with the same candidate evaluated to the end.

        Raises:
            SearchError: a number that is not awaited.
        """

    def tell(
        self,
        number: int,
        scores: Mapping[str, float],
        failed: bool = False,
        excluded: bool = False,
        deviations: Mapping[str, float] | None = None,
    ) -> None:
        """The scores of a candidate that was asked for.

        Args:
            number: The candidate's number.
            scores: Every objective's score, failure scores included. Of an excluded candidate those that were
                measured are enough, and lower bounds will do.
            failed: Whether it violates a constraint (its evaluation could not be carried to the end).
            excluded: Whether its evaluation was ended because its bound excludes it.
            deviations: Of the objectives from their targets, as their scores but with signs; NaN where one could not be
                measured (`rheobase.objectives.scores.deviations`). Searches that model them do without signs where
                there are none.

        Raises:
            SearchError: a number that was not asked for, or was told before; objectives that differ; scores that are
                negative or not finite; an excluded candidate that has no bound or lies within it, or that has failed.
        """


class SearchError(Exception):
    """A search used against its contract: a defect of the caller, not of the user's input."""
