"""Measures of populations as wholes: how much is silent, correlated, synchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.activity.binning import BinnedCounts, bin_spikes
from rheobase.features.activity.unit_values import PopulationValue, Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.activity.populations import Units
    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.features.activity.unit_values import UnitValues


def fraction_silent(rates: UnitValues) -> tuple[PopulationValue, ...]:
    """Fraction of the units of each population that did not fire, from their rates (see `mean_rate`).

    Absent where silent neurons are not among the units, as after spike sorting.
    """
    units = rates.units
    has_rate, silent = np.zeros((2, len(units)), dtype=bool)
    has_rate[rates.unit_of_value] = True
    silent[rates.unit_of_value] = rates.values == 0
    found = _count(units, has_rate)
    known = (found > 0) & units.silent_included
    return _values("fraction_silent", (), units, _count(units, silent) / np.maximum(found, 1), found, known)


def pairwise_correlation(trains: SpikeTrains, bin_ms: float) -> tuple[PopulationValue, ...]:
    """Mean Pearson correlation of spike counts over all pairs of units of a population.

    The mean over pairs follows from the variance of the sum of the standardised counts, so no pair is looked at:
    mean = (var(sum z) - n) / (n (n - 1)). Units whose count is the same in every bin, silent ones above all, have no
    correlation and are left out; absent with fewer than two others (Cohen and Kohn 2011, Nat Neurosci 14:811).

    Args:
        trains: The spikes.
        bin_ms: Length of the bins that spikes are counted in (ms).

    Raises:
        FeatureError: The observation is shorter than two bins.
    """
    counts = bin_spikes(trains, bin_ms)
    variances = counts.variances()
    varying = variances > 0
    weight = np.where(varying, 1.0 / np.sqrt(np.where(varying, variances, 1.0)), 0.0)
    found = _count(trains.units, varying)
    of_sum = _summed(counts, weight, trains.units).var(axis=1, ddof=1)
    correlation = (of_sum - found) / np.maximum(found * (found - 1), 1)
    settings = (("bin_ms", float(bin_ms)),)
    return _values("pairwise_correlation", settings, trains.units, correlation, found, found > 1)


def synchrony_chi(trains: SpikeTrains, bin_ms: float) -> tuple[PopulationValue, ...]:
    """Golomb's synchrony chi of the spike counts: square root of var(mean count) over mean(var of each unit's count).

    1 when all units fire in the same bins, about 1 / sqrt(units) when they are independent, 0 when the sum of their
    spikes does not vary (Golomb and Rinzel 1994, Physica D 72:259; Golomb 2007, Scholarpedia 2(1):1347). Units whose
    count does not vary, silent ones above all, are left out: they would make the value depend on how many there are.

    Args:
        trains: The spikes.
        bin_ms: Length of the bins that spikes are counted in (ms).

    Raises:
        FeatureError: The observation is shorter than two bins.
    """
    counts = bin_spikes(trains, bin_ms)
    variances = counts.variances()
    found = _count(trains.units, variances > 0)
    sum_of_variances = np.bincount(trains.units.population_of, variances, len(trains.units.populations))
    # A count that does not vary changes neither of the two variances.
    of_sum = _summed(counts, np.ones(len(trains.units)), trains.units).var(axis=1, ddof=1)
    chi = np.sqrt(of_sum / np.where(found > 1, found * sum_of_variances, 1.0))
    settings = (("bin_ms", float(bin_ms)),)
    return _values("synchrony_chi", settings, trains.units, chi, found, found > 1)


def population_fano_factor(trains: SpikeTrains, bin_ms: float) -> tuple[PopulationValue, ...]:
    """Variance over mean of the spike count of a whole population in consecutive bins.

    1 for independent Poisson processes, whatever their number; it grows with the number of units that fire together.
    The measure of synchrony of Potjans and Diesmann 2014 (Cereb Cortex 24:785), there with bins of 3 ms.

    Args:
        trains: The spikes.
        bin_ms: Length of the bins (ms).

    Raises:
        FeatureError: The observation is shorter than two bins.
    """
    counts = bin_spikes(trains, bin_ms)
    found = _count(trains.units, counts.means() > 0)
    of_population = _summed(counts, np.ones(len(trains.units)), trains.units)
    factor = of_population.var(axis=1, ddof=1) / np.where(found > 0, of_population.mean(axis=1), 1.0)
    settings = (("bin_ms", float(bin_ms)),)
    return _values("population_fano_factor", settings, trains.units, factor, found, found > 0)


def _summed(counts: BinnedCounts, weight: NDArray[np.float64], units: Units) -> NDArray[np.float64]:
    """Weighted sum over the units of each population of their counts, shape (populations, bins)."""
    shape = (len(units.populations), counts.bins)
    place = units.population_of[counts.unit] * counts.bins + counts.bin_of_entry
    sums = np.bincount(place, counts.count * weight[counts.unit], shape[0] * shape[1])
    return sums.reshape(shape).astype(np.float64, copy=False)


def _count(units: Units, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Number of the chosen units of each population, shape (populations,)."""
    return np.bincount(units.population_of[chosen], minlength=len(units.populations))


def _values(
    measure: str,
    settings: Settings,
    units: Units,
    values: NDArray[np.float64],
    found: NDArray[np.intp],
    defined: NDArray[np.bool_],
) -> tuple[PopulationValue, ...]:
    return tuple(
        PopulationValue(
            population=name,
            measure=measure,
            value=float(values[place]) if defined[place] else None,
            units=int(found[place]),
            absent=int(units.sizes[place] - found[place]),
            settings=settings,
        )
        for place, name in enumerate(units.populations)
    )
