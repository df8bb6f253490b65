"""Axon binary files (.abf), versions 1 and 2: current clamp, the current recorded or from the epoch table."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.abf_command import HEADER_BYTES_1, current_command, dac_names_and_units, waveform_source
from rheobase.features.readers.signals import quantity_of, reading
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Where ABF2 keeps (first block, bytes an entry, entries) of its sections; a block has 512 bytes.
_SECTION_TABLE = range(76, 364, 16)
_DATA_SECTION = 236
_SYNCH_SECTION = 316
_BLOCK_BYTES = 512

_VARIABLE_LENGTH = 1  # an operation mode
# What a MultiClamp 700 and an Axoclamp 900 tell of a channel; other amplifiers leave the mode at 0.
_INSTRUMENTS_THAT_TELL = (24, 27)
_CURRENT_CLAMP = 1
_MODES: dict[int | None, str] = {0: " (voltage clamp)", 1: " (current clamp)", 2: " (I=0, no current)"}


class AbfReader:
    """Reads Axon binary files through pyabf."""

    suffixes: tuple[str, ...] = (".abf",)

    def cells(self, path: Path) -> set[str | None]:  # noqa: ARG002
        """None: no such file names its cell."""
        return {None}

    def read(self, path: Path) -> Iterator[RawSweep]:
        """Sweeps with the recorded channels and, if no current was recorded, the command of the DAC.

        Raises:
            RecordingError: Truncated or damaged file, no voltage channel (voltage clamp), a command that the
                file does not hold (stimulus files, user lists, sweeps of different lengths).
        """
        with reading(path, "an Axon binary file"):
            content = path.read_bytes()
            _check_sizes(content)
            abf = _open(path)
            step_ms = _time_step_ms(abf)
            recorded = _current_clamp_channels(abf, path)
            has_current = any(quantity_of(abf.adcUnits[index]) == "current" for index in recorded)
            command = None if has_current else current_command(abf, content, path)
            edges = _edges(abf)
            abf.setSweep(0)  # reads the samples
            for number in abf.sweepList:
                samples = slice(edges[number], edges[number + 1])
                channels = [
                    Channel(
                        abf.data[index, samples].astype(np.float64), abf.adcUnits[index], step_ms, abf.adcNames[index]
                    )
                    for index in recorded
                ]
                if command is not None:
                    channels.append(command.channel(number, step_ms))
                yield RawSweep(tuple(channels), None, _protocol(abf), str(number))


def _open(path: Path) -> Any:
    import pyabf

    abf = pyabf.ABF(path, loadData=False)
    if abf.abfVersion["major"] == 1 and abf.nOperationMode == _VARIABLE_LENGTH:
        raise RecordingError(f"{path}: sweeps of different length in a file of version 1 cannot be read")
    if abf.abfVersion["major"] == 1 and abf.dataByteStart < HEADER_BYTES_1:
        # pyabf takes samples for the telegraphed gains, which a short header does not have.
        for index in abf.channelList:
            adc = abf._headerV1.nADCSamplingSeq[index]
            if abf._headerV1.nTelegraphEnable[adc] == 1:
                abf._dataGain[index] *= abf._headerV1.fTelegraphAdditGain[adc]
    return abf


def _edges(abf: Any) -> list[int]:
    """First sample of each sweep, and the end of the last; pyabf's setSweep takes long for many sweeps."""
    lengths = [abf.sweepPointCount] * abf.sweepCount
    if abf.abfVersion["major"] == 2 and abf.sweepCount > 1 and len(set(abf._synchArraySection.lLength)) > 1:
        lengths = [length // abf.channelCount for length in abf._synchArraySection.lLength]
    return [0, *itertools.accumulate(lengths)]


def _current_clamp_channels(abf: Any, path: Path) -> list[int]:
    """Channels of voltage and current, without those that the amplifier says are not of current clamp.

    Raises:
        RecordingError: No voltage is left, or the DACs command voltages only.
    """
    signals = [index for index in abf.channelList if quantity_of(abf.adcUnits[index]) is not None]
    modes = {index: _telegraphed_mode(abf, index) for index in signals}
    recorded = [index for index in signals if modes[index] in (None, _CURRENT_CLAMP)]
    if not any(quantity_of(abf.adcUnits[index]) == "voltage" for index in recorded):
        there = ", ".join(
            f"'{name}' in {unit}{_MODES.get(modes.get(index), '')}"
            for index, (name, unit) in enumerate(zip(abf.adcNames, abf.adcUnits, strict=True))
        )
        raise RecordingError(f"{path}: no voltage channel, so not current clamp (channels: {there})")
    units = dac_names_and_units(abf)[1]
    commanded = {quantity_of(unit) for index, unit in enumerate(units) if unit and waveform_source(abf, index)}
    if commanded == {"voltage"} and _CURRENT_CLAMP not in modes.values():
        raise RecordingError(f"{path}: its DAC commands a voltage, so it is voltage clamp")
    return recorded


def _telegraphed_mode(abf: Any, index: int) -> int | None:
    """0: voltage clamp, 1: current clamp, 2: no current; None when the amplifier does not tell."""
    if abf.abfVersion["major"] == 2:
        section, adc = abf._adcSection, index
    elif abf.dataByteStart >= HEADER_BYTES_1:
        section, adc = abf._headerV1, abf._headerV1.nADCSamplingSeq[index]
    else:
        return None
    tells = section.nTelegraphEnable[adc] and section.nTelegraphInstrument[adc] in _INSTRUMENTS_THAT_TELL
    return int(section.nTelegraphMode[adc]) if tells else None


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
