"""A power spectrum: power per Hz on an even grid of frequencies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.units import factor

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Power spectral density of some channels.

    Attributes:
        frequencies_Hz: Frequency of each bin (Hz), increasing in even steps, shape (bins,).
        power: One-sided power spectral density, shape (channels, bins).
        unit: Unit of the power, for example "uV^2/Hz".
        channels: Name of each channel.

    Raises:
        FeatureError: Shapes that do not fit each other, uneven frequencies, power that is negative or no number.
    """

    frequencies_Hz: NDArray[np.float64]
    power: NDArray[np.float64]
    unit: str
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise FeatureError(f"not a power spectrum: {problem}")

    @property
    def resolution_Hz(self) -> float:
        """Distance between two bins (Hz)."""
        return float((self.frequencies_Hz[-1] - self.frequencies_Hz[0]) / (len(self.frequencies_Hz) - 1))

    @property
    def single_power(self) -> NDArray[np.float64]:
        """Power of the only channel, shape (bins,).

        Raises:
            FeatureError: There are several channels.
        """
        if len(self.channels) != 1:
            raise FeatureError(
                f"expected the spectrum of one channel, got {len(self.channels)}: pick one "
                f"(.pick('{self.channels[0]}')) or average them (.mean())"
            )
        return np.asarray(self.power[0])

    def pick(self, *channels: str) -> Spectrum:
        """The spectra of these channels alone, in this order.

        Raises:
            FeatureError: A channel that is not there, or none named.
        """
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown or not channels:
            named = f"no channel '{unknown[0]}'" if unknown else "no channel named"
            raise FeatureError(f"{named}; there are {', '.join(self.channels)}")
        rows = [self.channels.index(channel) for channel in channels]
        return replace(self, power=self.power[rows], channels=channels)

    def mean(self) -> Spectrum:
        """Power averaged over the channels, as the spectrum of one channel called "mean"."""
        return replace(self, power=self.power.mean(axis=0, keepdims=True), channels=("mean",))

    def converted(self, unit: str) -> Spectrum:
        """The same spectrum in another unit, for example "mV^2/Hz".

        Raises:
            UnitError: A unit of another kind.
        """
        return replace(self, power=self.power * factor(self.unit, unit), unit=unit)

    def bins_within(self, range_Hz: tuple[float, float], purpose: str) -> NDArray[np.bool_]:
        """Which bins lie within a range, both ends included, shape (bins,).

        Raises:
            FeatureError: The range is empty, or the spectrum does not reach from one end of it to the other.
        """
        low, high = range_Hz
        if not 0.0 <= low < high:
            raise FeatureError(
                f"{purpose}: expected a range of frequencies such as (3, 45), got ({low:g}, {high:g}) Hz"
            )
        first, last, slack = self.frequencies_Hz[0], self.frequencies_Hz[-1], 1e-6 * self.resolution_Hz
        if low < first - slack or high > last + slack:
            raise FeatureError(
                f"{purpose} needs {low:g} to {high:g} Hz, the spectrum covers {first:g} to {last:g} Hz: take a range "
                "within it, or a signal of a higher sampling rate"
            )
        return np.asarray((self.frequencies_Hz >= low - slack) & (self.frequencies_Hz <= high + slack))


def _problem(spectrum: Spectrum) -> str | None:
    frequencies, power = spectrum.frequencies_Hz, spectrum.power
    if frequencies.ndim != 1 or len(frequencies) < 2:
        return f"expected at least two frequencies in a row, got an array of shape {frequencies.shape}"
    if power.shape != (len(spectrum.channels), len(frequencies)):
        return (
            f"expected the power of {len(spectrum.channels)} channels at {len(frequencies)} frequencies, "
            f"got an array of shape {power.shape}"
        )
    if len(spectrum.channels) == 0 or len(set(spectrum.channels)) != len(spectrum.channels):
        return f"expected channels of different names, got {spectrum.channels}"
    steps = np.diff(frequencies)
    if not np.all(np.isfinite(frequencies)) or frequencies[0] < 0.0 or np.any(steps <= 0.0):
        return "the frequencies must be numbers that increase from 0 or more"
    if np.ptp(steps) > 1e-3 * float(steps.mean()):
        return f"the frequencies must come in even steps, they differ between {steps.min():g} and {steps.max():g} Hz"
    wrong = ~(np.isfinite(power) & (power >= 0.0))
    if np.any(wrong):
        channel, index = (int(place) for place in np.argwhere(wrong)[0])
        return (
            f"the power of channel '{spectrum.channels[channel]}' at {frequencies[index]:g} Hz is "
            f"{power[channel, index]:g}; power in dB has to be converted first (read_spectrum_matrix does)"
        )
    return None
