"""What a search is: it proposes candidates and learns their scores. It never simulates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.evaluation import Candidate


class Search(Protocol):
    """Ask/tell search over a box of parameters.

    The same sequence of calls gives the same candidates: whoever repeats the recorded calls is where the
    interrupted search was. Candidates may be told in any order, each of them once.
    """

    def ask(self) -> Candidate | None:
        """The next candidate; None when the search has to be told more first (a generation is not complete)."""

    def tell(self, number: int, scores: Mapping[str, float], failed: bool = False) -> None:
        """The scores of a candidate that was asked for.

        Args:
            number: The candidate's number.
            scores: Every objective's score, failure scores included.
            failed: Whether its evaluation ended early: a constraint that it violates.

        Raises:
            SearchError: a number that was not asked for, or was told before; objectives that differ.
        """


class SearchError(Exception):
    """A search used against its contract: a defect of the caller, not of the user's input."""
