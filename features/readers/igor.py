"""Igor binary waves (.ibw): one channel a file; what it belongs to is in the file's name (see `layout`)."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import reading, scale_to
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# WaveMetrics' Technical Note 3: bytes of the file header, and of both headers (the part under the checksum).
_HEADER_BYTES = {1: (8, 134), 2: (16, 142), 3: (20, 146), 5: (64, 384)}
_SIZE_OFFSET = {1: 2, 2: 2, 3: 2, 5: 4}

# A time step without a unit is in s or in ms. Cells are sampled at 1 to 200 kHz, so only one can be true.
_PLAUSIBLE_STEP_MS = (0.005, 1.0)


class IgorReader:
    """Reads Igor binary waves of version 1, 2, 3 and 5 with one real-valued dimension."""

    suffixes: tuple[str, ...] = (".ibw",)

    def cells(self, path: Path) -> set[str | None]:  # noqa: ARG002
        """None: no such file names its cell."""
        return {None}

    def read(self, path: Path) -> Iterator[RawSweep]:
        """The wave as a sweep of one channel.

        Raises:
            RecordingError: Truncated or altered file, no data unit, or a sampling interval that could be anything.
        """
        with reading(path, "an Igor wave"):
            content = path.read_bytes()
            _check_header(content)

            from igor2 import binarywave

            wave = binarywave.load(io.BytesIO(content))["wave"]
            yield RawSweep((_channel(wave, path),))


def _check_header(content: bytes) -> None:
    """Raise ValueError unless the length and the checksum are those that the wave's header states."""
    if len(content) < 8:
        raise ValueError(f"it ends after {len(content)} bytes")
    order = ">" if content[0] == 0 else "<"
    (version,) = struct.unpack(f"{order}h", content[:2])
    if version not in _HEADER_BYTES:
        raise ValueError("it does not start like a wave")
    file_header, checked = _HEADER_BYTES[version]
    offset = _SIZE_OFFSET[version]
    (wave_bytes,) = struct.unpack(f"{order}i", content[offset : offset + 4])
    if len(content) < max(checked, file_header + wave_bytes):
        raise ValueError(f"it is truncated, {len(content)} of {file_header + wave_bytes} bytes are there")
    if np.frombuffer(content[:checked], f"{order}i2").sum(dtype=np.int64) % 65536:
        raise ValueError("the checksum of its header is wrong, the file was damaged")


def _channel(wave: dict[str, Any], path: Path) -> Channel:
    header = wave["wave_header"]
    name = _text(header["bname"])
    values = wave["wData"]
    if values.dtype.kind not in "fiu":
        raise ValueError(f"it holds {'text' if values.dtype.kind == 'S' else 'complex numbers'}, not a signal")
    if values.ndim != 1:
        raise ValueError(f"expected one dimension, got {values.ndim}; save each sweep as a wave of its own")
    unit = _text(wave.get("data_units", b"")) or _text(header["dataUnits"])
    if not unit:
        raise RecordingError(
            f"{path}: the wave '{name}' has no data unit, so its samples could be mV, V, pA or A; "
            f'give it one in Igor (SetScale d 0, 0, "mV", {name}) and save it again'
        )
    return Channel(values.astype(np.float64), unit, _time_step_ms(wave, name, path), name)


def _time_step_ms(wave: dict[str, Any], name: str, path: Path) -> float:
    header = wave["wave_header"]
    if "sfA" in header:
        step, unit = float(header["sfA"][0]), _text(header["dimUnits"][0])
        unit = _text(wave["dimension_units"]) or unit
    else:
        step, unit = float(header["hsA"]), _text(header["xUnits"])
    remedy = f'give it a time unit in Igor (SetScale/P x 0, {step:g}, "s", {name}) and save it again'
    if unit:
        scale = scale_to(unit, "ms")
        if scale is None:
            raise RecordingError(f"{path}: expected samples in time, the wave '{name}' is in '{unit}'; {remedy}")
        return _shortest(step * scale)
    lowest, highest = _PLAUSIBLE_STEP_MS
    plausible = [step_ms for step_ms in (step * 1000.0, step) if lowest <= step_ms <= highest]
    if len(plausible) != 1:
        raise RecordingError(f"{path}: the wave '{name}' has a time step of {step:g} and no unit for it; {remedy}")
    return _shortest(plausible[0])


def _shortest(step_ms: float) -> float:
    return float(f"{step_ms:.12g}")  # 0.25 ms and not 0.25000000000000006 after a change of unit


def _text(field: Any) -> str:
    content = field if isinstance(field, bytes) else b"".join(np.asarray(field).ravel().tolist())
    return content.split(b"\x00")[0].decode("latin-1").strip()
