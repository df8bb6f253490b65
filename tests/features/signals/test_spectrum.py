from __future__ import annotations

import numpy as np
import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.signals.peaks import (
    Absence,
    NoPeak,
    SpectralMaximum,
    SpectralPeak,
    highest_peak,
    spectral_maximum,
)
from rheobase.features.signals.shape import log_power_on, log_shape
from rheobase.features.signals.spectrum import Spectrum


def made(power, step_Hz=1.0, channels=None):
    power = np.atleast_2d(np.asarray(power, dtype=float))
    names = channels or tuple(f"C{number}" for number in range(len(power)))
    return Spectrum(np.arange(power.shape[1]) * step_Hz, power, "uV^2/Hz", names)


def test_channels_are_picked_and_averaged():
    spectrum = made([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]])
    assert spectrum.pick("C2", "C0").power.tolist() == [[5.0, 9.0], [1.0, 2.0]]
    assert spectrum.mean().single_power.tolist() == [3.0, 5.0]
    with pytest.raises(FeatureError, match=r"one channel, got 3: pick one \(.pick\('C0'\)\) or average them"):
        _ = spectrum.single_power
    with pytest.raises(FeatureError, match="no channel 'Oz'; there are C0, C1, C2"):
        spectrum.pick("Oz")


@pytest.mark.parametrize(
    ("frequencies", "power", "message"),
    [
        ([0.0], [[1.0]], "at least two frequencies"),
        ([0.0, 1.0], [[1.0, 2.0, 3.0]], r"1 channels at 2 frequencies, got an array of shape \(1, 3\)"),
        ([0.0, 2.0, 1.0], [[1.0, 2.0, 3.0]], "must be numbers that increase"),
        ([-1.0, 0.0, 1.0], [[1.0, 2.0, 3.0]], "must be numbers that increase from 0"),
        ([0.0, 1.0, 3.0], [[1.0, 2.0, 3.0]], "even steps, they differ between 1 and 2 Hz"),
        ([0.0, 1.0, 2.0], [[1.0, -2.0, 3.0]], "channel 'Cz' at 1 Hz is -2; power in dB has to be converted first"),
        ([0.0, 1.0, 2.0], [[1.0, 2.0, np.nan]], "channel 'Cz' at 2 Hz is nan"),
    ],
)
def test_what_is_no_spectrum(frequencies, power, message):
    with pytest.raises(FeatureError, match=message):
        Spectrum(np.array(frequencies), np.array(power), "uV^2/Hz", ("Cz",))


def test_the_highest_bin_of_a_band():
    assert spectral_maximum(made([9, 1, 2, 5, 3, 8, 4, 9]), (2.0, 6.0)) == SpectralMaximum(5.0, 8.0)
    assert spectral_maximum(made([9, 1, 2, 5, 3, 8, 4, 9]), (2.0, 4.0)) == SpectralMaximum(3.0, 5.0)


@pytest.mark.parametrize("power", [[9, 8, 7, 6, 5, 4, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8], [3, 3, 3, 3, 3, 3, 3, 3]])
def test_a_slope_has_no_maximum(power):
    assert spectral_maximum(made(power), (2.0, 6.0)) == NoPeak((2.0, 6.0), "Hz", Absence.NO_EXTREMUM)


def test_the_highest_peak_of_a_range():
    peaks = [SpectralPeak(6.0, 0.9, 2.0), SpectralPeak(9.0, 0.4, 2.0), SpectralPeak(11.0, 0.5, 3.0)]
    assert highest_peak(peaks, (8.0, 12.0)) == peaks[2]
    assert highest_peak(peaks, (6.0, 11.0)) == peaks[0]
    assert highest_peak(peaks, (13.0, 30.0)) == NoPeak((13.0, 30.0), "Hz", Absence.BELOW_THRESHOLD)


def test_power_laws_stay_what_they_are_on_another_grid():
    frequencies = np.arange(0.0, 51.0)
    power = np.concatenate(([0.0], 7.0 * frequencies[1:] ** -1.3))
    grid = np.linspace(2.25, 49.9, 60)
    np.testing.assert_allclose(log_power_on(made(power), grid), np.log10(7.0 * grid**-1.3), rtol=1e-12)
    np.testing.assert_allclose(log_shape(made(power), grid), log_shape(made(1e-9 * power), grid), atol=1e-12)
    assert log_shape(made(power), grid).mean() == pytest.approx(0.0, abs=1e-12)


def test_grids_that_a_spectrum_cannot_be_brought_to():
    spectrum = made([1.0, 2.0, 3.0, 0.0, 5.0])
    with pytest.raises(FeatureError, match=r"from 0\.5 to 2 Hz is not within the spectrum's 1 to 4 Hz"):
        log_power_on(spectrum, np.array([0.5, 2.0]))
    with pytest.raises(FeatureError, match="from 2 to 5 Hz is not within"):
        log_power_on(spectrum, np.array([2.0, 5.0]))
    with pytest.raises(FeatureError, match="two increasing frequencies above 0 Hz"):
        log_power_on(spectrum, np.array([2.0, 1.0]))
    with pytest.raises(FeatureError, match=r"no power at some frequency between 1 and 2\.5 Hz"):
        log_power_on(spectrum, np.array([1.0, 2.5]))
    assert log_power_on(spectrum, np.array([1.0, 2.0])) == pytest.approx(np.log10([2.0, 3.0]))
