"""Tables of rates, one row a unit, and of spikes, one row a spike (.csv, .tsv, .txt).

Columns are separated by comma, semicolon, tab or space: whichever makes the named columns appear in the head.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.activity.files import has_no_text, spike_trains_of_file
from rheobase.features.activity.populations import Units
from rheobase.features.activity.unit_values import UnitValues
from rheobase.features.errors import RecordingError, UnitError
from rheobase.features.readers.signals import reading
from rheobase.features.units import factor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rheobase.features.activity.spike_trains import SpikeTrains

_SEPARATORS = (",", ";", "\t", " ")
_UNIT_IN_HEAD = re.compile(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*$")
# Population of a table that names none.
ONE_POPULATION = "all"


@dataclass(frozen=True)
class RateColumns:
    """Columns of a table of rates.

    Attributes:
        rate: Rate of the unit. Its head may state the unit, "Spont_Rate(Hz)"; else it is Hz.
        populations: Columns whose values together name the unit's population, for example ("layer", "type").
        unit: Name of the unit; the number of the row when left out.
    """

    rate: str
    populations: tuple[str, ...]
    unit: str | None = None


@dataclass(frozen=True)
class SpikeColumns:
    """Columns of a table of spikes.

    Attributes:
        time: Time of the spike. Its head states the unit, "time (s)", or `time_unit` does.
        unit: Name of the unit, unique within its population.
        populations: Columns whose values together name the unit's population; none for a single population.
        time_unit: For a head without a unit, for example "ms".
    """

    time: str
    unit: str
    populations: tuple[str, ...] = ()
    time_unit: str | None = None


@dataclass(frozen=True)
class _Table:
    """Chosen columns as text, and the number of the line that the first row is on."""

    columns: Mapping[str, list[str]]
    first_line: int


def read_rate_table(
    path: Path, columns: RateColumns, leave_out_missing: bool = False, silent_included: bool = False
) -> UnitValues:
    """Rates of units, one row each.

    Args:
        path: The table.
        columns: Which columns to read.
        leave_out_missing: Leave out, with a note, rows without a rate or a population; else they are an error.
        silent_included: Whether the table also has neurons that never fired: a model's has, spike sorting's not.

    Raises:
        RecordingError: Not such a table, a missing column (those that are there are listed), a rate that is negative
            or no number (with its line), a unit that is there twice, or rates in a unit that is no frequency.
    """
    wanted = [columns.rate, *columns.populations, *([columns.unit] if columns.unit else [])]
    if not columns.populations:
        raise RecordingError(f"{path}: expected a column that names the populations of the units")
    table = _read(path, wanted)
    labels, missing = _labels(table, columns.populations, len(table.columns[columns.rate]))
    missing |= np.array([has_no_text(text) for text in table.columns[columns.rate]], dtype=bool)
    if np.any(missing) and not leave_out_missing:
        line = table.first_line + int(np.argmax(missing))
        raise RecordingError(
            f"{path}, line {line}: {int(missing.sum())} of {len(missing)} rows lack a value in "
            f"{' or '.join((columns.rate, *columns.populations))}; complete them, or leave them out (leave_out_missing)"
        )
    kept = np.flatnonzero(~missing)
    if not len(kept):
        raise RecordingError(f"{path}: none of its {len(missing)} rows has a rate and a population")
    rates = _numbers(table, columns.rate, kept, path) * _scale(columns.rate, None, "Hz", path)
    if np.any(rates < 0):
        row = int(np.argmax(rates < 0))
        raise RecordingError(
            f"{path}, line {table.first_line + int(kept[row])}: a rate is 0 Hz or more, got {rates[row]:g}"
        )
    names = [table.columns[columns.unit][row] for row in kept] if columns.unit else [str(row) for row in kept]
    _check_different([(labels[row], name) for row, name in zip(kept, names, strict=True)], path)
    notes = (f"{path.name}: {int(missing.sum())} of {len(missing)} rows without a rate or a population left out",)
    return UnitValues(
        "rate",
        "Hz",
        rates,
        np.arange(len(kept)),
        Units.from_labels([labels[row] for row in kept], names, silent_included),
        source=f"{path.name}, column '{columns.rate}', populations by {' x '.join(columns.populations)}",
        notes=notes if np.any(missing) else (),
    )


def read_spike_table(
    path: Path, columns: SpikeColumns, observed_ms: tuple[float, float], sizes: Mapping[str, int] | None = None
) -> SpikeTrains:
    """Spike trains of a table with one row a spike, in any order.

    Args:
        path: The table.
        columns: Which columns to read.
        observed_ms: Start and end of the observation (ms), which the table does not say.
        sizes: Number of neurons of each population, so that silent ones count; without them the units are those that
            fired.

    Raises:
        RecordingError: Not such a table, a missing column (those that are there are listed), a time that is no
            number (with its line), a time without unit, spikes beyond the observation, or more units than `sizes`.
    """
    table = _read(path, [columns.time, columns.unit, *columns.populations])
    rows = len(table.columns[columns.time])
    labels, missing = _labels(table, columns.populations, rows)
    missing |= np.array([has_no_text(text) for text in table.columns[columns.unit]], dtype=bool)
    if np.any(missing):
        raise RecordingError(
            f"{path}, line {table.first_line + int(np.argmax(missing))}: a spike without a value in "
            f"{' or '.join((columns.unit, *columns.populations))}"
        )
    scale = _scale(columns.time, columns.time_unit, "ms", path)
    times = _numbers(table, columns.time, np.arange(rows), path) * scale
    owners = list(zip(labels, table.columns[columns.unit], strict=True))
    found = sorted(set(owners))
    everyone = found + _silent(found, sizes, path)
    units = Units.from_labels([label for label, _ in everyone], [name for _, name in everyone], sizes is not None)
    place = {owner: index for index, owner in enumerate(everyone)}
    return spike_trains_of_file(path, times, np.array([place[owner] for owner in owners]), units, observed_ms)


def _silent(found: Sequence[tuple[str, str]], sizes: Mapping[str, int] | None, path: Path) -> list[tuple[str, str]]:
    """Units that did not fire: as many as a population is short of its size."""
    if sizes is None:
        return []
    fired = Counter(label for label, _ in found)
    for label, count in fired.items():
        if count > sizes.get(label, 0):
            raise RecordingError(
                f"{path}: {count} units of '{label}' fire, but its stated size is {sizes.get(label, 0)}; the sizes are "
                f"those of {', '.join(sizes)}"
            )
    return [(label, f"silent {number}") for label, size in sizes.items() for number in range(size - fired[label])]


def _read(path: Path, wanted: Sequence[str]) -> _Table:
    import pandas

    with reading(path, "a table"):
        lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
        head = next((place for place, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
        if head is None:
            raise RecordingError(f"{path}: expected a line of column heads")
        if not lines[-1].endswith(("\n", "\r")):
            raise RecordingError(
                f"{path}: its last line has no end, so its last value may be cut off; "
                "if the file is whole, add a line break at its end"
            )
        separator = _separator(lines[head], wanted, path)
        with warnings.catch_warnings():
            # Rows longer than the head would lose what is beyond it.
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            content = pandas.read_csv(
                io.StringIO("".join(lines[head:]).rstrip("\r\n") + "\n"),
                sep=separator,
                dtype=str,
                keep_default_na=False,
                skipinitialspace=True,
                skip_blank_lines=False,
                index_col=False,
            )
        content.columns = content.columns.str.strip()
        if not len(content):
            raise RecordingError(f"{path}: there are no rows below the column heads")
        return _Table({name: [str(value).strip() for value in content[name]] for name in wanted}, head + 2)


def _separator(head: str, wanted: Sequence[str], path: Path) -> str:
    readings = {
        separator: [name.strip() for name in next(csv.reader([head], delimiter=separator, skipinitialspace=True))]
        for separator in _SEPARATORS
    }
    for separator, names in readings.items():
        if all(names.count(name) == 1 for name in wanted):
            return separator
    names = max(readings.values(), key=lambda names: (sum(name in names for name in wanted), len(names)))
    missing = [name for name in wanted if names.count(name) != 1]
    raise RecordingError(
        f"{path}: expected one column {', '.join(repr(name) for name in missing)}; there are {', '.join(names)}"
    )


def _labels(table: _Table, populations: Sequence[str], rows: int) -> tuple[list[str], NDArray[np.bool_]]:
    """Population of each row, and which rows lack a part of its name."""
    if not populations:
        return [ONE_POPULATION] * rows, np.zeros(rows, dtype=bool)
    parts = list(zip(*(table.columns[column] for column in populations), strict=True))
    missing = np.array([any(has_no_text(text) for text in row) for row in parts], dtype=bool)
    return [" ".join(row) for row in parts], missing


def _numbers(table: _Table, column: str, rows: NDArray[np.intp], path: Path) -> NDArray[np.float64]:
    numbers = np.empty(len(rows))
    for place, row in enumerate(rows.tolist()):
        text = table.columns[column][row]
        try:
            numbers[place] = float(text)
        except ValueError:
            numbers[place] = np.nan
        if not np.isfinite(numbers[place]):
            raise RecordingError(
                f"{path}, line {table.first_line + row}: expected a number in '{column}', got '{text}'"
            )
    return numbers


def _scale(column: str, stated: str | None, canonical: str, path: Path) -> float:
    """Number that turns a column into the canonical unit when multiplied."""
    in_head = _UNIT_IN_HEAD.search(column)
    unit = stated or (in_head[1] if in_head else None)
    if unit is None:
        if canonical == "Hz":
            return 1.0
        raise RecordingError(
            f"{path}: the column '{column}' has no unit in its head, as 'time (ms)' has; state the unit (time_unit)"
        )
    try:
        return factor(unit, canonical)
    except UnitError as error:
        raise RecordingError(f"{path}, column '{column}': {error}") from None


def _check_different(units: Sequence[tuple[str, str]], path: Path) -> None:
    repeated = next((unit for unit, count in Counter(units).items() if count > 1), None)
    if repeated is not None:
        raise RecordingError(f"{path}: expected each unit once, '{repeated[1]}' of '{repeated[0]}' is there again")
