"""What a search cares for: any may be made to care more for some objectives, or for what is far off in any of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.objectives.scores import deviations as deviations_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.evaluation import Bound, Candidate
    from rheobase.fitting.search.interface import Search

EXCESS = 4.0  # standard deviations that one beyond the largest score counts in addition


@dataclass(frozen=True)
class Weighting:
    """How much a score counts.

    Attributes:
        weights: Weight of each objective, zero or more; zero makes an objective invisible.
        largest_score: What a score is above this (standard deviations, before its weight) counts five times, so that
            models come first that have none above it; infinity: everything counts alike.
    """

    weights: Mapping[str, float]
    largest_score: float = math.inf

    @property
    def is_plain(self) -> bool:
        """Whether scores stay as they are."""
        return set(self.weights.values()) == {1.0} and math.isinf(self.largest_score)

    def score(self, name: str, score: float) -> float:
        """What a score of an objective counts. It is not less for a larger score, and zero for zero."""
        return self.weights[name] * (score + EXCESS * max(score - self.largest_score, 0.0))

    def scores(self, scores: Mapping[str, float]) -> dict[str, float]:
        """What scores count, or lower bounds of them."""
        return {name: self.score(name, score) for name, score in scores.items()}

    def deviations(self, deviations: Mapping[str, float]) -> dict[str, float]:
        """Deviations times their weights: they are smooth in the parameters, and no excess is added to them."""
        return {name: self.weights[name] * deviation for name, deviation in deviations.items()}

    def limit(self, name: str) -> float:
        """The size of a weighted deviation beyond which there is an excess."""
        return math.inf if math.isinf(self.largest_score) else self.weights[name] * self.largest_score


@dataclass(frozen=True)
class WeightedBound:
    """A bound on weighted scores that is asked with plain ones.

    Attributes:
        bound: What it excludes by.
        weighting: How much scores count.
    """

    bound: Bound
    weighting: Weighting

    def excludes(self, scores: Mapping[str, float]) -> bool:
        """Whether a candidate with at least these scores is out."""
        return self.bound.excludes(self.weighting.scores(scores))


class WeightedSearch:
    """A search that sees what scores count.

    Its sums, groups and comparisons are those of the weighted scores; the scores of whoever asks stay standard
    deviations.

    Args:
        search: The search.
        weighting: How much scores count.
    """

    def __init__(self, search: Search, weighting: Weighting) -> None:
        self._search = search
        self._weighting = weighting

    def ask(self) -> Candidate | None:
        """The next candidate."""
        return self._search.ask()

    def bound(self, number: int) -> Bound | None:
        """What a candidate must not exceed."""
        bound = self._search.bound(number)
        return None if bound is None else WeightedBound(bound, self._weighting)

    def tell(
        self,
        number: int,
        scores: Mapping[str, float],
        failed: bool = False,
        excluded: bool = False,
        deviations: Mapping[str, float] | None = None,
    ) -> None:
        """The plain scores of a candidate."""
        known = self._weighting.deviations(deviations_of(scores) if deviations is None else deviations)
        self._search.tell(number, self._weighting.scores(scores), failed, excluded, known)
