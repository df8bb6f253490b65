"""How far the activity of a population is from what was measured: rates, irregularity, synchrony."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.objectives.objective import Target, held_against

if TYPE_CHECKING:
    from rheobase.features.activity.activity import Distribution
    from rheobase.objectives.objective import Judged


@dataclass(frozen=True)
class RateDistributionTarget:
    """Rates that the cells of a population should have, as a distribution.

    Attributes:
        rates: The distribution of the rates (Hz).
        tolerance_Hz: Largest distance that is near enough (Hz), see `distribution_distance`.
        tolerance_log10: Largest distance of the decimal logarithms instead, see `log_distance`; None for that in Hz.
        floor_Hz: What stands for lower rates there, above zero (Hz).
    """

    rates: Distribution
    tolerance_Hz: float = 1.0
    tolerance_log10: float | None = None
    floor_Hz: float = 0.1

    def __post_init__(self) -> None:
        if self.tolerance_log10 is not None and not (self.tolerance_log10 > 0.0 and self.floor_Hz > 0.0):
            raise FeatureError(
                "expected a tolerance of logarithms and a floor above zero, got "
                f"{self.tolerance_log10} and {self.floor_Hz} Hz"
            )
        if self.rates.unit != "Hz" or not self.tolerance_Hz > 0.0:
            raise FeatureError(
                "expected a distribution of rates in Hz and a tolerance above zero, got one of "
                f"{self.rates.measure} in '{self.rates.unit}' and {self.tolerance_Hz} Hz"
            )


@dataclass(frozen=True)
class PopulationTarget:
    """What one population should do; at least one of its measures.

    Attributes:
        population: Its name.
        rate_Hz: Mean rate over cells (Hz).
        rates: Distribution of the rates over cells.
        cv_isi: Mean coefficient of variation of the interspike intervals, over cells that have one.
        synchrony: Golomb's chi.
        fraction_silent: Fraction of cells without a spike, which grows with shorter observations.
    """

    population: str
    rate_Hz: Target | None = None
    rates: RateDistributionTarget | None = None
    cv_isi: Target | None = None
    synchrony: Target | None = None
    fraction_silent: Target | None = None

    def __post_init__(self) -> None:
        if not any((self.rate_Hz, self.rates, self.cv_isi, self.synchrony, self.fraction_silent)):
            raise FeatureError(f"the target of '{self.population}' states nothing: give at least its rate")


@dataclass(frozen=True)
class PopulationMeasures:
    """What was measured of a population; None for what it does not have, or what nobody asked for.

    Attributes:
        rates: Distribution of the rates over cells (Hz).
        cv_isi: Mean coefficient of variation of the interspike intervals.
        synchrony: Golomb's chi.
        fraction_silent: Fraction of cells without a spike.
    """

    rates: Distribution
    cv_isi: float | None = None
    synchrony: float | None = None
    fraction_silent: float | None = None


def judge_population(measures: PopulationMeasures, target: PopulationTarget) -> tuple[Judged, ...]:
    """Every measure that the target names, in the order of its fields.

    Args:
        measures: What the population did.
        target: What it should do.
    """
    name, judged = target.population, []
    if target.rate_Hz is not None:
        judged.append(held_against(target.rate_Hz, "rate", measures.rates.mean, "Hz", name))
    if target.rates is not None:
        judged.append(_judge_distribution(measures.rates, target.rates, name))
    plain = (
        ("cv_isi", target.cv_isi, measures.cv_isi),
        ("synchrony", target.synchrony, measures.synchrony),
        ("fraction_silent", target.fraction_silent, measures.fraction_silent),
    )
    judged += [held_against(wanted, measure, value, "", name) for measure, wanted, value in plain if wanted]
    return tuple(judged)


def _judge_distribution(rates: Distribution, target: RateDistributionTarget, population: str) -> Judged:
    if target.tolerance_log10 is None:
        allowed, distance = Target(0.0, target.tolerance_Hz), distribution_distance(rates, target.rates)
        return held_against(allowed, "rate_distribution", distance, "Hz", population)
    allowed = Target(0.0, target.tolerance_log10)
    distance = log_distance(rates, target.rates, target.floor_Hz)
    return held_against(allowed, "rate_distribution", distance, "decades", population)


def log_distance(first: Distribution, second: Distribution, floor_Hz: float) -> float:
    """Mean difference of the quantiles of the decimal logarithms of two distributions of rates.

    Rates are spread over decades (Buzsaki and Mizuseki 2014, Nature Reviews Neuroscience 15:264): in hertz the few
    fastest cells would decide.

    Args:
        first: Rates (Hz).
        second: Rates (Hz).
        floor_Hz: What stands for lower rates, those of silent cells among them (Hz).

    Raises:
        FeatureError: As `distribution_distance`.
    """
    return distribution_distance(_logarithmic(first, floor_Hz), _logarithmic(second, floor_Hz))


def _logarithmic(rates: Distribution, floor_Hz: float) -> Distribution:
    quantiles = np.log10(np.maximum(rates.quantiles, floor_Hz))
    return replace(rates, unit="decades" if rates.unit == "Hz" else rates.unit, quantiles=tuple(quantiles.tolist()))


def distribution_distance(first: Distribution, second: Distribution) -> float:
    """Mean difference of the quantiles of two distributions, in their unit (Wasserstein's distance of order 1).

    How far the values of one have to be moved on average to become those of the other (Villani 2009, Optimal
    Transport, chapter 6). Quantiles are straight lines between those that are kept, and the integral is exact.

    Raises:
        FeatureError: Distributions of different measures or units.
    """
    if (first.measure, first.unit) != (second.measure, second.unit):
        raise FeatureError(
            f"only distributions of one measure can be compared, got {first.measure} ('{first.unit}') and "
            f"{second.measure} ('{second.unit}')"
        )
    grid = np.union1d(first.probabilities, second.probabilities)
    difference = np.interp(grid, first.probabilities, first.quantiles) - np.interp(
        grid, second.probabilities, second.quantiles
    )
    left, right = difference[:-1], difference[1:]
    total = np.abs(left) + np.abs(right)
    crossing = (left * right < 0.0) & (total > 0.0)
    # Where the sign changes the area is that of two triangles.
    mean_height = np.where(crossing, (left**2 + right**2) / (2.0 * np.where(total > 0.0, total, 1.0)), 0.5 * total)
    return float(np.sum(mean_height * np.diff(grid)))
