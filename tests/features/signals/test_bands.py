from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.features.signals.bands import (
    ALPHA,
    BANDS,
    THETA,
    Band,
    band_power,
    broadband_power,
    relative_band_power,
    total_range_Hz,
)
from rheobase.features.signals.spectrum import Spectrum
from rheobase.features.signals.welch import power_spectrum
from tests.features.signals.made_signals import power_law_noise


def flat(power=2.0, last_Hz=200.0, step_Hz=1.0):
    frequencies = np.arange(0.0, last_Hz + 0.5 * step_Hz, step_Hz)
    return Spectrum(frequencies, np.full((1, len(frequencies)), power), "uV^2/Hz", ("Cz",))


@pytest.mark.parametrize(("range_Hz", "expected"), [((4.0, 8.0), 8.0), ((4.2, 8.7), 9.0), ((0.0, 200.0), 400.0)])
def test_power_is_the_integral_from_edge_to_edge(range_Hz, expected):
    assert band_power(flat(), range_Hz) == pytest.approx([expected])


def test_a_slope_is_integrated_exactly():
    frequencies = np.arange(0.0, 51.0)
    spectrum = Spectrum(frequencies, np.array([frequencies, 3.0 * frequencies]), "uV^2/Hz", ("Cz", "Pz"))
    assert band_power(spectrum, (2.5, 7.25)) == pytest.approx([0.5 * (7.25**2 - 2.5**2), 1.5 * (7.25**2 - 2.5**2)])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), edges=st.lists(st.floats(1.0, 90.0), min_size=3, max_size=3))
def test_adjoining_bands_add_up(seed, edges):
    low, middle, high = sorted(edges)
    spectrum = power_spectrum(power_law_noise(1.0, seed, duration_s=4.0))
    if min(middle - low, high - middle) >= 1.0:
        parts = band_power(spectrum, (low, middle)) + band_power(spectrum, (middle, high))
        assert parts == pytest.approx(band_power(spectrum, (low, high)))
        share = relative_band_power(spectrum, (low, middle), (low, high))
        assert 0.0 <= share[0] <= 1.0
        assert share == pytest.approx(band_power(spectrum, (low, middle)) / band_power(spectrum, (low, high)))


def test_relative_power_of_the_usual_bands():
    shares = [relative_band_power(flat(), band.range_Hz, total_range_Hz(BANDS))[0] for band in BANDS]
    assert shares == pytest.approx([3 / 79, 4 / 79, 4 / 79, 17 / 79, 50 / 79])


def test_broadband_power_is_the_geometric_mean():
    frequencies = np.arange(0.0, 201.0)
    power = np.concatenate(([0.0], 5.0 * frequencies[1:] ** -2.0))[np.newaxis]
    within = power[0, 70:151]
    broadband = broadband_power(Spectrum(frequencies, power, "uV^2/Hz", ("Cz",)))
    assert broadband == pytest.approx([np.exp(np.log(within).mean())])
    slope, offset = np.polyfit(np.log10(frequencies[70:151]), np.log10(within), 1)
    assert np.log10(broadband) == pytest.approx([np.mean(offset + slope * np.log10(frequencies[70:151]))])


def test_broadband_power_without_the_mains():
    spectrum = flat()
    for harmonic in (100, 150):
        spectrum.power[0, harmonic - 2 : harmonic + 3] = 1e6
    assert broadband_power(spectrum, line_frequency_Hz=50.0) == pytest.approx([2.0])
    assert broadband_power(spectrum, line_frequency_Hz=60.0)[0] > 4.0


def test_powers_that_are_not_there():
    with pytest.raises(FeatureError, match="power of a band needs 30 to 80 Hz, the spectrum covers 0 to 60 Hz"):
        band_power(flat(last_Hz=60.0), (30.0, 80.0))
    with pytest.raises(FeatureError, match=r"narrower than one bin of the spectrum \(5 Hz\)"):
        band_power(flat(step_Hz=5.0), THETA.range_Hz)
    with pytest.raises(FeatureError, match=r"expected a range of frequencies such as \(3, 45\), got \(12, 8\) Hz"):
        band_power(flat(), (12.0, 8.0))
    with pytest.raises(FeatureError, match="8 to 12 Hz is not within the range it is related to, 1 to 10 Hz"):
        relative_band_power(flat(), ALPHA.range_Hz, (1.0, 10.0))
    with pytest.raises(FeatureError, match="channel 'Cz' has no power between 1 and 80 Hz"):
        relative_band_power(flat(0.0), ALPHA.range_Hz, (1.0, 80.0))
    with pytest.raises(FeatureError, match="broadband power needs 70 to 150 Hz, the spectrum covers 0 to 100 Hz"):
        broadband_power(flat(last_Hz=100.0))
    with pytest.raises(FeatureError, match="power above zero between 70 and 150 Hz"):
        broadband_power(flat(0.0))
    with pytest.raises(FeatureError, match="expected a mains frequency"):
        broadband_power(flat(), line_frequency_Hz=2.0)
    with pytest.raises(
        FeatureError, match=r"band 'alpha': expected a lower edge below the upper one, got 12\.0 to 8\.0"
    ):
        Band("alpha", 12.0, 8.0)
