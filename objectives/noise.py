"""Objectives over seeds: their mean and their noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.objectives.objective import Judged


@dataclass(frozen=True)
class Repeated:
    """One objective over several seeds.

    Attributes:
        judged: Of all seeds together: the mean, or what was measured of the average spectrum.
        per_seed: Value with each seed; None where it has none.
        standard_error: Of the value of all seeds together, in its unit; None where it is not known, as of one seed.
    """

    judged: Judged
    per_seed: tuple[float | None, ...]
    standard_error: float | None

    @property
    def noise(self) -> float | None:
        """Standard error in tolerances."""
        return None if self.standard_error is None else self.standard_error / self.judged.tolerance

    @property
    def std(self) -> float | None:
        """Standard deviation between seeds, in the unit of the value; None with fewer than two values."""
        present = _present(self.per_seed)
        return float(np.std(present, ddof=1)) if len(present) > 1 else None


def over_seeds(judgements: Sequence[Sequence[Judged]]) -> tuple[Repeated, ...]:
    """Mean and standard error of each objective over seeds.

    An objective that half of the seeds or more have no value of is missing in all of them together.

    Args:
        judgements: Of each seed, the same objectives in the same order.

    Raises:
        FeatureError: No seeds, or other objectives with one of them.
    """
    if not judgements:
        raise FeatureError("there is nothing to average: expected what was judged with at least one seed")
    keys = [one.key for one in judgements[0]]
    for other in judgements[1:]:
        if [one.key for one in other] != keys:
            raise FeatureError(
                f"expected the same objectives with every seed, got {', '.join(keys)} and "
                f"{', '.join(one.key for one in other)}"
            )
    return tuple(_averaged(column) for column in zip(*judgements, strict=True))


def jackknifed(together: Judged, per_seed: Sequence[float | None], left_out: Sequence[float | None]) -> Repeated:
    """An objective measured once from all seeds together, its noise by leaving out one seed after another.

    The standard error is sqrt((n - 1) / n sum (x_i - mean x)^2) (Efron and Stein 1981, Annals of Statistics 9:586).

    Args:
        together: Measured from all seeds, for example from their average spectrum.
        per_seed: Value with each seed alone.
        left_out: Value without the first seed, without the second, and so on; empty for a single seed.
    """
    values = _present(left_out)
    known = len(values) > 1 and len(values) == len(left_out)
    error = math.sqrt((len(values) - 1) * float(np.var(values))) if known else None
    return Repeated(together, tuple(per_seed), error)


def _averaged(column: Sequence[Judged]) -> Repeated:
    values = [one.value if one.value is not None and math.isfinite(one.value) else None for one in column]
    present = _present(values)
    mean = float(np.mean(present)) if 2 * len(present) > len(values) else None
    error = float(np.std(present, ddof=1) / math.sqrt(len(present))) if len(present) > 1 else None
    return Repeated(replace(column[0], value=mean), tuple(values), error)


def _present(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
