from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rheobase.fitting.search.factory import SearchSettings, make_search
from tests.benchmarks.pareto_problems import PROBLEMS, hypervolume
from tests.contracts.search import DIMENSIONS, OBJECTIVES, ask_batch
from tests.fitting.search.driving import cube, minimise, names, place_of

if TYPE_CHECKING:
    from rheobase.fitting.search.unit_cube import UnitCubeSearch

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


def told(search: UnitCubeSearch[Any], total: float, failed: bool = False) -> float | None:
    """Bound of the next candidate, which then gets that total."""
    (candidate,) = ask_batch(search, 1)
    bound = search.bound(candidate.number)
    search.tell(candidate.number, {OBJECTIVES[0]: total, OBJECTIVES[1]: 0.0}, failed)
    return None if bound is None else bound.largest_total


def test_the_bound_is_twice_the_median_total_of_a_full_population_without_failures() -> None:
    search = make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(10, deterministic=True), 1)
    assert [told(search, float(n), failed=n == 10) for n in range(1, 11)] == [None] * 10
    assert [told(search, 10.0) for _ in range(10)] == [None] * 10  # one of them failed: anyone may enter
    assert told(search, 10.0) == 2.0 * 5.5


def test_an_asynchronous_search_begins_with_few() -> None:
    """Five founders; after them the bound is that of the best so far, whose number grows with every fourth admitted."""
    search = make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(10), 1)
    assert [told(search, float(n)) for n in (1, 2, 3, 40, 50)] == [None] * 5
    assert told(search, 7.0) == 2.0 * 3.0  # rejected
    assert told(search, 4.0) == 2.0 * 3.0
    assert told(search, 5.0) == 2.0 * 3.0  # of 1, 2, 3, 4 and 40
    bounds = [told(search, 3.0) for _ in range(20)]
    assert bounds[-1] == 2.0 * 3.0


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
