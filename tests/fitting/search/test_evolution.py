from __future__ import annotations

import math

import numpy as np
import pytest

from rheobase.fitting.search.factory import SearchSettings, make_search
from tests.benchmarks.pareto_problems import PROBLEMS, hypervolume
from tests.contracts.search import DIMENSIONS, OBJECTIVES, ask_batch
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
    (child,) = ask_batch(search, 1)
    assert search.bound(child.number) is None  # one of them failed: anyone may enter
    search.tell(child.number, {OBJECTIVES[0]: 10.0, OBJECTIVES[1]: 0.0})
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
