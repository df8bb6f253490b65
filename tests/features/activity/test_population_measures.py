from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.activity.population_measures import (
    fraction_silent,
    pairwise_correlation,
    population_fano_factor,
    synchrony_chi,
)
from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.activity.unit_measures import mean_rate
from rheobase.features.errors import FeatureError
from tests.features.activity.trains import DURATION_MS, gamma_trains, many_trains, reference_trains, trains_of

BINNED = (pairwise_correlation, synchrony_chi, population_fano_factor)


def thinned(probability: float, units: int, rate_Hz: float, duration_ms: float, seed: int) -> SpikeTrains:
    """Units that each take the spikes of one Poisson process with a probability: their counts correlate by it.

    The multiple interaction process of Kuhn, Aertsen and Rotter 2003, Neural Comput 15:67.
    """
    random = np.random.default_rng(seed)
    mother = np.sort(random.uniform(0, duration_ms, random.poisson(rate_Hz / probability * duration_ms / 1000.0)))
    return trains_of([mother[random.random(len(mother)) < probability] for _ in range(units)], duration_ms)


def test_correlation_as_elephant_measures():
    """Elephant 1.2.1, spike_train_correlation.correlation_coefficient of bins of 20 ms, mean of the 15 pairs."""
    (found,) = pairwise_correlation(trains_of(reference_trains(), 2000.0), 20.0)
    assert found.value == pytest.approx(0.008853629504472436, rel=1e-9)
    assert (found.units, found.absent, found.settings) == (6, 0, (("bin_ms", 20.0),))


@settings(max_examples=50, deadline=None)
@given(trains=many_trains(), bin_ms=st.sampled_from([4.0, 16.0, 30.0]))
def test_against_counts_written_out(trains, bin_ms):
    whole = trains_of(trains)
    edges = np.arange(0.0, DURATION_MS + 1e-9, bin_ms)
    counts = np.array([np.histogram(train, edges)[0] if len(train) else np.zeros(len(edges) - 1) for train in trains])
    if edges[-1] < DURATION_MS:  # numpy's last bin has its end, ours has it only at the end of the observation
        counts[:, -1] -= [np.count_nonzero(np.asarray(train) == edges[-1]) for train in trains]
    varying = counts[counts.std(axis=1) > 0]
    (correlation,), (chi,) = pairwise_correlation(whole, bin_ms), synchrony_chi(whole, bin_ms)
    assert correlation.units == chi.units == len(varying)
    assert correlation.absent == len(trains) - len(varying)
    if len(varying) < 2:
        assert correlation.value is None
        assert chi.value is None
    else:
        pairs = np.corrcoef(varying)[np.triu_indices(len(varying), 1)]
        assert correlation.value == pytest.approx(np.mean(pairs), abs=1e-10)
        expected = math.sqrt(varying.mean(axis=0).var() / varying.var(axis=1).mean())
        assert chi.value == pytest.approx(expected, abs=1e-7)
    (fano,) = population_fano_factor(whole, bin_ms)
    of_all = counts.sum(axis=0)
    if of_all.sum():
        assert fano.value == pytest.approx(of_all.var(ddof=1) / of_all.mean(), abs=1e-10)
    else:
        assert fano.value is None


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.8])
def test_correlation_of_processes_with_common_spikes(probability):
    """20,000 bins: the standard error of the mean correlation is below 0.01."""
    trains = thinned(probability, 30, 20.0, 200_000.0, seed=6)
    (found,) = pairwise_correlation(trains, 10.0)
    assert found.value == pytest.approx(probability, abs=0.03)


def test_independent_processes():
    """100 Poisson processes: correlation 0, chi 1/sqrt(100), Fano factor of the sum 1."""
    trains = gamma_trains(1.0, 10.0, 100, 20_000.0, seed=7)
    (correlation,), (chi,), (fano,) = (measure(trains, 10.0) for measure in BINNED)
    assert correlation.value == pytest.approx(0.0, abs=0.002)
    assert chi.value == pytest.approx(0.1, abs=0.01)
    assert fano.value == pytest.approx(1.0, abs=0.1)


def test_units_that_fire_together():
    train = gamma_trains(1.0, 10.0, 1, 20_000.0, seed=8).times_ms
    (correlation,), (chi,), (fano,) = (measure(trains_of([train] * 50, 20_000.0), 10.0) for measure in BINNED)
    assert correlation.value == pytest.approx(1.0)
    assert chi.value == pytest.approx(1.0)
    (of_one,) = population_fano_factor(trains_of([train], 20_000.0), 10.0)
    assert of_one.value is not None
    assert fano.value == pytest.approx(50.0 * of_one.value)


def test_units_that_take_turns():
    """Two units in alternate bins: correlation -1, and a sum that does not vary."""
    trains = trains_of([np.arange(2.0, 256.0, 16.0), np.arange(10.0, 256.0, 16.0)])
    (correlation,), (chi,), (fano,) = (measure(trains, 8.0) for measure in BINNED)
    assert correlation.value == pytest.approx(-1.0)
    assert chi.value == pytest.approx(0.0, abs=1e-6)
    assert fano.value == pytest.approx(0.0)


def test_silent_units_are_left_out_of_synchrony_and_counted():
    trains = [[1.0, 90.0], [1.0, 92.0], [40.0]]
    with_silent = trains_of([*trains, [], []])
    for measure in BINNED:
        (found,), (expected,) = measure(with_silent, 8.0), measure(trains_of(trains), 8.0)
        assert found.value == pytest.approx(expected.value)
        assert (found.units, found.absent) == (3, 2)


def test_populations_in_which_a_measure_is_not_defined():
    trains = trains_of([[], [], [5.0, 60.0]], sizes={"silent": 2, "single": 1})
    for measure in (pairwise_correlation, synchrony_chi):
        assert [found.value for found in measure(trains, 8.0)] == [None, None]
    silent, single = population_fano_factor(trains, 8.0)
    assert silent.value is None
    assert single.value == pytest.approx(
        (2.0 * (1.0 - 2.0 / 32.0) ** 2 + 30.0 * (2.0 / 32.0) ** 2) / 31.0 / (2.0 / 32.0)
    )
    for measure in BINNED:
        assert [found.population for found in measure(trains, 8.0)] == ["silent", "single"]


def test_fraction_silent():
    trains = trains_of([[], [1.0], [2.0], [], []], sizes={"E": 4, "I": 1})
    assert [(found.value, found.units) for found in fraction_silent(mean_rate(trains))] == [(0.5, 4), (1.0, 1)]


def test_fraction_silent_is_not_known_of_sorted_units():
    units = Units.from_labels(["E", "E"], silent_included=False)
    trains = SpikeTrains(np.array([1.0]), np.array([0]), units, 0.0, 10.0)
    (found,) = fraction_silent(mean_rate(trains))
    assert found.value is None


@pytest.mark.parametrize("measure", BINNED)
def test_an_observation_of_less_than_two_bins(measure):
    with pytest.raises(FeatureError, match="at most half the observation of 256 ms, got 129 ms"):
        measure(trains_of([[1.0], [2.0]]), 129.0)


@settings(max_examples=40, deadline=None)
@given(trains=many_trains(), shift=st.integers(-(10**6), 10**6), data=st.data())
def test_shifts_orders_and_other_populations_change_nothing(trains, shift, data):
    order = data.draw(st.permutations(range(len(trains))))
    original = trains_of(trains)
    permuted = trains_of([trains[unit] for unit in order])
    shifted = SpikeTrains(
        original.times_ms + shift, original.unit_of_spike, original.units, float(shift), shift + DURATION_MS
    )
    beside = trains_of([[7.0, 8.0, 90.0], *trains], sizes={"I": 1, "E": len(trains)})
    for measure in BINNED:
        (expected,) = measure(original, 8.0)
        for other in (permuted, shifted, beside):
            found = measure(other, 8.0)[-1]
            assert found.value == (None if expected.value is None else pytest.approx(expected.value, abs=1e-7))
