"""Data limits: ranges that a quantity was measured in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rheobase.features.errors import FeatureError
from rheobase.objectives.objective import Judged


@dataclass(frozen=True)
class DataLimits:
    """The range of what was measured.

    Attributes:
        low: Smallest value that data allow.
        high: Largest one.
        unit: Unit of both; "" for plain numbers such as gains.
        source: Where they come from, for the report.
    """

    low: float
    high: float
    unit: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise FeatureError(
                f"expected limits with the lower one below the upper one, got {self.low} to {self.high} {self.unit}"
            )


def judge_limits(name: str, value: float | None, limits: DataLimits, population: str | None = None) -> Judged:
    """A value held against the middle of its limits, met anywhere within them."""
    half_range = 0.5 * (limits.high - limits.low)
    return Judged(name, value, 0.5 * (limits.low + limits.high), half_range, limits.unit, population)
