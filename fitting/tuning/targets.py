"""What a stage of tuning aims at, on the scale on which circuits respond smoothly."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rheobase.features.errors import CampaignError
from rheobase.objectives.objective import Judged


@dataclass(frozen=True)
class TuningTarget:
    """A value that a stage wants to reach, or to keep.

    Attributes:
        name: What is measured, for example "rate" or "aperiodic_exponent".
        target: What it should be.
        tolerance: How far from the target is near enough, above zero.
        unit: Unit of target and tolerance.
        population: The population; None for a measure of the whole circuit.
        constraint: Whether it only has to stay within its tolerance, and nothing is gained by its centre.
        logarithmic: Whether steps are planned on its logarithm, as for rates, which respond to factors by factors.
    """

    name: str
    target: float
    tolerance: float
    unit: str = ""
    population: str | None = None
    constraint: bool = False
    logarithmic: bool = False

    def __post_init__(self) -> None:
        self.judged(None)
        if self.logarithmic and self.target <= 0.0:
            raise CampaignError(f"the target of {self.key} has no logarithm, got {self.target:g} {self.unit}".rstrip())

    @property
    def key(self) -> str:
        """Its name among all targets, as `Judged` has it: "rate:L4_E"."""
        return self.name if self.population is None else f"{self.name}:{self.population}"

    @property
    def goal(self) -> float:
        """The target on the scale of planning."""
        return math.log(self.target) if self.logarithmic else self.target

    @property
    def width(self) -> float:
        """The tolerance on the scale of planning."""
        return math.log1p(self.tolerance / self.target) if self.logarithmic else self.tolerance

    def judged(self, value: float | None) -> Judged:
        """A measured value held against the target."""
        return Judged(self.name, value, self.target, self.tolerance, self.unit, self.population)

    def planned(self, value: float | None, floor: float) -> float:
        """A measured value on the scale of planning; NaN for one that is not there.

        Args:
            value: The value.
            floor: Smallest value that counts as above zero, where the scale is logarithmic.
        """
        if value is None or not math.isfinite(value):
            return math.nan
        return math.log(max(value, floor)) if self.logarithmic else value


def rate_target(population: str, rate_Hz: float, tolerance_Hz: float, constraint: bool = False) -> TuningTarget:
    """Mean rate of a population (Hz): "rate:POPULATION"."""
    return TuningTarget("rate", rate_Hz, tolerance_Hz, "Hz", population, constraint, logarithmic=True)
