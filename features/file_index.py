"""A table that says which file, or which sweep of it, belongs to which cell and protocol.

file,cell,protocol,sweep
day1/0001.abf,C1,IDrest,
day1/0002.abf,C1,IV,0
day1/0002.abf,C1,IV,1

A line without a sweep stands for every sweep of its file that no other line names; one with it, for that sweep of
the file, or gives its name to the only one. An empty cell or protocol comes from the file.
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.errors import RecordingError

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("file", "cell", "protocol", "sweep")

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class IndexRow:
    """A line of the table; None stands for an empty field.

    Attributes:
        where: The table and the number of the line, for messages.
        path: The file.
        cell: Name of the cell.
        protocol: Name of the protocol.
        sweep: Name of the sweep.
    """

    where: str
    path: Path
    cell: str | None
    protocol: str | None
    sweep: str | None


def read_index(table: Path, folder: Path) -> list[IndexRow]:
    """Lines of a table in .csv or .tsv, in its order; whether its files are there is not looked at.

    Args:
        table: The table; empty lines and those that start with '#' do not count.
        folder: Where paths in the column "file" start, unless they are absolute.

    Raises:
        RecordingError: No such table, no column "file", a column that may be misspelt, a line with too many
            or too few fields or without a file, or the same file and sweep twice; the line is named.
    """
    delimiter = _DELIMITERS.get(table.suffix.lower())
    if delimiter is None:
        raise RecordingError(f"{table}: expected a table of recordings in .csv or .tsv")
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise RecordingError(f"the table of recordings {table} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecordingError(f"{table}: expected text in UTF-8: {error}") from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if not numbered:
        raise RecordingError(f"{table}: expected a line of column heads: {', '.join(COLUMNS)}")
    fields = [(number, [field.strip() for field in next(csv.reader([line], delimiter=delimiter))])
              for number, line in numbered]  # fmt: skip
    heads = _heads(fields[0][1], f"{table}, line {fields[0][0]}")
    rows: dict[tuple[Path, str | None], IndexRow] = {}
    for number, values in fields[1:]:
        where = f"{table}, line {number}"
        if len(values) != len(heads):
            raise RecordingError(f"{where}: {len(values)} fields under {len(heads)} column heads")
        row = _row(where, dict(zip(heads, values, strict=True)), folder)
        before = rows.setdefault((row.path, row.sweep), row)
        if before is not row:
            what = f"sweep {row.sweep} of {row.path}" if row.sweep else f"{row.path}"
            raise RecordingError(f"{where}: {what} is there already: {before.where}")
    if not rows:
        raise RecordingError(f"{table}: there are no lines below the column heads")
    return list(rows.values())


def _heads(fields: list[str], where: str) -> list[str]:
    heads = [head.lower() for head in fields]
    for head in heads:
        guesses = [] if head in COLUMNS else difflib.get_close_matches(head, COLUMNS, n=1, cutoff=0.75)
        if guesses:
            raise RecordingError(f"{where}: the column '{head}' is not known; is it '{guesses[0]}'?")
    for column in COLUMNS:
        if heads.count(column) > 1:
            raise RecordingError(f"{where}: two columns are called '{column}'")
    if "file" not in heads:
        raise RecordingError(f"{where}: there is no column 'file' (columns: {', '.join(heads)})")
    return heads


def _row(where: str, fields: dict[str, str], folder: Path) -> IndexRow:
    file, cell, protocol, sweep = (fields.get(column) or None for column in COLUMNS)
    if file is None:
        raise RecordingError(f"{where}: the column 'file' is empty")
    return IndexRow(where, folder / file, cell, protocol, sweep)
