"""Shapes, cells and circuits that need no NEURON."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from rheobase.fitting.cells.model import CellModel
from rheobase.fitting.circuits.blueprint import CircuitBlueprint, Population, Projection
from rheobase.fitting.circuits.shapes import CellShape, SectionShape
from tests.fitting.circuits import toy_circuit

SOMA_UM, BASAL_UM, TRUNK_UM = 20.0, 100.0, 300.0


def straight(name: str, kind: str, end: tuple[float, float, float], begin_um: float, segments: int) -> SectionShape:
    """A section from the origin to a point."""
    points = np.array([(0.0, 0.0, 0.0, 2.0), (*end, 2.0)])
    length = float(np.linalg.norm(end))
    parent = None if kind == "somatic" else 0
    return SectionShape(
        name, frozenset({"all", kind}), parent, 0.5, segments, points, True, length, 2.0, begin_um
    )  # fmt: skip


@functools.cache
def shape() -> CellShape:
    return CellShape(
        (
            straight("soma", "somatic", (0.0, SOMA_UM, 0.0), 0.0, 1),
            straight("dend", "basal", (BASAL_UM, 0.0, 0.0), 0.0, 1),
            straight("apic", "apical", (0.0, 0.0, TRUNK_UM), 10.0, 3),
        )
    )


def shape_of(model: CellModel) -> CellShape:
    return shape()


def blueprint(projection: Projection, sizes: dict[str, int] | None = None, **changes: Any) -> CircuitBlueprint:
    sizes = sizes or {"A": 40, "B": 30}
    populations = tuple(
        Population(name, "L", size, toy_circuit.variants(), (100.0, 300.0)) for name, size in sizes.items()
    )
    return CircuitBlueprint("numbers", populations, (projection,), **changes)
