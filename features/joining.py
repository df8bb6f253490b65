"""One recording out of the voltage and the current of a sweep, whichever file each of them is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import Quantity, in_unit, quantity_of
from rheobase.features.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rheobase.features.recording import Channel


@dataclass(frozen=True, eq=False)
class FoundSweep:
    """A sweep, or one channel of it, and the names under which it was found."""

    cell: str
    protocol: str
    sweep: str
    channels: tuple[Channel, ...]
    path: Path


def join(parts: Sequence[FoundSweep], junction_potential_mV: float = 0.0) -> Recording:
    """Recording of a sweep from the files that hold its channels; units tell which is which.

    Args:
        parts: What was found under one cell, protocol and sweep; several when each holds one channel.
        junction_potential_mV: Liquid-junction potential (mV), subtracted from the voltage.

    Raises:
        RecordingError: No current or no voltage, more than one of either, different lengths or sampling.
    """
    first = parts[0]
    source = ", ".join(dict.fromkeys(str(part.path) for part in parts))
    where = f"{source}: sweep {first.sweep} of protocol {first.protocol}, cell {first.cell}"
    if sum(len(part.channels) > 1 for part in parts) and len(parts) > 1:
        raise RecordingError(
            f"{where} is there {len(parts)} times; "
            "put {sweep} into the pattern where the file names differ, or remove one of them"
        )
    channels = [channel for part in parts for channel in part.channels]
    voltage = _only("voltage", channels, where)
    current = _only("current", channels, where)
    if len(voltage.values) != len(current.values):
        raise RecordingError(
            f"{where}: the voltage has {len(voltage.values)} samples, the current {len(current.values)}"
        )
    if abs(voltage.time_step_ms - current.time_step_ms) > 1e-6 * voltage.time_step_ms:
        raise RecordingError(
            f"{where}: the voltage is sampled every {voltage.time_step_ms} ms, "
            f"the current every {current.time_step_ms} ms"
        )
    return Recording(
        cell=first.cell,
        protocol=first.protocol,
        sweep=first.sweep,
        time_step_ms=voltage.time_step_ms,
        voltage_mV=in_unit(voltage.values, voltage.unit, "mV") - junction_potential_mV,
        current_nA=in_unit(current.values, current.unit, "nA"),
        source=source,
    )


def _only(quantity: Quantity, channels: Sequence[Channel], where: str) -> Channel:
    """The one channel of a kind."""
    matching = [channel for channel in channels if quantity_of(channel.unit) == quantity]
    if len(matching) == 1:
        return matching[0]
    there = ", ".join(f"'{channel.name}' in {channel.unit}" for channel in channels) or "none"
    if matching:
        raise RecordingError(
            f"{where}: expected one {quantity} channel, got {len(matching)} (channels: {there}); "
            "if two sweeps share a name, put {sweep} into the pattern where their file names differ"
        )
    raise RecordingError(
        f"{where}: there is no {quantity} channel (channels: {there}); "
        "if it is in a file of its own, the pattern must match that file too, "
        "with {channel} where the names differ"
    )
