"""Values far from the others of their target: reported, and left out when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.targets import Outlier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.features.statistics import StatisticsSettings

_FEWEST = 5  # of fewer values nobody can say which is the odd one


def find_outliers(
    objective: str,
    values: Mapping[str, Sequence[tuple[str, float]]],
    smallest_std: float,
    settings: StatisticsSettings,
) -> tuple[Outlier, ...]:
    """Sweeps far from the median of all sweeps, and cells whose mean is far from the median of all cells.

    Args:
        objective: Name of the target.
        values: Sweep and value, by cell.
        smallest_std: Floor of the target's standard deviation; what lies within it is no outlier.
        settings: How far is far.
    """
    sweeps = [(cell, sweep, value) for cell, found in values.items() for sweep, value in found]
    means = [(cell, "", float(np.mean([value for _, value in found]))) for cell, found in values.items() if found]
    outliers = []
    # Where no cell has two sweeps, the means say the same as the sweeps.
    for group in (sweeps, means) if len(means) < len(sweeps) else (sweeps,):
        if len(group) < _FEWEST:
            continue
        measured = np.array([value for *_, value in group])
        median = float(np.median(measured))
        # A floor above zero: counts are often all the same but for one.
        scale = max(1.4826 * float(np.median(np.abs(measured - median))), smallest_std, 1e-9 * abs(median), 1e-12)
        outliers += [
            Outlier(objective, cell, sweep, value, median, abs(value - median) / scale, not settings.remove_outliers)
            for cell, sweep, value in group
            if abs(value - median) > settings.outlier_deviations * scale
        ]
    return tuple(outliers)


def without(
    values: Mapping[str, Sequence[tuple[str, float]]], outliers: Sequence[Outlier]
) -> dict[str, list[tuple[str, float]]]:
    """Values without those that outliers say are not kept."""
    removed = {(outlier.cell, outlier.sweep) for outlier in outliers if not outlier.kept}
    return {
        cell: [(sweep, value) for sweep, value in found if (cell, sweep) not in removed]
        for cell, found in values.items()
        if (cell, "") not in removed
    }
