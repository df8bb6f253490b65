from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.statistics import SMALLEST_STD, StatisticsSettings, make_target
from rheobase.features.targets import FeatureTarget

VALUES = {"a": [10.0, 12.0, 14.0], "b": [20.0], "c": [16.0, 18.0]}
NO_FLOOR: dict[str, Any] = {"smallest_std_fraction": 0.0, "smallest_std": ()}


def target(
    settings: StatisticsSettings, unit: str = "Hz", values: dict[str, list[float]] | None = None
) -> FeatureTarget:
    made = make_target("some", unit, VALUES if values is None else values, settings)
    assert made is not None
    return made


def test_hierarchical_by_hand() -> None:
    """Cells' means 12, 20, 17: mean 49/3, sample variance ((13/3)^2 + (11/3)^2 + (2/3)^2) / 2 = 49/3."""
    found = target(StatisticsSettings("cells", 1, **NO_FLOOR))
    assert found.mean == pytest.approx(49.0 / 3.0)
    assert found.std == pytest.approx(math.sqrt(49.0 / 3.0))
    assert (found.cells, found.sweeps) == (3, 6)


def test_pooled_by_hand() -> None:
    """Six values, mean 15, population variance (25 + 9 + 1 + 25 + 1 + 9) / 6."""
    found = target(StatisticsSettings("sweeps", 1, **NO_FLOOR))
    assert found.mean == pytest.approx(15.0)
    assert found.std == pytest.approx(math.sqrt(70.0 / 6.0))
    assert (found.cells, found.sweeps) == (3, 6)


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("Hz", 100.0, 5.0),  # five per cent
        ("Hz", 2.0, 0.5),  # the floor of the unit
        ("mV", -80.0, 0.5),  # no fraction of a voltage
        ("ms", 10.0, 0.5),
        ("ms", 0.0, SMALLEST_STD),
        ("", 0.0, SMALLEST_STD),
    ],
)
def test_floors_of_the_standard_deviation(unit: str, value: float, expected: float) -> None:
    found = target(StatisticsSettings(), unit, {"a": [value], "b": [value]})
    assert found.std == pytest.approx(expected)


def test_only_a_standard_deviation_of_zero_is_replaced_where_no_floor_is_given() -> None:
    """As in BluePyEfe, whose tables hold standard deviations far below 1e-3."""
    small = {"a": [0.001], "b": [0.0011]}
    for over in ("cells", "sweeps"):
        assert target(StatisticsSettings(over, **NO_FLOOR), "", small).std < 1e-4
        assert target(StatisticsSettings(over, **NO_FLOOR), "", {"a": [2.0], "b": [2.0]}).std == SMALLEST_STD == 1e-3


def test_pooled_is_the_mean_and_the_population_std_of_numpy() -> None:
    """BluePyEfe 2.3.63 takes numpy.nanmean and numpy.nanstd of the values of all sweeps."""
    found = target(StatisticsSettings("sweeps", **NO_FLOOR))
    pooled = [value for values in VALUES.values() for value in values]
    assert (found.mean, found.std) == (np.nanmean(pooled), np.nanstd(pooled))


def test_floors_of_single_features_take_the_place_of_the_others() -> None:
    settings = StatisticsSettings(smallest_std=(("ms", 2.0),), smallest_std_of=(("some", 0.1), ("other", 7.0)))
    assert target(settings, "ms", {"a": [100.0], "b": [100.0]}).std == 0.1
    assert target(settings, "mV", {"a": [-80.0], "b": [-80.0]}).std == 0.1
    assert settings.floor("else", "ms", 10.0) == 2.0


def test_stated_floor() -> None:
    settings = StatisticsSettings(smallest_std=(("ms", 2.0),))
    assert target(settings, "ms", {"a": [1.0], "b": [1.0]}).std == 2.0
    assert target(settings, "ms", {"a": [1.0], "b": [100.0]}).std == pytest.approx(99.0 / math.sqrt(2.0))


def test_one_cell() -> None:
    assert target(StatisticsSettings(), "Hz", {"a": [100.0, 200.0]}).std == pytest.approx(7.5)  # the floor


@pytest.mark.parametrize(("minimum", "made"), [(1, True), (3, True), (4, False)])
def test_minimum_of_cells(minimum: int, made: bool) -> None:
    found = make_target("some", "Hz", {**VALUES, "empty": []}, StatisticsSettings(minimum_cells=minimum))
    assert (found is not None) == made


@pytest.mark.parametrize(("minimum", "made"), [(1, True), (6, True), (7, False)])
def test_minimum_of_sweeps(minimum: int, made: bool) -> None:
    found = make_target("some", "Hz", VALUES, StatisticsSettings(minimum_sweeps=minimum))
    assert (found is not None) == made


def test_nothing_measured() -> None:
    assert make_target("some", "Hz", {}, StatisticsSettings(minimum_cells=0)) is None


cells = st.dictionaries(
    st.text(max_size=3), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5), min_size=1, max_size=6
)


@given(values=cells, over=st.sampled_from(["cells", "sweeps"]))
def test_bounds(values: dict[str, list[float]], over: str) -> None:
    found = target(StatisticsSettings(over), "Hz", values)
    everything = [value for measured in values.values() for value in measured]
    assert min(everything) - 1e-9 <= found.mean <= max(everything) + 1e-9
    assert found.std >= 0.5
    assert found.cells == len(values)
    assert found.sweeps == len(everything)


@given(values=cells)
def test_a_sweep_more_of_one_cell_does_not_outweigh_the_others(values: dict[str, list[float]]) -> None:
    single = {name: [measured[0]] for name, measured in values.items()}
    repeated = {name: [measured[0]] * (place + 1) for place, (name, measured) in enumerate(values.items())}
    settings = StatisticsSettings("cells")
    assert target(settings, "Hz", repeated).mean == pytest.approx(target(settings, "Hz", single).mean, abs=1e-9)
