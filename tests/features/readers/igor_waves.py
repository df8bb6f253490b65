"""Igor binary waves made up for tests, after WaveMetrics' Technical Note 3."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def wave_bytes(
    values: NDArray[np.float32], unit: str = "V", step: float = 1e-4, time_unit: str = "s", version: int = 5
) -> bytes:
    """A wave of 32-bit floats, version 2 or 5, big endian as the real ones."""
    data = values.astype(">f4").tobytes()
    make = _version_5 if version == 5 else _version_2
    content = bytearray(make(len(values), len(data), unit.encode(), step, time_unit.encode()) + data)
    if version == 2:
        content += bytes(16)
    checked, checksum_at = (384, 2) if version == 5 else (142, 14)
    total = int(np.frombuffer(bytes(content[:checked]), ">i2").sum(dtype=np.int64))
    struct.pack_into(">H", content, checksum_at, -total % 65536)
    return bytes(content)


def _version_5(samples: int, data_bytes: int, unit: bytes, step: float, time_unit: bytes) -> bytes:
    header = bytearray(384)
    struct.pack_into(">hhi", header, 0, 5, 0, 320 + data_bytes)
    struct.pack_into(">ih", header, 64 + 12, samples, 2)
    struct.pack_into("32s", header, 64 + 28, b"wave0")
    struct.pack_into(">4i", header, 64 + 68, samples, 0, 0, 0)
    struct.pack_into(">4d", header, 64 + 84, step, 1.0, 1.0, 1.0)
    struct.pack_into("4s4s", header, 64 + 148, unit, time_unit)
    return bytes(header)


def _version_2(samples: int, data_bytes: int, unit: bytes, step: float, time_unit: bytes) -> bytes:
    header = bytearray(126)
    struct.pack_into(">hi", header, 0, 2, 110 + data_bytes + 16)
    struct.pack_into(">h", header, 16, 2)
    struct.pack_into("20s", header, 16 + 6, b"wave0")
    struct.pack_into("4s4si", header, 16 + 34, unit, time_unit, 0)
    struct.pack_into(">i", header, 16 + 42, samples)
    struct.pack_into(">d", header, 16 + 48, step)
    return bytes(header)
