from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.features.signals.aperiodic_line import aperiodic_line
from rheobase.features.signals.bands import ALPHA, relative_band_power
from rheobase.features.signals.parameterisation import ParameterisationSettings, parameterise
from rheobase.features.signals.peaks import Absence, NoPeak, SpectralPeak
from rheobase.features.signals.spectrum import Spectrum
from rheobase.features.signals.welch import power_spectrum
from tests.features.signals.made_signals import power_law_noise

SEEDS = st.integers(0, 2**32 - 1)
RANGE_HZ = (3.0, 45.0)


def exact(exponent=1.2, offset=1.5, peaks=(), knee=0.0, step_Hz=0.5):
    """The model itself: peaks as (centre, height, standard deviation)."""
    frequencies = np.arange(0.0, 100.0, step_Hz)
    log_power = offset - np.log10(knee + np.maximum(frequencies, step_Hz) ** exponent)
    for centre, height, deviation in peaks:
        log_power += height * np.exp(-0.5 * ((frequencies - centre) / deviation) ** 2)
    return Spectrum(frequencies, 10.0 ** log_power[np.newaxis], "uV^2/Hz", ("Cz",))


def test_the_model_itself_comes_back():
    fit = parameterise(exact(peaks=[(10.0, 0.8, 1.0), (22.0, 0.4, 2.0)]), RANGE_HZ)
    assert fit.exponent == pytest.approx(1.2, abs=5e-3)
    assert fit.offset == pytest.approx(1.5, abs=0.01)
    assert [peak.centre_Hz for peak in fit.peaks] == pytest.approx([10.0, 22.0], abs=0.01)
    assert [peak.power_log10 for peak in fit.peaks] == pytest.approx([0.8, 0.4], abs=0.03)
    assert [peak.width_Hz for peak in fit.peaks] == pytest.approx([2.0, 4.0], abs=0.2)
    assert fit.r_squared > 0.999
    assert fit.error < 0.01
    assert (fit.knee, fit.range_Hz) == (0.0, RANGE_HZ)
    assert fit.aperiodic_power(np.array([1.0, 10.0])) == pytest.approx([10**1.5, 10 ** (1.5 - 1.2)], rel=0.03)
    assert fit.peak_within((7.0, 13.0)) == fit.peaks[0]
    assert fit.peak_within((30.0, 45.0)) == NoPeak((30.0, 45.0), "Hz", Absence.BELOW_THRESHOLD)


@pytest.mark.parametrize("exponent", np.linspace(0.1, 4.0, 14))
def test_a_line_to_rounding_comes_back_whatever_the_processor(exponent):
    fit = parameterise(exact(exponent), (3.0, 35.0))
    assert (fit.exponent, fit.offset, fit.r_squared) == pytest.approx((exponent, 1.5, 1.0), abs=1e-6)
    assert fit.peaks == ()


def test_a_knee_comes_back():
    fit = parameterise(exact(2.0, 3.0, knee=200.0), (1.0, 90.0), ParameterisationSettings(aperiodic="knee"))
    assert (fit.exponent, fit.offset, fit.knee) == pytest.approx((2.0, 3.0, 200.0), rel=1e-3)
    assert fit.aperiodic_power(np.array([5.0])) == pytest.approx([1000.0 / 225.0], rel=1e-3)


def test_a_spectrum_without_variation():
    fit = parameterise(exact(exponent=0.0), RANGE_HZ)
    assert (fit.exponent, fit.offset) == pytest.approx((0.0, 1.5), abs=1e-6)
    assert fit.peaks == ()
    assert 0.0 <= fit.r_squared <= 1.0


def test_peaks_are_limited_as_asked():
    spectrum = exact(peaks=[(10.0, 0.8, 1.0), (22.0, 0.4, 2.0)])
    (single,) = parameterise(spectrum, RANGE_HZ, ParameterisationSettings(most_peaks=1)).peaks
    assert single.centre_Hz == pytest.approx(10.0, abs=0.1)
    assert parameterise(spectrum, RANGE_HZ, ParameterisationSettings(most_peaks=0)).peaks == ()
    (high,) = parameterise(spectrum, RANGE_HZ, ParameterisationSettings(smallest_peak_log10=0.5)).peaks
    assert high.centre_Hz == pytest.approx(10.0, abs=0.1)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, exponent=st.floats(0.0, 2.5))
def test_the_exponent_of_noise_is_found(seed, exponent):
    fit = parameterise(power_spectrum(power_law_noise(exponent, seed)), RANGE_HZ)
    assert fit.exponent == pytest.approx(exponent, abs=0.15)  # in 150 seeds at most 0.066 off


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, exponent=st.floats(0.5, 2.0), phase=st.floats(0.0, 6.3))
def test_a_sinusoid_gives_a_peak(seed, exponent, phase):
    noise = power_law_noise(exponent, seed)
    rhythm = 0.5 * np.sin(2.0 * np.pi * 10.0 * np.arange(noise.samples) / noise.sampling_rate_Hz + phase)
    fit = parameterise(power_spectrum(dataclasses.replace(noise, values=noise.values + rhythm)), RANGE_HZ)
    peak = fit.peak_within((7.0, 13.0))
    assert isinstance(peak, SpectralPeak)
    assert peak.centre_Hz == pytest.approx(10.0, abs=0.25)
    assert fit.exponent == pytest.approx(exponent, abs=0.15)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, scale=st.floats(1e-6, 1e6))
def test_a_factor_changes_the_offset_alone(seed, scale):
    signal = power_law_noise(1.0, seed, duration_s=30.0)
    now = power_spectrum(signal)
    scaled = power_spectrum(dataclasses.replace(signal, values=scale * signal.values))
    np.testing.assert_allclose(scaled.power, scale**2 * now.power, rtol=1e-9)
    assert relative_band_power(scaled, ALPHA.range_Hz, (1.0, 45.0)) == pytest.approx(
        relative_band_power(now, ALPHA.range_Hz, (1.0, 45.0))
    )
    fit, same = parameterise(now, RANGE_HZ), parameterise(scaled, RANGE_HZ)
    assert same.exponent == pytest.approx(fit.exponent, abs=1e-4)
    assert same.offset == pytest.approx(fit.offset + 2.0 * np.log10(scale), abs=1e-4)
    assert [peak.centre_Hz for peak in same.peaks] == pytest.approx([peak.centre_Hz for peak in fit.peaks], abs=0.01)


def test_a_line_leaves_out_what_it_is_told_to():
    spectrum = exact(peaks=[(10.0, 1.0, 0.8)])
    line = aperiodic_line(spectrum, (2.0, 40.0), [(5.0, 15.0)])
    assert (line.exponent, line.offset, line.r_squared) == pytest.approx((1.2, 1.5, 1.0), abs=1e-6)
    assert line.peaks == ()
    assert aperiodic_line(spectrum, (2.0, 40.0), []).offset > 1.55
    assert aperiodic_line(exact(exponent=0.0), (2.0, 40.0), []).r_squared == 0.0


def silent(range_Hz):
    spectrum = exact()
    spectrum.power[0, (spectrum.frequencies_Hz > range_Hz[0]) & (spectrum.frequencies_Hz < range_Hz[1])] = 0.0
    return spectrum


@pytest.mark.parametrize(
    ("spectrum", "range_Hz", "message"),
    [
        (exact(), (3.0, 150.0), "needs 3 to 150 Hz, the spectrum covers 0 to 99.5 Hz"),
        (exact(), (0.0, 45.0), "starts above 0 Hz"),
        (exact(), (45.0, 3.0), r"such as \(3, 45\), got \(45, 3\) Hz"),
        (exact(), (3.0, 7.0), "needs 10 bins, there are 9 of 0.5 Hz between 3 and 7 Hz: take a finer"),
        (
            silent((19.6, 20.4)),
            RANGE_HZ,
            "power at 20 Hz is 0; .* is the channel silent, or the frequency filtered out",
        ),
        (
            Spectrum(np.arange(50.0), np.ones((2, 50)), "uV^2/Hz", ("Cz", "Pz")),
            RANGE_HZ,
            "the spectrum of one channel, got 2",
        ),
    ],
)
def test_spectra_that_cannot_be_fitted(spectrum, range_Hz, message):
    with pytest.raises(FeatureError, match=message):
        parameterise(spectrum, range_Hz)
    with pytest.raises(FeatureError, match=message):
        aperiodic_line(spectrum, range_Hz, [])


def test_a_line_needs_bins_that_are_left():
    with pytest.raises(FeatureError, match="a line needs 10 bins, 6 are left between 3 and 12 Hz"):
        aperiodic_line(exact(), (3.0, 12.0), [(5.5, 11.5)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peak_width_Hz": (8.0, 2.0)}, "the narrowest and the widest peak"),
        ({"most_peaks": -1}, "must not be negative, got -1"),
        ({"peak_threshold": -1.0}, "heights of peaks must not be negative"),
        ({"aperiodic": "bent"}, "'fixed' or 'knee', got 'bent'"),
    ],
)
def test_settings_that_cannot_be(changes, message):
    with pytest.raises(FeatureError, match=message):
        ParameterisationSettings(**changes)


def test_the_library_changes_no_warning_filters():
    program = """
import sys, warnings
import numpy as np
from rheobase.features.signals.parameterisation import parameterise
from rheobase.features.signals.spectrum import Spectrum
warnings.simplefilter("error")
before = list(warnings.filters)
frequencies = np.arange(1.0, 60.0)
power = (1.0 + 0.1 * np.sin(frequencies)) / frequencies
parameterise(Spectrum(frequencies, power[np.newaxis], "uV^2/Hz", ("Cz",)), (3, 45))
assert "fooof" in sys.modules
assert warnings.filters == before
"""
    path = f"import sys; sys.path[:0] = {sys.path!r}\n"
    done = subprocess.run([sys.executable, "-c", path + program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
