from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from rheobase.features.errors import ModelError
from rheobase.features.signals.current_source_density import DiscSources, delta_icsd, second_derivative_csd
from rheobase.fitting.circuits.line_sources import (
    electrodes_at,
    potential_readout,
    potential_signal,
    transfer_matrix,
)
from rheobase.fitting.circuits.readout import SegmentGeometry
from tests.fitting.circuits.currents import currents_of_the_small_cell, vertical_segments

RADIUS_UM = 1000.0
SOURCE_DEPTH_UM, SINK_DEPTH_UM = 600.0, 300.0


def one_segment(start: tuple[float, ...], end: tuple[float, ...], diameter_um: float = 2.0) -> SegmentGeometry:
    begin, stop = np.array([start]), np.array([end])
    return SegmentGeometry(begin, 0.5 * (begin + stop), stop, np.array([diameter_um]), np.zeros(1, dtype=np.intp))


@pytest.mark.parametrize("electrode", [(30.0, 0.0, 40.0), (5.0, 5.0, 250.0), (20.0, -10.0, -80.0)])
def test_potential_of_a_line_is_that_of_many_points(electrode: tuple[float, float, float]) -> None:
    start, end = np.array([0.0, 0.0, 0.0]), np.array([10.0, 20.0, 100.0])

    def of_point(part: float) -> float:
        return 1.0 / (4.0 * math.pi * 0.3 * float(np.linalg.norm(start + part * (end - start) - electrode)))

    matrix = transfer_matrix(one_segment(tuple(start), tuple(end)), np.array([electrode]))
    assert matrix == pytest.approx(np.array([[quad(of_point, 0.0, 1.0)[0]]]), rel=1e-6)


def test_a_short_segment_is_a_point() -> None:
    """1 nA in 0.3 S/m at 100 um: 1e-9 / (4 pi 0.3 1e-4) V = 2.65258 uV."""
    for length in (1.0, 0.0):
        matrix = transfer_matrix(one_segment((0.0, 0.0, 0.0), (length, 0.0, 0.0)), np.array([[0.0, 100.0, 0.0]]))
        assert matrix[0, 0] == pytest.approx(2.65258e-3, rel=1e-4)


def test_twice_the_conductivity_is_half_the_potential() -> None:
    segment, electrodes = one_segment((0.0, 0.0, 0.0), (50.0, 0.0, 0.0)), np.array([[0.0, 100.0, 0.0]])
    assert transfer_matrix(segment, electrodes, 0.6) * 2.0 == pytest.approx(transfer_matrix(segment, electrodes, 0.3))


def test_an_electrode_within_a_segment_is_at_its_surface() -> None:
    segment = one_segment((-50.0, 0.0, 0.0), (50.0, 0.0, 0.0), diameter_um=20.0)
    inside = transfer_matrix(segment, np.array([[0.0, 0.0, 0.0]]))
    at_surface = transfer_matrix(segment, np.array([[0.0, 10.0, 0.0]]))
    assert inside == pytest.approx(at_surface)


def test_far_from_a_real_cell_the_potential_is_that_of_its_dipole() -> None:
    geometry, currents = currents_of_the_small_cell()
    direction = np.array([0.3, 0.2, 0.93])
    electrode = geometry.middles_um[0] + 100_000.0 * direction / np.linalg.norm(direction)
    readout = potential_readout(geometry, electrode[np.newaxis])
    for sample in currents:
        readout.add(sample)
    moment = currents @ (geometry.middles_um - geometry.middles_um[0])
    of_dipole = moment @ (direction / np.linalg.norm(direction)) / (4.0 * math.pi * 0.3 * 100_000.0**2)
    assert readout.samples[:, 0] == pytest.approx(of_dipole, abs=0.03 * np.abs(of_dipole).max())


def disc_potential() -> tuple[np.ndarray, np.ndarray, float]:
    """Depths, the potential there (mV), and the current per area (nA/um^2) of a sink and a source, two wide discs."""
    count = 6000
    number = np.arange(count) + 0.5
    # A sunflower: evenly spread, without chance.
    radius, angle = RADIUS_UM * np.sqrt(number / count), number * math.pi * (3.0 - math.sqrt(5.0))
    x, y = np.tile(radius * np.cos(angle), 2), np.tile(radius * np.sin(angle), 2)
    layers = np.repeat([SINK_DEPTH_UM, SOURCE_DEPTH_UM], count)
    geometry = vertical_segments(x, y, layers, 50.0)
    geometry = replace(geometry, diameters_um=np.full(2 * count, 40.0))
    depths = np.arange(100.0, 850.0, 50.0)
    readout = potential_readout(geometry, electrodes_at(depths.tolist()))
    readout.add(np.where(layers == SINK_DEPTH_UM, -0.1, 0.1))
    readout.add(np.zeros(2 * count))
    return depths, readout.samples, 0.1 * count / (math.pi * RADIUS_UM**2)


def test_csd_of_a_laminar_potential_finds_sink_and_source() -> None:
    depths, samples, current_per_area = disc_potential()
    potential = potential_signal(samples, depths.tolist(), 0.5, 0.0)
    assert potential.channels[0] == "100 um"
    density = second_derivative_csd(potential, 50.0).values[:, 0]
    inner = depths[1:-1]
    assert inner[np.argmin(density)] == SINK_DEPTH_UM
    assert inner[np.argmax(density)] == SOURCE_DEPTH_UM
    # Over the depth of a sink the density adds up to its current per area: uA/mm^3 um is 1e-6 nA/um^2.
    sink = density[np.abs(inner - SINK_DEPTH_UM) <= 100.0].sum() * 50.0 * 1e-6
    assert sink == pytest.approx(-current_per_area, rel=0.1)


def test_delta_icsd_finds_the_size_of_sink_and_source() -> None:
    depths, samples, current_per_area = disc_potential()
    potential = potential_signal(samples, depths.tolist(), 0.5, 0.0)
    density = delta_icsd(potential, depths, DiscSources(diameter_um=2.0 * RADIUS_UM)).values[:, 0]
    for depth, sign in ((SINK_DEPTH_UM, -1.0), (SOURCE_DEPTH_UM, 1.0)):
        found = density[np.abs(depths - depth) <= 100.0].sum() * 50.0 * 1e-6
        assert found == pytest.approx(sign * current_per_area, rel=0.1)


def test_electrodes_lie_below_the_surface() -> None:
    assert electrodes_at([0.0, 100.0], 25.0).tolist() == [[25.0, 0.0, 0.0], [25.0, 0.0, -100.0]]


def test_refuses_what_cannot_be_measured() -> None:
    segment = one_segment((0.0, 0.0, 0.0), (50.0, 0.0, 0.0))
    with pytest.raises(ModelError, match="above 0 S/m"):
        transfer_matrix(segment, electrodes_at([100.0]), 0.0)
    with pytest.raises(ModelError, match="different depths"):
        electrodes_at([100.0, 100.0])
    with pytest.raises(ModelError, match="potential at 2 electrodes"):
        potential_signal(np.zeros((5, 3)), [0.0, 1.0], 0.5, 0.0)
    with pytest.raises(ModelError, match="went astray"):
        potential_signal(np.full((5, 1), np.nan), [0.0], 0.5, 0.0)
