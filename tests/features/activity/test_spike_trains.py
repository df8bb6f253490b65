from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.activity.measuring import measure_activity
from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains, merged
from rheobase.features.errors import FeatureError
from tests.features.activity.trains import DURATION_MS, many_trains, trains_of

UNITS = Units.from_sizes({"E": 2, "I": 1})


def spikes_of(trains: SpikeTrains) -> list[tuple[str, str, list[float]]]:
    """Population, name and times of each unit."""
    units = trains.units
    return [
        (units.populations[units.population_of[unit]], units.names[unit], trains.train(unit).tolist())
        for unit in range(len(units))
    ]


def test_spikes_in_any_order_are_kept_by_unit_and_time():
    trains = SpikeTrains(np.array([5.0, 1.0, 3.0, 2.0]), np.array([2, 0, 2, 0]), UNITS, 0.0, 10.0)
    assert spikes_of(trains) == [("E", "0", [1.0, 2.0]), ("E", "1", []), ("I", "0", [3.0, 5.0])]
    assert trains.counts.tolist() == [2, 0, 2]
    assert trains.duration_s == 0.01


def test_the_arrays_given_are_neither_kept_nor_changed():
    times, units = np.array([1.0, 2.0]), np.array([0, 1])
    trains = SpikeTrains(times, units, UNITS, 0.0, 10.0)
    times[0] = 7.0
    assert trains.times_ms.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        trains.times_ms[0] = 3.0


def test_more_units_than_a_short_integer_counts():
    random = np.random.default_rng(1)
    unit = random.permutation(70_000)
    trains = SpikeTrains(random.uniform(0, 10, 70_000), unit, Units.from_sizes({"E": 70_000}), 0.0, 10.0)
    assert np.array_equal(trains.unit_of_spike, np.arange(70_000))


def test_no_spikes_at_all():
    trains = SpikeTrains(np.zeros(0), np.zeros(0, dtype=int), UNITS, 0.0, 10.0)
    assert trains.counts.tolist() == [0, 0, 0]
    assert trains.between(2.0, 3.0).of("I").counts.tolist() == [0]


@pytest.mark.parametrize(
    ("times", "unit_of_spike", "interval", "message"),
    [
        ([1.0], [0, 1], (0, 10), r"one time and one unit a spike, got arrays of shapes \(1,\) and \(2,\)"),
        ([[1.0]], [[0]], (0, 10), "one time and one unit a spike"),
        ([1.0], [0.0], (0, 10), "units are numbered with integers, got float64"),
        ([1.0, 2.0], [0, 3], (0, 10), "spike 1 is of unit 3, but there are 3 units, numbered from 0"),
        ([1.0], [-1], (0, 10), "spike 0 is of unit -1"),
        ([1.0, 11.0, 12.0], [0, 2, 1], (0, 10), r"2 of 3 spikes lie outside .* 0 to 10 ms, the first at 11 ms .*'I'"),
        ([-1.0], [0], (0, 10), "outside the observation"),
        ([np.nan], [0], (0, 10), "1 of 1 spikes lie outside the observation"),
        ([], [], (10, 10), "a start before its end, got 10 to 10 ms"),
        ([], [], (0, np.inf), "a start before its end, got 0 to inf ms"),
    ],
)
def test_what_no_spike_trains_are(times, unit_of_spike, interval, message):
    with pytest.raises(FeatureError, match=message):
        SpikeTrains(np.array(times), np.array(unit_of_spike), UNITS, *interval)


def test_parts_of_the_observation():
    trains = trains_of([[0.0, 100.0, 256.0], [50.0]])
    assert spikes_of(trains.between(0.0, 100.0)) == [("E", "0", [0.0]), ("E", "1", [50.0])]
    # A spike on the very end belongs to the part that ends there.
    assert spikes_of(trains.between(100.0, 256.0)) == [("E", "0", [100.0, 256.0]), ("E", "1", [])]
    assert trains.between(0.0, 100.0).stop_ms == 100.0
    with pytest.raises(FeatureError, match="10 to 300 ms is not within what was observed, 0 to 256 ms"):
        trains.between(10.0, 300.0)
    with pytest.raises(FeatureError, match="a start before its end, got 20 to 10 ms"):
        trains.between(20.0, 10.0)


def test_populations():
    trains = trains_of([[1.0], [2.0], [3.0], [4.0]], sizes={"E": 2, "PV": 1, "SST": 1})
    assert spikes_of(trains.of("SST", "E")) == [("E", "0", [1.0]), ("E", "1", [2.0]), ("SST", "0", [4.0])]
    inhibitory = trains.regrouped({"I": ["PV", "SST"]})
    assert spikes_of(inhibitory) == [("I", "PV:0", [3.0]), ("I", "SST:0", [4.0])]
    assert trains.regrouped({"excitatory": ["E"]}).units.names == ("0", "1")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"I": ["PV", "VIP"]}, "there is no population 'VIP'; the populations are E, PV"),
        ({"I": ["PV"], "all": ["E", "PV"]}, "the population 'PV' is in two groups"),
        ({"I": []}, r"the group 'I' needs a list of populations, got \[\]"),
        ({"I": "PV"}, "the group 'I' needs a list of populations, got 'PV'"),
    ],
)
def test_groups_that_cannot_be_made(groups, message):
    with pytest.raises(FeatureError, match=message):
        trains_of([[1.0], [2.0]], sizes={"E": 1, "PV": 1}).regrouped(groups)


def test_a_population_is_chosen_once():
    with pytest.raises(FeatureError, match="each population can be chosen once, got E, E"):
        trains_of([[1.0]]).of("E", "E")


@pytest.mark.parametrize(
    ("populations", "population_of", "names", "message"),
    [
        (("E", "E"), [0, 1], ("0", "1"), "the names of populations must differ, got E, E"),
        (("E",), [0], ("0", "1"), "the population of each of 2 units"),
        (("E",), [0, 1], ("0", "1"), "numbered from 0 to 0"),
        (("E", "I"), [0, 0], ("0", "1"), "the population 'I' has no units; leave it out"),
        (("E", "I"), [0, 1, 1], ("0", "0", "0"), "the population 'I' has two units named '0'"),
    ],
)
def test_what_no_units_are(populations, population_of, names, message):
    with pytest.raises(FeatureError, match=message):
        Units(populations, np.array(population_of), names)


def test_units_from_labels_do_not_depend_on_the_order_of_rows():
    units = Units.from_labels(["L5", "L4", "L5"], ["a", "b", "c"])
    assert units.populations == ("L4", "L5")
    assert units.population_of.tolist() == [1, 0, 1]
    assert units.sizes.tolist() == [1, 2]


def test_merging():
    first, second = trains_of([[1.0], []], sizes={"E": 2}), trains_of([[2.0]], sizes={"I": 1})
    assert spikes_of(merged([first, second])) == [("E", "0", [1.0]), ("E", "1", []), ("I", "0", [2.0])]
    sorted_units = SpikeTrains(
        np.array([1.0]), np.array([0]), Units.from_labels(["PV"], silent_included=False), 0.0, 256.0
    )
    assert merged([first, second]).units.silent_included
    assert not merged([first, sorted_units]).units.silent_included
    with pytest.raises(FeatureError, match="there are no spike trains to merge"):
        merged([])
    with pytest.raises(FeatureError, match=r"same interval can be merged, got 0 to 256 ms .* and 0 to 10 ms"):
        merged([first, trains_of([[2.0]], 10.0, {"I": 1})])
    with pytest.raises(FeatureError, match="the names of populations must differ, got E, E"):
        merged([first, first])


@settings(max_examples=50, deadline=None)
@given(trains=many_trains(), cut=st.integers(1, 1023))
def test_the_parts_of_an_observation_hold_every_spike_once(trains, cut):
    whole = trains_of(trains)
    before, after = whole.between(0.0, cut * 0.25), whole.between(cut * 0.25, DURATION_MS)
    assert np.array_equal(before.counts + after.counts, whole.counts)
    for unit, train in enumerate(trains):
        assert [*before.train(unit), *after.train(unit)] == train


@settings(max_examples=50, deadline=None)
@given(trains=many_trains())
def test_populations_that_were_split_merge_to_the_whole(trains):
    whole = trains_of(trains, sizes={"E": len(trains) - 2, "I": 2})
    assert spikes_of(merged([whole.of("E"), whole.of("I")])) == spikes_of(whole)


@settings(max_examples=50, deadline=None)
@given(trains=many_trains(), random=st.randoms(use_true_random=False))
def test_the_order_of_spikes_does_not_matter(trains, random):
    whole = trains_of(trains)
    order = list(range(len(whole.times_ms)))
    random.shuffle(order)
    times, units = whole.times_ms[order], whole.unit_of_spike[order]
    assert spikes_of(SpikeTrains(times, units, whole.units, 0.0, DURATION_MS)) == spikes_of(whole)


def test_a_million_spikes_of_ten_thousand_units_are_measured_in_a_moment():
    random = np.random.default_rng(0)
    times, unit = np.sort(random.uniform(0, 10_000, 1_000_000)), random.integers(0, 10_000, 1_000_000)
    units = Units.from_sizes({f"P{number}": 625 for number in range(16)})
    began = time.process_time()
    activity = measure_activity(SpikeTrains(times, unit, units, 0.0, 10_000.0))
    assert time.process_time() - began < 2.0  # about 0.25 s on an idle machine; a loop over units takes many seconds
    assert len(activity.populations) == 16
