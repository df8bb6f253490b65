"""Which current belongs to which voltage in an NWB 2 file.

The voltage of a CurrentClampSeries finds its current, a CurrentClampStimulusSeries, by the table of
intracellular recordings, else by sweep number and electrode (the series' own or the older sweep table's), else by
electrode and start time, where several share these by the last number in the names of the series.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Column of the table of intracellular recordings for the name of the sweep (see `nwb_writer`).
SWEEP_COLUMN = "sweep"

VOLTAGE_TYPE = "CurrentClampSeries"
_CURRENT_TYPE = "CurrentClampStimulusSeries"


@dataclass(frozen=True, eq=False)
class Part:
    """Samples [start, start + count) of a series, all of it when count is negative."""

    series: Any
    start: int = 0
    count: int = -1


@dataclass(frozen=True, eq=False)
class Pair:
    """A voltage and the current found for it.

    Attributes:
        voltage: Samples of the voltage.
        current: Samples of its current; None: there is none in the file.
        number: The file's number of the sweep.
        name: The name that the file's table gives to the sweep.
        stimulus_type: What the file's table of sequential recordings calls the stimulus.
    """

    voltage: Part
    current: Part | None
    number: int | None
    name: str | None = None
    stimulus_type: str | None = None


def find_pairs(content: Any, path: Path) -> list[Pair]:
    """Pairs of a file, sorted by sweep number, else by the name of their voltage series.

    Args:
        content: The file in pynwb.
        path: Its path, for messages.

    Raises:
        RecordingError: Several currents for one voltage.
    """
    numbers = _sweep_numbers(content)
    pairs = _pairs_of_table(content, numbers)
    in_table = {pair.voltage.series.name for pair in pairs}
    # By type name: subclasses are I=0 clamp or of an extension that may mean something else.
    currents = [series for series in content.stimulus.values() if type(series).__name__ == _CURRENT_TYPE]
    of_number: dict[int | None, list[Any]] = defaultdict(list)
    for current in currents:
        of_number[numbers.get(current.object_id)].append(current)
    for voltage in content.acquisition.values():
        if type(voltage).__name__ == VOLTAGE_TYPE and voltage.name not in in_table:
            number = numbers.get(voltage.object_id)
            found = _by_time(voltage, currents) if number is None else of_number[number]
            current = _of_electrode(voltage, found, path)
            pairs.append(Pair(Part(voltage), None if current is None else Part(current), number))
    return sorted(pairs, key=_order)


def start_s(series: Any) -> float:
    """Time of the first sample (s from the start of the session)."""
    return float(series.starting_time or 0.0) if series.rate is not None else float(series.timestamps[0])


def _order(pair: Pair) -> tuple[int, str, int]:
    return (-1 if pair.number is None else pair.number, pair.voltage.series.name, pair.voltage.start)


def _sweep_numbers(content: Any) -> dict[str, int]:
    """Sweep number by the object_id of the series, from the series itself or from the older sweep table.

    Not by name: IPFX calls a response and the stimulus of another sweep alike.
    """
    numbers: dict[str, int] = {}
    table = content.sweep_table
    if table is not None:
        for row in range(len(table)):
            for series in table["series"][row]:
                numbers[series.object_id] = int(table["sweep_number"][row])
    for series in [*content.acquisition.values(), *content.stimulus.values()]:
        number = getattr(series, "sweep_number", None)
        if number is not None:
            numbers[series.object_id] = int(number)
    return numbers


def _pairs_of_table(content: Any, numbers: dict[str, int]) -> list[Pair]:
    table = content.intracellular_recordings
    if table is None:
        return []
    responses, stimuli = table.category_tables["responses"], table.category_tables["stimuli"]
    names = table[SWEEP_COLUMN] if SWEEP_COLUMN in table.colnames else None
    types = _stimulus_types(content)
    pairs = []
    for row in range(len(table.id)):
        voltage, current = _reference(responses["response"][row]), _reference(stimuli["stimulus"][row])
        if voltage is None or type(voltage.series).__name__ != VOLTAGE_TYPE:
            continue
        if current is not None and type(current.series).__name__ != _CURRENT_TYPE:
            current = None
        name = None if names is None else str(names[row])
        pairs.append(Pair(voltage, current, numbers.get(voltage.series.object_id), name, types.get(row)))
    return pairs


def _stimulus_types(content: Any) -> dict[int, str]:
    """Type of the stimulus by the row of the table of intracellular recordings."""
    simultaneous, sequential = content.icephys_simultaneous_recordings, content.icephys_sequential_recordings
    if simultaneous is None or sequential is None:
        return {}
    types: dict[int, str] = {}
    for row in range(len(sequential.id)):
        for group in _rows(sequential["simultaneous_recordings"], row):
            for recording in _rows(simultaneous["recordings"], group):
                types[recording] = str(sequential["stimulus_type"][row])
    return types


def _rows(regions: Any, row: int) -> list[int]:
    """Rows of another table that a row of an indexed region column points to."""
    first = int(regions.data[row - 1]) if row else 0
    return [int(target) for target in regions.target.data[first : int(regions.data[row])]]


def _reference(reference: Any) -> Part | None:
    """Part of a series that a cell of the table points to; None for a cell that stands for nothing."""
    start, count, series = reference
    return None if start < 0 or count < 0 or series is None else Part(series, int(start), int(count))


def _of_electrode(voltage: Any, currents: Sequence[Any], path: Path) -> Any:
    """The current on the electrode of a voltage; None when there is none."""
    found = [current for current in currents if current.electrode.name == voltage.electrode.name]
    if len(found) > 1:
        names = ", ".join(current.name for current in found)
        raise RecordingError(f"{path}: the voltage '{voltage.name}' could belong to several currents: {names}")
    return found[0] if found else None


def _by_time(voltage: Any, currents: Sequence[Any]) -> list[Any]:
    """Currents that start with a voltage; where several do, those with the same last number in their names."""
    start = start_s(voltage)
    same_electrode = [current for current in currents if current.electrode.name == voltage.electrode.name]
    found = [current for current in same_electrode if abs(start_s(current) - start) < 1e-6]
    number = _last_number(voltage.name)
    return found if len(found) < 2 else [one for one in found if number and _last_number(one.name) == number]


def _last_number(name: str) -> str | None:
    """Last number in a name; that of the electrode (AD0, DA0) does not count."""
    numbers = re.findall(r"\d+", re.sub(r"_(AD|DA)\d+$", "", name))
    return str(int(numbers[-1])) if numbers else None
