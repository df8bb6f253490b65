"""Activity of populations in figures: what is measured in data, what a model has to reach, what it reached."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.activity.unit_values import PopulationValue, Settings, UnitValues
from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Every 5 %, quartiles and median among them: enough to compare two distributions.
PROBABILITIES = tuple(round(0.05 * step, 2) for step in range(21))


@dataclass(frozen=True)
class Distribution:
    """One measure over the units of a population.

    Attributes:
        measure: Name of the measure, for example "rate".
        unit: Physical unit, empty for pure numbers.
        mean: Mean over units.
        std: Standard deviation over units, divided by units - 1; None for a single unit.
        median: Median over units.
        probabilities: Increasing from 0 to 1.
        quantiles: Quantile at each of the probabilities (linear between units).
        units: Number of units with a value.
        absent: Number of units without one, for example with too few spikes.
        settings: How it was measured.
    """

    measure: str
    unit: str
    mean: float
    std: float | None
    median: float
    probabilities: tuple[float, ...]
    quantiles: tuple[float, ...]
    units: int
    absent: int = 0
    settings: Settings = ()

    def __post_init__(self) -> None:
        numbers = [self.mean, self.median, *self.quantiles, *([] if self.std is None else [self.std])]
        if not all(math.isfinite(number) for number in numbers) or (self.std or 0.0) < 0:
            raise FeatureError(f"the distribution of {self.measure} must hold finite numbers, got {numbers}")
        if self.units < 1 or self.absent < 0:
            raise FeatureError(f"the distribution of {self.measure} needs units, got {self.units} and {self.absent}")
        if len(self.probabilities) != len(self.quantiles) or not _rise_from_0_to_1(self.probabilities):
            raise FeatureError(
                f"the distribution of {self.measure} needs a quantile for each of its probabilities, which rise from 0 "
                f"to 1, got {len(self.quantiles)} quantiles for the probabilities {self.probabilities}"
            )
        if any(later < earlier for earlier, later in itertools.pairwise(self.quantiles)):
            raise FeatureError(f"the quantiles of {self.measure} must not fall, got {self.quantiles}")

    def quantile(self, probability: float) -> float:
        """Quantile at any probability from 0 to 1, linear between those that are kept."""
        if not 0.0 <= probability <= 1.0:
            raise FeatureError(f"a probability lies between 0 and 1, got {probability:g}")
        return float(np.interp(probability, self.probabilities, self.quantiles))


@dataclass(frozen=True)
class PopulationActivity:
    """What was measured of one population.

    Attributes:
        population: Its name.
        distributions: Measures of its units.
        values: Measures of the population as a whole.
    """

    population: str
    distributions: tuple[Distribution, ...]
    values: tuple[PopulationValue, ...] = ()

    def __post_init__(self) -> None:
        measures = [one.measure for one in self.distributions] + [one.measure for one in self.values]
        repeated = sorted({measure for measure in measures if measures.count(measure) > 1})
        if repeated:
            raise FeatureError(f"population '{self.population}' has more than one {repeated[0]}")
        for value in self.values:
            if value.population != self.population:
                raise FeatureError(f"population '{self.population}' holds a {value.measure} of '{value.population}'")

    def distribution(self, measure: str) -> Distribution | None:
        """Distribution of a measure over the units; None where it could not be measured."""
        return next((one for one in self.distributions if one.measure == measure), None)

    def value(self, measure: str) -> float | None:
        """Value of a measure of the whole population; None where it could not be measured."""
        return next((one.value for one in self.values if one.measure == measure), None)


@dataclass(frozen=True)
class Activity:
    """What was measured of some populations: of data it is the target, of a model what is held against it.

    Attributes:
        populations: The populations.
        source: Where it comes from: the file, the column.
        notes: What was left out, and why.
    """

    populations: tuple[PopulationActivity, ...]
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise FeatureError(f"the names of populations must differ, got {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the populations."""
        return tuple(one.population for one in self.populations)

    def population(self, name: str) -> PopulationActivity:
        """Activity of a population.

        Raises:
            FeatureError: There is no such population.
        """
        for one in self.populations:
            if one.population == name:
                return one
        raise FeatureError(f"there is no population '{name}'; the populations are {', '.join(self.names)}")


def summarised(
    measures: Sequence[UnitValues], values: Sequence[PopulationValue] = (), minimum_units: int = 1
) -> Activity:
    """Distributions and values by population.

    A population has every measure that at least `minimum_units` of its units have; what is missing is in the notes.

    Args:
        measures: Measures of units, all of the same populations.
        values: Measures of these populations as wholes.
        minimum_units: A distribution over fewer units is left out.

    Raises:
        FeatureError: No measures, measures of different populations, or `minimum_units` below 1.
    """
    if not measures:
        raise FeatureError("there are no measures to summarise")
    names = measures[0].units.populations
    if any(one.units.populations != names for one in measures) or any(one.population not in names for one in values):
        raise FeatureError(f"only measures of the same populations can be summarised, the first has {', '.join(names)}")
    if minimum_units < 1:
        raise FeatureError(f"a distribution needs at least 1 unit, got minimum_units {minimum_units}")
    notes = [note for one in measures for note in one.notes]
    populations = []
    for name in names:
        distributions = []
        for one in measures:
            found = one.of(name)
            if len(found) >= minimum_units:
                distributions.append(distribution(one, name))
            else:
                notes.append(
                    f"{name}: no {one.measure}, {len(found)} of its {len(found) + one.absent(name)} units have it, "
                    f"fewer than the minimum of {minimum_units}"
                )
        own_values = tuple(value for value in values if value.population == name)
        if distributions:
            populations.append(PopulationActivity(name, tuple(distributions), own_values))
    sources = ", ".join(dict.fromkeys(one.source for one in measures if one.source))
    return Activity(tuple(populations), sources, tuple(dict.fromkeys(notes)))


def distribution(measure: UnitValues, population: str) -> Distribution:
    """Distribution of a measure over the units of a population.

    Raises:
        FeatureError: There is no such population, or none of its units has a value.
    """
    values = measure.of(population)
    if not len(values):
        raise FeatureError(f"no unit of '{population}' has a {measure.measure}")
    return Distribution(
        measure=measure.measure,
        unit=measure.unit,
        mean=float(np.mean(values)),
        std=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        median=float(np.median(values)),
        probabilities=PROBABILITIES,
        quantiles=tuple(np.quantile(values, PROBABILITIES).tolist()),
        units=len(values),
        absent=measure.absent(population),
        settings=measure.settings,
    )


def _rise_from_0_to_1(probabilities: Sequence[float]) -> bool:
    return (
        len(probabilities) > 1
        and probabilities[0] == 0.0
        and probabilities[-1] == 1.0
        and all(earlier < later for earlier, later in itertools.pairwise(probabilities))
    )
