"""Objectives over seeds: their mean, their noise, and whether a difference is more than noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


@dataclass(frozen=True)
class Change:
    """What became of an objective, from one set of parameters to another.

    Attributes:
        key: Key of the objective, or "total".
        change: Change of |deviation| (tolerances), below zero for an improvement.
        noise: Standard error of the change (tolerances).
        standard_errors: A change within so many standard errors is none.
    """

    key: str
    change: float
    noise: float
    standard_errors: float

    @property
    def verdict(self) -> Literal["better", "worse", "same"]:
        """Whether there is progress: a difference within the noise is none."""
        if abs(self.change) <= self.standard_errors * self.noise:
            return "same"
        return "better" if self.change < 0.0 else "worse"


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


def pooled_std(runs: Sequence[Sequence[Repeated]]) -> dict[str, float]:
    """Standard deviation between seeds of each objective, pooled over several sets of parameters, by key.

    Args:
        runs: Objectives of each set of parameters; those with a single seed say nothing.
    """
    squares: dict[str, float] = {}
    degrees: dict[str, int] = {}
    for one in (one for run in runs for one in run):
        values = _present(one.per_seed)
        if len(values) > 1:
            key = one.judged.key
            squares[key] = squares.get(key, 0.0) + float(np.var(values)) * len(values)
            degrees[key] = degrees.get(key, 0) + len(values) - 1
    return {key: math.sqrt(squares[key] / degrees[key]) for key in squares}


def with_known_noise(objectives: Sequence[Repeated], std: Mapping[str, float]) -> tuple[Repeated, ...]:
    """Standard errors of objectives that have none of their own, from the standard deviation between seeds.

    Args:
        objectives: Of one set of parameters.
        std: Standard deviation between seeds by key, from `pooled_std`.
    """
    return tuple(
        replace(one, standard_error=std[one.judged.key] / math.sqrt(max(len(_present(one.per_seed)), 1)))
        if one.standard_error is None and one.judged.key in std
        else one
        for one in objectives
    )


def compare(
    candidate: Sequence[Repeated], incumbent: Sequence[Repeated], standard_errors: float = 2.0
) -> tuple[Change, ...]:
    """What became of every objective, and last of their sum ("total").

    An objective that both meet has not changed: within its tolerance nothing is to be gained. Noise that is not
    known counts as none; see `with_known_noise`.

    Args:
        candidate: Objectives of the new parameters.
        incumbent: The same objectives of the old ones.
        standard_errors: A change within so many standard errors is none.

    Raises:
        FeatureError: Other objectives.
    """
    keys = [one.judged.key for one in candidate]
    if keys != [one.judged.key for one in incumbent]:
        raise FeatureError(
            f"expected the same objectives, got {', '.join(keys)} and {', '.join(one.judged.key for one in incumbent)}"
        )
    changes = [
        Change(
            new.judged.key, _excess(new) - _excess(old), math.hypot(new.noise or 0.0, old.noise or 0.0), standard_errors
        )
        for new, old in zip(candidate, incumbent, strict=True)
    ]
    total = math.fsum(one.change for one in changes)
    noise = math.hypot(*(one.noise for one in changes if one.change != 0.0))
    return (*changes, Change("total", total, noise, standard_errors))


def _excess(one: Repeated) -> float:
    """By how much the tolerance is exceeded (tolerances)."""
    return max(abs(one.judged.deviation) - 1.0, 0.0)


def _averaged(column: Sequence[Judged]) -> Repeated:
    values = [one.value if one.value is not None and math.isfinite(one.value) else None for one in column]
    present = _present(values)
    mean = float(np.mean(present)) if 2 * len(present) > len(values) else None
    error = float(np.std(present, ddof=1) / math.sqrt(len(present))) if len(present) > 1 else None
    return Repeated(replace(column[0], value=mean), tuple(values), error)


def _present(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
