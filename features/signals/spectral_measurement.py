"""What a spectrum is held against others by, measured alike in recordings and models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.errors import FeatureError
from rheobase.features.signals.aperiodic_line import aperiodic_line
from rheobase.features.signals.bands import ALPHA, BETA, DELTA, THETA, Band, relative_band_power, total_range_Hz
from rheobase.features.signals.parameterisation import ParameterisationSettings, parameterise
from rheobase.features.strictness import STRICT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.features.signals.peaks import NoPeak, SpectralPeak
    from rheobase.features.signals.spectrum import Spectrum


@dataclass(frozen=True)
class SpectralPlan:
    """What is measured of a spectrum, and how.

    Attributes:
        bands: Whose relative power is measured.
        total_Hz: Range that band powers are related to (Hz); None: from the lowest to the highest edge of the bands.
        aperiodic_range_Hz: Where the aperiodic part and the peaks are fitted (Hz): with an end inside a rhythm, or
            where the signal was filtered, the exponent is wrong.
        alpha_range_Hz: Where the alpha peak is looked for (Hz).
        parameterisation: Peaks and aperiodic part.
        rhythms_Hz: Ranges of rhythms that are known (Hz), for example ((7, 13),): the exponent is then that of a line
            outside them (`aperiodic_line`), which changes smoothly with the spectrum. None: that beside fitted peaks,
            whose number changes by chance where spectra are noisy.
    """

    bands: tuple[Band, ...] = (DELTA, THETA, ALPHA, BETA)
    total_Hz: tuple[float, float] | None = None
    aperiodic_range_Hz: tuple[float, float] = (3.0, 40.0)
    alpha_range_Hz: tuple[float, float] = (7.0, 13.0)
    parameterisation: ParameterisationSettings = ParameterisationSettings()
    rhythms_Hz: tuple[tuple[float, float], ...] | None = None
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        names = [band.name for band in self.bands]
        if not names or len(set(names)) != len(names):
            raise FeatureError(f"a plan needs bands of different names, got {', '.join(names) or 'none'}")


DEFAULT_PLAN = SpectralPlan()


@dataclass(frozen=True)
class SpectralMeasurement:
    """What was measured of one spectrum.

    Attributes:
        relative_band_power: By name of the band, 0 to 1.
        aperiodic_exponent: How steeply power falls with frequency.
        aperiodic_offset_log10: log10 of the aperiodic part's power at 1 Hz.
        r_squared: Of the fit that both come from.
        alpha_peak: The highest peak in the alpha range.
    """

    relative_band_power: Mapping[str, float]
    aperiodic_exponent: float
    aperiodic_offset_log10: float
    r_squared: float
    alpha_peak: SpectralPeak | NoPeak


def measure_spectrum(spectrum: Spectrum, plan: SpectralPlan = DEFAULT_PLAN) -> SpectralMeasurement:
    """Relative band powers, aperiodic exponent and alpha peak of a spectrum of one channel.

    Raises:
        FeatureError: As `relative_band_power`, `parameterise` and `aperiodic_line`.
    """
    fit = parameterise(spectrum, plan.aperiodic_range_Hz, plan.parameterisation)
    aperiodic = fit
    if plan.rhythms_Hz is not None:
        aperiodic = aperiodic_line(spectrum, plan.aperiodic_range_Hz, plan.rhythms_Hz)
    total_Hz = plan.total_Hz or total_range_Hz(plan.bands)
    return SpectralMeasurement(
        relative_band_power={
            band.name: float(relative_band_power(spectrum, band.range_Hz, total_Hz)[0]) for band in plan.bands
        },
        aperiodic_exponent=aperiodic.exponent,
        aperiodic_offset_log10=aperiodic.offset,
        r_squared=aperiodic.r_squared,
        alpha_peak=fit.peak_within(plan.alpha_range_Hz),
    )
