"""Weights of objectives: what the search sees, and what is told to it."""

from __future__ import annotations

import math
import pickle
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.interface import Search, SearchError
from rheobase.fitting.search.space import Dimension
from rheobase.fitting.search.weighting import EXCESS, WeightedSearch, Weighting
from rheobase.objectives.scores import FAILURE_SCORE
from tests.contracts.search_driving import DIMENSIONS, OBJECTIVES, ask_batch, scores_of

WEIGHTS = dict(zip(OBJECTIVES, (3.0, 0.5), strict=True))


def _search(algorithm: str = "ibea") -> Search:
    return make_search(algorithm, DIMENSIONS, OBJECTIVES, SearchSettings(10), seed=1)


@pytest.mark.parametrize("algorithm", ["ibea", "cma_es", "differential_evolution", "bayesian"])
def test_the_search_sees_scores_times_their_weights(algorithm: str) -> None:
    weighted, plain = WeightedSearch(_search(algorithm), Weighting(WEIGHTS)), _search(algorithm)
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
    search = WeightedSearch(_search(), Weighting(WEIGHTS))
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
        self.scores: dict[str, float] = {}
        self.deviations: dict[str, float] = {}

    def tell(self, *told: object) -> None:
        assert isinstance(told[1], dict)
        assert isinstance(told[4], dict)
        self.scores, self.deviations = told[1], told[4]


def test_what_is_above_the_largest_score_counts_five_times() -> None:
    heard = _Heard()
    search = WeightedSearch(heard, Weighting(WEIGHTS, 3.0))  # type: ignore[arg-type]
    search.tell(0, {OBJECTIVES[0]: 2.5, OBJECTIVES[1]: 4.0})
    assert heard.scores == {OBJECTIVES[0]: 3.0 * 2.5, OBJECTIVES[1]: 0.5 * (3.0 + 5.0)}
    assert heard.deviations == {OBJECTIVES[0]: 7.5, OBJECTIVES[1]: 2.0}, "they stay smooth"


@given(st.floats(0.0, FAILURE_SCORE), st.floats(0.0, FAILURE_SCORE), st.floats(0.1, 10.0), st.floats(0.0, 5.0))
def test_a_larger_score_never_counts_less(one: float, other: float, largest_score: float, weight: float) -> None:
    """Lower bounds of scores are told where an evaluation was ended early."""
    weighting = Weighting({"f": weight}, largest_score)
    low, high = sorted((one, other))
    assert weight * low <= weighting.score("f", low) <= weighting.score("f", high)
    assert weighting.score("f", high) <= (1.0 + EXCESS) * weight * high
    assert weighting.score("f", 0.0) == 0.0


@pytest.mark.parametrize("algorithm", ["cma_es", "differential_evolution"])
@pytest.mark.parametrize(("largest_score", "place"), [(math.inf, 0.2), (3.0, 0.525)])
def test_searches_go_for_models_without_a_large_score(algorithm: str, largest_score: float, place: float) -> None:
    """Five objectives have their edge at .2, and one with fewer slopes in sum but the steepest of all at .9."""
    objectives = [f"f{number}" for number in range(6)]
    settings = SearchSettings(10, largest_score=largest_score)
    search = make_search(algorithm, [Dimension("x", 0.0, 1.0)], objectives, settings, 1)
    found = []
    for _ in range(200):
        candidate = search.ask()
        assert candidate is not None
        x = candidate.parameters["x"]
        found.append(x)
        search.tell(
            candidate.number, dict(zip(objectives, [2.0 * abs(x - 0.2)] * 5 + [8.0 * abs(x - 0.9)], strict=True))
        )
    assert statistics.median(found[-20:]) == pytest.approx(place, abs=0.02)


def test_deviations_are_weighted_too() -> None:
    heard = _Heard()
    search = WeightedSearch(heard, Weighting(WEIGHTS, 3.0))  # type: ignore[arg-type]
    search.tell(0, {OBJECTIVES[0]: 2.0, OBJECTIVES[1]: 4.0}, deviations={OBJECTIVES[0]: -2.0, OBJECTIVES[1]: math.nan})
    assert heard.deviations[OBJECTIVES[0]] == -6.0
    assert math.isnan(heard.deviations[OBJECTIVES[1]])
    search.tell(0, {OBJECTIVES[0]: 2.0, OBJECTIVES[1]: 250.0})
    assert heard.deviations[OBJECTIVES[0]] == 6.0
    assert math.isnan(heard.deviations[OBJECTIVES[1]]), "a failure stays one, whatever its weight"


def test_without_bound_there_is_none() -> None:
    unbounded = make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(10, early_end=False), 1)
    search = WeightedSearch(unbounded, Weighting(WEIGHTS))
    (first,) = ask_batch(search, 1)
    assert search.bound(first.number) is None


def test_a_weight_of_zero_hides_an_objective() -> None:
    hidden = Weighting(dict(zip(OBJECTIVES, (1.0, 0.0), strict=True)), 3.0)
    one, other = WeightedSearch(_search(), hidden), WeightedSearch(_search(), hidden)
    for number in range(60):
        mine, theirs = one.ask(), other.ask()
        assert mine is not None
        assert mine == theirs
        first = scores_of(mine)[OBJECTIVES[0]]
        one.tell(mine.number, {OBJECTIVES[0]: first, OBJECTIVES[1]: 1.0})
        other.tell(mine.number, {OBJECTIVES[0]: first, OBJECTIVES[1]: float(number)})
