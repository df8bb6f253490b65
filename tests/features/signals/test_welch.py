from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import welch

from rheobase.features.errors import FeatureError
from rheobase.features.signals.signal import Event, Signal
from rheobase.features.signals.welch import WelchSettings, power_spectrum
from tests.features.signals.made_signals import power_law_noise, white_noise

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(("resolution_Hz", "overlap", "window"), [(1.0, 0.5, "hann"), (0.5, 0.75, "hamming")])
def test_the_estimate_is_scipys(resolution_Hz, overlap, window):
    signal = white_noise(1, (3, 2345))
    ours = power_spectrum(signal, WelchSettings(resolution_Hz, overlap, window))
    length = round(200.0 / resolution_Hz)
    frequencies, power = welch(signal.values, 200.0, window, length, int(overlap * length))
    np.testing.assert_allclose(ours.frequencies_Hz, frequencies)
    np.testing.assert_allclose(ours.power, power, rtol=1e-12)
    assert (ours.unit, ours.channels) == ("uV^2/Hz", signal.channels)
    assert ours.resolution_Hz == pytest.approx(resolution_Hz)


def test_epochs_are_averaged():
    signal = white_noise(2, (5, 2, 400))
    each = [power_spectrum(epoch).power for epoch in signal.each_epoch()]
    np.testing.assert_allclose(power_spectrum(signal).power, np.mean(each, axis=0))


def test_a_sinusoid_has_half_its_squared_amplitude_as_power():
    times_s = np.arange(2000) / 200.0
    spectrum = power_spectrum(Signal(3.0 * np.sin(2 * np.pi * 20.0 * times_s)[np.newaxis], 200.0, "uV", ("Cz",)))
    assert spectrum.power.sum() * spectrum.resolution_Hz == pytest.approx(4.5, rel=1e-6)
    assert spectrum.frequencies_Hz[spectrum.power[0].argmax()] == pytest.approx(20.0)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, scale=st.floats(1e-6, 1e6))
def test_the_integral_of_white_noise_is_its_variance(seed, scale):
    signal = white_noise(seed, (1, 20000))
    spectrum = power_spectrum(dataclasses.replace(signal, values=scale * signal.values))
    # 199 segments: the tapers weigh samples unevenly, and the mean of each segment is lost (1 of 200 bins).
    assert spectrum.power.sum() * spectrum.resolution_Hz == pytest.approx(np.var(scale * signal.values), rel=0.02)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, exponent=st.floats(0.0, 2.0))
def test_the_spectrum_does_not_depend_on_the_direction_of_time(seed, exponent):
    signal = power_law_noise(exponent, seed, duration_s=20.0)
    forwards = power_spectrum(signal)
    backwards = power_spectrum(dataclasses.replace(signal, values=signal.values[:, ::-1]))
    # Not to the digit: scipy's tapers begin with 0 and do not end with it.
    np.testing.assert_allclose(backwards.power[0, 1:], forwards.power[0, 1:], rtol=0.03)


@settings(max_examples=25, deadline=None)
@given(shift=st.integers(0, 399), phases=st.lists(st.floats(0.0, 6.3), min_size=4, max_size=4))
def test_the_spectrum_does_not_depend_on_when_a_stationary_signal_begins(shift, phases):
    times_s = np.arange(2400) / 200.0
    rhythms = zip((7.0, 20.0, 41.0, 80.0), (3.0, 1.0, 2.0, 0.5), phases, strict=True)
    values = sum(amplitude * np.sin(2 * np.pi * f * times_s + phase) for f, amplitude, phase in rhythms)
    now = power_spectrum(Signal(values[np.newaxis, :2000], 200.0, "uV", ("Cz",)))
    later = power_spectrum(Signal(values[np.newaxis, shift : shift + 2000], 200.0, "uV", ("Cz",)))
    np.testing.assert_allclose(later.power, now.power, rtol=1e-6, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, order=st.permutations(range(4)))
def test_channels_do_not_know_of_each_other(seed, order):
    signal = white_noise(seed, (4, 500))
    turned = power_spectrum(signal.pick(*(signal.channels[row] for row in order)))
    assert turned.power.tolist() == power_spectrum(signal).power[list(order)].tolist()


def test_bad_stretches_and_cuts_are_left_out():
    signal = white_noise(3, (1, 2000))
    spoiled = signal.values.copy()
    spoiled[:, 1000:1100] += 1e6
    spoiled[:, 1400:] += 500.0
    events = (Event("BAD_jump", 5000.0, 500.0), Event("EDGE boundary", 7000.0), Event("tone", 500.0, 1000.0))
    cleaned = power_spectrum(dataclasses.replace(signal, values=spoiled, events=events))
    pieces = [
        signal.values[:, start : start + 200] for start in (*range(0, 801, 100), 1100, 1200, *range(1400, 1801, 100))
    ]
    expected = np.mean([welch(piece, 200.0, nperseg=200)[1] for piece in pieces], axis=0)
    np.testing.assert_allclose(cleaned.power, expected, rtol=1e-6)


def test_a_rate_that_gives_no_whole_segment():
    signal = Signal(np.random.default_rng(0).normal(size=(3, 1, 600)), 600.62, "nA m", ("S1",))
    spectrum = power_spectrum(signal)
    assert spectrum.resolution_Hz == pytest.approx(600.62 / 600.0)
    assert spectrum.unit == "(nA m)^2/Hz"
    assert spectrum.converted("(pA m)^2/Hz").power == pytest.approx(spectrum.power * 1e6)


def test_spectra_that_cannot_be_estimated():
    signal = white_noise(4, (2, 1, 300))
    with pytest.raises(
        FeatureError, match=r"segments of 400 samples, each epoch has 300: take resolution_Hz=0\.667 or"
    ):
        power_spectrum(signal, WelchSettings(0.5))
    power_spectrum(signal, WelchSettings(0.667))
    with pytest.raises(FeatureError, match="each recording has 300"):
        power_spectrum(white_noise(4, (1, 300)), WelchSettings(0.1))
    with pytest.raises(FeatureError, match="a resolution of 80 Hz leaves 2 samples"):
        power_spectrum(signal, WelchSettings(80.0))
    marked = dataclasses.replace(white_noise(4, (1, 300)), events=(Event("bad", 700.0, 100.0),))
    with pytest.raises(FeatureError, match="no 1 s of the recording are free of bad stretches"):
        power_spectrum(marked)
    with pytest.raises(FeatureError, match="must be above 0 Hz, got 0"):
        WelchSettings(0.0)
    with pytest.raises(FeatureError, match="at least 0 and below 1, got 1"):
        WelchSettings(overlap=1.0)
