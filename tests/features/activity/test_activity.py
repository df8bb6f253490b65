from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.activity.activity import (
    Activity,
    Distribution,
    PopulationActivity,
    distribution,
    summarised,
)
from rheobase.features.activity.activity_file import SCHEMA, read_activity, write_activity
from rheobase.features.activity.measuring import ActivitySettings, measure_activity, rate_activity, rate_rows
from rheobase.features.activity.population_measures import fraction_silent
from rheobase.features.activity.populations import Units
from rheobase.features.activity.unit_measures import cv_isi, mean_rate
from rheobase.features.activity.unit_values import PopulationValue, UnitValues
from rheobase.features.errors import FeatureError
from tests.features.activity.trains import many_trains, trains_of


def rates(values: list[float], labels: list[str] | None = None, silent_included: bool = True) -> UnitValues:
    units = Units.from_labels(labels or ["E"] * len(values), silent_included=silent_included)
    return UnitValues("rate", "Hz", np.array(values), np.arange(len(values)), units, source="made up")


def example() -> Activity:
    return measure_activity(
        trains_of([[1.0, 2.0, 30.0, 40.0, 90.0], [], [3.0, 200.0], [8.0]], sizes={"E": 3, "I": 1}),
        ActivitySettings(correlation_bin_ms=10.0),
    )


def test_a_distribution_by_hand():
    found = distribution(rates([4.0, 0.0, 1.0, 3.0]), "E")
    assert (found.mean, found.median, found.units, found.absent) == (2.0, 2.0, 4, 0)
    assert found.std == pytest.approx(np.sqrt(10.0 / 3.0))
    assert (found.quantile(0.0), found.quantile(0.25), found.quantile(0.75), found.quantile(1.0)) == (0, 0.75, 3.25, 4)
    assert found.quantile(0.975) == pytest.approx((found.quantile(0.95) + 4.0) / 2.0)
    with pytest.raises(FeatureError, match=r"a probability lies between 0 and 1, got 1\.5"):
        found.quantile(1.5)


def test_a_single_unit_has_no_standard_deviation():
    found = distribution(rates([4.0]), "E")
    assert (found.mean, found.std, found.quantile(0.3)) == (4.0, None, 4.0)


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats(0.0, 500.0), min_size=1, max_size=200))
def test_quantiles_are_those_of_numpy_and_never_fall(values):
    found = distribution(rates(values), "E")
    assert np.all(np.diff(found.quantiles) >= 0)
    np.testing.assert_allclose(found.quantiles, np.quantile(values, found.probabilities), rtol=1e-12)
    assert found.median == pytest.approx(found.quantile(0.5), rel=1e-12)


def test_everything_that_is_measured_of_spike_trains():
    excitatory, inhibitory = example().populations
    assert [one.measure for one in excitatory.distributions] == ["rate", "cv_isi", "local_variation", "fano_factor"]
    assert [one.measure for one in excitatory.values] == [
        "fraction_silent",
        "pairwise_correlation",
        "synchrony_chi",
        "population_fano_factor",
    ]
    assert excitatory.value("fraction_silent") == pytest.approx(1.0 / 3.0)
    cv = excitatory.distribution("cv_isi")
    assert cv is not None
    assert (cv.units, cv.absent, cv.settings) == (1, 2, (("minimum_spikes", 5.0),))
    assert excitatory.distribution("unheard of") is None
    assert excitatory.value("unheard of") is None
    assert inhibitory.value("pairwise_correlation") is None
    assert inhibitory.distribution("cv_isi") is None
    assert example().notes == (
        "I: no cv_isi, 0 of its 1 units have it, fewer than the minimum of 1",
        "I: no local_variation, 0 of its 1 units have it, fewer than the minimum of 1",
    )


def test_the_settings_are_used():
    trains = trains_of([[1.0, 2.0, 4.0, 60.0]] * 2)
    how = ActivitySettings(3, fano_window_ms=64.0, correlation_bin_ms=32.0, synchrony_bin_ms=16.0, minimum_units=2)
    (found,) = measure_activity(trains, how).populations
    assert {one.measure: dict(one.settings) for one in (*found.distributions, *found.values)} == {
        "rate": {},
        "cv_isi": {"minimum_spikes": 3.0},
        "local_variation": {"minimum_spikes": 3.0},
        "fano_factor": {"window_ms": 64.0, "minimum_spikes": 1.0},
        "fraction_silent": {},
        "pairwise_correlation": {"bin_ms": 32.0},
        "synchrony_chi": {"bin_ms": 16.0},
        "population_fano_factor": {"bin_ms": 16.0},
    }


def test_small_populations_are_left_out_with_a_note():
    activity = rate_activity(rates([1.0, 2.0, 3.0], ["a", "b", "b"]), minimum_units=2)
    assert activity.names == ("b",)
    assert activity.notes == ("a: no rate, 1 of its 1 units have it, fewer than the minimum of 2",)
    assert activity.source == "made up"


def test_rows_of_a_table():
    first, second = rate_rows(rate_activity(rates([0.0, 2.0, 4.0, 5.0], ["a", "a", "a", "b"])))
    assert (first.population, first.units, first.mean_Hz, first.std_Hz) == ("a", 3, 2.0, 2.0)
    assert (first.lower_quartile_Hz, first.median_Hz, first.upper_quartile_Hz) == (1.0, 2.0, 3.0)
    assert first.fraction_silent == pytest.approx(1.0 / 3.0)
    assert (second.units, second.std_Hz, second.fraction_silent) == (1, None, 0.0)
    (sorted_units,) = rate_rows(rate_activity(rates([0.0, 2.0], silent_included=False)))
    assert sorted_units.fraction_silent is None
    no_rates = Activity((PopulationActivity("a", (distribution(cv_isi(trains_of([[1, 2, 4]]), 3), "E"),)),))
    assert rate_rows(no_rates) == ()


def test_values_in_other_groups():
    found = rates([1.0, 2.0, 3.0, 4.0], ["PV", "SST", "E", "PV"]).regrouped({"I": ["SST", "PV"]})
    assert found.of("I").tolist() == [1.0, 2.0, 4.0]
    assert found.units.populations == ("I",)
    with pytest.raises(FeatureError, match="there is no population 'E'; the populations are I"):
        found.of("E")
    partial = cv_isi(trains_of([[1, 2, 4], [], [1, 2, 9]], sizes={"a": 2, "b": 1}), 3).regrouped({"B": ["b"]})
    assert (partial.unit_of_value.tolist(), partial.absent("B")) == ([0], 0)


def test_an_unknown_population():
    with pytest.raises(FeatureError, match="there is no population 'X'; the populations are E, I"):
        example().population("X")
    assert example().population("I").population == "I"


def test_what_cannot_be_summarised():
    with pytest.raises(FeatureError, match="there are no measures to summarise"):
        summarised(())
    with pytest.raises(FeatureError, match=r"only measures of the same populations .* the first has E"):
        summarised((rates([1.0]), rates([1.0], ["I"])))
    with pytest.raises(FeatureError, match="only measures of the same populations"):
        summarised((rates([1.0]),), fraction_silent(rates([1.0], ["I"])))
    with pytest.raises(FeatureError, match="at least 1 unit, got minimum_units 0"):
        summarised((rates([1.0]),), minimum_units=0)
    with pytest.raises(FeatureError, match="no unit of 'E' has a cv_isi"):
        distribution(cv_isi(trains_of([[]])), "E")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.nan}, "rate must hold finite numbers"),
        ({"std": -1.0}, "rate must hold finite numbers"),
        ({"units": 0}, "rate needs units"),
        ({"quantiles": (1.0,)}, "a quantile for each of its probabilities"),
        ({"probabilities": (0.0, 0.9)}, "which rise from 0 to 1"),
        ({"quantiles": (2.0, 1.0)}, "must not fall"),
    ],
)
def test_what_no_distribution_is(change, message):
    good = Distribution("rate", "Hz", 1.5, 0.5, 1.5, (0.0, 1.0), (1.0, 2.0), 2)
    with pytest.raises(FeatureError, match=message):
        dataclasses.replace(good, **change)


def test_what_no_values_are():
    with pytest.raises(FeatureError, match="rate of unit '1' is not finite"):
        rates([1.0, np.nan])
    with pytest.raises(FeatureError, match="expected one unit a value"):
        dataclasses.replace(rates([1.0, 2.0]), values=np.ones(1))
    with pytest.raises(FeatureError, match="x of 'E' must be finite or absent, got nan"):
        PopulationValue("E", "x", np.nan, 1, 0)
    value = PopulationValue("E", "x", 1.0, 1, 0)
    with pytest.raises(FeatureError, match="population 'E' has more than one x"):
        PopulationActivity("E", (), (value, value))
    with pytest.raises(FeatureError, match="population 'I' holds a x of 'E'"):
        PopulationActivity("I", (), (value,))
    with pytest.raises(FeatureError, match="the names of populations must differ, got E, E"):
        Activity((PopulationActivity("E", ()), PopulationActivity("E", ())))


@settings(max_examples=30, deadline=None)
@given(trains=many_trains())
def test_written_activity_comes_back(tmp_path_factory, trains):
    activity = measure_activity(trains_of(trains, sizes={"E": len(trains) - 2, "L2/3 I": 2}))
    path = tmp_path_factory.mktemp("activity") / "activity.json"
    write_activity(activity, path)
    assert read_activity(path) == activity
    assert "NaN" not in path.read_text()


def test_other_sections_of_the_file_are_passed_over(tmp_path: Path):
    path = tmp_path / "a.json"
    write_activity(example(), path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "spectra": {"alpha": 1}}))
    assert read_activity(path) == example()


def first_distribution(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["activity"]["populations"][0]["distributions"][0]
    return found


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content.update(schema="rheobase.activity/99"), f'expected "schema": "{SCHEMA}"'),
        (lambda content: content.pop("activity"), 'expected .* and "activity"'),
        (lambda content: content.update(activity=[1]), r"a\.json, activity: "),
        (lambda content: content["activity"].update(nonsense=1), r"activity\.nonsense: "),
        (lambda content: first_distribution(content).update(mean="1"), r"populations\.0\.distributions\.0\.mean: "),
        (lambda content: first_distribution(content).update(mean=None), r"distributions\.0\.mean: "),
        (lambda content: first_distribution(content).pop("std"), r"distributions\.0\.std: "),
        (lambda content: first_distribution(content).update(sdt=1), r"distributions\.0\.sdt: "),
        (lambda content: first_distribution(content).update(units=0), r"a\.json: the distribution of rate needs units"),
        (lambda content: first_distribution(content).update(mean=float("nan")), "NaN is not a number; .* null"),
    ],
)
def test_damaged_files(tmp_path: Path, damage, message):
    path = tmp_path / "a.json"
    write_activity(example(), path)
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(FeatureError, match=message) as caught:
        read_activity(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff\xfe\x00\x80"])
def test_what_is_no_file_of_activity(tmp_path: Path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(FeatureError, match=re.escape(str(path))):
        read_activity(path)


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(FeatureError, match=r"the file of activity .*a\.json does not exist"):
        read_activity(tmp_path / "a.json")


def test_a_number_too_large_to_be_one(tmp_path: Path):
    path = tmp_path / "a.json"
    write_activity(example(), path)
    path.write_text(re.sub(r'"mean": [^,]*', '"mean": 1e999', path.read_text(), count=1))
    with pytest.raises(FeatureError, match=r"a\.json: the distribution of rate must hold finite numbers"):
        read_activity(path)


def test_model_and_data_are_measured_alike():
    trains = trains_of([[1.0, 50.0], [20.0]])
    assert rate_rows(measure_activity(trains)) == rate_rows(rate_activity(mean_rate(trains)))
