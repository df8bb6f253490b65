"""A power spectrum as an aperiodic part (1/f) and peaks.

Donoghue T, Haller M, Peterson EJ, et al. (2020) Parameterizing neural power spectra into periodic and aperiodic
components. Nature Neuroscience 23:1655. The fit is that of their library fooof, called in `_fit` and nowhere else;
its successor specparam has only release candidates so far.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.signals.peaks import NoPeak, SpectralPeak, highest_peak
from rheobase.features.strictness import STRICT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.signals.spectrum import Spectrum

FEWEST_BINS = 10
_ROUNDING_LOG10 = 1e-9


@dataclass(frozen=True)
class ParameterisationSettings:
    """What counts as a peak, and the shape of the aperiodic part.

    Attributes:
        peak_width_Hz: Narrowest and widest peak (Hz), as two standard deviations; the narrowest should be two bins.
        most_peaks: Largest number of peaks; None for any.
        smallest_peak_log10: Least height of a peak, as log10 of the ratio to the aperiodic part; without such a limit
            (0, as in fooof) the noise of a spectrum without any rhythm gives some peaks.
        peak_threshold: Least height of a peak in standard deviations of the flattened spectrum.
        aperiodic: "fixed" for a straight line in log-log, "knee" where it bends (wide ranges).
    """

    peak_width_Hz: tuple[float, float] = (2.0, 8.0)
    most_peaks: int | None = None
    smallest_peak_log10: float = 0.1
    peak_threshold: float = 2.0
    aperiodic: Literal["fixed", "knee"] = "fixed"
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        low, high = self.peak_width_Hz
        if not 0.0 < low < high:
            raise FeatureError(f"expected the narrowest and the widest peak (Hz), got ({low}, {high})")
        if self.most_peaks is not None and self.most_peaks < 0:
            raise FeatureError(f"the largest number of peaks must not be negative, got {self.most_peaks}")
        if self.smallest_peak_log10 < 0.0 or self.peak_threshold < 0.0:
            raise FeatureError(
                f"heights of peaks must not be negative, got {self.smallest_peak_log10} and {self.peak_threshold}"
            )
        if self.aperiodic not in ("fixed", "knee"):
            raise FeatureError(f"the aperiodic part must be 'fixed' or 'knee', got '{self.aperiodic}'")


DEFAULT_PARAMETERISATION = ParameterisationSettings()


@dataclass(frozen=True)
class AperiodicFit:
    """What a spectrum consists of: power = 10^offset / (knee + f^exponent), times its peaks.

    Attributes:
        exponent: How steeply power falls with frequency.
        offset: log10 of the aperiodic power at 1 Hz (without a knee), in the spectrum's unit.
        knee: 0 for a straight line in log-log.
        r_squared: Squared correlation of log power and fit; 0 for a spectrum without any variation.
        error: Mean absolute difference of log10 power and fit.
        peaks: By frequency.
        range_Hz: Where it was fitted (Hz).
    """

    exponent: float
    offset: float
    knee: float
    r_squared: float
    error: float
    peaks: tuple[SpectralPeak, ...]
    range_Hz: tuple[float, float]

    def aperiodic_power(self, frequencies_Hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Power of the aperiodic part at some frequencies above 0 Hz, in the spectrum's unit."""
        return np.asarray(10.0**self.offset / (self.knee + frequencies_Hz**self.exponent))

    def peak_within(self, range_Hz: tuple[float, float]) -> SpectralPeak | NoPeak:
        """The highest peak within a range (Hz)."""
        return highest_peak(self.peaks, range_Hz)


def parameterise(
    spectrum: Spectrum,
    range_Hz: tuple[float, float],
    settings: ParameterisationSettings = DEFAULT_PARAMETERISATION,
) -> AperiodicFit:
    """Aperiodic part and peaks of a spectrum of one channel.

    Args:
        spectrum: Of one channel, as smooth as can be had: average over segments, epochs and channels first.
        range_Hz: Where to fit, both ends included, for example (3, 45); not 0, and without filtered frequencies.
        settings: Peaks and aperiodic part.

    Raises:
        FeatureError: The spectrum does not cover the range, has too few bins there or power that is not positive,
            is of several channels, or no fit was found.
    """
    frequencies, power = bins_to_fit(spectrum, range_Hz)
    line = fit_line(frequencies, power, range_Hz)
    # Around what is a line to rounding fooof takes rounding errors for outliers; on some processors few bins are left.
    return line if line.error < _ROUNDING_LOG10 else _fit(frequencies, power, range_Hz, settings)


def fit_line(
    frequencies: NDArray[np.float64], power: NDArray[np.float64], range_Hz: tuple[float, float]
) -> AperiodicFit:
    """Least-squares line of log power over log frequency, without peaks.

    Args:
        frequencies: Of the bins (Hz), above 0.
        power: In them, above 0.
        range_Hz: Where the fit is said to be made (Hz).
    """
    x, y = np.log10(frequencies), np.log10(power)
    slope, offset = np.polyfit(x, y, 1)
    residual = y - (offset + slope * x)
    variation = float(np.sum((y - y.mean()) ** 2))
    return AperiodicFit(
        exponent=-float(slope),
        offset=float(offset),
        knee=0.0,
        r_squared=1.0 - float(np.sum(residual**2)) / variation if variation > 0.0 else 0.0,
        error=float(np.mean(np.abs(residual))),
        peaks=(),
        range_Hz=range_Hz,
    )


def bins_to_fit(spectrum: Spectrum, range_Hz: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies and powers within a range that a line in log-log can be fitted to.

    Raises:
        FeatureError: As `parameterise`.
    """
    power = spectrum.single_power
    if range_Hz[0] <= 0.0:
        raise FeatureError(f"a fit of the aperiodic part starts above 0 Hz, got a range from {range_Hz[0]:g} Hz")
    within = spectrum.bins_within(range_Hz, "a fit of the aperiodic part")
    if int(within.sum()) < FEWEST_BINS:
        raise FeatureError(
            f"a fit of the aperiodic part needs {FEWEST_BINS} bins, there are {int(within.sum())} of "
            f"{spectrum.resolution_Hz:g} Hz between {range_Hz[0]:g} and {range_Hz[1]:g} Hz: take a finer resolution_Hz "
            "or a wider range"
        )
    frequencies, power = spectrum.frequencies_Hz[within], power[within]
    if not np.all(power > 0.0):
        worst = int(np.argmin(power))
        raise FeatureError(
            f"the power at {frequencies[worst]:g} Hz is {power[worst]:g}; a fit of the aperiodic part needs power "
            "above zero: is the channel silent, or the frequency filtered out?"
        )
    return frequencies, power


def _fit(
    frequencies: NDArray[np.float64],
    power: NDArray[np.float64],
    range_Hz: tuple[float, float],
    settings: ParameterisationSettings,
) -> AperiodicFit:
    # fooof's import changes the warning filters of the whole process and then warns of its successor.
    with warnings.catch_warnings(record=True):
        from fooof import FOOOF

        model: Any = FOOOF(
            peak_width_limits=settings.peak_width_Hz,
            max_n_peaks=np.inf if settings.most_peaks is None else settings.most_peaks,
            min_peak_height=settings.smallest_peak_log10,
            peak_threshold=settings.peak_threshold,
            aperiodic_mode=settings.aperiodic,
            verbose=False,
        )
        model.fit(frequencies, power)
    if not model.has_model or not np.all(np.isfinite(model.aperiodic_params_)):
        raise FeatureError(
            f"no aperiodic part could be fitted between {range_Hz[0]:g} and {range_Hz[1]:g} Hz: allow fewer or "
            "wider peaks, average more segments, or take another range"
        )
    offset, *knee, exponent = (float(value) for value in model.aperiodic_params_)
    return AperiodicFit(
        exponent=exponent,
        offset=offset,
        knee=knee[0] if knee else 0.0,
        r_squared=float(model.r_squared_) if math.isfinite(model.r_squared_) else 0.0,
        error=float(model.error_),
        peaks=tuple(SpectralPeak(*(float(value) for value in peak)) for peak in model.peak_params_),
        range_Hz=range_Hz,
    )
