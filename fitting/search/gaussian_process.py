"""Gaussian processes of several outputs over the same points of the unit cube."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

_SMALLEST_VARIANCE = 1e-6
_SMALLEST_SPREAD = 1e-9  # of an output


@dataclass(frozen=True)
class Covariance:
    """How outputs at two places go together: a Matern covariance (nu = 3/2), a linear one, and noise.

    Lengths are in parts of the root mean square distance of two random places, so that they mean the same however many
    parameters there are.

    Attributes:
        length: Over which an output changes.
        linear: Variance that is linear in the parameters, relative to the other.
        noise: Variance of an output at one place, relative to the other.
    """

    length: float
    linear: float
    noise: float

    def between(self, some: FloatArray, others: FloatArray) -> FloatArray:
        """Covariances without noise, shape (some, others)."""
        dimensions = some.shape[1]
        squares = np.square(some).sum(1)[:, np.newaxis] + np.square(others).sum(1) - 2.0 * some @ others.T
        # Two random places are sqrt(dimensions / 6) apart, one is sqrt(dimensions / 12) from the centre.
        reach = np.sqrt(np.maximum(squares, 0.0) * (18.0 / dimensions)) / self.length
        linear = (some - 0.5) @ (others - 0.5).T * (12.0 / dimensions)
        covariances: FloatArray = (1.0 + reach) * np.exp(-reach) + self.linear * linear
        return covariances

    def at(self, places: FloatArray) -> FloatArray:
        """Variance without noise at each place, shape (places,)."""
        variances: FloatArray = 1.0 + self.linear * np.square(places - 0.5).sum(1) * (12.0 / places.shape[1])
        return variances


COVARIANCES = tuple(itertools.starmap(Covariance, itertools.product((0.35, 0.7, 1.4), (0.0, 1.0), (1e-4, 1e-2, 0.1))))


class GaussianProcesses:
    """What is expected of outputs at places where they are not known, and how uncertain that is.

    Each output is normalised and takes the covariance of `COVARIANCES` that makes it most likely (Rasmussen & Williams
    2006, Gaussian Processes for Machine Learning, section 5.4.1). Outputs share the decompositions, which take nearly
    all of the time.

    Args:
        places: Where outputs are known, in the unit cube, shape (places, dimensions); one at least.
        outputs: What they are there, shape (places, outputs).
        centre: What is expected far from all places; None: the median of each output.
    """

    def __init__(self, places: FloatArray, outputs: FloatArray, centre: float | None = None) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self._places = places
        self._centres = np.median(outputs, axis=0) if centre is None else np.full(outputs.shape[1], centre)
        self._spreads = np.maximum(outputs.std(axis=0), _SMALLEST_SPREAD)
        normal = (outputs - self._centres) / self._spreads
        self._chosen = np.zeros(outputs.shape[1], dtype=int)
        self._variances = np.ones(outputs.shape[1])
        self._weights = np.zeros_like(normal)
        self._factors: dict[int, FloatArray] = {}
        likelihoods = np.full(outputs.shape[1], -np.inf)
        for number, covariance in enumerate(COVARIANCES):
            noisy = covariance.between(places, places) + covariance.noise * np.eye(len(places))
            factor = cho_factor(noisy, lower=True)
            weights = cho_solve(factor, normal)
            variances = np.maximum((normal * weights).sum(0) / len(places), _SMALLEST_VARIANCE)
            found = -0.5 * len(places) * np.log(variances) - np.log(np.diag(factor[0])).sum()
            better = found > likelihoods
            if better.any():
                self._factors[number] = factor[0]
                likelihoods[better], self._chosen[better] = found[better], number
                self._variances[better], self._weights[:, better] = variances[better], weights[:, better]

    def predict(self, places: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, shape (places, outputs) each.

        Args:
            places: In the unit cube, shape (places, dimensions).
        """
        from scipy.linalg import solve_triangular

        means = np.empty((len(places), len(self._centres)))
        deviations = np.empty_like(means)
        for number in np.unique(self._chosen):
            covariance, outputs = COVARIANCES[number], np.flatnonzero(self._chosen == number)
            between = covariance.between(places, self._places)
            known = solve_triangular(self._factors[int(number)], between.T, lower=True)
            left = np.maximum(covariance.at(places) - np.square(known).sum(0), _SMALLEST_VARIANCE)
            means[:, outputs] = between @ self._weights[:, outputs]
            deviations[:, outputs] = np.sqrt(left[:, np.newaxis] * self._variances[outputs])
        return self._centres + self._spreads * means, self._spreads * deviations
