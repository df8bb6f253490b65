from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rheobase.fitting.circuits.blueprint import CircuitBlueprint, Population
from rheobase.fitting.circuits.placing import place_cells, segments_in_space
from tests.fitting.circuits import toy_circuit
from tests.fitting.circuits.shapes_of_numbers import TRUNK_UM, shape_of

UPRIGHT = Population("E", "L", 300, toy_circuit.variants(), (100.0, 400.0))
TURNED = Population("I", "L", 300, toy_circuit.variants(), (100.0, 400.0), upright=False)
CIRCUIT = CircuitBlueprint("placed", (UPRIGHT, TURNED), radius_um=120.0)


class TestPositions:
    def test_column(self) -> None:
        cells = place_cells(CIRCUIT, shape_of)["E"]
        positions = np.array([cell.position_um for cell in cells])
        radii = np.linalg.norm(positions[:, :2], axis=1)
        assert radii.max() <= 120.0
        # Uniform over the disk: half of the cells within R / sqrt(2).
        assert np.mean(radii < 120.0 / np.sqrt(2.0)) == pytest.approx(0.5, abs=0.1)
        assert -400.0 <= positions[:, 2].min() < -380.0
        assert -120.0 < positions[:, 2].max() <= -100.0

    def test_numbers_go_through_the_populations(self) -> None:
        placed = place_cells(CIRCUIT, shape_of)
        assert [cell.gid for cell in placed["E"]] == list(range(300))
        assert [cell.gid for cell in placed["I"]] == list(range(300, 600))

    def test_a_cell_is_the_same_whatever_else_there_is(self) -> None:
        alone = place_cells(replace(CIRCUIT, populations=(TURNED,)), shape_of)["I"]
        together = place_cells(CIRCUIT, shape_of)["I"]
        assert all(
            one.position_um.tobytes() == other.position_um.tobytes()
            and one.rotation.tobytes() == other.rotation.tobytes()
            and one.variant is other.variant
            for one, other in zip(alone, together, strict=True)
        )

    def test_seed(self) -> None:
        first, second = (place_cells(replace(CIRCUIT, seed=seed), shape_of)["E"] for seed in (1, 2))
        assert not np.allclose(first[0].position_um, second[0].position_um)


class TestVariants:
    def test_all_models_are_used_evenly(self) -> None:
        names = [cell.variant.name for cell in place_cells(CIRCUIT, shape_of)["E"]]
        assert {names.count(name) for name in set(names)} == {100}
        assert len(set(names[:3])) == 3


class TestOrientation:
    def test_upright(self) -> None:
        cells = place_cells(CIRCUIT, shape_of)["E"]
        tips = np.array([cell.segments.ends_um[-1] - cell.position_um for cell in cells])
        # The origin of the shape is the middle of the soma, which lies 10 um along y.
        np.testing.assert_allclose(np.linalg.norm(tips, axis=1), np.hypot(TRUNK_UM, 10.0))
        axes = np.array([cell.rotation @ cell.shape.apical_axis for cell in cells])
        np.testing.assert_allclose(axes, np.tile([0.0, 0.0, 1.0], (300, 1)), atol=1e-12)
        turns = np.array([np.arctan2(*(cell.rotation @ [1.0, 0.0, 0.0])[:2]) for cell in cells])
        assert np.histogram(turns, 4, (-np.pi, np.pi))[0].min() > 50

    def test_any_orientation(self) -> None:
        cells = place_cells(CIRCUIT, shape_of)["I"]
        axes = np.array([cell.rotation @ cell.shape.apical_axis for cell in cells])
        assert np.abs(axes.mean(axis=0)).max() < 0.12  # standard error 0.033
        assert axes[:, 2].std() == pytest.approx(1.0 / np.sqrt(3.0), abs=0.06)

    def test_rotations_keep_shapes(self) -> None:
        for cell in place_cells(CIRCUIT, shape_of)["I"][:20]:
            np.testing.assert_allclose(cell.rotation @ cell.rotation.T, np.eye(3), atol=1e-12)
            assert np.linalg.det(cell.rotation) == pytest.approx(1.0)


def test_segments_of_many_cells() -> None:
    cells = place_cells(CIRCUIT, shape_of)["E"][:3]
    geometry = segments_in_space(cells)
    np.testing.assert_array_equal(geometry.cells, np.repeat([0, 1, 2], 5))
    np.testing.assert_allclose(geometry.middles_um[::5], [cell.position_um for cell in cells])
