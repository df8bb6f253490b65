"""Spectral targets: what the spectrum of a circuit has to be like, from the spectra of several subjects or epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.signals.peaks import NoPeak, SpectralPeak
from rheobase.features.signals.shape import log_shape
from rheobase.features.signals.spectral_measurement import DEFAULT_PLAN, SpectralPlan, measure_spectrum
from rheobase.features.strictness import STRICT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.signals.spectrum import Spectrum

SMALLEST_STD_FRACTION = 0.05


@dataclass(frozen=True)
class SpectralTarget:
    """One measured quantity.

    Attributes:
        name: "alpha" and so on for relative band powers, "aperiodic_exponent", "alpha_peak".
        mean: Mean over spectra.
        std: Standard deviation between spectra, never below the floor it was collected with.
        unit: "Hz", or "" for plain numbers.
        n: Number of spectra it was measured in; for the alpha peak those that have one.
    """

    name: str
    mean: float
    std: float
    unit: str
    n: int
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0.0 and self.n > 0):
            raise FeatureError(
                f"the target of {self.name} must be finite with a standard deviation above zero and from at least one "
                f"spectrum, got {self.mean} +- {self.std}, n {self.n}"
            )


@dataclass(frozen=True)
class SpectralShape:
    """Mean log10 power of the spectra, each minus its mean over these frequencies: the shape without the amplitude.

    Attributes:
        frequencies_Hz: Increasing (Hz).
        log10_power: One value for each frequency; their mean is 0.
    """

    frequencies_Hz: tuple[float, ...]
    log10_power: tuple[float, ...]
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if len(self.frequencies_Hz) != len(self.log10_power):
            raise FeatureError(
                f"expected one power for each of {len(self.frequencies_Hz)} frequencies, got {len(self.log10_power)}"
            )


@dataclass(frozen=True)
class SpectralTargets:
    """Everything that the spectrum of a circuit is fitted to.

    Attributes:
        relative_band_powers: One for each band of the plan.
        aperiodic_exponent: How steeply power falls with frequency.
        alpha_peak: Frequency of the alpha peak (Hz), or that none of the spectra has one.
        shape: Mean shape within the plan's aperiodic range.
        n: Number of spectra.
        plan: How they were measured, to measure models alike.
        source: Where the spectra come from, in words.
    """

    relative_band_powers: tuple[SpectralTarget, ...]
    aperiodic_exponent: SpectralTarget
    alpha_peak: SpectralTarget | NoPeak
    shape: SpectralShape
    n: int
    plan: SpectralPlan
    source: str = ""
    __pydantic_config__ = STRICT


def spectral_targets(
    spectra: Sequence[Spectrum],
    plan: SpectralPlan = DEFAULT_PLAN,
    smallest_std_fraction: float = SMALLEST_STD_FRACTION,
    source: str = "",
) -> SpectralTargets:
    """Targets from one spectrum of one channel for each subject, or for each epoch of one subject.

    Args:
        spectra: At least one; with one alone every standard deviation is its floor.
        plan: What to measure.
        smallest_std_fraction: Floor of the standard deviation as a fraction of |mean|.
        source: Where they come from, kept with the targets.

    Raises:
        FeatureError: No spectra, a floor that is not positive, or as `measure_spectrum`.
    """
    if not spectra:
        raise FeatureError("spectral targets need at least one spectrum, got none")
    if not (math.isfinite(smallest_std_fraction) and smallest_std_fraction > 0.0):
        raise FeatureError(f"the floor of the standard deviation must be above zero, got {smallest_std_fraction}")
    measured = [measure_spectrum(spectrum, plan) for spectrum in spectra]
    bands = tuple(
        _target(band.name, [found.relative_band_power[band.name] for found in measured], "", smallest_std_fraction)
        for band in plan.bands
    )
    return SpectralTargets(
        relative_band_powers=bands,
        aperiodic_exponent=_target(
            "aperiodic_exponent", [found.aperiodic_exponent for found in measured], "", smallest_std_fraction
        ),
        alpha_peak=_alpha_target([found.alpha_peak for found in measured], smallest_std_fraction),
        shape=_mean_shape(spectra, plan),
        n=len(spectra),
        plan=plan,
        source=source,
    )


def _alpha_target(peaks: Sequence[SpectralPeak | NoPeak], smallest_std_fraction: float) -> SpectralTarget | NoPeak:
    centres_Hz = [peak.centre_Hz for peak in peaks if isinstance(peak, SpectralPeak)]
    if centres_Hz:
        return _target("alpha_peak", centres_Hz, "Hz", smallest_std_fraction)
    return next(peak for peak in peaks if isinstance(peak, NoPeak))


def _target(name: str, values: Sequence[float], unit: str, smallest_std_fraction: float) -> SpectralTarget:
    mean = float(np.mean(values))
    std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    floor = smallest_std_fraction * abs(mean) or smallest_std_fraction
    return SpectralTarget(name, mean, max(std, floor), unit, len(values))


def _mean_shape(spectra: Sequence[Spectrum], plan: SpectralPlan) -> SpectralShape:
    """On the bins of the coarsest spectrum."""
    coarsest = max(spectra, key=lambda spectrum: spectrum.resolution_Hz)
    grid = coarsest.frequencies_Hz[coarsest.bins_within(plan.aperiodic_range_Hz, "the shape of a spectrum")]
    mean = np.mean([log_shape(spectrum, grid) for spectrum in spectra], axis=0)
    return SpectralShape(tuple(float(f) for f in grid), tuple(float(value) for value in mean))
