"""The shape of a spectrum on a grid of frequencies, apart from its amplitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.signals.spectrum import Spectrum


def log_power_on(spectrum: Spectrum, frequencies_Hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """log10 of the power of one channel at some frequencies, shape (frequencies,).

    Between bins, log power is taken as a straight line over log frequency, so that power laws stay what they are.

    Args:
        spectrum: Of one channel, with bins no wider than the steps of the grid where peaks matter.
        frequencies_Hz: Increasing and above 0 Hz, within what the spectrum covers.

    Raises:
        FeatureError: Frequencies outside the spectrum or not increasing, or power that is not positive.
    """
    power = spectrum.single_power
    if len(frequencies_Hz) < 2 or np.any(np.diff(frequencies_Hz) <= 0.0) or frequencies_Hz[0] <= 0.0:
        raise FeatureError("expected at least two increasing frequencies above 0 Hz")
    positive = spectrum.frequencies_Hz > 0.0
    known = spectrum.frequencies_Hz[positive]
    low, high = float(frequencies_Hz[0]), float(frequencies_Hz[-1])
    if low < known[0] * (1.0 - 1e-9) or high > known[-1] * (1.0 + 1e-9):
        raise FeatureError(
            f"the grid from {low:g} to {high:g} Hz is not within the spectrum's {known[0]:g} to {known[-1]:g} Hz"
        )
    needed = slice(max(0, int(np.searchsorted(known, low, "right")) - 1), int(np.searchsorted(known, high)) + 1)
    if not np.all(power[positive][needed] > 0.0):
        raise FeatureError(f"there is no power at some frequency between {low:g} and {high:g} Hz, so no logarithm")
    return np.interp(np.log10(frequencies_Hz), np.log10(known[needed]), np.log10(power[positive][needed]))


def log_shape(spectrum: Spectrum, frequencies_Hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `log_power_on`, minus its mean over the grid: spectra that differ by a factor have the same shape."""
    log_power = log_power_on(spectrum, frequencies_Hz)
    return np.asarray(log_power - log_power.mean())
