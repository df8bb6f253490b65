"""The files of a folder of recordings, and the names that their paths or a table give to the sweeps in them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase.features.errors import RecordingError
from rheobase.features.file_index import IndexRow, read_index
from rheobase.features.joining import FoundSweep
from rheobase.features.naming import names_in, path_glob, path_pattern
from rheobase.features.readers import cells_in, known_suffixes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rheobase.features.recording import RawSweep


@dataclass(frozen=True)
class RecordingFile:
    """A file, the placeholders' values in its path, and the lines that a table has for it."""

    path: Path
    names: dict[str, str]
    rows: tuple[IndexRow, ...] = ()

    @property
    def protocols(self) -> set[str]:
        """Protocols that are known before the file is opened; empty when only the file can tell."""
        if not self.rows:
            return {self.names["protocol"]} if "protocol" in self.names else set()
        named = {row.protocol for row in self.rows if row.protocol is not None}
        return named if all(row.protocol is not None for row in self.rows) else set()

    def cells(self) -> set[str]:
        """Cells whose sweeps are in the file, which is opened when only it can tell.

        Raises:
            RecordingError: The file cannot be read.
        """
        if "cell" in self.names:
            return {self.names["cell"]}
        return {cell or self.path.stem for cell in cells_in(self.path)}

    def cell_of(self, raw: RawSweep) -> str:
        """Cell of a sweep that was read from the file."""
        return self.names.get("cell") or raw.cell or self.path.stem


def find_files(root: Path, pattern: str | None, table: str | None) -> Iterator[RecordingFile]:
    """Files that the table lists or the pattern matches, else all that can be read, in no order.

    Raises:
        RecordingError: The folder is missing, the table cannot be used, or nothing is found.
    """
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise RecordingError(f"the folder of recordings {root} {what}")
    if table is not None:
        if pattern is not None:
            raise RecordingError(f"give either the pattern of files '{pattern}' or the table {table}, not both")
        yield from _listed_files(root / table, root)
        return
    if pattern is None:
        suffixes = known_suffixes()
        files = _readable_files(root, suffixes)
        expected = f"files ending in {', '.join(suffixes)}"
    else:
        files = _matching_files(root, pattern)
        expected = f"files like '{pattern}'"
    first = next(files, None)
    if first is None:
        raise RecordingError(f"{root}: expected {expected}, found {_examples(root)}")
    yield first
    yield from files


def name_sweeps(file: RecordingFile, raws: Sequence[RawSweep], cell: str) -> Iterator[FoundSweep]:
    """Sweeps of a file under the names that the file's path, the table or the file itself gives to them.

    Raises:
        RecordingError: Nothing tells the protocol.
    """
    return _named_by_table(file, raws, cell) if file.rows else _named_by_path(file, raws, cell)


def absent_sweeps(file: RecordingFile, raws: Sequence[RawSweep]) -> list[RecordingError]:
    """An error for each line of the table whose sweep is not among those of its file."""
    if len(raws) == len(file.rows) == 1:
        return []  # the line names the only sweep
    names = {raw.sweep for raw in raws}
    there = ", ".join(raw.sweep or "one without a name" for raw in raws) or "none"
    return [
        RecordingError(f"{row.where}: there is no sweep '{row.sweep}' in {file.path} (sweeps: {there})")
        for row in file.rows
        if row.sweep is not None and row.sweep not in names
    ]


def _listed_files(table: Path, root: Path) -> list[RecordingFile]:
    """Files of a table, those of several cells once for each."""
    rows_of: dict[tuple[Path, str | None], list[IndexRow]] = {}
    for row in read_index(table, root):
        if not row.path.is_file():
            raise RecordingError(f"{row.where}: there is no file {row.path}")
        rows_of.setdefault((row.path, row.cell), []).append(row)
    cells_of = Counter(path for path, _ in rows_of)
    for (path, _), rows in rows_of.items():
        for row in rows:
            if row.sweep is None and cells_of[path] > 1:
                raise RecordingError(f"{row.where}: other lines give {path} to other cells, so it needs a sweep")
    return [
        RecordingFile(path, {} if cell is None else {"cell": cell}, tuple(rows))
        for (path, cell), rows in rows_of.items()
    ]


def _readable_files(root: Path, suffixes: Sequence[str]) -> Iterator[RecordingFile]:
    for folder, _, names in os.walk(root):  # Path.rglob remembers every path
        for path in map(Path(folder).joinpath, names):
            if path.suffix.lower() in suffixes and path.is_file():
                yield RecordingFile(path, {})


def _matching_files(root: Path, pattern: str) -> Iterator[RecordingFile]:
    expression = path_pattern(pattern)
    for path in root.glob(path_glob(pattern)):
        match = expression.fullmatch(path.relative_to(root).as_posix())
        if match and path.is_file():
            yield RecordingFile(path, names_in(match))


def _examples(root: Path) -> str:
    there = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    if not there:
        return "no file at all"
    # One from each end: the first two are often neighbours with the same kind of name.
    shown = sorted({there[0], there[-1]})
    return f"{len(there)} files such as {' and '.join(repr(name) for name in shown)}"


def _named_by_path(file: RecordingFile, raws: Sequence[RawSweep], cell: str) -> Iterator[FoundSweep]:
    for raw in raws:
        protocol = file.names.get("protocol") or raw.protocol
        if not protocol:
            raise RecordingError(
                f"{file.path}: neither the file nor its name tells the protocol; "
                "put {protocol} into the pattern, or the protocol into the file"
            )
        yield FoundSweep(cell, protocol, _sweep_name(raw, file, len(raws)), raw.channels, file.path)


def _sweep_name(raw: RawSweep, file: RecordingFile, sweeps: int) -> str:
    named = file.names.get("sweep")
    if named is None:
        return raw.sweep if raw.sweep is not None else file.path.stem
    # A file that holds several sweeps numbers them itself, and the same numbers come back in the next file.
    is_alone = sweeps == 1 and raw.sweep in (None, named)
    return named if is_alone else f"{named}.{raw.sweep}"


def _named_by_table(file: RecordingFile, raws: Sequence[RawSweep], cell: str) -> Iterator[FoundSweep]:
    rows = {row.sweep: row for row in file.rows}
    for raw in raws:
        row = file.rows[0] if len(raws) == len(rows) == 1 else rows.get(raw.sweep) or rows.get(None)
        if row is None:
            continue  # a sweep that the table does not list
        protocol = row.protocol or raw.protocol
        if not protocol:
            raise RecordingError(f"{row.where}: neither it nor the file {file.path} tells the protocol")
        yield FoundSweep(cell, protocol, row.sweep or raw.sweep or file.path.stem, raw.channels, file.path)
