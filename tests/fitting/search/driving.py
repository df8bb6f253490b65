"""Driving a search on a function of the unit cube."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rheobase.fitting.evaluation import Candidate
from rheobase.fitting.search.interface import Search
from rheobase.fitting.search.space import Dimension

FloatArray = NDArray[np.float64]


def cube(parameters: int) -> list[Dimension]:
    return [Dimension(f"x{place}", 0.0, 1.0) for place in range(parameters)]


def names(count: int) -> list[str]:
    return [f"f{place}" for place in range(count)]


def place_of(candidate: Candidate) -> FloatArray:
    return np.array(list(candidate.parameters.values()))


def minimise(
    search: Search, function: Callable[[FloatArray], Sequence[float]], evaluations: int, workers: int = 1
) -> FloatArray:
    """Values in the order of the answers, shape (evaluations, objectives); answers come in random order."""
    generator = random.Random(3)
    at_work: list[Candidate] = []
    values = []
    while len(values) < evaluations:
        while len(at_work) < workers and (candidate := search.ask()) is not None:
            at_work.append(candidate)
        done = at_work.pop(generator.randrange(len(at_work)))
        found = [float(value) for value in function(place_of(done))]
        search.tell(done.number, dict(zip(names(len(found)), found, strict=True)))
        values.append(found)
    return np.array(values)
