"""How far the spectrum of a circuit is from that of recordings; its amplitude is free."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.signals.peaks import NoPeak
from rheobase.features.signals.shape import log_shape
from rheobase.features.signals.spectral_measurement import measure_spectrum
from rheobase.objectives.objective import Judged
from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.signals.spectral_measurement import SpectralMeasurement
    from rheobase.features.signals.spectral_targets import SpectralTarget, SpectralTargets
    from rheobase.features.signals.spectrum import Spectrum

EXPONENT, PEAK, PEAK_HEIGHT, SHAPE = "aperiodic_exponent", "alpha_peak", "alpha_peak_height", "spectral_shape"
# A peak lower than this is taken for noise where the plan has no such limit.
_SMALLEST_HEIGHT_LOG10 = 0.1


@dataclass(frozen=True)
class SpectralTolerances:
    """What counts of a spectrum, and what is near enough.

    Attributes:
        standard_deviations: Tolerance of band powers, exponent and peak in standard deviations of the recordings.
        exponent: Tolerance of the exponent instead of that; None for that.
        peak_Hz: Tolerance of the peak's frequency instead of that (Hz); None for that.
        band_relative: Tolerance of band powers relative to them instead of that; None for that.
        shape_log10: Root mean square difference of log10 power that is near enough.
        measures: Names of what counts: bands of the plan, "aperiodic_exponent", "alpha_peak", "spectral_shape"; all
            if empty.
    """

    standard_deviations: float = 1.0
    exponent: float | None = None
    peak_Hz: float | None = None
    band_relative: float | None = None
    shape_log10: float = 0.2
    measures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = (self.standard_deviations, self.shape_log10, self.exponent, self.peak_Hz, self.band_relative)
        if any(tolerance is not None and not tolerance > 0.0 for tolerance in given):
            raise FeatureError(f"tolerances of a spectrum must be above zero, got {given}")


DEFAULT_TOLERANCES = SpectralTolerances()


def judge_spectrum(
    spectrum: Spectrum | None, targets: SpectralTargets, tolerances: SpectralTolerances = DEFAULT_TOLERANCES
) -> tuple[Judged, ...]:
    """Relative band powers, aperiodic exponent, alpha peak and shape, measured as the targets were.

    A spectrum without the peak that the recordings have deviates more than one with a peak anywhere in the range
    that it is looked for in. Where the recordings have none, the height of the model's peak is judged, 0 without one.

    Args:
        spectrum: Of one channel, averaged over seeds, since a single run gives peaks by chance; None for a circuit
            that was stopped: all is missing then, as it is when the spectrum is without power somewhere.
        targets: What recordings gave, and how it was measured.
        tolerances: What counts, and what is near enough.

    Raises:
        FeatureError: The spectrum does not cover what is measured or is too coarse for it, or an unknown measure.
    """
    _check_measures(targets, tolerances)
    usable = spectrum if spectrum is not None and has_power(spectrum, targets) else None
    measured = None if usable is None else measure_spectrum(usable, targets.plan)
    judged = [
        *(_band(target, measured, tolerances) for target in targets.relative_band_powers),
        _exponent(targets.aperiodic_exponent, measured, tolerances),
        _peak(targets, measured, tolerances),
        Judged(
            SHAPE, None if usable is None else shape_distance(usable, targets), 0.0, tolerances.shape_log10, "", None
        ),
    ]
    wanted = tolerances.measures
    return tuple(
        one for one in judged if not wanted or one.name in wanted or (one.name == PEAK_HEIGHT and PEAK in wanted)
    )


def shape_distance(spectrum: Spectrum, targets: SpectralTargets) -> float:
    """Root mean square difference of log10 power between a spectrum and the targets' shape, at the best amplitude.

    Both shapes have a mean of 0, which is the amplitude with the least squared difference.

    Raises:
        FeatureError: As `log_shape`.
    """
    shape = log_shape(spectrum, np.array(targets.shape.frequencies_Hz))
    return float(np.sqrt(np.mean((shape - np.array(targets.shape.log10_power)) ** 2)))


def mean_spectrum(spectra: Sequence[Spectrum]) -> Spectrum:
    """Average of the power of several runs.

    A bin of a single run varies by a fifth and more, so peaks are looked for in the average.

    Raises:
        FeatureError: No spectra, or spectra of other frequencies, units or channels.
    """
    if not spectra:
        raise FeatureError("a mean spectrum needs at least one spectrum, got none")
    first = spectra[0]
    for other in spectra[1:]:
        alike = (other.unit, other.channels) == (first.unit, first.channels)
        if not alike or not np.array_equal(other.frequencies_Hz, first.frequencies_Hz):
            raise FeatureError(
                "only spectra of the same frequencies, unit and channels can be averaged, got "
                f"{len(first.frequencies_Hz)} bins of {first.resolution_Hz:g} Hz in {first.unit} and "
                f"{len(other.frequencies_Hz)} bins of {other.resolution_Hz:g} Hz in {other.unit}"
            )
    return replace(first, power=np.mean([spectrum.power for spectrum in spectra], axis=0))


def has_power(spectrum: Spectrum, targets: SpectralTargets) -> bool:
    """Whether a spectrum has power wherever the aperiodic part is fitted; one without cannot be measured."""
    within = spectrum.bins_within(targets.plan.aperiodic_range_Hz, "a fit of the aperiodic part")
    return bool(np.all(spectrum.single_power[within] > 0.0))


def peak_height_tolerance(targets: SpectralTargets) -> float:
    """Height of an alpha peak (log10 power) that is none, where the recordings have none."""
    return targets.plan.parameterisation.smallest_peak_log10 or _SMALLEST_HEIGHT_LOG10


def _check_measures(targets: SpectralTargets, tolerances: SpectralTolerances) -> None:
    known = [target.name for target in targets.relative_band_powers] + [EXPONENT, PEAK, SHAPE]
    unknown = [name for name in tolerances.measures if name not in known]
    if unknown:
        raise FeatureError(f"there is no spectral measure '{unknown[0]}'; there are {', '.join(known)}")


def _band(target: SpectralTarget, measured: SpectralMeasurement | None, tolerances: SpectralTolerances) -> Judged:
    value = None if measured is None else measured.relative_band_power[target.name]
    tolerance = tolerances.standard_deviations * target.std
    if tolerances.band_relative is not None:
        tolerance = tolerances.band_relative * target.mean
    return Judged(target.name, value, target.mean, tolerance, "")


def _exponent(target: SpectralTarget, measured: SpectralMeasurement | None, tolerances: SpectralTolerances) -> Judged:
    tolerance = tolerances.exponent or tolerances.standard_deviations * target.std
    return Judged(EXPONENT, None if measured is None else measured.aperiodic_exponent, target.mean, tolerance, "")


def _peak(targets: SpectralTargets, measured: SpectralMeasurement | None, tolerances: SpectralTolerances) -> Judged:
    found = None if measured is None else measured.alpha_peak
    target = targets.alpha_peak
    if isinstance(target, NoPeak):
        tolerance = peak_height_tolerance(targets)
        height = 0.0 if isinstance(found, NoPeak) else None if found is None else found.power_log10
        return Judged(PEAK_HEIGHT, height, 0.0, tolerance, "")
    tolerance = tolerances.peak_Hz or tolerances.standard_deviations * target.std
    if found is None:
        return Judged(PEAK, None, target.mean, tolerance, "Hz")
    if isinstance(found, NoPeak):
        farthest_Hz = max(abs(edge - target.mean) for edge in targets.plan.alpha_range_Hz)
        return Judged(
            PEAK, None, target.mean, tolerance, "Hz", missing=-min(farthest_Hz / tolerance + 2.0, FAILURE_SCORE)
        )
    return Judged(PEAK, found.centre_Hz, target.mean, tolerance, "Hz")
