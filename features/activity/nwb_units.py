"""Spike trains and rates of sorted units from NWB 2 files (the units table), read through pynwb."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.activity.files import has_no_text, spike_trains_of_file
from rheobase.features.activity.populations import Units
from rheobase.features.activity.unit_values import UnitValues
from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rheobase.features.activity.spike_trains import SpikeTrains


@dataclass(frozen=True)
class UnitColumns:
    """Columns of a units table.

    Attributes:
        populations: Columns whose values together name a unit's population, for example ("layer", "cell_type");
            "electrodes.location" and "electrode_group.location" are looked up for the unit's electrodes.
        where: Values that a unit must have in other columns to be read, for example {"quality": ["good"]}.
    """

    populations: tuple[str, ...]
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The chosen rows of a units table: their units, spike times (ms) and intervals of observation (ms), if stated."""

    units: Units
    times_ms: list[NDArray[np.float64]]
    observed_ms: list[NDArray[np.float64]] | None


def read_nwb_spike_trains(
    path: Path, columns: UnitColumns, interval_ms: tuple[float, float] | None = None
) -> SpikeTrains:
    """Spike trains of the units of an NWB file over one interval.

    Args:
        path: The file.
        columns: Which units, and what names their populations.
        interval_ms: Part of the session to take (ms on the file's clock). Left out, it is the longest interval in
            which all these units were observed; needed where the file has no obs_intervals.

    Raises:
        RecordingError: Not such a file, a missing column (those that are there are listed), spike times that are not
            ascending, or units that were not observed over the whole interval.
    """
    rows = _read(path, columns)
    interval = _interval(rows, interval_ms, path)
    inside = [times[(times >= interval[0]) & (times <= interval[1])] for times in rows.times_ms]
    unit_of_spike = np.repeat(np.arange(len(inside)), [len(times) for times in inside])
    return spike_trains_of_file(path, np.concatenate(inside), unit_of_spike, rows.units, interval)


def read_nwb_rates(path: Path, columns: UnitColumns) -> UnitValues:
    """Rate of each unit of an NWB file over all that it was observed (obs_intervals, which may have gaps).

    Args:
        path: The file.
        columns: Which units, and what names their populations.

    Raises:
        RecordingError: As `read_nwb_spike_trains`, and spikes outside the intervals of observation.
    """
    rows = _read(path, columns)
    if rows.observed_ms is None:
        raise RecordingError(
            f"{path}: its units have no obs_intervals, so their rates are not known; take the rates of "
            "read_nwb_spike_trains with interval_ms"
        )
    rates = []
    for name, times, observed in zip(rows.units.names, rows.times_ms, rows.observed_ms, strict=True):
        interval = np.searchsorted(observed[:, 0], times, side="right") - 1
        outside = (interval < 0) | (times > observed[np.maximum(interval, 0), 1])
        if np.any(outside):
            raise RecordingError(
                f"{path}, unit {name}: {int(outside.sum())} of {len(times)} spikes lie outside its obs_intervals, the "
                f"first at {times[np.argmax(outside)] / 1000.0:g} s"
            )
        rates.append(len(times) / (float(np.sum(observed[:, 1] - observed[:, 0])) / 1000.0))
    source = f"{path.name}, units.spike_times over obs_intervals, populations by {' x '.join(columns.populations)}"
    return UnitValues("rate", "Hz", np.array(rates), np.arange(len(rates)), rows.units, source=source)


def _read(path: Path, columns: UnitColumns) -> _Rows:
    with _units_table(path) as table:
        _check_columns(table, columns, path)
        kept = np.arange(len(table))
        for column, allowed in columns.where.items():
            texts = _texts(table, column, kept, path)
            kept = kept[[text in set(allowed) for text in texts]]
        if not len(kept):
            raise RecordingError(f"{path}: none of its {len(table)} units has {_condition(columns)}")
        parts = [_texts(table, column, kept, path) for column in columns.populations]
        names = tuple(str(table.id[int(row)]) for row in kept)
        for column, texts in zip(columns.populations, parts, strict=True):
            missing = [name for name, text in zip(names, texts, strict=True) if has_no_text(text)]
            if missing:
                raise RecordingError(
                    f"{path}: {len(missing)} of {len(names)} units have nothing in the column '{column}', the first is "
                    f"unit {missing[0]}; choose units with `where`"
                )
        labels = [" ".join(row) for row in zip(*parts, strict=True)]
        units = Units.from_labels(labels, names, silent_included=False)
        times = [_spike_times_ms(table, int(row), name, path) for row, name in zip(kept, names, strict=True)]
        observed = None
        if "obs_intervals" in table.colnames:
            observed = [_observed_ms(table, int(row), name, path) for row, name in zip(kept, names, strict=True)]
        return _Rows(units, times, observed)


@contextlib.contextmanager
def _units_table(path: Path) -> Iterator[Any]:
    with reading(path, "an NWB file"):
        from pynwb import NWBHDF5IO

        with NWBHDF5IO(str(path), mode="r") as io:
            with warnings.catch_warnings():
                # Older schema versions than pynwb's own are fine, and pynwb says so for each of them.
                warnings.simplefilter("ignore", UserWarning)
                content = io.read()
            if content.units is None or not len(content.units):
                raise RecordingError(f"{path}: there is no table of units in it, so no spike times")
            yield content.units


def _check_columns(table: Any, columns: UnitColumns, path: Path) -> None:
    if not columns.populations:
        raise RecordingError(f"{path}: expected a column that names the populations; there are {_known(table)}")
    for column in ("spike_times", *columns.populations, *columns.where):
        if column.split(".")[0] not in table.colnames:
            raise RecordingError(f"{path}: its units have no column '{column}'; there are {_known(table)}")


def _known(table: Any) -> str:
    return ", ".join(table.colnames)


def _condition(columns: UnitColumns) -> str:
    return " and ".join(f"{column} of {', '.join(allowed)}" for column, allowed in columns.where.items()) or "any row"


def _texts(table: Any, column: str, rows: NDArray[np.intp], path: Path) -> list[str]:
    """Values of a column as text, one a row."""
    first, _, attribute = column.partition(".")
    if not attribute:
        values = [table[first][int(row)] for row in rows]
        if not all(isinstance(value, str | bytes | int | float | np.generic) for value in values):
            raise RecordingError(f"{path}: the column '{column}' holds neither text nor numbers, so it names nothing")
        return [_text(value) for value in values]
    if first == "electrodes":
        return [_of_electrodes(table, attribute, int(row), path) for row in rows]
    groups = [table[first][int(row)] for row in rows]
    if any(not hasattr(group, attribute) for group in groups):
        raise RecordingError(f"{path}: the column '{first}' refers to nothing that has '{attribute}'")
    return [_text(getattr(group, attribute)) for group in groups]


def _of_electrodes(table: Any, attribute: str, row: int, path: Path) -> str:
    electrodes = table["electrodes"][row]
    if attribute not in electrodes.columns:
        raise RecordingError(
            f"{path}: its electrodes have no column '{attribute}'; there are {', '.join(electrodes.columns)}"
        )
    found = sorted({_text(value) for value in electrodes[attribute]})
    if len(found) != 1:
        raise RecordingError(
            f"{path}, unit {table.id[row]}: expected one '{attribute}' for all its electrodes, got "
            f"{', '.join(found) or 'no electrodes'}"
        )
    return found[0]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _spike_times_ms(table: Any, row: int, name: str, path: Path) -> NDArray[np.float64]:
    times: NDArray[np.float64] = 1000.0 * np.asarray(table["spike_times"][row], dtype=np.float64)
    if not np.all(np.isfinite(times)):
        raise RecordingError(f"{path}, unit {name}: {int(np.sum(~np.isfinite(times)))} spike times are not numbers")
    if np.any(np.diff(times) < 0):
        wrong = int(np.argmax(np.diff(times) < 0)) + 1
        raise RecordingError(
            f"{path}, unit {name}: spike times must be ascending, but spike {wrong} is at {times[wrong] / 1000.0:g} s "
            f"after {times[wrong - 1] / 1000.0:g} s"
        )
    return times


def _observed_ms(table: Any, row: int, name: str, path: Path) -> NDArray[np.float64]:
    """Intervals of observation (ms), shape (intervals, 2), in order and apart."""
    observed: NDArray[np.float64] = 1000.0 * np.asarray(table["obs_intervals"][row], dtype=np.float64).reshape(-1, 2)
    flat = observed.ravel()
    if not len(flat) or not np.all(np.isfinite(flat)) or np.any(observed[:, 0] >= observed[:, 1]):
        raise RecordingError(f"{path}, unit {name}: expected obs_intervals with a start before their end")
    if np.any(np.diff(flat) < 0):
        raise RecordingError(f"{path}, unit {name}: its obs_intervals overlap or are not ascending")
    return observed


def _interval(rows: _Rows, wanted: tuple[float, float] | None, path: Path) -> tuple[float, float]:
    if rows.observed_ms is None:
        if wanted is None:
            raise RecordingError(f"{path}: its units have no obs_intervals; state interval_ms, what was observed")
        return wanted
    common = _common(rows.observed_ms)
    longest = max(common, key=lambda one: one[1] - one[0], default=None)
    advice = "no interval is shared by all" if longest is None else f"the longest that all share is {longest} ms"
    if wanted is None:
        if longest is None:
            raise RecordingError(f"{path}: {advice} units; choose units with `where`, or take read_nwb_rates")
        return longest
    for name, observed in zip(rows.units.names, rows.observed_ms, strict=True):
        if not np.any((observed[:, 0] <= wanted[0]) & (observed[:, 1] >= wanted[1])):
            raise RecordingError(
                f"{path}, unit {name}: it was not observed from {wanted[0]:g} to {wanted[1]:g} ms without a gap; "
                f"{advice}"
            )
    return wanted


def _common(observed: Sequence[NDArray[np.float64]]) -> list[tuple[float, float]]:
    """Intervals in which all units were observed."""
    common = [(float(start), float(stop)) for start, stop in observed[0]]
    for intervals in observed[1:]:
        common = [
            (max(start, float(first)), min(stop, float(last)))
            for start, stop in common
            for first, last in intervals
            if max(start, float(first)) < min(stop, float(last))
        ]
    return common
