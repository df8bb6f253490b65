from __future__ import annotations

import math
import random

import numpy as np
import pytest

from rheobase.fitting.search.algorithm import Outcome
from rheobase.fitting.search.randomness import LentRandomness
from rheobase.fitting.search.selection import SELECTIONS, Individual, Selection, first_front, reference_directions


@pytest.mark.parametrize(("groups", "population"), [(1, 50), (2, 50), (3, 52), (5, 50), (8, 50), (12, 30), (4, 4)])
def test_reference_directions(groups: int, population: int) -> None:
    """About as many as survivors, on the simplex, all different; never more where one division is too many."""
    directions = reference_directions(groups, population)
    np.testing.assert_allclose(directions.sum(axis=1), 1.0)
    assert (directions >= 0.0).all()
    assert len(np.unique(directions.round(9), axis=0)) == len(directions)
    assert len(directions) <= max(population, groups)
    if 1 < groups <= 3:
        assert len(directions) > 0.8 * population


def test_two_layers_of_reference_directions() -> None:
    """Deb & Jain 2014: with more objectives than divisions, points of one layer all lie on the border."""
    directions = reference_directions(8, 50)
    assert len(directions) == math.comb(8 + 1, 2) + 8
    assert (directions > 0.0).all(axis=1).sum() == 8


def individuals(
    name: str, values: list[tuple[float, ...]], failed: set[int] = frozenset()
) -> tuple[Selection, list[Individual]]:  # type: ignore[assignment]
    selection = Selection(name, len(values[0]), 4)
    made = []
    for place, groups in enumerate(values):
        individual = Individual([0.1 * place])
        selection.judge(individual, Outcome(groups, sum(groups), place in failed), place)
        made.append(individual)
    return selection, made


@pytest.mark.parametrize("name", SELECTIONS)
def test_who_is_dominated_by_all_goes(name: str) -> None:
    values = [(0.0, 1.0), (0.3, 0.6), (5.0, 5.0), (0.6, 0.3), (1.0, 0.0)]
    selection, everyone = individuals(name, values)
    with LentRandomness(1).lent():
        assert {id(one) for one in selection.survivors(everyone)} == {id(everyone[place]) for place in (0, 1, 3, 4)}


@pytest.mark.parametrize("name", SELECTIONS)
def test_who_failed_stays_only_where_there_is_room(name: str) -> None:
    values = [(0.0, 0.0), (1.0, 2.0), (0.1, 0.1), (2.0, 1.0), (0.2, 0.2), (3.0, 3.0)]
    selection, everyone = individuals(name, values, failed={0, 2, 4})
    with LentRandomness(1).lent():
        kept = selection.survivors(everyone)
    assert {id(one) for one in kept} == {id(everyone[place]) for place in (1, 3, 5, 0)}


@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("groups", [1, 2, 7])
def test_equals(name: str, groups: int) -> None:
    selection, everyone = individuals(name, [(1.0,) * groups] * 9)
    with LentRandomness(1).lent():
        assert len({id(one) for one in selection.survivors(everyone)}) == 4


def test_first_front() -> None:
    _, everyone = individuals("ibea", [(0.0, 2.0), (1.0, 1.0), (2.0, 2.0), (0.0, 0.0)], failed={3})
    assert first_front(everyone) == [0, 1]
    assert first_front(everyone[3:]) == [0]


def test_lent_randomness_goes_on_where_it_was() -> None:
    """Two spells give what one does, and the global generators do not notice."""
    random.seed(9)
    before = random.getstate()
    once, twice = LentRandomness(4), LentRandomness(4)
    with once.lent():
        whole = [random.random() for _ in range(4)]
    parts = []
    for _ in range(2):
        with twice.lent():
            parts += [random.random() for _ in range(2)]
    assert parts == whole
    assert random.getstate() == before
