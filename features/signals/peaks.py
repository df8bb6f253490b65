"""Peaks, of a spectrum or of an evoked response, and what stands in the place of one that is missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import numpy as np

from rheobase.features.strictness import STRICT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.signals.spectrum import Spectrum


class Absence(StrEnum):
    """Why there is no peak."""

    BELOW_THRESHOLD = "nothing stands out from the aperiodic part of the spectrum"
    NO_EXTREMUM = "the curve has no local extremum within the window"
    WRONG_POLARITY = "the extremum within the window is of the other polarity"


@dataclass(frozen=True)
class NoPeak:
    """A peak that was looked for and is not there: a result, not an error.

    Attributes:
        window: Where it was looked for, from and to.
        unit: Unit of the window: "Hz" or "ms".
        reason: Why it is not there.
    """

    window: tuple[float, float]
    unit: Literal["Hz", "ms"]
    reason: Absence
    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class SpectralPeak:
    """A rhythm as a bump on the aperiodic part of a spectrum.

    Attributes:
        centre_Hz: Its frequency (Hz).
        power_log10: Its height above the aperiodic part, as log10 of the ratio of powers.
        width_Hz: Two standard deviations of the Gaussian (Hz).
    """

    centre_Hz: float
    power_log10: float
    width_Hz: float


@dataclass(frozen=True)
class SpectralMaximum:
    """The highest bin of a band: its frequency (Hz) and its power in the spectrum's unit."""

    frequency_Hz: float
    power: float


def highest_peak(peaks: Sequence[SpectralPeak], range_Hz: tuple[float, float]) -> SpectralPeak | NoPeak:
    """The peak with the most power among those whose centre lies within a range, both ends included."""
    low, high = range_Hz
    within = [peak for peak in peaks if low <= peak.centre_Hz <= high]
    if not within:
        return NoPeak(range_Hz, "Hz", Absence.BELOW_THRESHOLD)
    return max(within, key=lambda peak: peak.power_log10)


def spectral_maximum(spectrum: Spectrum, range_Hz: tuple[float, float]) -> SpectralMaximum | NoPeak:
    """The highest bin within a range that is higher than both its neighbours, without any model of the spectrum.

    Raises:
        FeatureError: The spectrum does not cover the range, or is of several channels.
    """
    power = spectrum.single_power
    within = spectrum.bins_within(range_Hz, "a spectral maximum")
    inner = power[1:-1]
    local = np.zeros(len(power), dtype=np.bool_)
    local[1:-1] = (inner > power[:-2]) & (inner > power[2:])
    candidates = np.flatnonzero(within & local)
    if len(candidates) == 0:
        return NoPeak(range_Hz, "Hz", Absence.NO_EXTREMUM)
    best = candidates[np.argmax(power[candidates])]
    return SpectralMaximum(float(spectrum.frequencies_Hz[best]), float(power[best]))
