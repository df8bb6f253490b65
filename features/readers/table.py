"""Tables (.csv, .tsv): columns for time, voltage and current with units in their heads, one or several sweeps.

# cell: C1
# protocol: IDrest
# sweep: 3
time (ms),voltage (mV),current (nA)
0.0,-70.1,0.0
0.1,-70.2,0.0

Without a column of times, a line "# sampling: 20 kHz" or "# time step: 0.05 ms" says how far samples are apart.
Several sweeps stand side by side, with numbers at the end of the names ("voltage 1 (mV),current 1 (nA),voltage 2
(mV),..."), or one below the other, with their names in a column "sweep".
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError, UnitError
from rheobase.features.readers.signals import quantity_of, reading, scale_to, uniform_step
from rheobase.features.recording import Channel, RawSweep
from rheobase.features.units import parse_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_HEAD = re.compile(r"^\s*(?P<name>[^([]*?)\s*[(\[]\s*(?P<unit>[^)\]]+?)\s*[)\]]\s*$")
_NUMBERED = re.compile(r"^.*?(?P<number>\d+)$")
_FACTS = ("cell", "protocol", "sweep", "sampling", "time step")
_SWEEP_COLUMN = "sweep"


@dataclass(frozen=True, eq=False)
class _Table:
    """A table's text in parts.

    Attributes:
        facts: What the '#' lines say.
        heads: Heads of the columns.
        body: Lines below the heads.
        first_line: Number of the body's first line in the file.
        delimiter: Character between columns.
    """

    facts: dict[str, str]
    heads: list[str]
    body: str
    first_line: int
    delimiter: str


@dataclass(frozen=True, eq=False)
class _Column:
    """A column of numbers."""

    name: str
    unit: str
    values: NDArray[np.float64]


class TableReader:
    """Reads comma- and tab-separated tables."""

    suffixes: tuple[str, ...] = tuple(_DELIMITERS)

    def cells(self, path: Path) -> set[str | None]:
        """What the line "# cell: ..." says; None when there is none."""
        with reading(path, "a table of a recording"), path.open(encoding="utf-8-sig") as file:
            for line in file:
                key, value = _fact(line)
                if key == "cell":
                    return {value}
                if line.strip() and not line.startswith("#"):
                    break
        return {None}

    def read(self, path: Path) -> Iterator[RawSweep]:
        """Sweeps of the table; their names from the column "sweep", the columns' numbers, or "# sweep: ...".

        Raises:
            RecordingError: A head without a unit, neither times nor a sampling interval, times that do not
                increase evenly, text in place of a number, lines of different lengths, or several
                voltages whose sweeps are not told apart.
        """
        with reading(path, "a table of a recording"):
            table = _parts(path.read_text(encoding="utf-8-sig"), _DELIMITERS[path.suffix.lower()], path)
            named, columns = _columns(table, path)
            for sweep, part in _by_sweep(named, columns, table.facts.get("sweep"), path):
                step_ms = _time_step_ms(part, table.facts, path)
                channels = tuple(
                    Channel(np.ascontiguousarray(column.values), column.unit, step_ms, column.name)
                    for column in part
                    if quantity_of(column.unit) is not None
                )
                raw = RawSweep(channels, table.facts.get("cell"), table.facts.get("protocol"), sweep)
                yield raw


def _fact(line: str) -> tuple[str, str]:
    """Key in lower case and value of a line such as "# cell: C1"; '' and '' for other lines."""
    key, _, value = line[1:].partition(":")
    found = line.startswith("#") and key.strip().lower() in _FACTS and value.strip()
    return (key.strip().lower(), value.strip()) if found else ("", "")


def _parts(text: str, delimiter: str, path: Path) -> _Table:
    facts: dict[str, str] = {}
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.startswith("#"):
            key, value = _fact(line)
            if key:
                facts[key] = value
        elif line.strip():
            heads = next(csv.reader([line], delimiter=delimiter))
            return _Table(facts, heads, "".join(lines[index + 1 :]), index + 2, delimiter)
    raise RecordingError(f"{path}: expected a line of column heads such as 'time (ms),voltage (mV),current (nA)'")


def _columns(table: _Table, path: Path) -> tuple[NDArray[np.str_] | None, list[_Column]]:
    """Names of the sweeps line by line, where a column has them, and the columns of numbers."""
    if len(table.heads) == 1 and ";" in table.heads[0]:
        raise RecordingError(
            f"{path}: its columns are separated by ';'; save it with '{table.delimiter}' between the columns "
            "and '.' in the numbers"
        )
    if not table.body.strip():
        raise RecordingError(f"{path}: there are no samples below the column heads")
    if not table.body.endswith(("\n", "\r")):
        raise RecordingError(
            f"{path}: its last line has no end, so its last number may be cut off; "
            "if the file is whole, add a line break at its end"
        )
    heads = [head.strip().lower() for head in table.heads]
    if heads.count(_SWEEP_COLUMN) > 1:
        raise RecordingError(f"{path}: {heads.count(_SWEEP_COLUMN)} columns are called '{_SWEEP_COLUMN}'")
    numeric = [index for index, head in enumerate(heads) if head != _SWEEP_COLUMN]
    names_and_units = [_name_and_unit(table.heads[index], path) for index in numeric]
    try:
        named = None
        if len(numeric) < len(heads):
            fields = _load(table, np.str_, None)
            _check_width(fields.shape[1], table, path)
            named = np.char.strip(fields[:, heads.index(_SWEEP_COLUMN)])
        numbers = _load(table, np.float64, numeric if named is not None else None)
    except ValueError as error:
        commas = table.delimiter != "," and re.search(r"\d,\d", table.body)
        hint = "; write '.' and not ',' in the numbers" if commas else ""
        raise RecordingError(f"{path}, from line {table.first_line} on: {error}{hint}") from error
    if named is None:
        _check_width(numbers.shape[1], table, path)
    return named, [_Column(*both, values) for both, values in zip(names_and_units, numbers.T, strict=True)]


def _load(table: _Table, kind: type[Any], columns: list[int] | None) -> NDArray[Any]:
    return np.loadtxt(
        io.StringIO(table.body), delimiter=table.delimiter, ndmin=2, dtype=kind, usecols=columns, quotechar='"'
    )


def _check_width(columns: int, table: _Table, path: Path) -> None:
    if columns != len(table.heads):
        hint = "; write '.' and not ',' in the numbers" if columns == 2 * len(table.heads) else ""
        raise RecordingError(f"{path}: {len(table.heads)} column heads, but {columns} columns of samples{hint}")


def _name_and_unit(head: str, path: Path) -> tuple[str, str]:
    match = _HEAD.match(head)
    if match is None:
        raise RecordingError(f"{path}: the column head '{head}' has no unit; write it like 'voltage (mV)'")
    return match["name"], match["unit"]


def _by_sweep(
    named: NDArray[np.str_] | None, columns: list[_Column], name: str | None, path: Path
) -> Iterator[tuple[str | None, list[_Column]]]:
    """Columns of each sweep and its name."""
    if named is not None:
        for sweep in dict.fromkeys(named.tolist()):
            rows = named == sweep
            yield sweep, [_Column(column.name, column.unit, column.values[rows]) for column in columns]
        return
    signals = [column for column in columns if quantity_of(column.unit) is not None]
    if sum(quantity_of(column.unit) == "voltage" for column in signals) < 2:
        yield name, columns
        return
    groups: dict[str, list[_Column]] = defaultdict(list)
    for column in signals:
        number = _NUMBERED.match(column.name)
        if number is None:
            raise RecordingError(
                f"{path}: several columns of voltage, and '{column.name}' does not end in the number of its sweep; "
                "write them like 'voltage 1 (mV),current 1 (nA),voltage 2 (mV),current 2 (nA)'"
            )
        groups[number["number"]].append(column)
    others = [column for column in columns if quantity_of(column.unit) is None]
    for number_text, group in groups.items():
        yield number_text, [*others, *group]


def _time_step_ms(columns: list[_Column], facts: dict[str, str], path: Path) -> float:
    times = [column for column in columns if scale_to(column.unit, "ms") is not None]
    stated = [key for key in ("sampling", "time step") if key in facts]
    if len(times) + len(stated) != 1:
        raise RecordingError(
            f"{path}: expected one column of times, such as 'time (ms)', got {len(times)}, "
            f"or one line such as '# sampling: 20 kHz', got {len(stated)}"
        )
    if stated:
        return _stated_step_ms(stated[0], facts[stated[0]], path)
    try:
        step = uniform_step(times[0].values)
    except ValueError as error:
        raise RecordingError(f"{path}: {error} (times in {times[0].unit})") from error
    return float(f"{step * (scale_to(times[0].unit, 'ms') or 1.0):.12g}")


def _stated_step_ms(key: str, text: str, path: Path) -> float:
    try:
        value = parse_quantity(text, "Hz" if key == "sampling" else "ms")
    except UnitError as error:
        raise RecordingError(f"{path}, '# {key}: {text}': {error}") from error
    if value <= 0.0:
        raise RecordingError(f"{path}: expected more than zero, got '# {key}: {text}'")
    return float(f"{1000.0 / value if key == 'sampling' else value:.12g}")
