"""Neurodata Without Borders files (.nwb): current clamp, in the dialects of Allen, DANDI, MIES and IPFX.

Data are scaled by conversion and offset, never by gain, which says how the amplifier was set. A bias current, which
the amplifier adds to the stimulus by itself, is added to the current. Cells are named by the electrode's cell_id,
else by the file, and by the electrode too where several of a file were in current clamp.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.hdf5 import check_hdf5
from rheobase.features.readers.nwb_1 import is_nwb_1, read_nwb_1
from rheobase.features.readers.nwb_pairs import VOLTAGE_TYPE, Pair, Part, find_pairs, start_s
from rheobase.features.readers.signals import quantity_of, reading, scale_to, uniform_step
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_NO_UNIT = {"", "unknown", "n/a", "none"}
_NO_PROTOCOL = {"", "na", "n/a", "none", "unknown", "no description", "placeholder"}
# MIES and IPFX add the channel and the number of the repetition to the name of a stimulus.
_CHANNEL_SUFFIX = re.compile(r"(_DA_?\d+)?(\[\d+\])?$")
_TEST_PULSE = "inserted testpulse"

_LEFT_OUT = {
    "VoltageClampSeries": "voltage clamp",
    "IZeroClampSeries": "I=0 clamp, nothing was injected",
}
# A real voltage is never exactly 0 for so long: it is what was allotted but not recorded.
_ZEROS_MS = 5.0
# Some files leave the start of all stimuli at 0 and pair them by sweep number or table.
_UNSTATED_START_S = 0.0


class NwbReader:
    """Reads NWB files of intracellular electrophysiology: version 2 through pynwb, Allen's version 1 through h5py."""

    suffixes: tuple[str, ...] = (".nwb",)

    def cells(self, path: Path) -> set[str | None]:
        """Cells whose current clamp is in the file; None when the file does not name its only one."""
        with reading(path, "an NWB file"):
            check_hdf5(path)
            return {None} if is_nwb_1(path) else set(_cell_of_electrode(path).values()) or {None}

    def read(self, path: Path) -> Iterator[RawSweep]:
        """Current-clamp sweeps, sorted by sweep number, else by the name of their series; then what is left out.

        A sweep whose stimulus is not in the file has a voltage only. One with samples at uneven intervals, or
        a unit that contradicts its conversion, names that as its problem.

        Raises:
            RecordingError: Truncated or damaged file, no current clamp in it, or several currents for one
                voltage.
        """
        with reading(path, "an NWB file"):
            check_hdf5(path)
            if is_nwb_1(path):
                yield from read_nwb_1(path)
                return

            from pynwb import NWBHDF5IO

            cells = _cell_of_electrode(path)
            with NWBHDF5IO(str(path), mode="r") as io:
                with warnings.catch_warnings():
                    # Older schema versions than pynwb's own are fine, and pynwb says so for each of them.
                    warnings.simplefilter("ignore", UserWarning)
                    content = io.read()
                pairs = find_pairs(content, path)
                if not pairs:
                    there = ", ".join(sorted({type(one).__name__ for one in content.acquisition.values()})) or "nothing"
                    raise RecordingError(
                        f"{path}: there is no {VOLTAGE_TYPE} in it, so no current clamp (it holds {there})"
                    )
                test_pulses = _ends_of_test_pulses(content)
                for pair in pairs:
                    cell = cells.get(pair.voltage.series.electrode.name)
                    try:
                        sweep = _sweep(pair, cell, test_pulses, path)
                    except RecordingError as error:
                        sweep = RawSweep((), cell, _protocol(pair), _name(pair), problem=str(error))
                    yield sweep
                yield from _left_out(content, cells)


def _cell_of_electrode(path: Path) -> dict[str, str | None]:
    """Name of the cell by the name of each electrode that recorded in current clamp."""
    import h5py

    cells: dict[str, str | None] = {}
    with h5py.File(path, "r") as file:
        for series in file.get("acquisition", {}).values():
            if _attribute(series, "neurodata_type") == VOLTAGE_TYPE and "electrode" in series:
                link = series.get("electrode", getlink=True)
                name = str(getattr(link, "path", series["electrode"].name)).rsplit("/", 1)[-1]
                cell_id = series["electrode"].get("cell_id")
                cells[name] = _decoded(cell_id[()]).strip() or None if cell_id is not None else None
    if len(cells) > 1:
        return {name: cell or f"{path.stem}_{name}" for name, cell in cells.items()}
    return cells


def _attribute(item: Any, name: str) -> str:
    return _decoded(item.attrs.get(name, ""))


def _decoded(text: Any) -> str:
    return text.decode() if isinstance(text, bytes) else str(text)


def _left_out(content: Any, cells: dict[str, str | None]) -> Iterator[RawSweep]:
    for series in content.acquisition.values():
        kind = type(series).__name__
        if kind != VOLTAGE_TYPE and hasattr(series, "electrode"):
            reason = _LEFT_OUT.get(kind, f"a {kind}, not a {VOLTAGE_TYPE}")
            yield RawSweep((), cells.get(series.electrode.name), None, series.name, left_out=reason)


def _ends_of_test_pulses(content: Any) -> dict[str, float]:
    """When the test pulse is over that MIES puts before a stimulus (s of the session), by the series' object_id."""
    table = content.epochs
    ends: dict[str, float] = {}
    if table is None or not {"tags", "timeseries"} <= set(table.colnames):
        return ends
    tags, first = table["tags"], 0
    texts = [str(tag).lower() for tag in tags.target.data[:]]
    for row, last in enumerate(tags.data[:]):
        if any(_TEST_PULSE in text for text in texts[first:last]):
            for reference in table["timeseries"][row]:
                series = reference[2].object_id
                ends[series] = max(ends.get(series, -np.inf), float(table["stop_time"][row]))
        first = last
    return ends


def _sweep(pair: Pair, cell: str | None, test_pulses: dict[str, float], path: Path) -> RawSweep:
    voltage = pair.voltage.series
    name = _name(pair)
    channels = [_channel(pair.voltage, path)]
    note = None
    if pair.current is not None:
        current = pair.current.series
        channels.append(_with_bias(_channel(pair.current, path), voltage, f"{path}, sweep {name}"))
        _check_start(pair.voltage, pair.current, channels, f"{path}, sweep {name}")
        channels[0] = _zeros_as_padding(channels[0])
        end = test_pulses.get(current.object_id)
        samples = 0 if end is None else round(1000.0 * (end - start_s(current)) / channels[1].time_step_ms)
        samples -= pair.current.start
        if 0 < samples < min(len(channel.values) for channel in channels):
            channels = [_from(channel, samples) for channel in channels]
            note = f"the test pulse in its first {samples} samples was cut off"
    return RawSweep(tuple(channels), cell, _protocol(pair), name, note=note)


def _name(pair: Pair) -> str:
    return pair.name or str(pair.voltage.series.name if pair.number is None else pair.number)


def _from(channel: Channel, first: int) -> Channel:
    return Channel(channel.values[first:], channel.unit, channel.time_step_ms, channel.name)


def _check_start(voltage: Part, current: Part, channels: list[Channel], where: str) -> None:
    """Raise RecordingError when a current does not start with its voltage."""
    lag_ms = 1000.0 * (start_s(current.series) - start_s(voltage.series))
    if start_s(current.series) == _UNSTATED_START_S:
        lag_ms = 0.0
    lag_ms += current.start * channels[1].time_step_ms - voltage.start * channels[0].time_step_ms
    if abs(lag_ms) > 0.5 * channels[0].time_step_ms:
        raise RecordingError(
            f"{where}: the current '{current.series.name}' starts {lag_ms:g} ms "
            f"after the voltage '{voltage.series.name}'"
        )


def _with_bias(current: Channel, voltage: Any, where: str) -> Channel:
    """The stimulus plus the amplifier's constant current."""
    bias_A = getattr(voltage, "bias_current", None)
    if bias_A is None or not np.isfinite(bias_A) or bias_A == 0.0:
        return current
    to_unit = scale_to("A", current.unit)
    if to_unit is None or abs(bias_A) > 1e-6:
        raise RecordingError(f"{where}: a bias current of {bias_A:g} A; correct it in the file, NWB has it in amperes")
    return Channel(current.values + float(bias_A) * to_unit, current.unit, current.time_step_ms, current.name)


def _zeros_as_padding(voltage: Channel) -> Channel:
    """A voltage with NaN for the zeros that fill its end."""
    nonzero = np.flatnonzero(voltage.values)
    kept = int(nonzero[-1]) + 1 if len(nonzero) else len(voltage.values)
    if (len(voltage.values) - kept) * voltage.time_step_ms < _ZEROS_MS:
        return voltage
    values = voltage.values.copy()
    values[kept:] = np.nan
    return Channel(values, voltage.unit, voltage.time_step_ms, voltage.name)


def _protocol(pair: Pair) -> str | None:
    series = [pair.voltage.series] + ([] if pair.current is None else [pair.current.series])
    for text in [*(str(one.stimulus_description or "") for one in series), pair.stimulus_type or ""]:
        description = _CHANNEL_SUFFIX.sub("", text.strip())
        if description.lower() not in _NO_PROTOCOL:
            return description
    return None


def _channel(part: Part, path: Path) -> Channel:
    series = part.series
    stop = None if part.count < 0 else part.start + part.count
    raw: NDArray[Any] = np.asarray(series.data[part.start : stop])
    if part.count >= 0 and len(raw) != part.count:
        raise RecordingError(f"{path}: the series '{series.name}' has fewer samples than its table says")
    # In this order, as the NWB schema defines it.
    values = raw.astype(np.float64) * float(series.conversion) + float(series.offset)
    return Channel(values, _unit(series, path), _time_step_ms(series, path), series.name)


def _unit(series: Any, path: Path) -> str:
    """The file's own unit: pynwb takes volts and amperes for granted."""
    stated = _attribute(series.data, "unit") if hasattr(series.data, "attrs") else ""
    if stated.lower() in _NO_UNIT:
        return str(series.unit)
    if quantity_of(stated) != quantity_of(str(series.unit)):
        raise RecordingError(f"{path}: the series '{series.name}' is in '{stated}', not in {series.unit}")
    if scale_to(stated, str(series.unit)) != 1.0 and float(series.conversion) != 1.0:
        raise RecordingError(
            f"{path}: the series '{series.name}' is in {stated} with a conversion of {series.conversion:g}, "
            f"which NWB has for data in {series.unit} only; correct either in the file"
        )
    return stated


def _time_step_ms(series: Any, path: Path) -> float:
    if series.rate is not None:
        return float(f"{1000.0 / float(series.rate):.12g}")
    try:
        return float(f"{1000.0 * uniform_step(np.asarray(series.timestamps[:], dtype=np.float64)):.12g}")
    except ValueError as error:
        raise RecordingError(f"{path}: the series '{series.name}': {error} (times in s)") from error
