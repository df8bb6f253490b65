"""Poisson trains, volleys and played spikes against what they should be in distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.blueprint import SpikeVolleys
from rheobase.fitting.circuits.random_streams import random_generator, stream_number
from rheobase.fitting.circuits.spike_sources import PlayedSpikes, poisson_times, volley_times
from tests.fitting.circuits.compartment import Compartment

PINNED = [281, 2, 46, 604]
PINNED_NUMBER = 2716025108
RATES = st.floats(0.0, 500.0)
FREQUENCIES = st.one_of(st.none(), st.floats(0.1, 200.0))
DEPTHS = st.floats(0.0, 1.0)


class TestPoisson:
    def test_counts_and_intervals_of_a_steady_train(self) -> None:
        trains = [poisson_times(random_generator(1, "train", n), 20.0, 1000.0) for n in range(2000)]
        counts = np.array([len(train) for train in trains])
        assert counts.mean() == pytest.approx(20.0, abs=4 * math.sqrt(20.0 / 2000))
        assert counts.var() == pytest.approx(20.0, rel=4 * math.sqrt(2.0 / 2000))
        intervals = np.diff(poisson_times(random_generator(1), 50.0, 100_000.0))
        assert intervals.std() / intervals.mean() == pytest.approx(1.0, abs=0.05)
        assert stats.kstest(intervals, "expon", args=(0.0, 20.0)).pvalue > 1e-3

    @pytest.mark.parametrize("depth", [0.3, 1.0])
    def test_the_rate_goes_up_and_down(self, depth: float) -> None:
        times = poisson_times(random_generator(2), 100.0, 200_000.0, modulation_Hz=10.0, depth=depth)
        assert len(times) / 200.0 == pytest.approx(100.0, rel=0.03)
        phases = 2.0 * np.pi * (times / 100.0 % 1.0)
        # The integral of 1 + depth sin: the distribution of phases.
        assert stats.kstest(phases, lambda x: (x + depth * (1.0 - np.cos(x))) / (2.0 * np.pi)).pvalue > 1e-3
        assert 2.0 * np.mean(np.sin(phases)) == pytest.approx(depth, abs=0.04)

    @settings(max_examples=100, deadline=None)
    @given(rate=RATES, frequency=FREQUENCIES, depth=DEPTHS, seed=st.integers(0, 2**40))
    def test_times_are_in_order_and_a_longer_train_begins_with_the_shorter(
        self, rate: float, frequency: float | None, depth: float, seed: int
    ) -> None:
        short = poisson_times(random_generator(seed), rate, 700.0, frequency, depth)
        long = poisson_times(random_generator(seed), rate, 1500.0, frequency, depth)
        assert np.all(np.diff(long) >= 0.0)
        assert np.all((long >= 0.0) & (long < 1500.0))
        np.testing.assert_array_equal(short, long[long < 700.0])

    @settings(max_examples=100, deadline=None)
    @given(rate=st.floats(1.0, 300.0), frequency=st.floats(0.1, 200.0), depth=DEPTHS, seed=st.integers(0, 1000))
    def test_modulation_inverts_the_integral_of_the_rate(
        self, rate: float, frequency: float, depth: float, seed: int
    ) -> None:
        omega = 2e-3 * np.pi * frequency
        times = poisson_times(random_generator(seed), rate, 1000.0, frequency, depth)
        steady = np.cumsum(random_generator(seed).standard_exponential(len(times))) * 1000.0 / rate
        np.testing.assert_allclose(times + depth * (1.0 - np.cos(omega * times)) / omega, steady, rtol=0, atol=1e-7)

    def test_a_small_change_of_rate_or_depth_moves_spikes_by_little(self) -> None:
        def train(rate: float, depth: float) -> NDArray[np.float64]:
            return poisson_times(random_generator(5), rate, 1000.0, 10.0, depth)[:8]

        assert np.abs(train(10.0, 0.5) - train(10.001, 0.5)).max() < 1.0
        assert np.abs(train(10.0, 0.5) - train(10.0, 0.5001)).max() < 1.0

    def test_nothing_from_nothing(self) -> None:
        assert len(poisson_times(random_generator(1), 0.0, 1000.0)) == 0
        assert len(poisson_times(random_generator(1), 10.0, 0.0)) == 0

    def test_what_cannot_be_is_refused(self) -> None:
        generator = random_generator(1)
        with pytest.raises(ModelError, match="rate that is not negative, got -1 Hz"):
            poisson_times(generator, -1.0, 10.0)
        with pytest.raises(ModelError, match="rate that is not negative, got inf Hz"):
            poisson_times(generator, math.inf, 10.0)
        with pytest.raises(ModelError, match="more than 0 Hz, got 0 Hz"):
            poisson_times(generator, 1.0, 10.0, 0.0, 0.5)
        with pytest.raises(ModelError, match=r"depth from 0 to 1, got 1\.5"):
            poisson_times(generator, 1.0, 10.0, 10.0, 1.5)


class TestVolleys:
    def fibres(self, volleys: SpikeVolleys, number: int = 2000) -> list[NDArray[np.float64]]:
        return [volley_times(random_generator(3, volleys.name, fibre), volleys) for fibre in range(number)]

    def test_jitter_and_participation(self) -> None:
        volleys = SpikeVolleys("thalamus", 2000, (100.0, 200.0), jitter_ms=2.0, participation=(0.25, 0.8))
        times = np.concatenate(self.fibres(volleys))
        for time, part in ((100.0, 0.25), (200.0, 0.8)):
            near = times[np.abs(times - time) < 40.0]
            assert len(near) / 2000 == pytest.approx(part, abs=4 * math.sqrt(part * (1 - part) / 2000))
            assert near.mean() == pytest.approx(time, abs=0.4)
            assert near.std() == pytest.approx(2.0, rel=0.15)

    def test_without_jitter_all_fibres_fire_at_the_times(self) -> None:
        for times in self.fibres(SpikeVolleys("clicks", 5, (300.0, 100.0, 200.0)), 5):
            assert times.tolist() == [100.0, 200.0, 300.0]

    def test_a_change_of_one_volley_leaves_the_others(self) -> None:
        weak = self.fibres(SpikeVolleys("tone", 50, (100.0, 200.0), 2.0, (0.1, 0.5)), 50)
        strong = self.fibres(SpikeVolleys("tone", 50, (100.0, 200.0), 2.0, (0.9, 0.5)), 50)
        for before, after in zip(weak, strong, strict=True):
            assert set(before) <= set(after)
            assert set(before[before > 150.0]) == set(after[after > 150.0])

    def test_spikes_before_the_start_are_lost(self) -> None:
        times = np.concatenate(self.fibres(SpikeVolleys("early", 200, (0.0,), jitter_ms=5.0), 200))
        assert 60 < len(times) < 140
        assert times.min() >= 0.0

    def test_no_volleys(self) -> None:
        assert len(volley_times(random_generator(1), SpikeVolleys("silence", 5, ()))) == 0

    def test_what_cannot_be_is_refused(self) -> None:
        generator = random_generator(1)
        with pytest.raises(ModelError, match=r"'tone' needs one participation .* each of the 3, got 0.5, 0.2"):
            volley_times(generator, SpikeVolleys("tone", 5, (1.0, 2.0, 3.0), participation=(0.5, 0.2)))
        with pytest.raises(ModelError, match=r"from 0 to 1 .* got 1.2"):
            volley_times(generator, SpikeVolleys("tone", 5, (1.0,), participation=(1.2,)))
        with pytest.raises(ModelError, match="jitter of 'tone' must not be negative, got -1 ms"):
            volley_times(generator, SpikeVolleys("tone", 5, (1.0,), jitter_ms=-1.0))


class TestPlayedSpikes:
    def heard(self, played: PlayedSpikes, compartment: Compartment, duration_ms: float = 100.0) -> NDArray[np.float64]:
        from neuron import h

        netcon, times = h.NetCon(played.source, None), h.Vector()
        netcon.record(times)
        compartment.run(duration_ms, [])
        return np.array(times)

    def test_spikes_come_at_their_times_in_every_run(self) -> None:
        compartment = Compartment()
        times = [33.33, 0.0, 7.25, 33.33, 99.0, 250.0]
        played = PlayedSpikes(times)
        for _ in range(2):
            np.testing.assert_allclose(self.heard(played, compartment), [0.0, 7.25, 33.33, 33.33, 99.0], atol=1e-12)

    def test_times_can_be_chosen_anew(self) -> None:
        compartment = Compartment()
        played = PlayedSpikes()
        assert len(self.heard(played, compartment)) == 0
        many = poisson_times(random_generator(1), 5000.0, 100.0)
        played.set_times(many)
        np.testing.assert_allclose(self.heard(played, compartment), many, atol=1e-10)
        played.set_times(())
        assert len(self.heard(played, compartment)) == 0

    @pytest.mark.parametrize("times", [[-1.0], [math.nan], [[1.0]]])
    def test_times_that_are_none_are_refused(self, times: list[float]) -> None:
        Compartment()
        with pytest.raises(ModelError, match="times that are numbers and not negative"):
            PlayedSpikes(times)


class TestStreams:
    def test_same_key_same_numbers_on_every_machine(self) -> None:
        assert random_generator(1, "Poisson", 7).integers(1000, size=4).tolist() == PINNED
        assert random_generator(np.int64(1), "Poisson", np.int32(7)).integers(1000, size=4).tolist() == PINNED  # type: ignore[arg-type]
        assert stream_number(1, "release") == PINNED_NUMBER

    @settings(max_examples=200)
    @given(
        st.lists(st.one_of(st.integers(), st.text()), max_size=4),
        st.lists(st.one_of(st.integers(), st.text()), max_size=4),
    )
    def test_other_key_other_numbers(self, first: list[int | str], second: list[int | str]) -> None:
        same = random_generator(1, *first).integers(2**60) == random_generator(1, *second).integers(2**60)
        assert same == (first == second)
