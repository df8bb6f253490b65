from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.fitting.cells.threshold import find_threshold_current

currents = st.floats(1e-3, 10.0)


class Cell:
    def __init__(self, threshold_nA: float) -> None:
        self.threshold_nA = threshold_nA
        self.asked: list[float] = []

    def spikes(self, amplitude_nA: float) -> bool:
        self.asked.append(amplitude_nA)
        return amplitude_nA >= self.threshold_nA


@given(threshold=currents, guess=currents, largest=currents, precision=st.floats(1e-3, 0.2))
def test_monotone_cells(threshold: float, guess: float, largest: float, precision: float) -> None:
    cell = Cell(threshold)
    found = find_threshold_current(cell.spikes, guess, largest, precision)
    if threshold > largest:
        assert found is None
        assert max(cell.asked) == largest
    elif threshold > 1e-3 * guess:
        assert found is not None
        assert found >= threshold  # it spikes
        assert found * (1.0 - precision) <= threshold * (1.0 + 1e-12)
    assert all(0.0 < amplitude <= largest for amplitude in cell.asked)
    assert len(cell.asked) <= 8 + math.log2(300.0 / precision)


@given(threshold=currents)
def test_a_good_guess_is_cheap(threshold: float) -> None:
    for error in (0.9, 1.0, 1.1):
        cell = Cell(threshold)
        find_threshold_current(cell.spikes, threshold * error, 100.0, 0.02)
        assert len(cell.asked) <= 7


@pytest.mark.parametrize("guess", [0.01, 0.5, 5.0])
def test_a_cell_that_always_spikes(guess: float) -> None:
    cell = Cell(0.0)
    found = find_threshold_current(cell.spikes, guess, 5.0, 0.02)
    assert found is not None
    assert 0.0 < found <= 2e-3 * guess
    assert len(cell.asked) < 30


def test_the_largest_step_is_tried() -> None:
    assert find_threshold_current(Cell(5.0).spikes, 0.1, 5.0, 0.02) == 5.0
