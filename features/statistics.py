"""Means and standard deviations of features over sweeps and cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.targets import FeatureTarget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATISTICS = ("cells", "sweeps")
SMALLEST_STD = 1e-3  # where no floor is given: keeps scores finite


@dataclass(frozen=True)
class StatisticsSettings:
    """How values become a target.

    Attributes:
        over: "cells": mean of each cell's sweeps first, then mean and standard deviation between cells;
            "sweeps": all sweeps pooled, as BluePyEfe does.
        minimum_cells: A feature measured in fewer cells is left out.
        smallest_std_fraction: Floor of the standard deviation as a fraction of |mean|, for all but voltages.
        smallest_std: Further floors, by unit.
    """

    over: str = "cells"
    minimum_cells: int = 1
    smallest_std_fraction: float = 0.05
    smallest_std: tuple[tuple[str, float], ...] = (("mV", 0.5), ("Hz", 0.5))


def make_target(
    feature: str, unit: str, values: Mapping[str, Sequence[float]], settings: StatisticsSettings
) -> FeatureTarget | None:
    """Target of one feature; None when too few cells have it.

    Args:
        feature: Its name.
        unit: Its unit.
        values: Values of the sweeps, by cell.
        settings: How to combine them.
    """
    by_cell = {cell: list(found) for cell, found in values.items() if len(found)}
    if len(by_cell) < max(1, settings.minimum_cells):
        return None
    if settings.over == "sweeps":
        pooled = np.concatenate([np.asarray(found, dtype=float) for found in by_cell.values()])
        mean, std = float(np.mean(pooled)), float(np.std(pooled))
    else:
        means = np.array([np.mean(found) for found in by_cell.values()])
        mean, std = float(np.mean(means)), float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    floors = dict(settings.smallest_std)
    # A fraction of a voltage means nothing: its zero is a convention.
    relative = 0.0 if unit == "mV" else settings.smallest_std_fraction * abs(mean)
    floor = max(relative, floors.get(unit, SMALLEST_STD))
    return FeatureTarget(
        feature=feature,
        mean=mean,
        std=max(std, floor),
        unit=unit,
        cells=len(by_cell),
        sweeps=sum(len(found) for found in by_cell.values()),
    )
