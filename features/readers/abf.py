"""Axon binary files (.abf), versions 1 and 2: current clamp, the current recorded or from the epoch table."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import check_sweep, quantity_of, reading
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Where ABF2 keeps (first block, bytes an entry, entries) of its sections; a block has 512 bytes.
_SECTION_TABLE = range(76, 364, 16)
_DATA_SECTION = 236
_SYNCH_SECTION = 316
_BLOCK_BYTES = 512


class AbfReader:
    """Reads Axon binary files through pyabf."""

    suffixes: tuple[str, ...] = (".abf",)

    def read(self, path: Path) -> Iterator[RawSweep]:
        """Sweeps with the recorded channels and, if no current was recorded, the command of the DAC.

        Raises:
            RecordingError: Truncated or damaged file, no voltage channel (voltage clamp), a command that the
                file does not hold (stimulus files, user lists, sweeps of different lengths), or no recording
                (see `check_sweep`).
        """
        with reading(path, "an Axon binary file"):
            _check_sizes(path.read_bytes())

            import pyabf

            abf = pyabf.ABF(path)
            step_ms = _time_step_ms(abf)
            recorded = [index for index in abf.channelList if quantity_of(abf.adcUnits[index]) is not None]
            if not any(quantity_of(abf.adcUnits[index]) == "voltage" for index in recorded):
                units = ", ".join(f"'{name}' in {unit}" for name, unit in zip(abf.adcNames, abf.adcUnits, strict=True))
                raise RecordingError(f"{path}: no voltage channel, so not current clamp (channels: {units})")
            commanded = not any(quantity_of(abf.adcUnits[index]) == "current" for index in recorded)
            dac = _current_dac(abf, path) if commanded else 0
            for number in abf.sweepList:
                channels = []
                for index in recorded:
                    abf.setSweep(number, channel=index)
                    values = abf.sweepY.astype(np.float64)
                    channels.append(Channel(values, abf.adcUnits[index], step_ms, abf.adcNames[index]))
                if commanded:
                    channels.append(_command(abf, number, dac, step_ms))
                yield check_sweep(RawSweep(tuple(channels), None, _protocol(abf), str(number)), path)


def _check_sizes(content: bytes) -> None:
    """Raise ValueError unless the file is as long as its header says, before pyabf asks for the rest."""
    signature = content[:4]
    if signature not in (b"ABF ", b"ABF2"):
        raise ValueError("it does not start with ABF")
    if len(content) < _BLOCK_BYTES:
        raise ValueError(f"it is truncated, its header ends after {len(content)} bytes")
    ends: list[tuple[str, int]] = []
    starts_of_sweeps = 0
    if signature == b"ABF2":
        (sweeps,) = struct.unpack_from("<I", content, 12)
        for offset in _SECTION_TABLE:
            block, entry_bytes, entries = struct.unpack_from("<IIi", content, offset)
            if entries < 0:
                raise ValueError(f"a section of {entries} entries, the file was damaged")
            ends.append(("a section", block * _BLOCK_BYTES + entry_bytes * entries))
        samples = struct.unpack_from("<i", content, _DATA_SECTION + 8)[0]
        starts_of_sweeps = struct.unpack_from("<i", content, _SYNCH_SECTION + 8)[0]
    else:
        samples, sweeps = struct.unpack_from("<i", content, 10)[0], struct.unpack_from("<i", content, 16)[0]
        block, ignored = struct.unpack_from("<i", content, 40)[0], struct.unpack_from("<h", content, 14)[0]
        sample_bytes = 4 if struct.unpack_from("<h", content, 100)[0] else 2
        ends.append(("its data", block * _BLOCK_BYTES + ignored + samples * sample_bytes))
    for name, end in ends:
        if end > len(content):
            raise ValueError(f"it is truncated or damaged, {name} ends at byte {end} of {len(content)}")
    whole = starts_of_sweeps == sweeps if starts_of_sweeps else samples % max(1, sweeps) == 0
    if not (0 <= sweeps <= samples and whole):
        raise ValueError(f"{sweeps} sweeps of {samples} samples together, the file was damaged")


def _time_step_ms(abf: Any) -> float:
    """Sampling interval (ms) from the header: pyabf's own dataRate is cut to whole Hz."""
    if abf.abfVersion["major"] == 1:
        interval_us = abf._headerV1.fADCSampleInterval * abf.channelCount
    else:
        interval_us = abf._protocolSection.fADCSequenceInterval
    return float(f"{interval_us / 1000.0:.7g}")  # a float32 in the file


def _protocol(abf: Any) -> str | None:
    return abf.protocol if abf.protocol and abf.protocol != "None" else None


def _current_dac(abf: Any, path: Path) -> int:
    """Index of the DAC that commands a current.

    Raises:
        RecordingError: There is none, or its command is not in the file.
    """
    currents = [index for index in abf.channelList if quantity_of(abf._getDacNameAndUnits(index)[1] or "") == "current"]
    enabled = [index for index in currents if _waveform_source(abf, index) != 0]
    if not currents:
        raise RecordingError(f"{path}: no current was recorded and no DAC commands one (DAC units: {abf.dacUnits})")
    dac: int = (enabled or currents)[0]
    if len(enabled) > 1:
        raise RecordingError(f"{path}: no current was recorded and {len(enabled)} DACs command one; which is unknown")
    if _waveform_source(abf, dac) not in (0, 1):
        raise RecordingError(
            f"{path}: its stimulus came from another file and no current was recorded; "
            "convert the recording to NWB or a table with the current in it"
        )
    if np.any(abf.userListEnable):
        raise RecordingError(
            f"{path}: a user list changes its stimulus from sweep to sweep and no current was recorded; "
            "convert the recording to NWB or a table with the current in it"
        )
    lengths = set(abf._synchArraySection.lLength) if hasattr(abf, "_synchArraySection") else set()
    if len(lengths) > 1:
        raise RecordingError(f"{path}: its sweeps differ in length and no current was recorded")
    return dac


def _waveform_source(abf: Any, dac: int) -> int:
    """0: the holding level only, 1: the epoch table, 2: a file."""
    section = abf._headerV1 if abf.abfVersion["major"] == 1 else abf._dacSection
    return int(section.nWaveformSource[dac]) if section.nWaveformEnable[dac] else 0


def _command(abf: Any, sweep: int, dac: int, step_ms: float) -> Channel:
    abf.setSweep(sweep, channel=dac)
    name, unit = abf._getDacNameAndUnits(dac)
    return Channel(np.array(abf.sweepC, dtype=np.float64), unit, step_ms, name)
