"""The box that a search moves in."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Dimension:
    """One free parameter.

    Attributes:
        name: The parameter's name.
        low: Lower bound, in the parameter's unit.
        high: Upper bound.
        logarithmic: Whether equal strides are equal factors.
    """

    name: str
    low: float
    high: float
    logarithmic: bool = False

    def value(self, position: float) -> float:
        """Parameter at a position between 0 (lower bound) and 1 (upper bound)."""
        if self.logarithmic:
            value = math.exp(math.log(self.low) + position * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + position * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def position(self, value: float) -> float:
        """Place of a value between the bounds, 0 to 1."""
        if self.logarithmic:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)
