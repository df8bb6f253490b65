"""Power within frequency bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.strictness import STRICT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.features.signals.spectrum import Spectrum


@dataclass(frozen=True)
class Band:
    """A named range of frequencies (Hz)."""

    name: str
    low_Hz: float
    high_Hz: float
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if not 0.0 <= self.low_Hz < self.high_Hz:
            raise FeatureError(
                f"band '{self.name}': expected a lower edge below the upper one, got {self.low_Hz} to {self.high_Hz} Hz"
            )

    @property
    def range_Hz(self) -> tuple[float, float]:
        """Lower and upper edge (Hz)."""
        return self.low_Hz, self.high_Hz


DELTA = Band("delta", 1.0, 4.0)
THETA = Band("theta", 4.0, 8.0)
ALPHA = Band("alpha", 8.0, 12.0)
# Authors differ: 13-30 Hz is the clinical convention, Mazza et al. 2023 take 12-21 Hz.
BETA = Band("beta", 13.0, 30.0)
GAMMA = Band("gamma", 30.0, 80.0)
BANDS = (DELTA, THETA, ALPHA, BETA, GAMMA)


def band_power(spectrum: Spectrum, range_Hz: tuple[float, float]) -> NDArray[np.float64]:
    """Power within a band, in the spectrum's unit times Hz (uV^2), shape (channels,).

    The density is taken as straight lines between its bins and integrated exactly (trapezoids), from edge to edge
    also where an edge lies between two bins: the powers of two adjoining bands add up to that of their union.

    Raises:
        FeatureError: The spectrum does not cover the band, or its bins are wider than the band.
    """
    low, high = range_Hz
    spectrum.bins_within(range_Hz, "the power of a band")
    if high - low < spectrum.resolution_Hz * (1.0 - 1e-6):
        raise FeatureError(
            f"a band of {low:g} to {high:g} Hz is narrower than one bin of the spectrum "
            f"({spectrum.resolution_Hz:g} Hz): estimate the spectrum with a finer resolution_Hz"
        )
    frequencies = spectrum.frequencies_Hz
    grid = np.concatenate(([low], frequencies[(frequencies > low) & (frequencies < high)], [high]))
    return np.array([np.trapezoid(np.interp(grid, frequencies, power), grid) for power in spectrum.power])


def relative_band_power(
    spectrum: Spectrum, range_Hz: tuple[float, float], total_Hz: tuple[float, float]
) -> NDArray[np.float64]:
    """Power within a band over the power within a wider range, between 0 and 1, shape (channels,).

    Raises:
        FeatureError: As `band_power`; the band is not within the range, or there is no power in the range.
    """
    if not (total_Hz[0] <= range_Hz[0] and range_Hz[1] <= total_Hz[1]):
        raise FeatureError(
            f"the band of {range_Hz[0]:g} to {range_Hz[1]:g} Hz is not within the range it is related to, "
            f"{total_Hz[0]:g} to {total_Hz[1]:g} Hz"
        )
    total = band_power(spectrum, total_Hz)
    if not np.all(total > 0.0):
        silent = spectrum.channels[int(np.argmin(total))]
        raise FeatureError(f"channel '{silent}' has no power between {total_Hz[0]:g} and {total_Hz[1]:g} Hz")
    return band_power(spectrum, range_Hz) / total


def total_range_Hz(bands: Sequence[Band]) -> tuple[float, float]:
    """From the lowest to the highest edge of some bands (Hz)."""
    return min(band.low_Hz for band in bands), max(band.high_Hz for band in bands)


def broadband_power(
    spectrum: Spectrum,
    range_Hz: tuple[float, float] = (70.0, 150.0),
    line_frequency_Hz: float | None = None,
    line_width_Hz: float = 4.0,
) -> NDArray[np.float64]:
    """Height of the spectrum over a wide range (broadband gamma), in the spectrum's unit, shape (channels,).

    The geometric mean of the density over the bins, which is the mean height of a line fitted to log power by
    least squares: all frequencies weigh alike, though power falls with frequency, and rhythms hardly matter. It
    follows the firing rate of the neurons below (Manning JR, Jacobs J, Fried I, Kahana MJ 2009, Journal of
    Neuroscience 29:13613).

    Args:
        spectrum: Must cover the range.
        range_Hz: Both ends included (Hz).
        line_frequency_Hz: Mains frequency (Hz); bins within `line_width_Hz` / 2 of its multiples are left out.
        line_width_Hz: Width of what is left out around each multiple (Hz).

    Raises:
        FeatureError: The range is not covered, no bin is left, or a bin has no power.
    """
    within = spectrum.bins_within(range_Hz, "broadband power")
    if line_frequency_Hz is not None:
        if not line_frequency_Hz > line_width_Hz > 0.0:
            raise FeatureError(
                f"expected a mains frequency wider apart than what is left out around it, got {line_frequency_Hz} Hz "
                f"and a width of {line_width_Hz} Hz"
            )
        nearest = np.round(spectrum.frequencies_Hz / line_frequency_Hz) * line_frequency_Hz
        within &= np.abs(spectrum.frequencies_Hz - nearest) > 0.5 * line_width_Hz
    power = spectrum.power[:, within]
    if power.shape[1] == 0 or not np.all(power > 0.0):
        raise FeatureError(
            f"broadband power needs bins with power above zero between {range_Hz[0]:g} and {range_Hz[1]:g} Hz"
        )
    return np.asarray(np.exp(np.log(power).mean(axis=1)))
