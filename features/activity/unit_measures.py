"""Measures of single spike trains, taken of all units at once: rate, irregularity, variability of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.activity.binning import bin_spikes
from rheobase.features.activity.unit_values import UnitValues, values_where
from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.activity.spike_trains import SpikeTrains

# Of fewer spikes an irregularity says little.
MINIMUM_SPIKES = 5


def mean_rate(trains: SpikeTrains) -> UnitValues:
    """Number of spikes divided by the length of the observation (Hz); 0 for silent units."""
    rates = trains.counts / trains.duration_s
    return UnitValues("rate", "Hz", rates, np.arange(len(trains.units)), trains.units, (), trains.source)


def cv_isi(trains: SpikeTrains, minimum_spikes: int = MINIMUM_SPIKES) -> UnitValues:
    """Coefficient of variation of the interspike intervals: standard deviation over mean.

    0 for a regular train, 1 for a Poisson process of constant rate; slow changes of the rate raise it. The variance is
    the sum of squares divided by the number of intervals, as in Elephant (Softky and Koch 1993, J Neurosci 13:334).

    Args:
        trains: The spikes.
        minimum_spikes: Units with fewer have no value.

    Raises:
        FeatureError: `minimum_spikes` is below 3.
    """
    enough = _enough_spikes(trains, minimum_spikes)
    intervals, unit = _intervals(trains)
    count = np.maximum(np.bincount(unit, minlength=len(trains.units)), 1)
    mean = np.bincount(unit, intervals, len(trains.units)) / count
    variance = np.bincount(unit, (intervals - mean[unit]) ** 2, len(trains.units)) / count
    found = enough & (mean > 0)
    values = np.sqrt(variance) / np.where(found, mean, 1.0)
    settings = (("minimum_spikes", float(minimum_spikes)),)
    return values_where(found, values, trains.units, "cv_isi", settings, trains.source)


def local_variation(trains: SpikeTrains, minimum_spikes: int = MINIMUM_SPIKES) -> UnitValues:
    """Local variation Lv: 3 times the mean of ((I1 - I2) / (I1 + I2))^2 over neighbouring intervals.

    0 for a regular train, 1 for a Poisson process; hardly changed by slow changes of the rate
    (Shinomoto, Shima and Tanji 2003, Neural Comput 15:2823).

    Args:
        trains: The spikes.
        minimum_spikes: Units with fewer have no value.

    Raises:
        FeatureError: `minimum_spikes` is below 3.
    """
    enough = _enough_spikes(trains, minimum_spikes)
    intervals, unit = _intervals(trains)
    total = intervals[1:] + intervals[:-1]
    pair = (unit[1:] == unit[:-1]) & (total > 0)  # three spikes at one time have no variation
    terms = ((intervals[1:] - intervals[:-1])[pair] / total[pair]) ** 2
    owner = unit[1:][pair]
    count = np.bincount(owner, minlength=len(trains.units))
    values = 3.0 * np.bincount(owner, terms, len(trains.units)) / np.maximum(count, 1)
    settings = (("minimum_spikes", float(minimum_spikes)),)
    return values_where(enough & (count > 0), values, trains.units, "local_variation", settings, trains.source)


def fano_factor(trains: SpikeTrains, window_ms: float, minimum_spikes: int = 1) -> UnitValues:
    """Variance over mean of the spike counts in consecutive windows of one observation.

    1 on average for a Poisson process, whatever the number of windows: the sum of squares is divided by windows - 1
    (Elephant's `fanofactor`, given the windows as trials, divides by their number). Fano 1947, Phys Rev 72:26; of
    neurons Teich et al. 1997, J Opt Soc Am A 14:529.

    Args:
        trains: The spikes.
        window_ms: Length of a window (ms); what is left after the last whole window is not used.
        minimum_spikes: Units with fewer spikes in the windows have no value.

    Raises:
        FeatureError: The observation is shorter than two windows, or `minimum_spikes` is below 1.
    """
    if minimum_spikes < 1:
        raise FeatureError(f"a Fano factor needs at least 1 spike, got minimum_spikes {minimum_spikes}")
    counts = bin_spikes(trains, window_ms)
    means = counts.means()
    found = means * counts.bins >= minimum_spikes - 0.5
    values = counts.variances() / np.where(found, means, 1.0)
    settings = (("window_ms", float(window_ms)), ("minimum_spikes", float(minimum_spikes)))
    return values_where(found, values, trains.units, "fano_factor", settings, trains.source)


def _enough_spikes(trains: SpikeTrains, minimum_spikes: int) -> NDArray[np.bool_]:
    if minimum_spikes < 3:
        raise FeatureError(f"irregularity needs two intervals, so at least 3 spikes, got {minimum_spikes}")
    return trains.counts >= minimum_spikes


def _intervals(trains: SpikeTrains) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Interspike intervals (ms) and the unit of each, in order."""
    same_unit = trains.unit_of_spike[1:] == trains.unit_of_spike[:-1]
    return np.diff(trains.times_ms)[same_unit], trains.unit_of_spike[1:][same_unit]
