"""Spectra of published recordings: figures of ../shared/data/eeg_meg/PROVENANCE.md and of the issue."""

from __future__ import annotations

import numpy as np
import pytest

from rheobase.features.signals.aperiodic_line import aperiodic_line
from rheobase.features.signals.components import Component, EvokedPeak, measure_component
from rheobase.features.signals.eeg_files import read_eeg
from rheobase.features.signals.evoked import difference_wave, evoked_response
from rheobase.features.signals.files import read_signal
from rheobase.features.signals.parameterisation import parameterise
from rheobase.features.signals.peaks import SpectralMaximum, spectral_maximum
from rheobase.features.signals.spectrum_files import read_spectrum_matlab, read_spectrum_text
from rheobase.features.signals.welch import WelchSettings, power_spectrum
from tests.shared_data import shared

DS004504_BINS_HZ = np.arange(251.0)


@pytest.fixture(scope="module")
def ongoing():
    """1000 trials of 1 s of spontaneous activity; the times of the file give 600.62 Hz, segments are whole trials."""
    return read_signal(shared("eeg_meg", "hnn_S1_ongoing.txt"), unit="nA m")


def test_ongoing_activity_of_s1(ongoing):
    assert ongoing.values.shape == (1000, 1, 600)
    assert ongoing.sampling_rate_Hz == pytest.approx(600.62, abs=0.01)
    spectrum = power_spectrum(ongoing)
    fit = parameterise(spectrum, (3.0, 45.0))
    assert fit.exponent == pytest.approx(1.18, abs=0.005)
    assert fit.r_squared == pytest.approx(0.988, abs=0.0005)
    assert [peak.centre_Hz for peak in fit.peaks] == pytest.approx([10.35, 17.99, 25.88], abs=0.01)
    # PROVENANCE.md took 600 Hz and does not state its taper: maxima at 10 and 17 Hz of 2632 and 967.
    mu, beta = (spectral_maximum(spectrum, range_Hz) for range_Hz in ((7.0, 13.0), (14.0, 20.0)))
    assert isinstance(mu, SpectralMaximum)
    assert isinstance(beta, SpectralMaximum)
    assert (mu.frequency_Hz, mu.power) == pytest.approx((10.0, 2632.0), rel=2e-3)
    assert (beta.frequency_Hz, beta.power) == pytest.approx((17.0, 967.0), rel=0.025)


def test_alpha_of_the_eeglab_recording():
    signal = read_eeg(shared("eeg_meg", "eeglab_data.set"))
    assert signal.values.shape == (32, 30504)
    assert (signal.sampling_rate_Hz, signal.unit) == (128.0, "uV")
    spectrum = power_spectrum(signal, WelchSettings(resolution_Hz=0.5))
    alpha = spectral_maximum(spectrum.pick("POz"), (7.0, 13.0))
    assert isinstance(alpha, SpectralMaximum)
    assert (alpha.frequency_Hz, alpha.power) == (10.0, pytest.approx(134.0, abs=0.5))
    peak = parameterise(spectrum.pick("POz"), (3.0, 45.0)).peak_within((7.0, 13.0))
    assert peak.centre_Hz == pytest.approx(10.1, abs=0.05)
    assert {event.name for event in signal.events} == {"square", "rt"}
    assert signal.events[0].onset_ms == pytest.approx(1000.068)


@pytest.mark.parametrize(
    ("subject", "exponent", "alpha_Hz", "height", "with_peaks"),
    [("037", 1.17, 8.0, 1.60, 1.19), ("038", 0.98, 10.0, 0.84, 1.16)],
)
def test_resting_subjects_of_ds004504(subject, exponent, alpha_Hz, height, with_peaks):
    """The published exponents are those of a line in log-log through 2-35 Hz without 7-13 Hz (all 19 channels
    averaged); the height is that of the highest alpha bin above it. With the beta peak modelled they are higher.
    """
    path = shared("eeg_meg", f"ds004504_sub-{subject}_psd_matrix.csv")
    spectrum = read_spectrum_text(path, DS004504_BINS_HZ)
    assert spectrum.power.shape == (19, 251)
    line = aperiodic_line(spectrum.mean(), (2.0, 35.0), [(7.0, 13.0)])
    alpha = spectral_maximum(spectrum.mean(), (7.0, 13.0))
    assert isinstance(alpha, SpectralMaximum)
    assert line.exponent == pytest.approx(exponent, abs=0.005)
    assert alpha.frequency_Hz == alpha_Hz
    above = alpha.power / line.aperiodic_power(np.array([alpha_Hz]))
    assert np.log10(above) == pytest.approx([height], abs=0.005)
    assert parameterise(spectrum.mean(), (2.0, 35.0)).exponent == pytest.approx(with_peaks, abs=0.005)


@pytest.mark.parametrize("subject", ["037", "038"])
def test_text_and_matlab_hold_the_same(subject):
    text = read_spectrum_text(shared("eeg_meg", f"ds004504_sub-{subject}_psd_matrix.csv"), DS004504_BINS_HZ)
    matlab = read_spectrum_matlab(shared("eeg_meg", f"ds004504_sub-{subject}_summary.mat"))
    np.testing.assert_allclose(text.power, matlab.power, rtol=1e-12)
    assert matlab.frequencies_Hz.tolist() == text.frequencies_Hz.tolist()


# Deflections of the tactile response that are named after their latencies (Jones SR, Pritchett DL, Stufflebeam SM,
# Hamalainen M, Moore CI 2007, Journal of Neuroscience 27:10751). Amplitudes and latencies as they stand in the files.
M70 = Component("M70", "negative", (50.0, 100.0), mean_width_ms=10.0)
M135 = Component("M135", "positive", (110.0, 165.0), mean_width_ms=10.0)


@pytest.mark.parametrize(
    ("file", "component", "amplitude", "latency_ms"),
    [
        ("hnn_S1_SupraT.txt", M70, -113.7, 75.0),
        ("hnn_S1_SupraT.txt", M135, 111.4, 141.7),
        ("hnn_yes_trial_S1_ERP_all_avg.txt", M70, -53.3, 71.6),
        ("hnn_yes_trial_S1_ERP_all_avg.txt", M135, 71.2, 144.9),
        ("hnn_no_trial_S1_ERP_all_avg.txt", M70, -58.7, 76.6),
        ("hnn_no_trial_S1_ERP_all_avg.txt", M135, 30.8, 153.2),
    ],
)
def test_tactile_responses_of_s1(file, component, amplitude, latency_ms):
    response = evoked_response(read_signal(shared("eeg_meg", file), unit="nA m"), None)
    peak = measure_component(response, component)
    assert isinstance(peak, EvokedPeak)
    assert (peak.amplitude, peak.latency_ms) == pytest.approx((amplitude, latency_ms), abs=0.05)
    assert 0.8 < peak.mean_amplitude / peak.amplitude < 1.0
    assert peak.unit == "nA m"


def test_what_is_perceived_differs_from_what_is_not():
    yes, no = (
        evoked_response(read_signal(shared("eeg_meg", f"hnn_{answer}_trial_S1_ERP_all_avg.txt"), unit="nA m"), None)
        for answer in ("yes", "no")
    )
    late = measure_component(difference_wave(yes, no), M135)
    assert isinstance(late, EvokedPeak)
    assert late.amplitude > 40.0
