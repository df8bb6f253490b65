"""Which units there are, silent ones too, and which population each belongs to."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Units:
    """Units (neurons) and their populations.

    Attributes:
        populations: Names of the populations; each has at least one unit.
        population_of: Index into `populations` of each unit, shape (units,).
        names: Name of each unit, unique within its population; for a model the number of the cell in it.
        silent_included: Whether neurons that never fired are among the units. They are in a model; spike sorting
            finds only neurons that fire.
    """

    populations: tuple[str, ...]
    population_of: NDArray[np.intp]
    names: tuple[str, ...]
    silent_included: bool = True

    def __post_init__(self) -> None:
        population_of = np.array(self.population_of, dtype=np.intp)
        population_of.setflags(write=False)
        object.__setattr__(self, "population_of", population_of)
        if len(set(self.populations)) != len(self.populations):
            raise FeatureError(f"the names of populations must differ, got {', '.join(self.populations)}")
        if population_of.shape != (len(self.names),):
            raise FeatureError(f"expected the population of each of {len(self.names)} units, got {population_of.shape}")
        if population_of.size and not 0 <= population_of.min() <= population_of.max() < len(self.populations):
            raise FeatureError(f"the populations of units are numbered from 0 to {len(self.populations) - 1}")
        empty = [name for name, size in zip(self.populations, self.sizes, strict=True) if size == 0]
        if empty:
            raise FeatureError(f"the population '{empty[0]}' has no units; leave it out")
        if len(set(zip(population_of.tolist(), self.names, strict=True))) != len(self.names):
            population, name = _first_repeated(population_of.tolist(), self.names)
            raise FeatureError(f"the population '{self.populations[population]}' has two units named '{name}'")

    @classmethod
    def from_sizes(cls, sizes: Mapping[str, int]) -> Units:
        """Units of populations of known size, silent ones included, named "0", "1", ... within each.

        Args:
            sizes: Number of units by population, in the order in which spikes number the units.
        """
        population_of = np.repeat(np.arange(len(sizes)), list(sizes.values()))
        names = tuple(str(number) for size in sizes.values() for number in range(size))
        return cls(tuple(sizes), population_of, names)

    @classmethod
    def from_labels(
        cls, labels: Sequence[str], names: Sequence[str] | None = None, silent_included: bool = True
    ) -> Units:
        """Units from the name of the population of each; the populations are sorted by name.

        Args:
            labels: Population of each unit.
            names: Name of each unit, its place in `labels` when left out.
            silent_included: As the attribute.
        """
        populations = sorted(set(labels))
        number = {name: index for index, name in enumerate(populations)}
        population_of = np.array([number[label] for label in labels], dtype=np.intp)
        unit_names = tuple(str(place) for place in range(len(labels))) if names is None else tuple(names)
        return cls(tuple(populations), population_of, unit_names, silent_included)

    def __len__(self) -> int:
        return len(self.names)

    @functools.cached_property
    def sizes(self) -> NDArray[np.intp]:
        """Number of units of each population, shape (populations,)."""
        return np.bincount(self.population_of, minlength=len(self.populations))

    def index(self, population: str) -> int:
        """Place of a population in `populations`.

        Raises:
            FeatureError: There is no such population.
        """
        if population not in self.populations:
            raise FeatureError(
                f"there is no population '{population}'; the populations are {', '.join(self.populations)}"
            )
        return self.populations.index(population)

    def regrouped(self, groups: Mapping[str, Sequence[str]]) -> tuple[Units, NDArray[np.intp]]:
        """Units of chosen populations under new names, in the order they had.

        Args:
            groups: Populations that make up each new one, by its name.

        Returns:
            The units, and the place of each among the units before, shape (units,).

        Raises:
            FeatureError: An unknown population, one that is wanted twice, or an empty group.
        """
        group_of = np.full(len(self.populations), -1, dtype=np.intp)
        for number, (name, members) in enumerate(groups.items()):
            if isinstance(members, str) or not members:
                raise FeatureError(f"the group '{name}' needs a list of populations, got {members!r}")
            for member in members:
                if group_of[self.index(member)] >= 0:
                    raise FeatureError(f"the population '{member}' is in two groups; units are counted once")
                group_of[self.index(member)] = number
        kept = np.flatnonzero(group_of[self.population_of] >= 0)
        group = group_of[self.population_of[kept]]
        names = tuple(self.names[unit] for unit in kept)
        if len(set(zip(group.tolist(), names, strict=True))) < len(kept):
            # Merged populations may both have a unit "0".
            names = tuple(f"{self.populations[self.population_of[unit]]}:{self.names[unit]}" for unit in kept)
        return Units(tuple(groups), group, names, self.silent_included), kept


def _first_repeated(population_of: Sequence[int], names: Sequence[str]) -> tuple[int, str]:
    seen = set()
    for unit in zip(population_of, names, strict=True):
        if unit in seen:
            return unit
        seen.add(unit)
    raise ValueError("no unit is repeated")
