from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import iv

from rheobase.features.activity.phase_locking import (
    SpikePhases,
    pairwise_phase_consistency,
    spike_phases,
    vector_strength,
)
from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import FeatureError
from rheobase.features.signals.signal import Event, Signal
from tests.features.activity.trains import reference_trains, trains_of

BAND = (5.0, 15.0)


def rhythm(
    frequency_Hz: float = 10.0, samples: int = 2000, start_ms: float = 0.0, events: tuple[Event, ...] = ()
) -> Signal:
    """A cosine sampled at 1 kHz, its peak at time 0 of the clock."""
    times_ms = start_ms + np.arange(samples)
    values = np.cos(2.0 * np.pi * frequency_Hz * times_ms / 1000.0)
    return Signal(values[np.newaxis], 1000.0, "mV", ("LFP",), start_ms, events)


def phases_of(phases: list[list[float]]) -> SpikePhases:
    unit = np.repeat(np.arange(len(phases)), [len(one) for one in phases])
    return SpikePhases(np.concatenate(phases), unit, Units.from_sizes({"E": len(phases)}), BAND, 0, "made up")


@pytest.mark.parametrize("concentration", [0.0, 0.5, 2.0])
def test_spikes_of_a_von_mises_distribution(concentration):
    """Their vector strength is I1/I0 of the concentration (Fisher 1993), their consistency its square.

    200 units of 300 spikes: the standard errors of both means are below 0.004; vector strength is biased upwards.
    """
    random = np.random.default_rng(9)
    phases = phases_of(list(random.vonmises(1.0, concentration, (200, 300))))
    expected = float(iv(1, concentration) / iv(0, concentration))
    assert np.mean(pairwise_phase_consistency(phases).values) == pytest.approx(expected**2, abs=0.01)
    biased = math.sqrt(math.pi / 4.0 / 300.0) if concentration == 0.0 else expected
    assert np.mean(vector_strength(phases).values) == pytest.approx(biased, abs=0.01)


@settings(max_examples=50, deadline=None)
@given(phases=st.lists(st.lists(st.floats(-math.pi, math.pi), max_size=20), min_size=1, max_size=5))
def test_the_mean_over_pairs_written_out(phases):
    found = pairwise_phase_consistency(phases_of(phases), 2)
    assert found.unit_of_value.tolist() == [unit for unit, one in enumerate(phases) if len(one) >= 2]
    for unit, value in zip(found.unit_of_value, found.values, strict=True):
        first, second = np.triu_indices(len(phases[unit]), 1)
        one = np.array(phases[unit])
        assert value == pytest.approx(np.mean(np.cos(one[first] - one[second])), abs=1e-12)


def test_the_phase_of_a_rhythm_at_spikes():
    times = np.linspace(300.0, 1700.0, 301)
    found = spike_phases(trains_of([times], 2000.0), rhythm(), BAND)
    expected = np.angle(np.exp(2j * np.pi * 10.0 * times / 1000.0))
    assert np.max(np.abs(np.angle(np.exp(1j * (found.phases - expected))))) < 0.005
    assert found.left_out == 0


def test_phases_as_elephant_finds_them():
    """Elephant 1.2.1 on spikes between 500 and 1500 ms and the same cosine.

    spike_triggered_phase (interpolated) of the first spike of each unit, and mean_phase_vector's length; it does not
    filter, so they agree to what our filter adds near the ends of the signal.
    """
    trains = trains_of(reference_trains(), 2000.0).between(500.0 + 1e-9, 1500.0)
    found = spike_phases(trains, rhythm(), BAND)
    first = [found.phases[found.unit_of_spike == unit][0] for unit in range(6)]
    elephant = [0.4722404369, 1.2160077303, 0.2512786579, 0.3170568872, 0.2335569242, 1.0136441995]
    np.testing.assert_allclose(first, elephant, atol=1e-3)
    lengths = [0.1569994313, 0.1229336729, 0.0040156622, 0.2849112967, 0.1775597451, 0.0370072248]
    np.testing.assert_allclose(vector_strength(found).values, lengths, atol=2e-4)


def test_locking_to_one_of_two_rhythms():
    """Spikes at the peaks of 10 Hz, in a signal of 10 and 40 Hz and a drift."""
    signal = rhythm(samples=10_000)
    values = signal.values + 0.5 * rhythm(40.3, 10_000).values + np.linspace(-5.0, 5.0, 10_000)
    both = Signal(values, 1000.0, "mV", ("LFP",))
    trains = trains_of([np.arange(1000.0, 9000.0, 100.0)], 10_000.0)
    assert pairwise_phase_consistency(spike_phases(trains, both, (8.0, 12.0))).values[0] > 0.99
    assert pairwise_phase_consistency(spike_phases(trains, both, (38.0, 42.0))).values[0] < 0.1


def test_the_clock_of_the_signal():
    times = np.arange(5300.0, 6700.0, 100.0)
    trains = SpikeTrains(times, np.zeros(len(times), dtype=int), Units.from_sizes({"E": 1}), 5000.0, 7000.0)
    found = spike_phases(trains, rhythm(start_ms=5000.0), BAND)
    np.testing.assert_allclose(found.phases, 0.0, atol=0.005)


def test_spikes_that_have_no_reliable_phase_are_left_out_and_counted():
    trains = trains_of([[50.0, 99.0, 101.0, 850.0, 950.0, 1050.0, 1150.0, 1898.0, 1950.0, 2500.0]], 3000.0)
    assert spike_phases(trains, rhythm(), BAND).left_out == 4
    assert len(spike_phases(trains, rhythm(), BAND).phases) == 6
    bad = rhythm(events=(Event("BAD_motion", 1000.0, 20.0), Event("click", 500.0)))
    assert spike_phases(trains, bad, BAND).left_out == 6


def test_units_with_too_few_spikes_have_no_value_and_are_counted():
    phases = phases_of([[0.1] * 12, [0.1] * 5, []])
    for measure in (pairwise_phase_consistency, vector_strength):
        found = measure(phases)
        assert found.values.tolist() == pytest.approx([1.0])
        assert found.absent("E") == 2
        assert found.settings == (("band_low_Hz", 5.0), ("band_high_Hz", 15.0), ("minimum_spikes", 10.0))
    with pytest.raises(FeatureError, match="pairs need at least 2 spikes, got minimum_spikes 1"):
        pairwise_phase_consistency(phases, 1)
    with pytest.raises(FeatureError, match="at least 1 spike, got minimum_spikes 0"):
        vector_strength(phases, 0)


@pytest.mark.parametrize(
    ("signal", "band", "message"),
    [
        (rhythm(), (5.0, 500.0), r"a band between 0 and 500 Hz .half the sampling rate., got 5 to 500 Hz"),
        (rhythm(), (12.0, 8.0), "got 12 to 8 Hz"),
        (rhythm(), (0.0, 8.0), "got 0 to 8 Hz"),
        (rhythm(samples=150), BAND, "149 ms is too short for the band of 5 to 15 Hz; it needs more than 400 ms"),
        (Signal(np.full((1, 2000), -70.1), 1000.0, "mV", ("V",)), BAND, "no power between 5 and 15 Hz"),
        (Signal(np.full((1, 2003), 0.1), 1000.0, "mV", ("V",)), BAND, "no power between 5 and 15 Hz"),
        (Signal(np.zeros((1, 2000)), 1000.0, "mV", ("V",)), BAND, "no power between 5 and 15 Hz"),
        (Signal(np.zeros((2, 2000)), 1000.0, "mV", ("a", "b")), BAND, "got 2 channels and 1 epochs; .* Signal.pick"),
        (Signal(np.zeros((3, 1, 2000)), 1000.0, "mV", ("a",)), BAND, "got 1 channels and 3 epochs"),
    ],
)
def test_signals_without_a_phase(signal, band, message):
    with pytest.raises(FeatureError, match=message):
        spike_phases(trains_of([[100.0]], 2000.0), signal, band)
