"""Weights of objectives: any search may be made to care more for some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.objectives.scores import deviations as deviations_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.evaluation import Bound, Candidate
    from rheobase.fitting.search.interface import Search


@dataclass(frozen=True)
class WeightedBound:
    """A bound on weighted scores that is asked with plain ones.

    Attributes:
        bound: What it excludes by.
        weights: Weight of each objective.
    """

    bound: Bound
    weights: dict[str, float]

    def excludes(self, scores: Mapping[str, float]) -> bool:
        """Whether a candidate with at least these scores is out."""
        return self.bound.excludes(weighted(scores, self.weights))


class WeightedSearch:
    """A search that sees every score times the weight of its objective.

    Its sums, groups and comparisons are those of the weighted scores; the scores of whoever asks stay standard
    deviations. A weight of zero makes an objective invisible.

    Args:
        search: The search.
        weights: Weight of each objective, zero or more.
    """

    def __init__(self, search: Search, weights: Mapping[str, float]) -> None:
        self._search = search
        self._weights = dict(weights)

    def ask(self) -> Candidate | None:
        """The next candidate."""
        return self._search.ask()

    def bound(self, number: int) -> Bound | None:
        """What a candidate must not exceed."""
        bound = self._search.bound(number)
        return None if bound is None else WeightedBound(bound, self._weights)

    def tell(
        self,
        number: int,
        scores: Mapping[str, float],
        failed: bool = False,
        excluded: bool = False,
        deviations: Mapping[str, float] | None = None,
    ) -> None:
        """The plain scores of a candidate."""
        known = deviations_of(scores) if deviations is None else deviations
        self._search.tell(number, weighted(scores, self._weights), failed, excluded, weighted(known, self._weights))


def weighted(scores: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, float]:
    """Scores times the weights of their objectives."""
    return {name: weights[name] * score for name, score in scores.items()}
