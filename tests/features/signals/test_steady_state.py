from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.features.signals.signal import Signal
from rheobase.features.signals.steady_state import steady_state_response
from tests.features.signals.made_signals import white_noise

SEEDS = st.integers(0, 2**32 - 1)


def driven(phases, amplitude=2.0, frequency_Hz=40.0, rate_Hz=1000.0, samples=500, noise=0.0, seed=0):
    """One trial for each phase, of one channel, with white noise of a standard deviation."""
    times_s = np.arange(samples) / rate_Hz
    values = amplitude * np.sin(2 * np.pi * frequency_Hz * times_s + np.asarray(phases)[:, np.newaxis])
    values += noise * np.random.default_rng(seed).normal(size=values.shape)
    return Signal(values[:, np.newaxis], rate_Hz, "uV", ("Fz",))


def test_a_response_locked_to_the_stimulus():
    response = steady_state_response(driven(np.zeros(20)), 40.0)
    assert response.frequency_Hz == pytest.approx(40.0)
    assert response.evoked_power == pytest.approx([2.0])  # half the squared amplitude
    assert response.total_power == pytest.approx([2.0])
    assert response.noise_power == pytest.approx([0.0], abs=1e-20)
    assert (response.coherence, response.phase_consistency) == (pytest.approx([1.0]), pytest.approx([1.0]))
    assert (response.trials, response.unit, response.channels) == (20, "uV^2", ("Fz",))


def test_phases_that_cancel():
    response = steady_state_response(driven([0.0, np.pi]), 40.0)
    assert response.evoked_power == pytest.approx([0.0], abs=1e-20)
    assert response.total_power == pytest.approx([2.0])
    assert response.coherence == pytest.approx([0.0], abs=1e-9)
    assert response.phase_consistency == pytest.approx([-1.0])


@settings(max_examples=30, deadline=None)
@given(phases=st.lists(st.floats(-3.1, 3.1), min_size=2, max_size=12))
def test_coherence_is_the_mean_phase_vector_and_consistency_the_mean_cosine_of_pairs(phases):
    response = steady_state_response(driven(phases), 40.0)
    vectors = np.exp(1j * np.array(phases))
    assert response.coherence == pytest.approx([abs(vectors.mean())], abs=1e-9)
    pairs = np.cos(np.subtract.outer(phases, phases))[np.triu_indices(len(phases), 1)]
    assert response.phase_consistency == pytest.approx([pairs.mean()], abs=1e-9)
    assert response.evoked_power == pytest.approx(response.total_power * abs(vectors.mean()) ** 2, abs=1e-9)


@pytest.mark.parametrize("trials", [5, 20])
def test_what_noise_alone_gives(trials):
    """Over 400 experiments: coherence^2 is 1 / n on average, consistency 0, evoked power the noise power."""
    noise = white_noise(trials, (trials, 400, 500), 1000.0)
    response = steady_state_response(noise, 40.0)
    assert np.mean(response.coherence**2) == pytest.approx(1.0 / trials, rel=0.15)
    assert np.mean(response.phase_consistency) == pytest.approx(0.0, abs=0.25 / trials)
    assert np.mean(response.evoked_power) == pytest.approx(np.mean(response.noise_power), rel=0.15)
    # White noise of variance 1 has 2 / 500 of it in each bin, and averaging leaves a part of 1 / n.
    assert np.mean(response.noise_power) == pytest.approx(2.0 / 500 / trials, rel=0.1)
    assert np.mean(response.total_power) == pytest.approx(2.0 / 500, rel=0.1)
    exceeded = np.mean(response.coherence > response.critical_coherence(0.05))
    assert exceeded == pytest.approx(0.05, abs=0.035)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, scale=st.floats(1e-3, 1e3))
def test_coherence_does_not_depend_on_amplitude(seed, scale):
    trials = driven(np.zeros(10), noise=5.0, seed=seed)
    now = steady_state_response(trials, 40.0)
    scaled = steady_state_response(dataclasses.replace(trials, values=scale * trials.values), 40.0)
    assert scaled.evoked_power == pytest.approx(scale**2 * now.evoked_power)
    assert scaled.coherence == pytest.approx(now.coherence)


@pytest.mark.parametrize(("rate_Hz", "frequency_Hz"), [(1000.0, 40.0), (128.0, 40.0), (600.62, 40.0), (512.0, 33.3)])
def test_the_window_is_cut_to_whole_cycles(rate_Hz, frequency_Hz):
    samples = round(1.03 * rate_Hz)
    response = steady_state_response(driven(np.full(4, 0.3), 2.0, frequency_Hz, rate_Hz, samples), frequency_Hz)
    assert response.frequency_Hz == pytest.approx(frequency_Hz, rel=2e-3)
    assert response.evoked_power == pytest.approx([2.0], rel=0.005)
    assert response.noise_power < 1e-3


def test_a_part_of_the_epochs_is_measured():
    trials = driven(np.zeros(3), samples=1000)
    trials.values[..., :200] = 1e3
    later = dataclasses.replace(trials, start_ms=-100.0)
    assert steady_state_response(later, 40.0, (100.0, 900.0)).evoked_power == pytest.approx([2.0])
    assert steady_state_response(later, 40.0, (100.0, 900.0)).noise_power < 1e-12
    assert steady_state_response(later, 40.0, (75.0, 900.0)).noise_power > 1.0


@pytest.mark.parametrize(
    ("trials", "arguments", "message"),
    [
        (white_noise(0, (1, 500)), (40.0,), "at least two epochs, one a trial; cut it first"),
        (white_noise(0, (1, 1, 500)), (40.0,), "at least two epochs"),
        (driven([0.0, 0.0]), (500.0,), "between 0 and 500 Hz, half the sampling rate, got 500"),
        (driven([0.0, 0.0], samples=100), (40.0,), "100 ms holds 4 cycles of 40 Hz, at least 6 are needed"),
        (
            driven([0.0, 0.0]),
            (40.0, (0.0, 600.0)),
            "from 0 to 600 ms is not within the epochs, which last from 0 to 500",
        ),
        (driven([0.0, 0.0]), (40.0, (300.0, 200.0)), "from 300 to 200 ms is not within"),
        (driven([0.0, 0.0]), (494.0,), r"494 Hz is too near to half the sampling rate \(1000 Hz\) for 4 bins"),
        (driven([0.0, 0.0]), (40.0, None, 0), "at least one bin on each side, got 0"),
        (driven([0.0, 0.0], amplitude=0.0), (40.0,), "a trial has no power at 40 Hz"),
    ],
)
def test_responses_that_cannot_be_measured(trials, arguments, message):
    with pytest.raises(FeatureError, match=message):
        steady_state_response(trials, *arguments)


def test_a_probability_is_between_0_and_1():
    with pytest.raises(FeatureError, match="a probability between 0 and 1, got 5"):
        steady_state_response(driven([0.0, 0.0]), 40.0).critical_coherence(5)
