from __future__ import annotations

import math

import numpy as np
import pytest

from rheobase.fitting.evaluation import Candidate
from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.interface import Search, TotalBound
from rheobase.objectives.scores import FAILURE_SCORE
from tests.benchmarks.pareto_problems import PROBLEMS, hypervolume
from tests.contracts.search_driving import DIMENSIONS, OBJECTIVES, ask_batch
from tests.fitting.search.driving import cube, minimise, names, place_of

ALGORITHMS = ("ibea", "nsga2", "nsga3")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("population", [4, 7, 30])
def test_generations_of_a_deterministic_search(algorithm: str, population: int) -> None:
    """None until the generation is complete, then the next one."""
    search = make_search(algorithm, DIMENSIONS, OBJECTIVES, SearchSettings(population, deterministic=True), 1)
    for _ in range(3):
        generation = ask_batch(search, 1000)
        assert len(generation) == population
        for candidate in generation:
            assert search.ask() is None
            search.tell(candidate.number, dict.fromkeys(OBJECTIVES, float(candidate.number)))


def test_first_generation_is_a_latin_hypercube() -> None:
    search = make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(25), 1)
    first = ask_batch(search, 25)
    for dimension in DIMENSIONS:
        strata = sorted(int(25 * dimension.position(candidate.parameters[dimension.name])) for candidate in first)
        assert strata == list(range(25))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_children_are_not_copies_of_their_parents(algorithm: str) -> None:
    search = make_search(algorithm, cube(2), names(2), SearchSettings(10, early_end=False), 1)
    asked = set()
    for _ in range(300):
        (candidate,) = ask_batch(search, 1)
        asked.add(tuple(place_of(candidate)))
        search.tell(candidate.number, {"f0": float(place_of(candidate)[0]), "f1": float(place_of(candidate)[1])})
    assert len(asked) > 290


def test_the_bound_is_twice_the_median_total_of_a_full_population_without_failures() -> None:
    search = make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(10), 1)
    first = ask_batch(search, 10)
    for total, candidate in enumerate(first, start=1):
        search.tell(candidate.number, {OBJECTIVES[0]: float(total), OBJECTIVES[1]: 0.0}, failed=total == 10)
    (replacement,) = ask_batch(search, 1)  # of the one that failed
    search.tell(replacement.number, {OBJECTIVES[0]: 10.0, OBJECTIVES[1]: 0.0})
    for _ in range(2):  # children come in pairs
        (child,) = ask_batch(search, 1)
    bound = search.bound(child.number)
    assert bound is not None
    assert bound.largest_total == 2.0 * 5.5


def test_selection_sees_groups() -> None:
    """With all objectives in one group there is a best place; with two groups there is a front."""

    def spread(groups: dict[str, str]) -> float:
        search = make_search("nsga2", cube(1), names(2), SearchSettings(20), 1, groups)
        places = []
        for _ in range(400):
            (candidate,) = ask_batch(search, 1)
            x = float(place_of(candidate)[0])
            places.append(x)
            search.tell(candidate.number, {"f0": x**2, "f1": (1.0 - x) ** 2})
        return float(np.ptp(np.percentile(places[-100:], [10, 90])))

    assert spread({"f0": "one", "f1": "one"}) < 0.3
    assert spread({"f0": "one", "f1": "other"}) > 0.5


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("deterministic", [True, False], ids=["generations", "steady state"])
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "mo_cma_es"])
@pytest.mark.parametrize("problem", ["ZDT1", "DTLZ2"])
def test_quality(problem: str, algorithm: str, deterministic: bool, seed: int) -> None:
    """After 1500 evaluations the better part of the hypervolume between random search and the true front is won."""
    known = PROBLEMS[problem]
    population = 10 if algorithm == "mo_cma_es" else 50
    settings = SearchSettings(population, deterministic=deterministic)
    search = make_search(algorithm, cube(known.parameters), names(len(known.reference)), settings, seed)
    won = hypervolume(minimise(search, known.function, 1500, 4), known.reference)
    generator = np.random.default_rng(seed)
    guessed = np.array([known.function(generator.random(known.parameters)) for _ in range(1500)])
    by_chance = hypervolume(guessed, known.reference)
    assert by_chance < won <= known.front
    assert (won - by_chance) / (known.front - by_chance) > 0.6


def test_hypervolume() -> None:
    points = np.array([[0.5, 0.5], [0.25, 0.75], [0.6, 0.6], [2.0, 0.0]])
    assert hypervolume(points, (1.0, 1.0)) == pytest.approx(0.25 + 0.25 * 0.25)
    assert PROBLEMS["DTLZ2"].front == pytest.approx(1.1**3 - 4.0 / 3.0 * math.pi / 8.0)


def _largest_total(search: Search, candidate: Candidate) -> float:
    bound = search.bound(candidate.number)
    return bound.largest_total if isinstance(bound, TotalBound) else math.inf


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_hopeless_founders_are_replaced(algorithm: str) -> None:
    """By random places, as long as there are fewer than a population; children come of those admitted alone."""
    search = make_search(algorithm, cube(3), names(2), SearchSettings(8), 1)
    limit = 0.25 * 2 * FAILURE_SCORE
    admitted = 0
    while admitted < 8:
        (candidate,) = ask_batch(search, 1)
        assert _largest_total(search, candidate) == limit
        hopeful = place_of(candidate)[0] < 0.4
        search.tell(candidate.number, dict.fromkeys(names(2), 1.0 if hopeful else FAILURE_SCORE))
        admitted += int(hopeful)
    children = [place_of(candidate)[0] for candidate in ask_batch(search, 20)]
    assert np.mean(np.array(children) < 0.45) > 0.7  # 0.45 by chance


def test_where_hopeful_founders_are_rare_some_are_enough_to_breed_from() -> None:
    """Two of a population of eight, after two populations; children are held to the same until it is complete."""
    search = make_search("ibea", cube(3), names(2), SearchSettings(8), 1)
    limit, parents = 0.25 * 2 * FAILURE_SCORE, list[tuple[float, ...]]()
    for number in range(16):
        (candidate,) = ask_batch(search, 1)
        hopeful = number in (3, 9)
        search.tell(candidate.number, dict.fromkeys(names(2), 1.0 if hopeful else FAILURE_SCORE))
        parents += [place_of(candidate)] if hopeful else []
    middle, near = np.mean(parents, axis=0), []
    for _ in range(6):
        (candidate,) = ask_batch(search, 1)
        assert _largest_total(search, candidate) == limit
        near.append(np.linalg.norm(np.array(place_of(candidate)) - middle))
        search.tell(candidate.number, dict.fromkeys(names(2), 2.0))
    assert max(near) < np.linalg.norm(np.subtract(*parents)), "children, not random places"
    for _ in range(3):
        (candidate,) = ask_batch(search, 1)
    assert _largest_total(search, candidate) < limit, "twice the median of a complete population"


def test_what_is_ended_early_does_not_change_the_founders() -> None:
    def asked(excluded: bool) -> list[dict[str, float]]:
        search = make_search("ibea", cube(3), names(2), SearchSettings(8), 1)
        candidates = []
        for number in range(60):
            (candidate,) = ask_batch(search, 1)
            candidates.append(candidate.parameters)
            hopeless = number < 30 and number % 3 > 0
            scores = {"f0": FAILURE_SCORE, "f1": 9.0} if hopeless else {"f0": 1.0 + number % 5, "f1": 2.0}
            if hopeless and excluded:
                search.tell(candidate.number, {"f0": FAILURE_SCORE}, excluded=True)
            else:
                search.tell(candidate.number, scores)
        return candidates

    assert asked(excluded=True) == asked(excluded=False)


@pytest.mark.parametrize(("failed", "of_a_child"), [(False, 2.0 * 2 * FAILURE_SCORE), (True, math.inf)])
def test_after_four_populations_of_hopeless_founders_whoever_comes_is_taken(failed: bool, of_a_child: float) -> None:
    """A child's bound is twice the median then; there is none while one of the population has failed."""
    search = make_search("ibea", cube(3), names(2), SearchSettings(8), 1)
    limits = []
    for _ in range(4 * 8 + 8 + 1):
        (candidate,) = ask_batch(search, 1)
        limits.append(_largest_total(search, candidate))
        search.tell(candidate.number, dict.fromkeys(names(2), FAILURE_SCORE), failed)
    assert limits[:32] == [0.25 * 2 * FAILURE_SCORE] * 32
    assert limits[32:40] == [math.inf] * 8
    assert limits[40] == of_a_child


def test_random_places_beside_the_founders_are_held_to_the_same() -> None:
    """As with more workers than founders: all are asked for before anything is known."""
    search = make_search("ibea", cube(3), names(2), SearchSettings(8), 1)
    candidates = ask_batch(search, 20)
    assert len(candidates) == 20
    limits = [_largest_total(search, candidate) for candidate in candidates]
    assert limits == [0.25 * 2 * FAILURE_SCORE] * 20
    for candidate in candidates:
        hopeful = place_of(candidate)[0] < 0.4
        search.tell(candidate.number, dict.fromkeys(names(2), 1.0 if hopeful else FAILURE_SCORE))
    children = [place_of(candidate)[0] for candidate in ask_batch(search, 40)[-20:]]
    assert np.mean(np.array(children) < 0.45) > 0.6


@pytest.mark.parametrize("weight", [0.1, 1.0, 10.0])
def test_what_is_hopeless_does_not_depend_on_the_size_of_weights(weight: float) -> None:
    weights = dict.fromkeys(names(2), weight)
    search = make_search("ibea", cube(3), names(2), SearchSettings(8), 1, weights=weights)
    (candidate,) = ask_batch(search, 1)
    bound = search.bound(candidate.number)
    assert bound is not None
    fails_in_one = {"f0": FAILURE_SCORE, "f1": 0.0}
    assert bound.excludes(fails_in_one)
    assert not bound.excludes({"f0": 0.49 * FAILURE_SCORE, "f1": 0.0})


def test_places_to_start_from_are_admitted_whatever_their_scores() -> None:
    start = [(0.1, 0.2, 0.3), (0.4, 0.5, 0.6)]
    search = make_search("ibea", cube(3), names(2), SearchSettings(8), 1, start=start)
    limits = [_largest_total(search, candidate) for candidate in ask_batch(search, 3)]
    assert limits == [math.inf, math.inf, 0.25 * 2 * FAILURE_SCORE]
