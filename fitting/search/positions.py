"""Places in the unit cube to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from rheobase.fitting.search.algorithm import Setup


def first_positions(setup: Setup, count: int, generator: np.random.Generator) -> list[tuple[float, ...]]:
    """The setup's starting places, each of them once, filled up to `count` with a Latin hypercube."""
    from scipy.stats import qmc

    given = list(dict.fromkeys(setup.start))[:count]
    sample = qmc.LatinHypercube(setup.dimensions, rng=generator).random(count - len(given))
    return given + [tuple(row) for row in sample.tolist()]
