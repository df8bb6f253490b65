"""Files of acquisition programs made up for tests; channels are {unit: samples of shape (sweeps, samples)}."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Channels = dict[str, NDArray[np.float64]]

ADC_MAX = 32767
RANGE_V = 10.0


def write_wcp(
    path: Path,
    channels: Channels,
    step_ms: float,
    statuses: tuple[bytes, ...] = (),
    ranges_V: tuple[float, ...] = (),
    stated_samples: int | None = None,
) -> None:
    """WinWCP, version 9: records of 1024 bytes of analysis and sectors of interleaved 16-bit samples."""
    sweeps, samples = next(iter(channels.values())).shape
    sectors = -(-2 * samples * len(channels) // 512)
    per_unit = {unit: 0.9 * RANGE_V / max(1e-9, np.abs(values).max()) for unit, values in channels.items()}
    lines = ["VER=9", "RTIME=01/02/2020 10:00:00", "NBH=1024", f"ADCMAX={ADC_MAX}", f"NC={len(channels)}", "NBA=2"]
    lines += [f"NBD={sectors}", f"AD={RANGE_V:g}", f"NR={sweeps}", f"DT={step_ms / 1000:g}"]
    if stated_samples is not None:
        lines.append(f"NP={stated_samples}")
    for index, unit in enumerate(channels):
        names = [f"YO{index}={index}", f"YU{index}={unit}", f"YN{index}=Ch{index}", f"YG{index}={per_unit[unit]:.9g}"]
        lines += [*names, f"YZ{index}=0", f"YR{index}=0"]
    content = "".join(f"{line}\r\n" for line in lines).encode().ljust(1024, b" ")
    for sweep in range(sweeps):
        range_V = ranges_V[sweep] if ranges_V else RANGE_V
        status = statuses[sweep] if statuses else b"ACCEPTED"
        header = struct.pack("<8s4sfff8f", status, b"TEST", 0.0, 0.0, step_ms / 1000, *([range_V] * 8))
        counts = [np.round(values[sweep] * per_unit[unit] * ADC_MAX / range_V) for unit, values in channels.items()]
        data = np.stack(counts, axis=-1).astype("<i2").tobytes()
        content += header.ljust(1024, b"\0") + data.ljust(512 * sectors, b"\0")
    path.write_bytes(content)


def write_edr(path: Path, channels: Channels, step_ms: float) -> None:
    """WinEDR: one gap-free recording, its sweeps one after the other."""
    signals = {unit: values.ravel() for unit, values in channels.items()}
    per_unit = {unit: 0.9 * RANGE_V / np.abs(values).max() for unit, values in signals.items()}
    samples = len(next(iter(signals.values())))
    lines = ["VER=6.4", f"NC={len(signals)}", f"NP={samples * len(signals)}", "NBH=2048", f"ADCMAX={ADC_MAX}"]
    lines += [f"AD={RANGE_V:g}", f"DT={step_ms / 1000:g}"]
    for index, unit in enumerate(signals):
        lines += [f"YO{index}={index}", f"YU{index}={unit}", f"YN{index}=Ch{index}", f"YCF{index}={per_unit[unit]:.9g}"]
        lines += [f"YAG{index}=1", f"YZ{index}=0"]
    counts = [np.round(values * per_unit[unit] * (ADC_MAX + 1) / RANGE_V) for unit, values in signals.items()]
    header = "".join(f"{line}\r\n" for line in lines).encode().ljust(2048, b" ")
    path.write_bytes(header + np.stack(counts, axis=-1).astype("<i2").tobytes())


def write_axograph(path: Path, channels: Channels, step_ms: float) -> None:
    """AxoGraph X: a series of times, then a column for each channel of each episode; no graph settings."""
    sweeps, samples = next(iter(channels.values())).shape
    content = struct.pack(">4sii", b"axgx", 6, 1 + sweeps * len(channels))
    content += struct.pack(">ii", samples, 9) + _text("Time (s)") + struct.pack(">dd", 0.0, step_ms / 1000)
    for sweep in range(sweeps):
        for unit, values in channels.items():
            name = f"{'Voltage' if 'V' in unit else 'Current'} ({unit})"
            content += struct.pack(">ii", samples, 6) + _text(name) + values[sweep].astype(">f4").tobytes()
    path.write_bytes(content)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return struct.pack(">i", len(encoded)) + encoded


def write_spike2(path: Path, channels: Channels, step_ms: float) -> None:
    """Spike2, version 6, in blocks of 16-bit samples; a pause between sweeps."""
    from neo.rawio.spike2rawio import blockHeaderDesciption, channelHeaderDesciption1, headerDescription

    sweeps, samples = next(iter(channels.values())).shape
    ticks = round(step_ms * 1000.0)
    header = np.zeros(1, dtype=headerDescription)
    for name, value in {"system_id": 6, "us_per_time": 1, "channels": len(channels), "dtime_base": 1e-6}.items():
        header[name] = value
    heads, blocks = b"", b""
    first = 512 + 140 * len(channels)
    block_bytes = 20 + 2 * samples
    for index, (unit, values) in enumerate(channels.items()):
        scale = np.abs(values).max() / ADC_MAX * 6553.6
        channel = np.zeros(1, dtype=channelHeaderDesciption1)
        channel["firstblock"] = first + len(blocks)
        channel["blocks"], channel["l_chan_dvd"], channel["kind"] = sweeps, ticks, 1
        channel["title"] = b"\x03Ch" + str(index).encode()
        more = struct.pack("<ff6sh", scale, 0.0, bytes([len(unit)]) + unit.encode(), 1)
        heads += (channel.tobytes() + more).ljust(140, b"\0")
        for sweep in range(sweeps):
            block = np.zeros(1, dtype=blockHeaderDesciption)
            block["start_time"] = sweep * 3 * samples * ticks
            block["end_time"] = block["start_time"] + (samples - 1) * ticks
            block["succ_block"] = -1 if sweep == sweeps - 1 else first + len(blocks) + block_bytes
            block["items"] = samples
            blocks += block.tobytes() + np.round(values[sweep] / scale * 6553.6).astype("<i2").tobytes()
    path.write_bytes(header.tobytes().ljust(512, b"\0")[:512] + heads + blocks)
