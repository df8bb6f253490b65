"""Axon binary files of version 1 made up for tests: pyabf writes one channel, the rest is put into the header here."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from pyabf.abfWriter import writeABF1

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HEADER_BYTES = 6144


def write_abf(path: Path, channels: dict[str, NDArray[np.float64]], interval_us: float, dac_unit: str = "") -> None:
    """Sweeps of channels {unit: samples of shape (sweeps, samples)}, sampled every `interval_us`."""
    interleaved = np.stack(list(channels.values()), axis=-1).reshape(len(next(iter(channels.values()))), -1)
    writeABF1(interleaved, str(path), 1e6, units="mV")
    written = path.read_bytes()
    # pyabf puts the samples where the rest of the header belongs, which it would then read from them.
    content = bytearray(written[:2048] + bytes(HEADER_BYTES - 2048) + written[2048:][: 2 * interleaved.size])
    struct.pack_into("<i", content, 40, HEADER_BYTES // 512)
    struct.pack_into("<h", content, 120, len(channels))
    struct.pack_into("<f", content, 122, interval_us / len(channels))  # between samples of different channels
    for index, unit in enumerate(channels):
        struct.pack_into("<h", content, 378 + 2 * index, index)
        struct.pack_into("<h", content, 410 + 2 * index, index)
        struct.pack_into("8s", content, 602 + 8 * index, unit.encode().ljust(8))
    for index in range(4):
        struct.pack_into("8s", content, 1346 + 8 * index, dac_unit.encode().ljust(8))
    path.write_bytes(bytes(content))


def set_epochs(path: Path, epochs: list[tuple[int, float, float, int, int]], holding: float, dac: int = 0) -> None:
    """Give a file of version 1 an epoch table: (type, level, its increment, duration, its increment) each."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<h", content, 8, 5)  # episodic
    struct.pack_into("<f", content, 1394 + 4 * dac, holding)
    struct.pack_into("<h", content, 2296 + 2 * dac, 1)
    struct.pack_into("<h", content, 2300 + 2 * dac, 1)
    for index, values in enumerate(epochs, 10 * dac):
        for value, offset, kind in zip(values, (2308, 2348, 2428, 2508, 2588), "hffii", strict=True):
            struct.pack_into(f"<{kind}", content, offset + struct.calcsize(kind) * index, value)
    path.write_bytes(bytes(content))


# Where ABF2 keeps (first block, bytes an entry) of a section.
ADC_SECTION, DAC_SECTION, EPOCH_SECTION, PROTOCOL_SECTION = 92, 108, 156, 76


def set_in_section(path: Path, section: int, entry: int, offset: int, kind: str, value: float) -> None:
    """Change a field of an entry of a section in a file of version 2."""
    content = bytearray(path.read_bytes())
    block, entry_bytes = struct.unpack_from("<II", content, section)
    struct.pack_into(f"<{kind}", content, block * 512 + entry * entry_bytes + offset, value)
    path.write_bytes(bytes(content))
