"""Means and standard deviations of features over sweeps and cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.targets import FeatureTarget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATISTICS = ("cells", "sweeps")
SMALLEST_STD = 1e-3  # in place of zero where no floor is given, as in BluePyEfe: keeps scores finite


@dataclass(frozen=True)
class StatisticsSettings:
    """How values become a target.

    Attributes:
        over: "cells": mean of each cell's sweeps first, then mean and sample standard deviation between cells;
            "sweeps": mean and population standard deviation of all sweeps pooled, as BluePyEfe does.
        minimum_cells: A feature measured in fewer cells is left out.
        smallest_std_fraction: Floor of the standard deviation as a fraction of |mean|, for all but voltages.
        smallest_std: Further floors, by unit.
        minimum_sweeps: A feature measured in fewer sweeps is left out.
        smallest_std_of: Floors by feature, in place of the others.
        outlier_deviations: A value farther from the median than this many robust standard deviations (1.4826 times
            the median absolute deviation) is an outlier; Iglewicz and Hoaglin (1993) advise 3.5.
        remove_outliers: Whether outliers are left out of the targets; otherwise they are reported only.
        sweeps_for_own_std: A single cell's target has the standard deviation of its own sweeps when it has this many,
            otherwise that of its group.
    """

    over: str = "cells"
    minimum_cells: int = 1
    smallest_std_fraction: float = 0.05
    smallest_std: tuple[tuple[str, float], ...] = (("mV", 0.5), ("Hz", 0.5))
    minimum_sweeps: int = 1
    smallest_std_of: tuple[tuple[str, float], ...] = ()
    outlier_deviations: float = 3.5
    remove_outliers: bool = False
    sweeps_for_own_std: int = 5

    def floor(self, feature: str, unit: str, mean: float) -> float:
        """Smallest standard deviation of a feature; 0 where nothing is said.

        Args:
            feature: Its name.
            unit: Its unit.
            mean: Its mean.
        """
        own = dict(self.smallest_std_of).get(feature)
        if own is not None:
            return own
        # A fraction of a voltage means nothing: its zero is a convention.
        relative = 0.0 if unit == "mV" else self.smallest_std_fraction * abs(mean)
        return max(relative, dict(self.smallest_std).get(unit, 0.0))


def make_target(
    feature: str, unit: str, values: Mapping[str, Sequence[float]], settings: StatisticsSettings
) -> FeatureTarget | None:
    """Target of one feature; None when too few cells or sweeps have it.

    Args:
        feature: Its name.
        unit: Its unit.
        values: Values of the sweeps, by cell.
        settings: How to combine them.
    """
    by_cell = {cell: np.asarray(found, dtype=float) for cell, found in values.items() if len(found)}
    sweeps = sum(len(found) for found in by_cell.values())
    if len(by_cell) < max(1, settings.minimum_cells) or sweeps < settings.minimum_sweeps:
        return None
    if settings.over == "sweeps":
        pooled = np.concatenate(list(by_cell.values()))
        mean, std = float(np.mean(pooled)), float(np.std(pooled))
    else:
        means = np.array([np.mean(found) for found in by_cell.values()])
        mean, std = float(np.mean(means)), sample_std(means)
    std = max(std, settings.floor(feature, unit, mean)) or SMALLEST_STD
    return FeatureTarget(feature=feature, mean=mean, std=std, unit=unit, cells=len(by_cell), sweeps=sweeps)


def sample_std(values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Standard deviation of a sample, with n - 1; 0 for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
