"""Signals that are weighted sums of membrane currents, kept while the currents themselves are thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SegmentGeometry:
    """Where the segments of some cells lie; z points to the surface of the cortex.

    Attributes:
        starts_um: Begin of each segment (um), shape (segments, 3).
        middles_um: Its middle (um), shape (segments, 3).
        ends_um: Its end (um), shape (segments, 3).
        diameters_um: Its diameter (um), shape (segments,).
        cells: Number of its cell, shape (segments,); the segments of a cell follow each other.

    Raises:
        ModelError: Shapes that do not fit each other, or the segments of a cell are apart.
    """

    starts_um: NDArray[np.float64]
    middles_um: NDArray[np.float64]
    ends_um: NDArray[np.float64]
    diameters_um: NDArray[np.float64]
    cells: NDArray[np.intp]

    def __post_init__(self) -> None:
        count = len(self.cells)
        for points in (self.starts_um, self.middles_um, self.ends_um):
            if points.shape != (count, 3):
                raise ModelError(f"expected x, y and z of {count} segments, got an array of shape {points.shape}")
        if self.diameters_um.shape != (count,) or count == 0:
            raise ModelError(f"expected diameters of {count} segments, got an array of shape {self.diameters_um.shape}")
        if len(self.first_segments) != len(np.unique(self.cells)):
            raise ModelError("the segments of a cell have to follow each other; sort them by cell")

    @property
    def first_segments(self) -> NDArray[np.intp]:
        """Place of the first segment of each cell, shape (cells,)."""
        return np.concatenate(([0], np.flatnonzero(np.diff(self.cells)) + 1)).astype(np.intp)


class CurrentReadout:
    """Weighted sums of membrane currents, one row a sample.

    Sums are the same to the last bit in whatever order, and in however many processes, cells are summed: what each
    cell adds is rounded to a multiple of a power of two small enough not to matter, and sums of these are exact.

    Args:
        weights: Weight of each segment in each output, shape (segments, outputs).
        geometry: Of the same segments.
        resolution: What each cell adds is rounded to a multiple of this, a power of two, in the unit of the outputs.
    """

    def __init__(self, weights: NDArray[np.float64], geometry: SegmentGeometry, resolution: float) -> None:
        self._weights = np.ascontiguousarray(weights.T)
        self._first_segments = geometry.first_segments
        self._resolution = resolution
        self._samples: list[NDArray[np.float64]] = []

    def add(self, currents_nA: NDArray[np.float64]) -> None:
        """Take the next sample.

        Args:
            currents_nA: Membrane current of each segment, outward positive (nA), shape (segments,).
        """
        by_cell = np.add.reduceat(self._weights * currents_nA, self._first_segments, axis=1)
        rounded = np.rint(by_cell / self._resolution)
        self._samples.append(rounded.sum(axis=1) * self._resolution)

    @property
    def samples(self) -> NDArray[np.float64]:
        """All samples so far, shape (samples, outputs); those of several processes are added up."""
        outputs = len(self._weights)
        return np.array(self._samples).reshape(-1, outputs)
