"""Membrane currents of a real cell in NEURON, and segments made up for measuring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.circuits.readout import SegmentGeometry
from tests.fitting.cells.small_cell import HIDDEN, model

if TYPE_CHECKING:
    from numpy.typing import NDArray


def vertical_segments(
    x_um: NDArray[np.float64], y_um: NDArray[np.float64], depths_um: NDArray[np.float64], length_um: float
) -> SegmentGeometry:
    """Upright pieces, each a cell of its own, with their middles at these places."""
    middles = np.column_stack((x_um, y_um, -depths_um))
    half = np.array([0.0, 0.0, 0.5 * length_um])
    count = len(middles)
    return SegmentGeometry(middles - half, middles, middles + half, np.ones(count), np.arange(count))


def currents_of_the_small_cell() -> tuple[SegmentGeometry, NDArray[np.float64]]:
    """Geometry, and membrane currents (nA) every 0.5 ms, shape (samples, segments), while two synapses are active."""
    instance = CellInstance(model())
    try:
        instance.set_parameters(HIDDEN)
        return _simulate(instance)
    finally:
        instance.h.cvode.use_fast_imem(0)
        instance.close()


def _simulate(instance: CellInstance) -> tuple[SegmentGeometry, NDArray[np.float64]]:
    h: Any = instance.h
    segments = [segment for section in instance.cell.all for segment in section]
    synapses = [h.ExpSyn(list(instance.cell.apical)[-1](0.9)), h.ExpSyn(next(iter(instance.cell.basal))(0.5))]
    connections = [h.NetCon(None, synapse, 0, 0, 0.1) for synapse in synapses]
    h.cvode_active(0)
    h.dt = 0.025
    h.steps_per_ms = 40
    h.cvode.use_fast_imem(1)
    h.finitialize(-80.0)
    for connection, time_ms in zip(connections, (5.0, 9.0), strict=True):
        connection.event(time_ms)
    samples = []
    while h.t < 30.0:
        h.continuerun(h.t + 0.5)
        samples.append([segment.i_membrane_ for segment in segments])
    return _geometry(segments), np.array(samples)


def _geometry(segments: list[Any]) -> SegmentGeometry:
    """Sections as straight lines: where segments lie does not matter here, as long as it is not one place."""
    points = []
    for segment in segments:
        section = segment.sec
        ends = [np.array([getattr(section, f"{axis}3d")(n) for axis in "xyz"]) for n in (0, section.n3d() - 1)]
        half = 0.5 / section.nseg
        points.append(
            [ends[0] + place * (ends[1] - ends[0]) for place in (segment.x - half, segment.x, segment.x + half)]
        )
    placed = np.array(points)
    diameters = np.array([segment.diam for segment in segments])
    cells = np.zeros(len(segments), dtype=np.intp)
    return SegmentGeometry(placed[:, 0], placed[:, 1], placed[:, 2], diameters, cells)
