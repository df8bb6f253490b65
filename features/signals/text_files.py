"""Signals in text files: HNN's columns (time, then trials), and tables with heads such as "Cz (uV)"."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Literal

import numpy as np

from rheobase.features.errors import RecordingError, UnitError
from rheobase.features.readers.signals import reading, scale_to, uniform_step
from rheobase.features.signals.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_HEAD = re.compile(r"^\s*(?P<name>[^([]*?)\s*(?:[(\[]\s*(?P<unit>[^)\]]+?)\s*[)\]])?\s*$")
_DELIMITERS = {".tsv": "\t", ".csv": ","}


def read_columns(
    path: Path,
    unit: str,
    columns: Literal["trials", "channels"] = "trials",
    time_unit: str = "ms",
    channels: Sequence[str] = (),
) -> Signal:
    """Numbers in columns without heads, the first of them the time; lines that begin with '#' are skipped.

    The files of the Human Neocortical Neurosolver (HNN): the averaged response is one trial, and spontaneous
    activity has one trial in each column.

    Args:
        path: The file; columns are separated by blanks, tabs or commas.
        unit: Unit of the samples, for example "nA m", as the file does not state it.
        columns: Whether each column after the first is a trial of one channel, or a channel.
        time_unit: Unit of the first column.
        channels: Names of the channels; "1", "2" and so on when left empty.

    Returns:
        Epochs of one channel ("trials") or a continuous signal ("channels").

    Raises:
        RecordingError: The file is missing or has no such columns, or times that do not increase evenly.
    """
    if columns not in ("trials", "channels"):
        raise RecordingError(f"{path}: expected columns='trials' or 'channels', got '{columns}'")
    with reading(path, "columns of numbers"):
        text = path.read_text(encoding="utf-8-sig")
        table = _numbers(text, "," if "," in text.partition("\n")[0] else None, path)
        if table.shape[0] < 2:
            raise RecordingError(f"{path}: expected a column of times and at least one of samples, got {len(table)}")
        rate_Hz, start_ms = _sampling(table[0], time_unit, path)
        values = table[1:, np.newaxis] if columns == "trials" else table[1:]
        names = tuple(channels) or tuple(str(number + 1) for number in range(values.shape[-2]))
        return Signal(np.ascontiguousarray(values), rate_Hz, unit, names, start_ms)


def read_table(path: Path, unit: str | None = None, sampling_rate_Hz: float | None = None) -> Signal:
    """A table with one head for each column, such as "time (s),Cz (uV),Pz (uV)"; lines with '#' are skipped.

    Args:
        path: A .csv or .tsv file (tabs); other endings are read as .csv.
        unit: Unit of the channels whose heads name none.
        sampling_rate_Hz: Of a table without a column of times.

    Raises:
        RecordingError: No heads, no unit, channels of different kinds, no time, times that do not increase evenly,
            text in place of a number, or lines of different lengths.
    """
    with reading(path, "a table of a signal"):
        delimiter = _DELIMITERS.get(path.suffix.lower(), ",")
        heads, body = _heads(path.read_text(encoding="utf-8-sig"), delimiter, path)
        table = _numbers(body, delimiter, path)
        if len(table) != len(heads):
            raise RecordingError(f"{path}: {len(heads)} column heads, but {len(table)} columns of samples")
        times = [index for index, (name, stated) in enumerate(heads) if _is_time(name, stated)]
        rate_Hz, start_ms = _table_sampling(table, heads, times, sampling_rate_Hz, path)
        rows = [index for index in range(len(heads)) if index not in times]
        if not rows:
            raise RecordingError(f"{path}: there is no column of samples, such as 'Cz (uV)'")
        units = [heads[row][1] or unit for row in rows]
        values, common = _in_one_unit(table[rows], units, [heads[row][0] for row in rows], path)
        return Signal(values, rate_Hz, common, tuple(heads[row][0] for row in rows), start_ms)


def _numbers(text: str, delimiter: str | None, path: Path) -> NDArray[np.float64]:
    """Columns of a text, shape (columns, lines)."""
    if text.strip() and not text.endswith(("\n", "\r")):
        raise RecordingError(
            f"{path}: its last line has no end, so its last number may be cut off; "
            "if the file is whole, add a line break at its end"
        )
    if not any(line.strip() and not line.startswith("#") for line in text.splitlines()):
        raise RecordingError(f"{path}: there are no samples in it")
    return np.loadtxt(io.StringIO(text), delimiter=delimiter, ndmin=2, dtype=np.float64).T


def _heads(text: str, delimiter: str, path: Path) -> tuple[list[tuple[str, str]], str]:
    """Name and unit ("" where none) of each column, and the lines below them."""
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.strip() and not line.startswith("#"):
            matches = [_HEAD.match(head) for head in next(csv.reader([line], delimiter=delimiter))]
            heads = [(match["name"], match["unit"] or "") for match in matches if match is not None]
            if len(heads) == len(matches) and not any(_is_number(name) for name, _ in heads):
                return heads, "".join(lines[index + 1 :])
            break
    raise RecordingError(f"{path}: expected a line of column heads such as 'time (ms),Cz (uV),Pz (uV)'")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_time(name: str, unit: str) -> bool:
    return scale_to(unit, "ms") is not None if unit else name.lower() in ("t", "time", "times")


def _table_sampling(
    table: NDArray[np.float64],
    heads: list[tuple[str, str]],
    times: list[int],
    sampling_rate_Hz: float | None,
    path: Path,
) -> tuple[float, float]:
    """Sampling rate (Hz) and time of the first sample (ms)."""
    if len(times) > 1:
        raise RecordingError(f"{path}: expected one column of times, got {len(times)}")
    if times:
        name, unit = heads[times[0]]
        if not unit:
            raise RecordingError(f"{path}: the column '{name}' has no unit; write its head like 'time (ms)'")
        return _sampling(table[times[0]], unit, path)
    if sampling_rate_Hz is None:
        raise RecordingError(
            f"{path}: expected a column of times such as 'time (ms)'; where there is none, state sampling_rate_Hz"
        )
    return sampling_rate_Hz, 0.0


def _sampling(times: NDArray[np.float64], unit: str, path: Path) -> tuple[float, float]:
    scale = scale_to(unit, "ms")
    if scale is None:
        raise RecordingError(f"{path}: expected times in ms, s or another unit of time, got '{unit}'")
    try:
        step = uniform_step(times)
    except ValueError as error:
        raise RecordingError(f"{path}: {error} (times in {unit})") from error
    return 1000.0 / (step * scale), float(times[0]) * scale


def _in_one_unit(
    values: NDArray[np.float64], units: Sequence[str | None], names: Sequence[str], path: Path
) -> tuple[NDArray[np.float64], str]:
    """Samples in the unit of the first channel, and that unit."""
    for name, unit in zip(names, units, strict=True):
        if unit is None:
            raise RecordingError(f"{path}: the column '{name}' has no unit; write '{name} (uV)', or state unit='uV'")
    common = str(units[0])
    try:
        scales = [1.0 if unit == common else _scale(str(unit), common) for unit in units]
    except UnitError as error:
        raise RecordingError(f"{path}: the channels have units of different kinds: {error}") from None
    return np.ascontiguousarray(values * np.array(scales)[:, np.newaxis]), common


def _scale(unit: str, common: str) -> float:
    scale = scale_to(unit, common)
    if scale is None:
        raise UnitError(f"'{unit}' and '{common}'")
    return scale
