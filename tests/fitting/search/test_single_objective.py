"""CMA-ES and differential evolution: what they find, and how they handle late answers and bounds."""

from __future__ import annotations

import numpy as np
import pytest

from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.restarting import Restarts
from tests.contracts.search_driving import ask_batch
from tests.fitting.search.driving import FloatArray, cube, minimise, names, place_of


def rosenbrock(x: FloatArray) -> list[float]:
    """Curved valley, its end at 0.75 everywhere."""
    z = 4.0 * x - 2.0
    return [float(np.sum(100.0 * (z[1:] - z[:-1] ** 2) ** 2 + (1.0 - z[:-1]) ** 2))]


def ellipsoid(x: FloatArray) -> list[float]:
    """Condition 1e4, its lowest place at 0.37 everywhere."""
    return [float(np.sum(10.0 ** (4.0 * np.arange(len(x)) / (len(x) - 1)) * (x - 0.37) ** 2))]


def two_basins(x: FloatArray) -> list[float]:
    """A wide basin with a floor of 1, and a narrower one with a floor of 0."""
    return [min(1.0 + float(np.sum(np.abs(x - 0.3))), 6.0 * float(np.sum(np.abs(x - 0.85))))]


@pytest.mark.parametrize("workers", [1, 12, 36], ids="{} workers".format)
def test_cma_es_with_few_and_many_workers(workers: int) -> None:
    """Late answers do not lead it astray, even with three times more workers than samples in a generation."""
    search = make_search("cma_es", cube(6), names(1), SearchSettings(12), 2)
    assert minimise(search, rosenbrock, 5000, workers).min() < 1e-2


@pytest.mark.parametrize("algorithm", ["cma_es", "differential_evolution"])
@pytest.mark.parametrize("deterministic", [False, True])
def test_ellipsoid(algorithm: str, deterministic: bool) -> None:
    search = make_search(algorithm, cube(5), names(1), SearchSettings(deterministic=deterministic), 1)
    assert minimise(search, ellipsoid, 3000, 4).min() < 1e-3


def test_separable_cma_es_in_many_dimensions() -> None:
    """16 parameters with different scales: learning variances alone takes a fraction of the evaluations."""

    def best(separable: bool) -> float:
        settings = SearchSettings(options={"separable": separable})
        return float(minimise(make_search("cma_es", cube(16), names(1), settings, 1), ellipsoid, 2500).min())

    assert best(True) < 0.1 * best(False)


@pytest.mark.parametrize("algorithm", ["cma_es", "mo_cma_es", "differential_evolution"])
def test_what_has_converged_begins_anew(algorithm: str) -> None:
    """The best place of a first run is left for other basins; without restarts all would be asked at one place."""
    search = make_search(algorithm, cube(2), names(1), SearchSettings(8, restarts=Restarts(growth=2.0)), 2)
    values = minimise(search, two_basins, 3000)
    assert values[:150].min() >= 1.0, "this seed does not begin in the wider basin"
    assert values.min() < 0.1


@pytest.mark.parametrize("algorithm", ["cma_es", "ibea", "differential_evolution", "mo_cma_es"])
def test_places_to_start_from_are_used(algorithm: str) -> None:
    """From near the best place it gets nearer in a few evaluations than from anywhere."""
    near = [(0.37 + 0.01 * place,) * 8 for place in range(1, 6)]

    def best(start: list[tuple[float, ...]]) -> float:
        search = make_search(algorithm, cube(8), names(1), SearchSettings(10), 1, start=start)
        return float(minimise(search, ellipsoid, 150).min())

    assert best(near) < 0.3 * best([])


def test_bounds_of_cma_es_are_the_better_half_of_its_generation() -> None:
    search = make_search("cma_es", cube(3), names(1), SearchSettings(8), 1)
    first = ask_batch(search, 8)
    for total, candidate in enumerate(first[:4]):
        assert search.bound(candidate.number) is None
        search.tell(candidate.number, {"f0": float(total)}, failed=total == 0)
    (later,) = ask_batch(search, 1)
    assert search.bound(later.number) is None  # only three that did not fail are in
    search.tell(first[4].number, {"f0": 7.0})
    (later,) = ask_batch(search, 1)
    bound = search.bound(later.number)
    assert bound is not None
    assert bound.largest_total == 7.0


def test_bounds_of_differential_evolution_are_the_members_challenged() -> None:
    search = make_search("differential_evolution", cube(3), names(1), SearchSettings(8), 1)
    first = ask_batch(search, 8)
    for candidate in first:
        search.tell(candidate.number, {"f0": 10.0 + candidate.number}, failed=candidate.number == 3)
    trials = ask_batch(search, 8)
    bounds = [search.bound(candidate.number) for candidate in trials]
    assert [bound and bound.largest_total for bound in bounds] == [10.0, 11.0, 12.0, None, 14.0, 15.0, 16.0, 17.0]


def test_no_bounds_when_evaluations_must_not_end_early() -> None:
    for algorithm in ("ibea", "nsga2", "nsga3", "cma_es", "mo_cma_es", "differential_evolution"):
        search = make_search(algorithm, cube(2), names(2), SearchSettings(8, early_end=False), 1)
        for _ in range(60):
            (candidate,) = ask_batch(search, 1)
            assert search.bound(candidate.number) is None
            x, y = place_of(candidate)
            search.tell(candidate.number, {"f0": x, "f1": y})
