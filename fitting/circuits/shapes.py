"""The shape of a cell: its sections, where their segments lie, and where contacts can lie. Nothing but numbers."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.circuits.readout import SegmentGeometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SectionShape:
    """One section of a morphology, as NEURON has it.

    Attributes:
        name: Its name, for example "dend[2]".
        lists: Section lists that it is in.
        parent: Place of its parent among the sections of the cell; None for the root.
        parent_position: Where on the parent it begins, 0 to 1.
        segments: Number of segments.
        points_um: Its course with diameters, x, y, z and d (um), shape (points, 4).
        drawn: Whether NEURON takes length and diameter from these points; a stub of an axon has none of its own.
        length_um: Length (um).
        diameter_um: Diameter where it is not drawn (um).
        begin_um: Path distance from the middle of the soma to its begin (um); 0 for the soma itself.
    """

    name: str
    lists: frozenset[str]
    parent: int | None
    parent_position: float
    segments: int
    points_um: NDArray[np.float64]
    drawn: bool
    length_um: float
    diameter_um: float
    begin_um: float


@dataclass(frozen=True, eq=False)
class CellShape:
    """All sections of a morphology, parents before their children.

    Attributes:
        sections: The sections; the first one is the soma.
    """

    sections: tuple[SectionShape, ...]

    def of_list(self, name: str) -> tuple[int, ...]:
        """Places of the sections of a list."""
        return tuple(place for place, section in enumerate(self.sections) if name in section.lists)

    @property
    def first_segments(self) -> NDArray[np.intp]:
        """Place of the first segment of each section among all segments of the cell, and their number at the end."""
        return np.cumsum([0, *(section.segments for section in self.sections)])

    @functools.cached_property
    def segments(self) -> SegmentGeometry:
        """Its segments, section after section, with the middle of the soma at the origin."""
        starts, middles, ends, diameters = (
            np.concatenate(column) for column in zip(*map(_segments, self.sections), strict=True)
        )
        origin = _along(self.sections[0], np.array([0.5]))[0][0]
        return SegmentGeometry(
            starts - origin, middles - origin, ends - origin, diameters, np.zeros(len(diameters), dtype=np.intp)
        )

    @functools.cached_property
    def apical_axis(self) -> NDArray[np.float64]:
        """Direction from the soma to the middle of the apical dendrite, shape (3,), length 1.

        Cells without one have that of the y axis, which points to the surface in most files.
        """
        upwards = np.array([0.0, 1.0, 0.0])
        first = self.first_segments
        apical = [n for place in self.of_list("apical") for n in range(first[place], first[place + 1])]
        if not apical:
            return upwards
        geometry = self.segments
        lengths = np.linalg.norm(geometry.ends_um - geometry.starts_um, axis=1)[apical]
        mean = lengths @ geometry.middles_um[apical]
        size = float(np.linalg.norm(mean))
        return mean / size if size > 0.0 else upwards

    def stretches(self, lists: Sequence[str], distances_um: tuple[float, float]) -> Stretches:
        """What lies on some section lists, within a range of path distances to the soma.

        The soma itself is at distance 0 as a whole.
        """
        near, far = distances_um
        found = []
        for place in sorted({place for name in lists for place in self.of_list(name)}):
            section = self.sections[place]
            if place == 0:
                begin, end = (0.0, section.length_um) if near <= 0.0 else (0.0, 0.0)
            else:
                begin = min(max(near - section.begin_um, 0.0), section.length_um)
                end = min(max(far - section.begin_um, 0.0), section.length_um)
            if end > begin:
                found.append((place, begin / section.length_um, end / section.length_um, end - begin))
        columns = list(zip(*found, strict=True)) or [(), (), (), ()]
        return Stretches(
            np.array(columns[0], dtype=np.intp), *(np.array(column, dtype=float) for column in columns[1:])
        )


@dataclass(frozen=True, eq=False)
class Stretches:
    """Parts of sections, shape (stretches,) each.

    Attributes:
        section: Place of the section in the cell.
        begin: Position on the section where it begins, 0 to 1.
        end: Where it ends, 0 to 1.
        length_um: Its length (um).
    """

    section: NDArray[np.intp]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    length_um: NDArray[np.float64]

    def choose(self, generator: np.random.Generator, number: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Places with equal chances for each micrometre: sections and positions on them, shape (number,) each."""
        reached = np.cumsum(self.length_um)
        at = generator.random(number) * reached[-1]
        which = np.minimum(np.searchsorted(reached, at, side="right"), len(reached) - 1)
        part = 1.0 - (reached[which] - at) / self.length_um[which]
        return self.section[which], self.begin[which] + part * (self.end[which] - self.begin[which])


def _along(section: SectionShape, positions: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (um), shape (positions, 3), and diameters at positions (0 to 1) along a section."""
    points = section.points_um
    steps = np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1)
    reached = np.concatenate([[0.0], np.cumsum(steps)])
    at = positions * reached[-1]
    columns = [np.interp(at, reached, points[:, column]) for column in range(4)]
    return np.stack(columns[:3], axis=1), columns[3]


def _segments(section: SectionShape) -> tuple[NDArray[np.float64], ...]:
    borders, _ = _along(section, np.linspace(0.0, 1.0, section.segments + 1))
    middles, diameters = _along(section, (np.arange(section.segments) + 0.5) / section.segments)
    if not section.drawn:
        diameters = np.full(section.segments, section.diameter_um)
    return borders[:-1], middles, borders[1:], diameters
