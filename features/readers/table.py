"""Tables (.csv, .tsv): one sweep a file, columns for time, voltage and current, units in their heads.

# cell: C1
# protocol: IDrest
# sweep: 3
time (ms),voltage (mV),current (nA)
0.0,-70.1,0.0
0.1,-70.2,0.0
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import check_sweep, quantity_of, reading, scale_to, uniform_step
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_HEAD = re.compile(r"^\s*(?P<name>[^([]*?)\s*[(\[]\s*(?P<unit>[^)\]]+?)\s*[)\]]\s*$")
_FACTS = ("cell", "protocol", "sweep")


class TableReader:
    """Reads comma- and tab-separated tables."""

    suffixes: tuple[str, ...] = tuple(_DELIMITERS)

    def read(self, path: Path) -> Iterator[RawSweep]:
        """The table as one sweep.

        Raises:
            RecordingError: A head without a unit, no time column, times that do not increase evenly, text in
                place of a number, lines of different lengths, or no recording (see `check_sweep`).
        """
        with reading(path, "a table of a recording"):
            text = path.read_text(encoding="utf-8-sig")
            facts, heads, first_row, body = _parts(text, _DELIMITERS[path.suffix.lower()], path)
            columns = _numbers(body, _DELIMITERS[path.suffix.lower()], len(heads), first_row, path)
            names, units = zip(*(_name_and_unit(head, path) for head in heads), strict=True)
            time = _time_column(units, path)
            step_ms = _time_step_ms(columns[time], units[time], path)
            channels = tuple(
                Channel(np.ascontiguousarray(columns[index]), units[index], step_ms, names[index])
                for index in range(len(heads))
                if quantity_of(units[index]) is not None
            )
            yield check_sweep(RawSweep(channels, facts.get("cell"), facts.get("protocol"), facts.get("sweep")), path)


def _parts(text: str, delimiter: str, path: Path) -> tuple[dict[str, str], list[str], int, str]:
    """What the '#' lines say, the column heads, the number of the first line of samples, and these lines."""
    facts: dict[str, str] = {}
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            if key.strip().lower() in _FACTS and value.strip():
                facts[key.strip().lower()] = value.strip()
        elif line.strip():
            heads = next(csv.reader([line], delimiter=delimiter))
            return facts, heads, index + 2, "".join(lines[index + 1 :])
    raise RecordingError(f"{path}: expected a line of column heads such as 'time (ms),voltage (mV),current (nA)'")


def _numbers(body: str, delimiter: str, columns: int, first_row: int, path: Path) -> NDArray[np.float64]:
    """Samples, shape (columns, samples)."""
    if not body.strip():
        raise RecordingError(f"{path}: there are no samples below the column heads")
    if not body.endswith(("\n", "\r")):
        raise RecordingError(
            f"{path}: its last line has no end, so its last number may be cut off; "
            "if the file is whole, add a line break at its end"
        )
    try:
        samples = np.loadtxt(io.StringIO(body), delimiter=delimiter, ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise RecordingError(f"{path}, from line {first_row} on: {error}") from error
    if samples.shape[1] != columns:
        raise RecordingError(f"{path}: {columns} column heads, but {samples.shape[1]} columns of samples")
    return samples.T


def _name_and_unit(head: str, path: Path) -> tuple[str, str]:
    match = _HEAD.match(head)
    if match is None:
        raise RecordingError(f"{path}: the column head '{head}' has no unit; write it like 'voltage (mV)'")
    return match["name"], match["unit"]


def _time_column(units: tuple[str, ...], path: Path) -> int:
    columns = [index for index, unit in enumerate(units) if scale_to(unit, "ms") is not None]
    if len(columns) != 1:
        raise RecordingError(f"{path}: expected one column of times, such as 'time (ms)', got {len(columns)}")
    return columns[0]


def _time_step_ms(times: NDArray[np.float64], unit: str, path: Path) -> float:
    try:
        step = uniform_step(times)
    except ValueError as error:
        raise RecordingError(f"{path}: {error} (times in {unit})") from error
    return float(f"{step * (scale_to(unit, 'ms') or 1.0):.12g}")
