from __future__ import annotations

import math
import random

import numpy as np
import pytest

from rheobase.fitting.search.algorithm import Outcome
from rheobase.fitting.search.indicator import indicator_losses
from rheobase.fitting.search.niching import select_by_niches
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
    with LentRandomness(1).lent_numpy():
        assert {id(one) for one in selection.survivors(everyone)} == {id(everyone[place]) for place in (0, 1, 3, 4)}


@pytest.mark.parametrize("name", SELECTIONS)
def test_who_failed_stays_only_where_there_is_room(name: str) -> None:
    values = [(0.0, 0.0), (1.0, 2.0), (0.1, 0.1), (2.0, 1.0), (0.2, 0.2), (3.0, 3.0)]
    selection, everyone = individuals(name, values, failed={0, 2, 4})
    with LentRandomness(1).lent_numpy():
        kept = selection.survivors(everyone)
    assert {id(one) for one in kept} == {id(everyone[place]) for place in (1, 3, 5, 0)}


@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("groups", [1, 2, 7])
def test_equals(name: str, groups: int) -> None:
    selection, everyone = individuals(name, [(1.0,) * groups] * 9)
    with LentRandomness(1).lent_numpy():
        assert len({id(one) for one in selection.survivors(everyone)}) == 4


@pytest.mark.parametrize("groups", [1, 2, 7])
def test_the_indicator_is_that_of_bluepyopt(groups: int) -> None:
    """To the last bit, or else records of earlier versions could not be resumed."""
    from bluepyopt.deapext.tools import selIBEA

    generator = np.random.default_rng(4)
    values = generator.lognormal(0.0, 2.0, (60, groups))
    values[7] = values[3]
    values[:, -1] = 0.5  # an objective in which all are equal
    _, pool = individuals("ibea", [tuple(row) for row in values.tolist()])
    losses = indicator_losses(values)
    selIBEA(pool, 0, alpha=len(pool))
    assert [one.ibea_fitness for one in sorted(pool, key=lambda one: one.order)] == losses.tolist()


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_niches_do_not_depend_on_where_the_ideal_point_lies(groups: int) -> None:
    """DEAP's own selection gives others when the smallest objectives are not zero."""
    generator = np.random.default_rng(5)
    directions = reference_directions(groups, 20)
    front = generator.dirichlet(np.ones(groups), 60) + 0.2 * generator.random((60, 1))
    kept = []
    for offset in (0.0, 8.0):  # a power of two, so that hardly a bit is lost
        _, pool = individuals("nsga3", [tuple(row) for row in (np.round(front, 6) + offset).tolist()])
        with LentRandomness(1).lent_numpy():
            chosen = select_by_niches(pool, 20, directions)
        kept.append(([one.order for one in chosen], [one.crowding for one in chosen]))
    assert kept[0] == kept[1]


def test_a_parent_from_a_thinly_settled_niche_is_preferred() -> None:
    """Ten individuals lie close together, one at the other end of the front; a failure is never preferred."""
    selection = Selection("nsga3", 2, 12)
    pool = []
    for place, groups in enumerate([(0.001 * k, 1.0 - 0.001 * k) for k in range(10)] + [(1.0, 0.0), (0.0, 0.0)]):
        individual = Individual([0.1 * place])
        selection.judge(individual, Outcome(groups, sum(groups), place == 11), place)
        pool.append(individual)
    with LentRandomness(1).lent_numpy():
        selection.survivors(pool)
    crowd, lonely, failure = pool[0], pool[10], pool[11]
    assert lonely.crowding < crowd.crowding
    assert selection.prefers(lonely, crowd)
    assert not selection.prefers(crowd, lonely)
    assert not selection.prefers(failure, crowd)


def test_first_front() -> None:
    _, everyone = individuals("ibea", [(0.0, 2.0), (1.0, 1.0), (2.0, 2.0), (0.0, 0.0)], failed={3})
    assert first_front(everyone) == [0, 1]
    assert first_front(everyone[3:]) == [0]


def test_lent_randomness_goes_on_where_it_was() -> None:
    """Two spells give what one does, and the global generators do not notice."""
    random.seed(9)
    before = random.getstate()
    once, twice = LentRandomness(4), LentRandomness(4)
    with once.lent_python():
        whole = [random.random() for _ in range(4)]
    parts = []
    for _ in range(2):
        with twice.lent_python():
            parts += [random.random() for _ in range(2)]
    assert parts == whole
    assert random.getstate() == before
