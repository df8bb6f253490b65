"""The first population of an evolution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.search.positions import first_positions

if TYPE_CHECKING:
    from rheobase.fitting.search.algorithm import Setup

_FEW_ENOUGH_AFTER = 2
_FEW = 0.2  # of a population


class Founders:
    """Places to begin with: those given, then random ones, until a population of them is worth breeding from.

    Of random models of a detailed cell most do nothing that was asked for, and some of those take longest to simulate
    (an axon that fires by itself under a soma that never does). A population that is filled with them costs more than
    all that the search does afterwards. So a random founder whose total exceeds a small part of the largest total there
    is, that of a model that fails in every objective, is replaced by another one, and its evaluation may end as soon
    as that is certain. Where hopeful ones are rare, a fifth of a population is enough after two populations of random
    places: their children come for less, and fill the population. In the end whoever comes is taken, so that a search
    in which all of them are hopeless begins too.

    Args:
        setup: What the evolution works on.
        population: Number of founders.
        part: Largest total of a founder as a part of the largest total there is; infinity admits everyone.
        patience: After so many populations of random places whoever comes is taken.
        few_enough: Whether a fifth of a population is enough after two populations of random places.
    """

    def __init__(
        self, setup: Setup, population: int, part: float, patience: int = 4, *, few_enough: bool = False
    ) -> None:
        self._generator = np.random.default_rng(setup.seed)
        self._waiting = first_positions(setup, population, self._generator)
        self._given = min(len(set(setup.start)), population)
        self._dimensions = setup.dimensions
        self._wanted, self._most = population, population * patience
        self._few = max(2.0, _FEW * population) if few_enough else math.inf
        self._few_after = population * _FEW_ENOUGH_AFTER
        self._admitted = 0
        self._proposed = 0
        self._limit = part * setup.largest_total

    @property
    def wanted(self) -> bool:
        """Whether more are wanted, those whose outcomes are awaited counted as if they were admitted."""
        enough = self._admitted >= self._few and self._proposed >= self._few_after
        return self._proposed < self._wanted and not enough

    @property
    def limit(self) -> float:
        """Largest total with which a random place is admitted."""
        return self._limit if self._proposed < self._most else math.inf

    def propose(self) -> tuple[tuple[float, ...], float]:
        """The next place, and the largest total with which it is admitted."""
        limit = self.limit if self._given <= self._proposed else math.inf
        self._proposed += 1
        place = self._waiting.pop(0) if self._waiting else tuple(self._generator.random(self._dimensions).tolist())
        return place, limit

    def admit(self) -> None:
        """One that was proposed was admitted."""
        self._admitted += 1

    def reject(self) -> None:
        """One that was proposed was not admitted."""
        self._wanted += 1
