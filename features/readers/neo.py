"""Formats read through neo: WinWCP (.wcp), WinEDR (.edr), AxoGraph (.axgd, .axgx), Spike2 (.smr, .smrx).

None of them says whether it is current clamp: a voltage and a current recorded together are taken to be.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import library, quantity_of, reading
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What reads a suffix in neo.rawio, and the format's name for messages.
_FORMATS = {
    ".wcp": ("WinWcpRawIO", "a WinWCP file"),
    ".edr": ("WinEdrRawIO", "a WinEDR file"),
    ".axgd": ("AxographRawIO", "an AxoGraph file"),
    ".axgx": ("AxographRawIO", "an AxoGraph file"),
    ".smr": ("Spike2RawIO", "a Spike2 file"),
    ".smrx": ("CedRawIO", "a Spike2 file"),
}

# WinWCP: bytes of a sector and of the text header, and of each record what its header starts with: status, type,
# group, time, sampling interval (s), and the largest voltage of the converter for each of up to 8 channels (V).
_WCP_SECTOR = 512
_WCP_HEADER = 1024
_WCP_RECORD = struct.Struct("<8s4sfff8f")
_WCP_CHANNELS = 8


class NeoReader:
    """Reads files of several acquisition programs through neo (extra `rheobase[neo]`)."""

    suffixes: tuple[str, ...] = tuple(_FORMATS)

    def cells(self, path: Path) -> set[str | None]:  # noqa: ARG002
        """None: no such file names its cell."""
        return {None}

    def read(self, path: Path) -> Iterator[RawSweep]:
        """The voltage and current channels of each segment (record, episode) as a sweep; units from the file.

        Raises:
            RecordingError: Truncated or damaged file, no voltage channel, signals that do not start together,
                or a library that is not installed.
        """
        suffix = path.suffix.lower()
        class_name, kind = _FORMATS[suffix]
        with reading(path, kind):
            records = _wcp_records(path) if suffix == ".wcp" else _WcpRecords()
            content = _open(path, class_name)
            if class_name == "Spike2RawIO":
                _check_spike2_blocks(content, path)
            number = 0
            for block in range(content.block_count()):
                for segment in range(content.segment_count(block)):
                    channels = _channels(content, block, segment, path)
                    for sweep in _episodes(channels) if class_name == "AxographRawIO" else [channels]:
                        if number in records.rejected:
                            yield RawSweep((), None, None, str(number), left_out="rejected in WinWCP")
                        else:
                            signals = tuple(_cut(channel, records.samples) for channel in sweep)
                            yield RawSweep(signals, None, None, str(number))
                        number += 1
            if not number:
                raise RecordingError(f"{path}: there are no sweeps in it")


@dataclass(frozen=True)
class _WcpRecords:
    """What neo does not tell of a WinWCP file.

    Attributes:
        rejected: Numbers of the records that the experimenter rejected.
        samples: Samples of a channel in each record; what is stored beyond them is filling. None: all of them.
    """

    rejected: frozenset[int] = frozenset()
    samples: int | None = None


def _open(path: Path, class_name: str) -> Any:
    rawio = library("neo.rawio", "neo", path)
    content = getattr(rawio, class_name)(filename=str(path))
    try:
        content.parse_header()
    except ImportError as error:  # CED's own library for .smrx, which only some systems have
        raise RecordingError(
            f"{path}: reading {path.suffix} files needs sonpy, which is not there ({error}); "
            "install it with: pip install sonpy, or export the recording as .smr, .mat or .csv"
        ) from error
    return content


def _channels(content: Any, block: int, segment: int, path: Path) -> list[Channel]:
    """Voltage and current channels of a segment."""
    channels: list[Channel] = []
    starts_s: dict[float, str] = {}
    for stream, stream_id in enumerate(content.header["signal_streams"]["id"]):
        of_file = content.header["signal_channels"]
        headers = of_file[of_file["stream_id"] == stream_id]
        if not any(quantity_of(str(header["units"])) for header in headers):
            continue
        raw = content.get_analogsignal_chunk(block_index=block, seg_index=segment, stream_index=stream)
        values = content.rescale_signal_raw_to_float(raw, dtype="float64", stream_index=stream)
        step_ms = float(f"{1000.0 / float(content.get_signal_sampling_rate(stream)):.7g}")  # a float32 in most files
        starts_s[content.get_signal_t_start(block, segment, stream)] = str(headers[0]["name"])
        for index, header in enumerate(headers):
            if quantity_of(str(header["units"])) is not None:
                signal = np.ascontiguousarray(values[:, index])
                channels.append(Channel(signal, str(header["units"]), step_ms, str(header["name"])))
    if not any(quantity_of(channel.unit) == "voltage" for channel in channels):
        units = ", ".join(f"'{one['name']}' in '{one['units']}'" for one in content.header["signal_channels"]) or "none"
        raise RecordingError(f"{path}: no voltage channel, so not current clamp (channels: {units})")
    if max(starts_s) - min(starts_s) > 0.5e-3 * channels[0].time_step_ms:
        names = ", ".join(f"'{name}' at {start:g} s" for start, name in starts_s.items())
        raise RecordingError(f"{path}: its signals do not start together ({names})")
    return channels


def _check_spike2_blocks(content: Any, path: Path) -> None:
    """Raise ValueError when the file ends within a block of samples, which neo would fill with zeros."""
    ends = [
        int(block["pos"]) + int(block["size"]) * content._sig_dtypes[header["stream_id"]].itemsize
        for header in content.header["signal_channels"]
        for block in content._all_data_blocks[int(header["id"])]
    ]
    if max(ends, default=0) > path.stat().st_size:
        raise ValueError(f"it is truncated, its samples end at byte {max(ends)} of {path.stat().st_size}")


def _cut(channel: Channel, samples: int | None) -> Channel:
    return channel if samples is None else replace(channel, values=channel.values[:samples])


def _episodes(channels: list[Channel]) -> list[list[Channel]]:
    """Sweeps that AxoGraph stores one after another in one segment, under the same channel names."""
    by_name: dict[str, list[Channel]] = defaultdict(list)
    for channel in channels:
        by_name[channel.name].append(channel)
    if len({len(group) for group in by_name.values()}) > 1:
        return [channels]
    return [list(sweep) for sweep in zip(*by_name.values(), strict=True)]


def _wcp_records(path: Path) -> _WcpRecords:
    """Check the headers of all records: neo takes the scale and the sampling of one for all of them.

    Raises:
        RecordingError: Records that differ in scale or sampling, or more channels than neo reads rightly.
    """
    rejected, kinds = set(), set()
    with path.open("rb") as file:
        lines = file.read(_WCP_HEADER).decode("latin-1").splitlines()
        header = dict(line.split("=", 1) for line in lines if "=" in line)
        channels, analysis, data = (int(header[key]) for key in ("NC", "NBA", "NBD"))
        if not 1 <= channels <= _WCP_CHANNELS or analysis * _WCP_SECTOR != _WCP_HEADER:
            raise RecordingError(
                f"{path}: {channels} channels and {analysis} analysis sectors a record; up to {_WCP_CHANNELS} "
                "channels can be read; in WinWCP, export the ones of the cell to a file of their own"
            )
        for record in range(int(header["NR"])):
            file.seek(_WCP_HEADER + record * (analysis + data) * _WCP_SECTOR)
            status, _, _, _, interval_s, *ranges_V = _WCP_RECORD.unpack(file.read(_WCP_RECORD.size))
            kinds.add((interval_s, *ranges_V[:channels]))
            if status.strip(b"\x00 ").upper().startswith(b"REJ"):
                rejected.add(record)
    if len(kinds) > 1:
        raise RecordingError(
            f"{path}: its records differ in sampling interval or in the range of the converter, which neo would "
            "scale alike; in WinWCP, export the records of each kind to a file of their own"
        )
    return _WcpRecords(frozenset(rejected), int(header["NP"]) if "NP" in header else None)
