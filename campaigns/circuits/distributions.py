"""Distributions of rates over units as targets of a circuit's campaign."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.activity.activity import Distribution, distribution
from rheobase.features.activity.activity_file import read_activity
from rheobase.features.activity.populations import Units
from rheobase.features.activity.tables import RateColumns, read_rate_table
from rheobase.features.activity.unit_values import UnitValues
from rheobase.features.errors import CampaignError
from rheobase.objectives.rates import RateDistributionTarget

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.schema_targets import DistributionKeys

_TABLES = (".csv", ".tsv", ".txt")


def build_distributions(campaign: CircuitCampaign) -> dict[str, RateDistributionTarget]:
    """The target of each population that has one.

    Raises:
        RheobaseError: a population without a mean rate, or a file that cannot be read; the message names the key.
    """
    found = {}
    for name, keys in campaign.targets.distributions.items():
        with campaign.blamed("targets", "distributions", name):
            if name not in campaign.targets.rates:
                raise CampaignError(
                    f"'{name}' has no rate to be tuned to; there are {', '.join(campaign.targets.rates)}"
                )
            rates = _read(name, keys)
            if keys.factor is None:
                found[name] = RateDistributionTarget(rates, keys.tolerance or 1.0)
            else:
                found[name] = RateDistributionTarget(
                    rates, tolerance_log10=math.log10(keys.factor), floor_Hz=keys.floor
                )
    return found


def _read(name: str, keys: DistributionKeys) -> Distribution:
    if keys.file is None:
        units = Units.from_sizes({name: len(keys.rates)})
        return distribution(UnitValues("rate", "Hz", np.array(keys.rates), np.arange(len(units)), units), name)
    population, suffix = keys.population or name, keys.file.suffix.lower()
    if not keys.file.is_file():
        raise CampaignError(f"there is no file {keys.file}")
    if suffix == ".json":
        rates = read_activity(keys.file).population(population).distribution("rate")
        if rates is None:
            raise CampaignError(f"{keys.file} has no rates of '{population}'")
        return rates
    if suffix not in _TABLES:
        raise CampaignError(f"{keys.file}: rates are read from {', '.join(_TABLES)} or .json, got '{suffix}'")
    columns = RateColumns(keys.rate, keys.populations)
    return distribution(read_rate_table(keys.file, columns, leave_out_missing=True), population)
