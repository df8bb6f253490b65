from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.outliers import find_outliers, without
from rheobase.features.statistics import StatisticsSettings

SETTINGS = StatisticsSettings()
REMOVING = StatisticsSettings(remove_outliers=True)


def test_by_hand() -> None:
    """Median 10.5; absolute deviations 0.5, 0.5, 1.5, 1.5, 2.5 and 89.5, of which the median is 1.5."""
    values = {"a": [("s1", 9.0), ("s2", 12.0)], "b": [("s1", 10.0), ("s2", 100.0)], "c": [("s1", 8.0), ("s2", 11.0)]}
    (found,) = find_outliers("x", values, 0.0, SETTINGS)
    assert (found.objective, found.cell, found.sweep, found.value, found.kept) == ("x", "b", "s2", 100.0, True)
    assert found.median == pytest.approx(10.5)
    assert found.deviations == pytest.approx(89.5 / (1.4826 * 1.5))


def test_a_cell_whose_sweeps_agree_with_each_other() -> None:
    values = {f"c{place}": [("s1", 10.0 + place), ("s2", 10.2 + place)] for place in range(5)}
    values["odd"] = [("s1", 60.0), ("s2", 61.0)]
    found = find_outliers("x", values, 0.0, SETTINGS)
    assert [(outlier.cell, outlier.sweep) for outlier in found] == [("odd", "s1"), ("odd", "s2"), ("odd", "")]
    assert found[2].value == pytest.approx(60.5)


def test_cells_of_one_sweep_are_reported_once() -> None:
    values = {f"c{place}": [("s1", 10.0 + place)] for place in range(5)} | {"odd": [("s1", 60.0)]}
    assert [(outlier.cell, outlier.sweep) for outlier in find_outliers("x", values, 0.0, SETTINGS)] == [("odd", "s1")]


def test_of_four_values_nobody_can_say() -> None:
    values = {f"c{place}": [("s", value)] for place, value in enumerate((1.0, 1.0, 1.0, 1000.0))}
    assert find_outliers("x", values, 0.0, SETTINGS) == ()


def test_counts_that_agree_but_for_one() -> None:
    """Their median absolute deviation is zero; the floor of the standard deviation says what matters."""
    values = {f"c{place}": [("s", value)] for place, value in enumerate((1.0, 1.0, 1.0, 1.0, 2.0))}
    assert find_outliers("x", values, 0.5, SETTINGS) == ()
    (found,) = find_outliers("x", values, 0.1, SETTINGS)
    assert found.deviations == pytest.approx(10.0)
    assert len(find_outliers("x", values, 0.0, SETTINGS)) == 1


def test_removed_when_asked() -> None:
    values = {f"c{place}": [("s1", 10.0 + place), ("s2", 10.2 + place)] for place in range(5)}
    values["c2"] = [("s1", 60.0), ("s2", 12.1)]
    assert without(values, find_outliers("x", values, 0.0, SETTINGS)) == values
    removed = find_outliers("x", values, 0.0, REMOVING)
    assert not any(outlier.kept for outlier in removed)
    kept = without({**values, "other": [("s1", 1.0)]}, removed)
    assert ("s1", 60.0) not in kept.get("c2", [])
    assert kept["other"] == [("s1", 1.0)]


@given(
    values=st.lists(st.floats(-100.0, 100.0), min_size=5, max_size=30),
    shift=st.floats(-50.0, 50.0),
    scale=st.floats(0.5, 2.0),
)
def test_shift_and_unit_do_not_matter(values: list[float], shift: float, scale: float) -> None:
    named = {"a": [(str(place), round(value, 3)) for place, value in enumerate(values)]}
    moved = {"a": [(sweep, scale * value + shift) for sweep, value in named["a"]]}
    here = {outlier.sweep for outlier in find_outliers("x", named, 1.0, StatisticsSettings(outlier_deviations=3.3333))}
    there = {
        outlier.sweep for outlier in find_outliers("x", moved, scale, StatisticsSettings(outlier_deviations=3.3333))
    }
    assert here == there
