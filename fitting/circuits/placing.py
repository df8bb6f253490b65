"""Where the cells of a circuit are, how they are turned, and which model each is."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.circuits.random_streams import random_generator
from rheobase.fitting.circuits.readout import SegmentGeometry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.cells.model import CellModel
    from rheobase.fitting.circuits.blueprint import CellVariant, CircuitBlueprint, Population
    from rheobase.fitting.circuits.shapes import CellShape
    from rheobase.fitting.circuits.templates import HocTemplate


@dataclass(frozen=True, eq=False)
class PlacedCell:
    """One cell of a circuit.

    Attributes:
        gid: Its number in the circuit.
        population: Name of its population.
        index: Its number in the population.
        variant: Model and parameters.
        shape: Shape of the model.
        position_um: Middle of the soma (um), shape (3,); the surface is at z = 0, the axis of the column at
            x = y = 0.
        rotation: Turns the shape into space, shape (3, 3).
    """

    gid: int
    population: str
    index: int
    variant: CellVariant
    shape: CellShape
    position_um: NDArray[np.float64]
    rotation: NDArray[np.float64]

    @functools.cached_property
    def segments(self) -> SegmentGeometry:
        """Its segments in space, in the order of the shape."""
        local = self.shape.segments
        starts, middles, ends = (
            points @ self.rotation.T + self.position_um for points in (local.starts_um, local.middles_um, local.ends_um)
        )
        return SegmentGeometry(starts, middles, ends, local.diameters_um, np.full(len(local.cells), self.gid))


def place_cells(
    blueprint: CircuitBlueprint, shape_of: Callable[[CellModel | HocTemplate], CellShape]
) -> dict[str, tuple[PlacedCell, ...]]:
    """All cells of a circuit, by population; their numbers go through the populations in their order.

    A cell is the same whatever other populations there are, but for its number.

    Args:
        blueprint: The circuit.
        shape_of: Shape of a model (`cell_building.cell_shape`).
    """
    first, placed = 0, {}
    for population in blueprint.populations:
        placed[population.name] = _place_population(blueprint, population, first, shape_of)
        first += population.size
    return placed


def segments_in_space(cells: Sequence[PlacedCell]) -> SegmentGeometry:
    """The segments of some cells, cell after cell."""
    parts = [cell.segments for cell in cells]
    return SegmentGeometry(
        np.concatenate([part.starts_um for part in parts]),
        np.concatenate([part.middles_um for part in parts]),
        np.concatenate([part.ends_um for part in parts]),
        np.concatenate([part.diameters_um for part in parts]),
        np.concatenate([part.cells for part in parts]),
    )


def _place_population(
    blueprint: CircuitBlueprint,
    population: Population,
    first: int,
    shape_of: Callable[[CellModel | HocTemplate], CellShape],
) -> tuple[PlacedCell, ...]:
    order = random_generator(blueprint.seed, "variants", population.name).permutation(len(population.variants))
    cells = []
    for index in range(population.size):
        variant = population.variants[order[index % len(order)]]
        shape = shape_of(variant.model)
        generator = random_generator(blueprint.seed, "place", population.name, index)
        position = _position(generator, blueprint.radius_um, population.depths_um)
        rotation = _rotation(generator, shape.apical_axis, population.upright)
        cells.append(PlacedCell(first + index, population.name, index, variant, shape, position, rotation))
    return tuple(cells)


def _position(generator: np.random.Generator, radius_um: float, depths_um: tuple[float, float]) -> NDArray[np.float64]:
    radius, angle = radius_um * np.sqrt(generator.random()), 2.0 * np.pi * generator.random()
    depth = generator.uniform(*depths_um)
    return np.array([radius * np.cos(angle), radius * np.sin(angle), -depth])


def _rotation(generator: np.random.Generator, apical_axis: NDArray[np.float64], upright: bool) -> NDArray[np.float64]:
    """The apical axis to the surface and a random turn about it, or any rotation with equal chances."""
    from scipy.spatial.transform import Rotation

    if not upright:
        quaternion = generator.standard_normal(4)
        return np.asarray(Rotation.from_quat(quaternion).as_matrix())
    turn = Rotation.from_rotvec([0.0, 0.0, 2.0 * np.pi * generator.random()])
    upwards = np.array([0.0, 0.0, 1.0])
    across = np.cross(apical_axis, upwards)
    sine, cosine = float(np.linalg.norm(across)), float(apical_axis @ upwards)
    if sine > 0.0:
        raising = Rotation.from_rotvec(across / sine * np.arctan2(sine, cosine))
    else:
        raising = Rotation.from_rotvec([0.0 if cosine > 0.0 else np.pi, 0.0, 0.0])
    return np.asarray((turn * raising).as_matrix())
