"""Extraction keeps nothing of a cell in memory but its name and its line in the targets."""

from __future__ import annotations

import dataclasses
import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from rheobase.features.cell_measurement import CellMeasurement, measure_cell
from rheobase.features.extraction import combine, extract
from rheobase.features.measured_cells import MeasuredCells
from rheobase.features.requests import ExtractionPlan
from tests.features.recorded import made_up

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAN = ExtractionPlan(every_sweep=True)
STEPS = ((-0.1, 0), (0.05, 0), (0.1, 1), (0.15, 4), (0.2, 8), (0.3, 9))


def cell(name: str) -> CellMeasurement:
    return measure_cell([made_up(step, count, name, sweep=str(step)) for step, count in STEPS], PLAN)


def renamed(found: CellMeasurement, number: int) -> CellMeasurement:
    """A copy that has nothing in common with the original."""
    name = f"cell{number}"
    sweeps = tuple(dataclasses.replace(sweep, cell=name, features=dict(sweep.features)) for sweep in found.sweeps)
    return dataclasses.replace(found, cell=name, sweeps=sweeps)


def test_cells_come_back_in_natural_order_and_equal() -> None:
    found = cell("x")
    cells = MeasuredCells(renamed(found, number) for number in (10, 9, 1))
    assert cells.names == ("cell1", "cell9", "cell10")
    assert len(cells) == 3
    assert [one.cell for one in cells] == list(cells.names)
    assert cells["cell9"] == renamed(found, 9)  # to the last bit
    with pytest.raises(KeyError, match="cell2"):
        cells["cell2"]


def test_sweeps_and_targets_of_cells_are_those_of_the_measurements() -> None:
    extraction = combine([renamed(cell("x"), number) for number in range(3)], PLAN)
    assert set(extraction.sweeps) == {protocol.name for protocol in extraction.targets.protocols}
    assert [sweep.cell for sweep in extraction.sweeps["IDrest_150"]] == ["cell0", "cell1", "cell2"]
    assert list(extraction.cells) == ["cell0", "cell1", "cell2"]
    alone = extract([made_up(step, count, "cell1", sweep=str(step)) for step, count in STEPS], PLAN)
    for name, target in extraction.cells["cell1"].objectives.items():
        assert target.mean == alone.targets.objectives[name].mean
    assert "cell3" not in extraction.cells


def test_memory_does_not_grow_with_the_number_of_cells() -> None:
    found = cell("x")

    def kept_and_peak_kB(cells: int) -> tuple[float, float]:
        def measurements() -> Iterator[CellMeasurement]:
            for number in range(cells):
                yield renamed(found, number)

        gc.collect()
        tracemalloc.start()
        try:
            extraction = combine(measurements(), PLAN)
            assert len(extraction.targets.cells) == cells
            gc.collect()
            kept, peak = tracemalloc.get_traced_memory()
            return kept / 1024.0, peak / 1024.0
        finally:
            tracemalloc.stop()

    kept_and_peak_kB(5)  # what is loaded once
    few_kept, few_peak = kept_and_peak_kB(10)
    many_kept, many_peak = kept_and_peak_kB(410)
    # A cell takes 20 kB while it is measured; its line among the targets' cells stays.
    assert (many_kept - few_kept) / 400.0 < 2.0
    assert (many_peak - few_peak) / 400.0 < 8.0  # sweeps of one request at a time
