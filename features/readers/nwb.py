"""Neurodata Without Borders files (.nwb, version 2): current clamp; voltage clamp and I=0 are passed over.

The voltage of a CurrentClampSeries finds its current, a CurrentClampStimulusSeries, by the table of
intracellular recordings, else by sweep number and electrode, else by electrode and start time, where several
share these by the last number in the names of the series.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import check_sweep, reading, uniform_step
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# Column of the table of intracellular recordings for the name of the sweep (see `nwb_writer`).
SWEEP_COLUMN = "sweep"

_NO_PROTOCOL = {"", "na", "n/a", "none", "unknown", "no description"}


@dataclass(frozen=True, eq=False)
class _Part:
    """Samples [start, start + count) of a series, all of it when count is negative."""

    series: Any
    start: int = 0
    count: int = -1


@dataclass(frozen=True, eq=False)
class _Pair:
    """A voltage and the current found for it, and the name that the file's table gives to the sweep."""

    voltage: _Part
    current: _Part | None
    sweep: str | None = None


class NwbReader:
    """Reads NWB 2 files of intracellular electrophysiology through pynwb."""

    suffixes: tuple[str, ...] = (".nwb",)

    def read(self, path: Path) -> Iterator[RawSweep]:
        """Current-clamp sweeps, sorted by sweep number, else by the name of their series.

        Raises:
            RecordingError: Truncated or damaged file, no current clamp in it, several currents for one
                voltage, samples at uneven intervals, or no recording (see `check_sweep`).
        """
        with reading(path, "an NWB file"):
            from pynwb import NWBHDF5IO

            with NWBHDF5IO(str(path), mode="r") as io:
                with warnings.catch_warnings():
                    # Older schema versions than pynwb's own are fine, and pynwb says so for each of them.
                    warnings.simplefilter("ignore", UserWarning)
                    content = io.read()
                pairs = _pairs(content, path)
                if not pairs:
                    raise RecordingError(f"{path}: there is no CurrentClampSeries in it, so no current clamp")
                for pair in sorted(pairs, key=_order):
                    yield check_sweep(_sweep(pair, path), path)


def _order(pair: _Pair) -> tuple[int, str, int]:
    number = pair.voltage.series.sweep_number
    return (-1 if number is None else int(number), pair.voltage.series.name, pair.voltage.start)


def _pairs(content: Any, path: Path) -> list[_Pair]:
    # By type name: subclasses are I=0 clamp or of an extension that may mean something else.
    voltages = [series for series in content.acquisition.values() if type(series).__name__ == "CurrentClampSeries"]
    currents = [series for series in content.stimulus.values() if type(series).__name__ == "CurrentClampStimulusSeries"]
    pairs = _pairs_of_table(content.intracellular_recordings)
    in_table = {pair.voltage.series.name for pair in pairs}
    for voltage in voltages:
        if voltage.name not in in_table:
            current = _current_for(voltage, currents, path)
            pairs.append(_Pair(_Part(voltage), None if current is None else _Part(current)))
    return pairs


def _pairs_of_table(table: Any) -> list[_Pair]:
    if table is None:
        return []
    responses, stimuli = table.category_tables["responses"], table.category_tables["stimuli"]
    names = table[SWEEP_COLUMN] if SWEEP_COLUMN in table.colnames else None
    pairs = []
    for row in range(len(table.id)):
        voltage, current = _reference(responses["response"][row]), _reference(stimuli["stimulus"][row])
        if voltage is None or type(voltage.series).__name__ != "CurrentClampSeries":
            continue
        if current is not None and type(current.series).__name__ != "CurrentClampStimulusSeries":
            current = None
        pairs.append(_Pair(voltage, current, None if names is None else str(names[row])))
    return pairs


def _reference(reference: Any) -> _Part | None:
    """Part of a series that a cell of the table points to; None for a cell that stands for nothing."""
    start, count, series = reference
    return None if start < 0 or count < 0 or series is None else _Part(series, int(start), int(count))


def _current_for(voltage: Any, currents: Sequence[Any], path: Path) -> Any:
    """Current series that belongs to a voltage series; None when there is none."""
    same_electrode = [current for current in currents if current.electrode.name == voltage.electrode.name]
    if voltage.sweep_number is not None:
        found = [current for current in same_electrode if current.sweep_number == voltage.sweep_number]
    else:
        start = _start_s(voltage)
        found = [current for current in same_electrode if abs(_start_s(current) - start) < 1e-6]
        if len(found) > 1:
            number = _last_number(voltage.name)
            found = [current for current in found if number is not None and _last_number(current.name) == number]
    if len(found) > 1:
        names = ", ".join(current.name for current in found)
        raise RecordingError(f"{path}: the voltage '{voltage.name}' could belong to several currents: {names}")
    return found[0] if found else None


def _last_number(name: str) -> str | None:
    numbers: list[str] = re.findall(r"\d+", name)
    return numbers[-1].lstrip("0") if numbers else None


def _sweep(pair: _Pair, path: Path) -> RawSweep:
    voltage = pair.voltage.series
    number = voltage.sweep_number
    name = pair.sweep or str(voltage.name if number is None else int(number))
    channels = [_channel(pair.voltage, path)]
    if pair.current is not None:
        channels.append(_channel(pair.current, path))
        lag_ms = 1000.0 * (_start_s(pair.current.series) - _start_s(voltage))
        lag_ms += pair.current.start * channels[1].time_step_ms - pair.voltage.start * channels[0].time_step_ms
        if abs(lag_ms) > 0.5 * channels[0].time_step_ms:
            raise RecordingError(
                f"{path}, sweep {name}: the current '{pair.current.series.name}' starts {lag_ms:g} ms "
                f"after the voltage '{voltage.name}'"
            )
    return RawSweep(tuple(channels), voltage.electrode.cell_id or None, _protocol(pair), name)


def _protocol(pair: _Pair) -> str | None:
    series = [pair.voltage.series] + ([] if pair.current is None else [pair.current.series])
    for description in (str(one.stimulus_description or "").strip() for one in series):
        if description.lower() not in _NO_PROTOCOL:
            return str(description)
    return None


def _channel(part: _Part, path: Path) -> Channel:
    series = part.series
    stop = None if part.count < 0 else part.start + part.count
    raw: NDArray[Any] = np.asarray(series.data[part.start : stop])
    if part.count >= 0 and len(raw) != part.count:
        raise RecordingError(f"{path}: the series '{series.name}' has fewer samples than its table says")
    # In this order, as the NWB schema defines it.
    values = raw.astype(np.float64) * float(series.conversion) + float(series.offset)
    return Channel(values, str(series.unit), _time_step_ms(series, path), series.name)


def _time_step_ms(series: Any, path: Path) -> float:
    if series.rate is not None:
        return float(f"{1000.0 / float(series.rate):.12g}")
    try:
        return float(f"{1000.0 * uniform_step(np.asarray(series.timestamps[:], dtype=np.float64)):.12g}")
    except ValueError as error:
        raise RecordingError(f"{path}: the series '{series.name}': {error} (times in s)") from error


def _start_s(series: Any) -> float:
    return float(series.starting_time or 0.0) if series.rate is not None else float(series.timestamps[0])
