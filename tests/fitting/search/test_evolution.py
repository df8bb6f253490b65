from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.fitting.search.evolution import ALGORITHMS, EvolutionarySearch, EvolutionSettings
from rheobase.fitting.search.interface import Search, SearchError
from rheobase.fitting.search.space import Dimension
from tests.contracts.search import DIMENSIONS, OBJECTIVES, SearchContract, ask_batch

FloatArray = NDArray[np.float64]


class EvolutionContract(SearchContract):
    algorithm = "ibea"

    def search(
        self, seed: int = 1, dimensions: Sequence[Dimension] = DIMENSIONS, objectives: Sequence[str] = OBJECTIVES
    ) -> Search:
        settings = EvolutionSettings(self.algorithm, population=20, deterministic=self.deterministic)
        return EvolutionarySearch(dimensions, objectives, settings, seed)


class TestIbea(EvolutionContract):
    pass


class TestIbeaDeterministic(EvolutionContract):
    deterministic = True


class TestNsga2(EvolutionContract):
    algorithm = "nsga2"


class TestNsga2Deterministic(EvolutionContract):
    algorithm = "nsga2"
    deterministic = True


def test_unknown_algorithm() -> None:
    with pytest.raises(SearchError, match=r"expected one of \('ibea', 'nsga2'\), got 'spea'"):
        EvolutionarySearch(DIMENSIONS, OBJECTIVES, EvolutionSettings("spea"), 1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("population", [2, 7, 30])
def test_generations_of_a_deterministic_search(algorithm: str, population: int) -> None:
    """None until the generation is complete, then the next one; the first has one candidate per survivor."""
    settings = EvolutionSettings(algorithm, population=population, deterministic=True)
    search = EvolutionarySearch(DIMENSIONS, OBJECTIVES, settings, 1)
    first = ask_batch(search, 1000)
    assert len(first) == population
    for candidate in first:
        assert search.ask() is None
        search.tell(candidate.number, dict.fromkeys(OBJECTIVES, float(candidate.number)))
    second = ask_batch(search, 1000)
    assert len(second) == 2 * (population // 2)


def test_first_generation_is_a_latin_hypercube() -> None:
    search = EvolutionarySearch(DIMENSIONS, OBJECTIVES, EvolutionSettings(population=25), 1)
    first = ask_batch(search, 25)
    for dimension in DIMENSIONS:
        strata = sorted(int(25 * dimension.position(candidate.parameters[dimension.name])) for candidate in first)
        assert strata == list(range(25))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("deterministic", [False, True])
def test_who_failed_survives_only_where_others_leave_room(algorithm: str, deterministic: bool) -> None:
    """Failures that look best by their scores do not become parents: their region is abandoned."""
    settings = EvolutionSettings(algorithm, population=20, deterministic=deterministic)
    search = EvolutionarySearch(DIMENSIONS, OBJECTIVES, settings, 1)
    late_failures = 0
    for place in range(400):
        (candidate,) = ask_batch(search, 1)
        position = DIMENSIONS[1].position(candidate.parameters["e_pas.all"])
        failed = position < 0.3
        late_failures += failed and place >= 200
        search.tell(candidate.number, {OBJECTIVES[0]: 0.0 if failed else position, OBJECTIVES[1]: position}, failed)
    assert late_failures < 0.5 * 200  # the optimum lies at the border, so some children fall beyond it


# ---------------------------------------------------------------------------- quality on problems with known answers


def zdt1(x: FloatArray) -> FloatArray:
    """Zitzler, Deb & Thiele 2000; front f2 = 1 - sqrt(f1)."""
    g = 1.0 + 9.0 * x[1:].mean()
    return np.array([x[0], g * (1.0 - math.sqrt(x[0] / g))])


def dtlz2(x: FloatArray) -> FloatArray:
    """Deb, Thiele, Laumanns & Zitzler 2002, two objectives; front: the unit circle."""
    g = np.square(x[1:] - 0.5).sum()
    return np.array([(1.0 + g) * math.cos(x[0] * math.pi / 2.0), (1.0 + g) * math.sin(x[0] * math.pi / 2.0)])


def hypervolume(points: FloatArray, reference: tuple[float, float]) -> float:
    """Area that points dominate below a reference point, for two objectives."""
    area, lowest = 0.0, reference[1]
    for first, second in points[np.lexsort((points[:, 1], points[:, 0]))]:
        if first < reference[0] and second < lowest:
            area += (reference[0] - first) * (lowest - second)
            lowest = second
    return area


def test_hypervolume() -> None:
    points = np.array([[0.5, 0.5], [0.25, 0.75], [0.6, 0.6], [2.0, 0.0]])
    assert hypervolume(points, (1.0, 1.0)) == pytest.approx(0.25 + 0.25 * 0.25)


PROBLEMS: dict[str, tuple[Callable[[FloatArray], FloatArray], int, tuple[float, float], float]] = {
    "ZDT1": (zdt1, 10, (1.1, 5.0), 1.1 * 5.0 - 1.0 / 3.0 - 0.0),
    "DTLZ2": (dtlz2, 8, (1.5, 1.5), 1.5 * 1.5 - math.pi / 4.0),
}
EVALUATIONS = 2000


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("deterministic", [True, False], ids=["generations", "steady state"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_quality(problem: str, algorithm: str, deterministic: bool, seed: int) -> None:
    """After 2000 evaluations at least 90 % of the hypervolume between random search and the true front is won."""
    function, parameters, reference, best = PROBLEMS[problem]
    dimensions = [Dimension(f"x{number}", 0.0, 1.0) for number in range(parameters)]
    settings = EvolutionSettings(algorithm, population=50, deterministic=deterministic)
    search = EvolutionarySearch(dimensions, ["f1", "f2"], settings, seed)
    found = []
    for _ in range(EVALUATIONS):
        (candidate,) = ask_batch(search, 1)
        values = function(np.array(list(candidate.parameters.values())))
        search.tell(candidate.number, {"f1": float(values[0]), "f2": float(values[1])})
        found.append(values)
    generator = np.random.default_rng(seed)
    guessed = np.array([function(generator.random(parameters)) for _ in range(EVALUATIONS)])
    won = hypervolume(np.array(found), reference)
    by_chance = hypervolume(guessed, reference)
    assert by_chance < won <= best
    assert (won - by_chance) / (best - by_chance) > 0.9, (won, by_chance, best)
