"""Weights of objectives: what the search sees, and what is told to it."""

from __future__ import annotations

import math
import pickle

import pytest

from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.interface import Search, SearchError
from rheobase.fitting.search.weighting import WeightedSearch
from tests.contracts.search_driving import DIMENSIONS, OBJECTIVES, ask_batch, scores_of

WEIGHTS = dict(zip(OBJECTIVES, (3.0, 0.5), strict=True))


def _search(algorithm: str = "ibea") -> Search:
    return make_search(algorithm, DIMENSIONS, OBJECTIVES, SearchSettings(10), seed=1)


@pytest.mark.parametrize("algorithm", ["ibea", "cma_es", "differential_evolution", "bayesian"])
def test_the_search_sees_scores_times_their_weights(algorithm: str) -> None:
    weighted, plain = WeightedSearch(_search(algorithm), WEIGHTS), _search(algorithm)
    unweighted = _search(algorithm)
    others = 0
    for _ in range(100):
        one, same, other = weighted.ask(), plain.ask(), unweighted.ask()
        assert one is not None
        assert other is not None
        assert one == same
        others += one != other
        scores = scores_of(one)
        weighted.tell(one.number, scores)
        plain.tell(one.number, {name: WEIGHTS[name] * score for name, score in scores.items()})
        unweighted.tell(other.number, scores_of(other))
    assert others > 50, "weights make a difference"


def test_a_bound_is_asked_with_plain_scores_and_may_travel() -> None:
    search = WeightedSearch(_search(), WEIGHTS)
    for candidate in ask_batch(search, 10):
        search.tell(candidate.number, dict.fromkeys(OBJECTIVES, 2.0))
    (child,) = ask_batch(search, 1)
    bound = pickle.loads(pickle.dumps(search.bound(child.number)))
    assert bound is not None
    largest = 2.0 * (3.0 + 0.5) * 2.0  # twice the median weighted total
    assert not bound.excludes({OBJECTIVES[0]: largest / 3.0})
    assert bound.excludes({OBJECTIVES[0]: 1.001 * largest / 3.0})
    assert not bound.excludes({OBJECTIVES[1]: 1.999 * largest})
    search.tell(child.number, {OBJECTIVES[0]: 1.001 * largest / 3.0}, excluded=True)
    (child,) = ask_batch(search, 1)
    with pytest.raises(SearchError, match=r"its total of 9 .* within its bound, 14"):
        search.tell(child.number, {OBJECTIVES[0]: 3.0}, excluded=True)


class _Heard:
    """A search that only listens."""

    def __init__(self) -> None:
        self.deviations: dict[str, float] = {}

    def tell(self, *told: object) -> None:
        assert isinstance(told[4], dict)
        self.deviations = told[4]


def test_deviations_are_weighted_too() -> None:
    heard = _Heard()
    search = WeightedSearch(heard, WEIGHTS)  # type: ignore[arg-type]
    search.tell(0, {OBJECTIVES[0]: 2.0, OBJECTIVES[1]: 4.0}, deviations={OBJECTIVES[0]: -2.0, OBJECTIVES[1]: math.nan})
    assert heard.deviations[OBJECTIVES[0]] == -6.0
    assert math.isnan(heard.deviations[OBJECTIVES[1]])
    search.tell(0, {OBJECTIVES[0]: 2.0, OBJECTIVES[1]: 250.0})
    assert heard.deviations[OBJECTIVES[0]] == 6.0
    assert math.isnan(heard.deviations[OBJECTIVES[1]]), "a failure stays one, whatever its weight"


def test_without_bound_there_is_none() -> None:
    unbounded = make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(10, early_end=False), 1)
    search = WeightedSearch(unbounded, WEIGHTS)
    (first,) = ask_batch(search, 1)
    assert search.bound(first.number) is None


def test_a_weight_of_zero_hides_an_objective() -> None:
    hidden = dict(zip(OBJECTIVES, (1.0, 0.0), strict=True))
    one, other = WeightedSearch(_search(), hidden), WeightedSearch(_search(), hidden)
    for number in range(60):
        mine, theirs = one.ask(), other.ask()
        assert mine is not None
        assert mine == theirs
        first = scores_of(mine)[OBJECTIVES[0]]
        one.tell(mine.number, {OBJECTIVES[0]: first, OBJECTIVES[1]: 1.0})
        other.tell(mine.number, {OBJECTIVES[0]: first, OBJECTIVES[1]: float(number)})
