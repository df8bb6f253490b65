"""The additive epsilon indicator of IBEA (Zitzler & Kunzli 2004), as BluePyOpt computes it, to the last bit.

BluePyOpt's `selIBEA` loops over individuals in Python; with a hundred of them that was a quarter of the
driver's time for an evaluation. A test holds the two against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KAPPA = 0.05  # how much more the nearest rivals count: BluePyOpt's default


def indicator_losses(objectives: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each individual is outdone by the others: shape (individuals,), the smaller the better.

    Args:
        objectives: To be minimised, finite, shape (individuals, objectives).
    """
    ranges = np.ptp(objectives, axis=0)
    ranges[ranges == 0.0] = 1.0
    # How far individual i would have to be moved until it weakly dominated individual j: the largest over objectives.
    shifts = np.full((len(objectives), len(objectives)), -np.inf)
    for values, width in zip(objectives.T, ranges, strict=True):
        np.maximum(shifts, (values[np.newaxis, :] - values[:, np.newaxis]) / width, out=shifts)
    largest = np.max(np.abs(shifts))
    components = shifts if largest == 0.0 else np.exp((-1.0 / (_KAPPA * largest)) * shifts.T)
    losses: NDArray[np.float64] = np.sum(components, axis=0) - np.diagonal(components)
    return losses
