from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.dipole import dipole_readout, dipole_signal
from rheobase.fitting.circuits.readout import CurrentReadout, SegmentGeometry
from tests.fitting.circuits.currents import currents_of_the_small_cell, vertical_segments


@pytest.fixture(scope="module")
def small_cell() -> tuple[SegmentGeometry, np.ndarray]:
    return currents_of_the_small_cell()


def moment(geometry: SegmentGeometry, currents_nA: np.ndarray) -> np.ndarray:
    readout = dipole_readout(geometry)
    for sample in currents_nA:
        readout.add(sample)
    return readout.samples


def shifted(geometry: SegmentGeometry, by_um: tuple[float, float, float]) -> SegmentGeometry:
    return replace(
        geometry,
        starts_um=geometry.starts_um + by_um,
        middles_um=geometry.middles_um + by_um,
        ends_um=geometry.ends_um + by_um,
    )


def test_membrane_currents_of_a_real_cell_add_up_to_zero(small_cell: tuple[SegmentGeometry, np.ndarray]) -> None:
    _, currents = small_cell
    largest = np.abs(currents).max()
    assert largest > 0.05  # the synapses act
    assert np.abs(currents.sum(axis=1)).max() < 1e-9 * largest


def test_dipole_of_a_real_cell_is_the_sum_of_places_times_currents(
    small_cell: tuple[SegmentGeometry, np.ndarray],
) -> None:
    geometry, currents = small_cell
    assert moment(geometry, currents) == pytest.approx(currents @ geometry.middles_um, abs=1e-6)
    assert np.abs(moment(geometry, currents)).max() > 10.0


def test_dipole_does_not_depend_on_the_origin(small_cell: tuple[SegmentGeometry, np.ndarray]) -> None:
    geometry, currents = small_cell
    here, far = moment(geometry, currents), moment(shifted(geometry, (3e4, -7e3, 1e5)), currents)
    assert np.abs(here).max() > 10.0
    assert far == pytest.approx(here, abs=1e-5)


def test_a_sink_below_a_source_points_up() -> None:
    geometry = replace(
        vertical_segments(np.zeros(2), np.zeros(2), np.array([500.0, 100.0]), 10.0), cells=np.zeros(2, dtype=np.intp)
    )
    assert moment(geometry, np.array([[-0.5, 0.5]])) == pytest.approx(np.array([[0.0, 0.0, 200.0]]))


@given(seed=st.integers(0, 1000), parts=st.integers(1, 7))
def test_sums_over_cells_are_the_same_to_the_last_bit_in_any_number_of_processes(seed: int, parts: int) -> None:
    random = np.random.default_rng(seed)
    cells = np.repeat(np.arange(40), 5)
    points = random.normal(0.0, 300.0, (200, 3))
    geometry = SegmentGeometry(points, points, points, np.ones(200), cells)
    currents = random.normal(0.0, 1.0, 200)
    alone = moment(geometry, currents[np.newaxis])
    together = np.zeros((1, 3))
    for part in range(parts):
        own = np.flatnonzero(cells % parts == part)
        piece = SegmentGeometry(points[own], points[own], points[own], np.ones(len(own)), cells[own])
        together = together + moment(piece, currents[own][np.newaxis])
    assert np.array_equal(alone, together)


def test_no_samples_are_an_empty_array() -> None:
    geometry = vertical_segments(np.zeros(2), np.zeros(2), np.array([500.0, 100.0]), 10.0)
    assert dipole_readout(geometry).samples.shape == (0, 3)
    assert CurrentReadout(np.ones((2, 5)), geometry, 0.5).samples.shape == (0, 5)


def test_the_signal_has_times_and_components() -> None:
    signal = dipole_signal(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), 0.5, 200.0)
    assert signal.channels == ("x", "y", "z")
    assert signal.pick("z").values.tolist() == [[3.0, 6.0]]
    assert signal.times_ms.tolist() == [200.0, 200.5]
    assert signal.converted("nA m").values[2, 1] == pytest.approx(6e-6)


@pytest.mark.parametrize(
    ("samples", "message"),
    [(np.zeros((4, 2)), "x, y and z"), (np.full((4, 3), np.nan), "went astray")],
)
def test_refuses_what_is_no_dipole(samples: np.ndarray, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        dipole_signal(samples, 0.5, 0.0)


def test_refuses_segments_of_a_cell_that_are_apart() -> None:
    points = np.zeros((3, 3))
    with pytest.raises(ModelError, match="follow each other"):
        SegmentGeometry(points, points, points, np.ones(3), np.array([0, 1, 0]))


def test_refuses_shapes_that_do_not_fit() -> None:
    points = np.zeros((3, 3))
    with pytest.raises(ModelError, match="x, y and z of 3 segments"):
        SegmentGeometry(points, points[:2], points, np.ones(3), np.arange(3))
    with pytest.raises(ModelError, match="diameters of 3"):
        SegmentGeometry(points, points, points, np.ones(2), np.arange(3))
