from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.activity.unit_measures import cv_isi, fano_factor, local_variation, mean_rate
from rheobase.features.errors import FeatureError
from tests.features.activity.trains import (
    gamma_trains,
    many_trains,
    reference_trains,
    trains_of,
)

# Elephant 1.2.1 (statistics.mean_firing_rate, cv, lv, and fanofactor of the 20 windows of 100 ms as trials) on
# `reference_trains`.
ELEPHANT_RATE_HZ = [40.5, 41.0, 249.5, 41.0, 40.5, 41.0]
ELEPHANT_CV = [0.7398831385353116, 0.7511433345487225, 0.0, 0.7403009236933692, 0.7431864376448885, 0.7472805359808593]
ELEPHANT_LV = [1.1907779730169796, 0.8426034207033747, 0.0, 0.7491687638902906, 1.2237591414949682, 1.08527786997296]
ELEPHANT_FANO = [
    0.23395061728395064,
    0.16829268292682928,
    0.0019038076152304607,
    0.41219512195121955,
    0.4561728395061729,
    0.24146341463414642,
]

MEASURES = (lambda trains: cv_isi(trains, 3), lambda trains: local_variation(trains, 3))


def test_as_elephant_measures():
    trains = trains_of(reference_trains(), 2000.0)
    np.testing.assert_allclose(mean_rate(trains).values, ELEPHANT_RATE_HZ, rtol=1e-12)
    np.testing.assert_allclose(cv_isi(trains).values, ELEPHANT_CV, rtol=1e-12)
    np.testing.assert_allclose(local_variation(trains).values, ELEPHANT_LV, rtol=1e-12)
    # Elephant divides by the number of windows, we by one less.
    np.testing.assert_allclose(fano_factor(trains, 100.0).values * 19 / 20, ELEPHANT_FANO, rtol=1e-12)


@pytest.mark.parametrize("order", [1.0, 2.0, 4.0, 0.5])
def test_gamma_processes(order):
    """CV = 1/sqrt(k) and Lv = 3/(2k + 1) for intervals of a gamma distribution of order k (k = 1: Poisson).

    80,000 intervals: the standard error of both is below 0.007; trains of 200 intervals bias CV by -0.01 at most.
    """
    trains = gamma_trains(order, 20.0, 400, 10_000.0, seed=3)
    assert np.mean(cv_isi(trains).values) == pytest.approx(1.0 / math.sqrt(order), abs=0.03)
    assert np.mean(local_variation(trains).values) == pytest.approx(3.0 / (2.0 * order + 1.0), abs=0.03)


@pytest.mark.parametrize("windows", [2, 5, 100])
def test_the_fano_factor_of_poisson_processes_is_1_for_any_number_of_windows(windows):
    """Its standard error over 2000 units is sqrt(2 / (windows - 1) / 2000), 0.032 at worst."""
    trains = gamma_trains(1.0, 10.0, 2000, 2000.0, seed=4)
    values = fano_factor(trains, 2000.0 / windows).values
    assert np.mean(values) == pytest.approx(1.0, abs=4.0 * math.sqrt(2.0 / (windows - 1) / len(values)))


def test_the_fano_factor_of_gamma_processes():
    """Cox 1962, Renewal Theory: variance/mean = 1/k + (1 - 1/k^2) / 6 / mean for long windows in equilibrium."""
    trains = gamma_trains(4.0, 20.0, 400, 20_000.0, seed=5)
    values = fano_factor(trains, 1000.0).values
    assert np.mean(values) == pytest.approx(0.25 + (1.0 - 1.0 / 16.0) / 6.0 / 20.0, abs=0.02)


def test_regular_trains():
    trains = trains_of([np.arange(5.0, 1000.0, 10.0)], 1000.0)
    assert mean_rate(trains).values.tolist() == [100.0]
    assert cv_isi(trains).values[0] == pytest.approx(0.0, abs=1e-12)
    assert local_variation(trains).values[0] == pytest.approx(0.0, abs=1e-12)
    assert fano_factor(trains, 100.0).values.tolist() == [0.0]


def test_by_hand():
    """Intervals 1, 3, 2: mean 2, variance 2/3; Lv = 3/2 ((2/4)^2 + (1/5)^2)."""
    trains = trains_of([[10.0, 11.0, 14.0, 16.0]], 20.0)
    assert cv_isi(trains, 3).values[0] == pytest.approx(math.sqrt(2.0 / 3.0) / 2.0)
    assert local_variation(trains, 3).values[0] == pytest.approx(1.5 * (0.25 + 0.04))
    # Windows of 5 ms hold 0, 0, 3 and 1 spikes: mean 1, variance (1 + 1 + 4 + 0) / 3.
    assert fano_factor(trains, 5.0).values[0] == pytest.approx(2.0)
    # Windows of 6 ms hold 0, 2 and 2; the last 2 ms are not used.
    assert fano_factor(trains, 6.0).values[0] == pytest.approx((16.0 + 4.0 + 4.0) / 9.0 / 2.0 * 3.0 / 4.0)


def test_units_with_too_few_spikes_have_no_value_and_are_counted():
    trains = trains_of([[1.0, 2.0, 4.0, 8.0, 16.0], [1.0, 2.0, 4.0, 8.0], [], [3.0]], sizes={"E": 3, "I": 1})
    for values in (cv_isi(trains), local_variation(trains)):
        assert values.unit_of_value.tolist() == [0]
        assert (len(values.of("E")), values.absent("E"), len(values.of("I")), values.absent("I")) == (1, 2, 0, 1)
        assert values.settings == (("minimum_spikes", 5.0),)
    assert cv_isi(trains, 3).unit_of_value.tolist() == [0, 1]
    fano = fano_factor(trains, 64.0)
    assert fano.unit_of_value.tolist() == [0, 1, 3]
    assert fano_factor(trains, 64.0, minimum_spikes=2).unit_of_value.tolist() == [0, 1]
    assert mean_rate(trains).values.tolist() == [5 / 0.256, 4 / 0.256, 0.0, 1 / 0.256]


def test_spikes_at_one_time_give_no_value_instead_of_a_division_by_zero():
    trains = trains_of([[5.0, 5.0, 5.0], [5.0, 5.0, 5.0, 9.0]])
    assert cv_isi(trains, 3).unit_of_value.tolist() == [1]
    assert local_variation(trains, 3).unit_of_value.tolist() == [1]
    assert local_variation(trains, 3).values[0] == pytest.approx(3.0)


def test_intervals_do_not_reach_from_one_unit_to_the_next():
    alone = trains_of([[0.0, 1.0, 5.0, 6.0]])
    beside = trains_of([[0.0, 1.0, 5.0, 6.0], [100.0, 150.0, 155.0]])
    for measure in MEASURES:
        assert measure(beside).values[0] == measure(alone).values[0]


@pytest.mark.parametrize("time_step_ms", [0.025, 0.1])
def test_spikes_on_the_edges_of_bins_are_counted_in_the_bin_that_begins_there(time_step_ms):
    """Times as a simulator computes them: sums of time steps, which miss the multiples by rounding."""
    times = np.cumsum(np.full(round(30.0 / time_step_ms), time_step_ms))
    on_edges = times[np.abs(np.mod(times + 1.5, 3.0) - 1.5) < 1e-6]
    assert len(on_edges) == 10
    trains = trains_of([[1.0, *on_edges[:-1]]], 30.0)
    assert fano_factor(trains, 3.0).values.tolist() == [0.0]  # one spike in each


def test_a_spike_on_the_very_end_belongs_to_the_last_bin():
    trains = trains_of([[1.0, 10.0]], 10.0)
    assert fano_factor(trains, 5.0).values.tolist() == [0.0]


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda trains: cv_isi(trains, 2), "at least 3 spikes, got 2"),
        (lambda trains: local_variation(trains, 0), "at least 3 spikes, got 0"),
        (lambda trains: fano_factor(trains, 200.0), "at most half the observation of 256 ms, got 200 ms"),
        (lambda trains: fano_factor(trains, 0.0), "at most half the observation of 256 ms, got 0 ms"),
        (lambda trains: fano_factor(trains, math.nan), "at most half the observation of 256 ms, got nan ms"),
        (lambda trains: fano_factor(trains, 10.0, 0), "at least 1 spike, got minimum_spikes 0"),
    ],
)
def test_settings_that_make_no_sense(measure, message):
    with pytest.raises(FeatureError, match=message):
        measure(trains_of([[1.0, 2.0, 3.0]]))


def changed(trains: SpikeTrains, shift_ms: float = 0.0, scale: float = 1.0) -> SpikeTrains:
    """The trains with another origin and unit of time."""
    return SpikeTrains(
        trains.times_ms * scale + shift_ms,
        trains.unit_of_spike,
        trains.units,
        trains.start_ms * scale + shift_ms,
        trains.stop_ms * scale + shift_ms,
    )


@settings(max_examples=50, deadline=None)
@given(trains=many_trains(), shift=st.integers(-(10**6), 10**6))
def test_a_shift_of_time_changes_nothing(trains, shift):
    original = trains_of(trains)
    shifted = changed(original, shift_ms=shift * 0.25)
    for measure in (*MEASURES, mean_rate, lambda one: fano_factor(one, 10.0)):
        np.testing.assert_array_equal(measure(shifted).values, measure(original).values)


@settings(max_examples=50, deadline=None)
@given(trains=many_trains(), scale=st.floats(0.01, 100.0))
def test_a_change_of_the_unit_of_time_scales_rates_alone(trains, scale):
    original = trains_of(trains)
    scaled = changed(original, scale=scale)
    np.testing.assert_allclose(mean_rate(scaled).values, mean_rate(original).values / scale, rtol=1e-9)
    for measure in MEASURES:
        np.testing.assert_allclose(measure(scaled).values, measure(original).values, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fano_factor(scaled, 10.0 * scale).values, fano_factor(original, 10.0).values, rtol=1e-9)


@settings(max_examples=50, deadline=None)
@given(trains=many_trains(), data=st.data())
def test_units_in_another_order_have_the_same_values(trains, data):
    order = data.draw(st.permutations(range(len(trains))))
    original, permuted = trains_of(trains), trains_of([trains[unit] for unit in order])
    for measure in (*MEASURES, mean_rate, lambda one: fano_factor(one, 10.0)):
        before, after = measure(original), measure(permuted)
        by_unit = dict(zip(before.unit_of_value.tolist(), before.values.tolist(), strict=True))
        found = {order[unit]: value for unit, value in zip(after.unit_of_value.tolist(), after.values, strict=True)}
        assert found.keys() == by_unit.keys()
        assert all(found[unit] == pytest.approx(by_unit[unit], rel=1e-12, abs=1e-12) for unit in found)


@settings(max_examples=50, deadline=None)
@given(trains=many_trains())
def test_other_populations_have_no_influence(trains):
    whole = trains_of(trains, sizes={"E": len(trains) - 2, "I": 2})
    for measure in (*MEASURES, mean_rate, lambda one: fano_factor(one, 10.0)):
        np.testing.assert_array_equal(measure(whole).of("I"), measure(whole.of("I")).of("I"))


def test_the_length_of_the_observation_counts_not_that_of_the_train():
    assert mean_rate(trains_of([[1.0, 2.0]], 500.0)).values.tolist() == [4.0]
