"""One target, and what a model did about it: what tuning and reports of circuits share."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rheobase.features.errors import FeatureError
from rheobase.objectives.scores import FAILURE_SCORE


@dataclass(frozen=True)
class Target:
    """A value, and how far from it is near enough.

    Attributes:
        value: What should be measured; 0 for a distance.
        tolerance: Above zero, in the same unit.
    """

    value: float
    tolerance: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.isfinite(self.tolerance) and self.tolerance > 0.0):
            raise FeatureError(
                f"a target must be a number with a tolerance above zero, got {self.value} +- {self.tolerance}"
            )

    @classmethod
    def within(cls, value: float, fraction: float, smallest: float = 0.0) -> Target:
        """A target with a tolerance relative to it.

        Args:
            value: What should be measured.
            fraction: Tolerance as a fraction of |value|.
            smallest: The tolerance is never smaller, for values near zero.

        Raises:
            FeatureError: The tolerance comes out as zero.
        """
        return cls(value, max(fraction * abs(value), smallest))


@dataclass(frozen=True)
class Judged:
    """A measured value held against its target.

    Attributes:
        name: What was measured, for example "rate", "aperiodic_exponent", "alpha".
        value: What the model does; None when it has no such value, for example the peak of a spectrum without one.
        target: What it should be; 0 for a distance.
        tolerance: How far from the target is near enough, above zero.
        unit: Unit of value, target and tolerance; "" for plain numbers.
        population: The population; None for a measure of the whole circuit.
        missing: Deviation of a value that is not there: worse than any that can be measured.
    """

    name: str
    value: float | None
    target: float
    tolerance: float
    unit: str
    population: str | None = None
    missing: float = -FAILURE_SCORE

    def __post_init__(self) -> None:
        if not (math.isfinite(self.target) and math.isfinite(self.tolerance) and self.tolerance > 0.0):
            raise FeatureError(
                f"the target of {self.key} must be a number with a tolerance above zero, got {self.target} +- "
                f"{self.tolerance} {self.unit}".rstrip()
            )
        if not 1.0 < abs(self.missing) <= FAILURE_SCORE:
            raise FeatureError(f"{self.key}: a missing value cannot be a deviation of {self.missing} tolerances")

    @property
    def key(self) -> str:
        """Its name among all targets: "rate:L4_E", or the name alone without a population."""
        return self.name if self.population is None else f"{self.name}:{self.population}"

    @property
    def deviation(self) -> float:
        """(value - target) / tolerance, within +-FAILURE_SCORE; `missing` for a value that is not there."""
        if self.value is None or not math.isfinite(self.value):
            return self.missing
        return max(-FAILURE_SCORE, min(FAILURE_SCORE, (self.value - self.target) / self.tolerance))

    @property
    def met(self) -> bool:
        """Whether the value is near enough."""
        return abs(self.deviation) <= 1.0


def held_against(
    target: Target, name: str, value: float | None, unit: str = "", population: str | None = None
) -> Judged:
    """A measured value with its target."""
    return Judged(name, value, target.value, target.tolerance, unit, population)
