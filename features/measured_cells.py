"""All measured cells of an extraction, on disk: one of them is in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.features.naming import natural_key
from rheobase.features.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rheobase.features.cell_measurement import CellMeasurement


class MeasuredCells:
    """Measured cells by name, in the order in which people number them, whatever order they came in.

    Args:
        cells: What `measure_cell` gave for each cell; taken one after another.

    Attributes:
        names: Names of the cells, sorted.
    """

    def __init__(self, cells: Iterable[CellMeasurement] = ()) -> None:
        self._shelf: Shelf[CellMeasurement] = Shelf()
        for cell in cells:
            self._shelf.put(cell.cell, cell)
        self.names = tuple(sorted(self._shelf.names, key=lambda name: (natural_key(name), name)))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[CellMeasurement]:
        for name in self.names:
            yield from self._shelf.get(name)

    def __getitem__(self, name: str) -> CellMeasurement:
        for cell in self._shelf.get(name):
            return cell
        raise KeyError(name)
