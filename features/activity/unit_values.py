"""A measure of many units, one value a unit, and of populations as wholes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rheobase.features.activity.populations import Units

# How a measure was taken, for example (("window_ms", 100.0),).
Settings = tuple[tuple[str, float], ...]


@dataclass(frozen=True, eq=False)
class UnitValues:
    """One measure, for each unit that has it.

    Attributes:
        measure: Name of the measure, for example "rate".
        unit: Physical unit of the values, for example "Hz"; empty for pure numbers.
        values: Values, shape (found,), all finite.
        unit_of_value: Index into `units` of each value, shape (found,), increasing. Units that are not in it have
            no value, for example the coefficient of variation of a unit with two spikes.
        units: All units, with or without a value.
        settings: How it was measured.
        source: Where the values come from.
        notes: What was left out, and why.
    """

    measure: str
    unit: str
    values: NDArray[np.float64]
    unit_of_value: NDArray[np.intp]
    units: Units
    settings: Settings = ()
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.values.shape != self.unit_of_value.shape or self.values.ndim != 1:
            raise FeatureError(
                f"{self.measure}: expected one unit a value, got arrays of shapes {self.values.shape} and "
                f"{self.unit_of_value.shape}"
            )
        if not np.all(np.isfinite(self.values)):
            wrong = int(self.unit_of_value[np.argmin(np.isfinite(self.values))])
            raise FeatureError(f"{self.measure} of unit '{self.units.names[wrong]}' is not finite")

    def of(self, population: str) -> NDArray[np.float64]:
        """Values of the units of a population, shape (found,).

        Raises:
            FeatureError: There is no such population.
        """
        wanted = self.units.population_of[self.unit_of_value] == self.units.index(population)
        found: NDArray[np.float64] = self.values[wanted]
        return found

    def absent(self, population: str) -> int:
        """Number of units of a population that have no value."""
        return int(self.units.sizes[self.units.index(population)]) - len(self.of(population))

    def regrouped(self, groups: Mapping[str, Sequence[str]]) -> UnitValues:
        """Values of chosen populations under new names, for example {"L5I": ["L5 PV", "L5 SST"]}.

        Raises:
            FeatureError: An unknown population, one that is wanted twice, or an empty group.
        """
        units, kept = self.units.regrouped(groups)
        place = np.full(len(self.units), -1, dtype=np.intp)
        place[kept] = np.arange(len(kept))
        unit_of_value = place[self.unit_of_value]
        wanted = unit_of_value >= 0
        return replace(self, values=self.values[wanted], unit_of_value=unit_of_value[wanted], units=units)


@dataclass(frozen=True)
class PopulationValue:
    """One measure of a population as a whole, for example its synchrony.

    Attributes:
        population: Name of the population.
        measure: Name of the measure.
        value: Its value; None where it is not defined or not known.
        units: Number of units it was measured in.
        absent: Number of units left out, for example silent ones.
        settings: How it was measured.
    """

    population: str
    measure: str
    value: float | None
    units: int
    absent: int
    settings: Settings = ()

    def __post_init__(self) -> None:
        if self.value is not None and not np.isfinite(self.value):
            raise FeatureError(f"{self.measure} of '{self.population}' must be finite or absent, got {self.value}")


def values_where(
    found: NDArray[np.bool_], values: NDArray[np.float64], units: Units, measure: str, settings: Settings, source: str
) -> UnitValues:
    """Values of the units in which a dimensionless measure was found; both arrays of shape (units,)."""
    return UnitValues(measure, "", values[found], np.flatnonzero(found), units, settings, source)
