"""All measures of spike trains in one call, and their rates as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.activity.activity import Activity, summarised
from rheobase.features.activity.population_measures import (
    fraction_silent,
    pairwise_correlation,
    population_fano_factor,
    synchrony_chi,
)
from rheobase.features.activity.unit_measures import (
    MINIMUM_SPIKES,
    cv_isi,
    fano_factor,
    local_variation,
    mean_rate,
)

if TYPE_CHECKING:
    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.features.activity.unit_values import UnitValues


@dataclass(frozen=True)
class ActivitySettings:
    """How spike trains are measured; a model and its data need the same.

    Attributes:
        minimum_spikes: Fewer spikes, no irregularity.
        fano_window_ms: Windows of the Fano factor of units (ms).
        correlation_bin_ms: Bins of the pairwise correlation (ms).
        synchrony_bin_ms: Bins of chi and of the population's Fano factor (ms).
        minimum_units: Fewer units, no distribution.
    """

    minimum_spikes: int = MINIMUM_SPIKES
    fano_window_ms: float = 100.0
    correlation_bin_ms: float = 20.0
    synchrony_bin_ms: float = 3.0
    minimum_units: int = 1


def measure_activity(trains: SpikeTrains, settings: ActivitySettings | None = None) -> Activity:
    """Rate, irregularity, variability, correlation and synchrony of every population.

    Args:
        trains: Spikes of a recording or a model.
        settings: How to measure; the defaults when left out.

    Raises:
        FeatureError: The observation is shorter than two windows or bins.
    """
    how = settings or ActivitySettings()
    rates = mean_rate(trains)
    units = (
        rates,
        cv_isi(trains, how.minimum_spikes),
        local_variation(trains, how.minimum_spikes),
        fano_factor(trains, how.fano_window_ms),
    )
    populations = (
        *fraction_silent(rates),
        *pairwise_correlation(trains, how.correlation_bin_ms),
        *synchrony_chi(trains, how.synchrony_bin_ms),
        *population_fano_factor(trains, how.synchrony_bin_ms),
    )
    return summarised(units, populations, how.minimum_units)


def rate_activity(rates: UnitValues, minimum_units: int = 1) -> Activity:
    """Rates of every population, and the fraction of silent units where it is known.

    Args:
        rates: Rates of units, from `mean_rate` or a table.
        minimum_units: A population of fewer units is left out, with a note.
    """
    return summarised((rates,), fraction_silent(rates), minimum_units)


@dataclass(frozen=True)
class RateRow:
    """Rates of one population, for a table.

    Attributes:
        population: Its name.
        units: Number of units.
        mean_Hz: Mean rate.
        std_Hz: Standard deviation over units; None for one unit.
        lower_quartile_Hz: A quarter of the units have at most this rate.
        median_Hz: Median rate.
        upper_quartile_Hz: A quarter of the units have at least this rate.
        fraction_silent: Fraction of units without spikes; None where silent ones are not among the units.
    """

    population: str
    units: int
    mean_Hz: float
    std_Hz: float | None
    lower_quartile_Hz: float
    median_Hz: float
    upper_quartile_Hz: float
    fraction_silent: float | None


def rate_rows(activity: Activity) -> tuple[RateRow, ...]:
    """Rates of the populations that have them, one row each."""
    rows = []
    for one in activity.populations:
        rate = one.distribution("rate")
        if rate is not None:
            rows.append(
                RateRow(
                    population=one.population,
                    units=rate.units,
                    mean_Hz=rate.mean,
                    std_Hz=rate.std,
                    lower_quartile_Hz=rate.quantile(0.25),
                    median_Hz=rate.median,
                    upper_quartile_Hz=rate.quantile(0.75),
                    fraction_silent=one.value("fraction_silent"),
                )
            )
    return tuple(rows)
