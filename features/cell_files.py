"""Which files of a folder belong to which cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.errors import RecordingError
from rheobase.features.naming import natural_key
from rheobase.features.recording_files import RecordingFile, find_files
from rheobase.features.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rheobase.features.layout import RecordingFolder
    from rheobase.features.reading_report import ReadingReport


@dataclass(frozen=True)
class CellFiles:
    """The files of one cell, sorted by path."""

    cell: str
    files: tuple[RecordingFile, ...]


class FilesByCell:
    """Files of the cells of a folder that are to be kept, by cell; on disk, as there are many.

    Args:
        folder: Where the files are and which cells to keep; files whose names do not tell their cell are opened.
        report: Takes those that cannot be.

    Attributes:
        cells: Names of the cells, sorted.

    Raises:
        RecordingError: As `read_recordings`, or a cell is in two folders.
    """

    def __init__(self, folder: RecordingFolder, report: ReadingReport) -> None:
        self._shelf: Shelf[RecordingFile] = Shelf()
        self._folders: dict[str, Path] = {}
        _check_unique(folder.folders)
        for root in folder.folders:
            to_be_opened: list[RecordingFile] = []
            for file in find_files(root, folder.pattern, folder.table):
                if "cell" in file.names:
                    self._put(file.names["cell"], file, root)
                else:
                    to_be_opened.append(file)
            for file in sorted(to_be_opened, key=_path_key):
                try:
                    cells = file.cells()
                except RecordingError as error:
                    report.leave_out(error)
                    continue
                for cell in sorted(cells):
                    self._put(cell, file, root)
        kept = _kept_cells(set(self._shelf.names), folder)
        self.cells = tuple(sorted(kept, key=lambda name: (natural_key(name), name)))

    def _put(self, cell: str, file: RecordingFile, root: Path) -> None:
        first = self._folders.setdefault(cell, root)
        if first != root:
            raise RecordingError(
                f"the cell '{cell}' is in {first} and in {root}: it may be one cell, or two of one name; give a folder "
                "above them instead, with a pattern of files whose {cell} tells which (--files, or recordings.files)"
            )
        self._shelf.put(cell, file)

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[CellFiles]:
        for cell in self.cells:
            yield CellFiles(cell, tuple(sorted(self._shelf.get(cell), key=_path_key)))


def _check_unique(folders: tuple[Path, ...]) -> None:
    seen: dict[Path, Path] = {}
    for folder in folders:
        first = seen.setdefault(folder.resolve(), folder)
        if first is not folder:
            raise RecordingError(f"the folder of recordings {folder} is given twice; leave it out once")


def _path_key(file: RecordingFile) -> tuple[object, str]:
    path = file.path.as_posix()
    return natural_key(path), path


def _kept_cells(cells: set[str], folder: RecordingFolder) -> set[str]:
    if folder.cells is None:
        return cells
    missing = [cell for cell in folder.cells if cell not in cells]
    if missing:
        there = ", ".join(sorted(cells, key=natural_key))
        raise RecordingError(f"{folder}: no cell '{missing[0]}'; the cells there are {there}")
    return set(folder.cells)
