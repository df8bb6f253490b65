"""Bayesian optimisation on deviations whose best place is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.fitting.search.composite import CompositeModel, _compressed, _expanded
from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.objectives.scores import FAILURE_SCORE
from tests.fitting.search.driving import cube, names, place_of

PARAMETERS, OBJECTIVES = 12, 16
NOTHING = np.empty((0, PARAMETERS))
NO_LIMITS = np.full(OBJECTIVES, math.inf)


def deviations_at(place: np.ndarray) -> np.ndarray:
    """Smooth in the parameters, all zero at .3 in each, some thirty at random places in sum."""
    mixing = np.random.default_rng(1).normal(size=(OBJECTIVES, PARAMETERS))
    away = mixing @ (place - 0.3)
    return np.asarray(4.0 * np.sin(away) + away)


def best_totals(name: str, seed: int, evaluations: int, signs: bool = True, silent_beyond: float = 2.0) -> np.ndarray:
    """Lowest total so far; a model is silent, and fails, where its first parameter is beyond a value."""
    search = make_search(name, cube(PARAMETERS), names(OBJECTIVES), SearchSettings(), seed)
    totals = []
    for _ in range(evaluations):
        candidate = search.ask()
        assert candidate is not None
        found = deviations_at(place_of(candidate))
        if place_of(candidate)[0] > silent_beyond:
            found[: OBJECTIVES // 2] = math.nan
        scores = dict(zip(names(OBJECTIVES), np.nan_to_num(np.abs(found), nan=FAILURE_SCORE).tolist(), strict=True))
        bound = search.bound(candidate.number)
        excluded = bound is not None and bound.excludes(scores)
        known = dict(zip(names(OBJECTIVES), found.tolist(), strict=True)) if signs else None
        search.tell(candidate.number, scores, excluded=excluded, deviations=None if excluded else known)
        totals.append(math.inf if excluded else sum(scores.values()))
    return np.minimum.accumulate(totals)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_needs_a_tenth_of_the_evaluations_of_evolution(seed: int) -> None:
    evolution = best_totals("ibea", seed, 800)
    assert best_totals("bayesian", seed, 80)[-1] < 0.2 * evolution[-1]


@pytest.mark.parametrize("seed", [1, 2])
def test_finds_its_way_among_silent_models(seed: int) -> None:
    assert best_totals("bayesian", seed, 120, silent_beyond=0.35)[-1] < 0.15 * best_totals("bayesian", seed, 10)[-1]


def test_signs_help_and_are_not_needed() -> None:
    with_signs = best_totals("bayesian", 1, 60)[-1]
    without = best_totals("bayesian", 1, 60, signs=False)
    assert with_signs < 0.5 * without[-1]
    assert without[-1] < 0.7 * without[9]


def some_places(count: int) -> np.ndarray:
    return np.random.default_rng(2).random((count, PARAMETERS))


def model(places: np.ndarray, others: np.ndarray = NOTHING, awaited: np.ndarray = NOTHING) -> CompositeModel:
    deviations = np.array([deviations_at(place) for place in places])
    return CompositeModel(places, deviations, np.full(OBJECTIVES, FAILURE_SCORE), NO_LIMITS, others, awaited)


def improvements(composite: CompositeModel, places: np.ndarray, best: float) -> tuple[np.ndarray, np.ndarray]:
    return composite.improvements(places, best, np.random.default_rng(3))


def test_totals_are_those_of_the_deviations() -> None:
    places = some_places(100)
    _, totals = improvements(model(places), places, 10.0)
    wanted = [np.abs(deviations_at(place)).sum() for place in places]
    np.testing.assert_allclose(totals, wanted, rtol=0.05)


def test_what_is_gained_is_what_is_better_than_the_best() -> None:
    place = np.full((1, PARAMETERS), 0.3)
    known = np.concatenate([some_places(100), place])
    gains, _ = improvements(model(known), np.concatenate([place, some_places(1)]), 10.0)
    assert 5.0 < gains[0] <= 10.0
    assert gains[1] == 0.0


def test_nothing_is_gained_beside_what_is_awaited_or_was_not_admitted() -> None:
    places, place = some_places(100), np.full((1, PARAMETERS), 0.3)
    free, _ = improvements(model(places), place, 60.0)
    beside, _ = improvements(model(places, awaited=place), place, 60.0)
    around = place + np.random.default_rng(4).normal(0.0, 0.05, (30, PARAMETERS))
    refused, totals = improvements(model(places, others=around), place, 60.0)
    assert free[0] > 0.0
    assert beside[0] == 0.0
    assert refused[0] == 0.0
    assert math.isinf(totals[0])


def test_what_is_measured_nowhere_fails_everywhere() -> None:
    places = some_places(30)
    deviations = np.array([deviations_at(place) for place in places])
    deviations[:, 3] = math.nan
    composite = CompositeModel(places, deviations, np.full(OBJECTIVES, FAILURE_SCORE), NO_LIMITS, NOTHING, NOTHING)
    _, totals = improvements(composite, places[:1], 10.0)
    assert totals[0] > FAILURE_SCORE


@pytest.mark.parametrize("weight", [1.0, 0.5])
@pytest.mark.parametrize(("largest_score", "place"), [(math.inf, 0.2), (3.0, 0.525)])
def test_scores_beyond_the_largest_wanted_count_more(weight: float, largest_score: float, place: float) -> None:
    """Five objectives have their edge at .2, and one with fewer slopes in sum but the steepest of all at .9."""
    objectives = [f"f{number}" for number in range(6)]
    settings = SearchSettings(largest_score=largest_score)
    search = make_search("bayesian", cube(1), objectives, settings, 1, weights=dict.fromkeys(objectives, weight))
    found: list[tuple[float, float]] = []
    for _ in range(30):
        candidate = search.ask()
        assert candidate is not None
        (x,) = place_of(candidate)
        deviations = dict(zip(objectives, [2.0 * (x - 0.2)] * 5 + [8.0 * (x - 0.9)], strict=True))
        scores = {name: abs(value) for name, value in deviations.items()}
        search.tell(candidate.number, scores, deviations=deviations)
        found.append(
            (sum(scores.values()) + 4.0 * sum(max(score - largest_score, 0.0) for score in scores.values()), x)
        )
    assert min(found)[1] == pytest.approx(place, abs=0.01)


@given(st.floats(0.0, FAILURE_SCORE))
def test_compression_is_undone(size: float) -> None:
    compressed = _compressed(np.array([size, -size]))
    assert compressed[1] == -compressed[0]
    assert _expanded(compressed[:1])[0] == pytest.approx(size, rel=1e-9)


def test_it_begins_anew_when_nothing_is_to_be_gained() -> None:
    search = make_search("bayesian", cube(2), ["f0"], SearchSettings(options={"founders": 4}), 1)
    places = []
    for _ in range(28):
        candidate = search.ask()
        assert candidate is not None
        places.append(place_of(candidate))
        search.tell(candidate.number, {"f0": 0.0})
    assert np.ptp(places[20:24], axis=0).max() < 0.1
    assert np.ptp(places[24:28], axis=0).min() > 0.2  # a fresh Latin hypercube
