"""Bundles of HEKA PatchMaster made up for tests, after HEKA's description of file format 9.

Only the fields that tell what was recorded are filled in; the offsets are those of the records' descriptions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_PULSED_SIZES = (640, 144, 1408, 288, 512)
_STIMULUS_SIZES = (584, 248, 400, 80)
_ANY, _VOLTAGE_CLAMP, CURRENT_CLAMP = 0, 1, 2
_FLOAT32 = 2


@dataclass
class Series:
    """A series: its name, its traces {unit: samples of shape (sweeps, samples)}, and how it was stimulated."""

    label: str
    traces: dict[str, NDArray[np.float64]]
    mode: int = CURRENT_CLAMP
    stimulus_unit: str = "A"


Node = tuple[bytes, list["Node"]]


def write_heka(path: Path, groups: dict[str, list[Series]], step_ms: float = 0.05, version: str = "v2x90.2") -> None:
    data = bytearray(bytes(256))
    group_nodes: list[Node] = []
    stimuli: list[Node] = []
    for number, (label, series_list) in enumerate(groups.items()):
        series_nodes: list[Node] = []
        for series in series_list:
            sweeps = len(next(iter(series.traces.values())))
            stimuli.append(_stimulus(series, sweeps, step_ms))
            series_nodes.append((_record(_PULSED_SIZES[2], {4: series.label, 136: 0.0}), []))
            for sweep in range(sweeps):
                traces = [_trace(unit, values[sweep], step_ms, data) for unit, values in series.traces.items()]
                series_nodes[-1][1].append((_record(_PULSED_SIZES[3], {40: len(stimuli), 48: float(sweep)}), traces))
        group_nodes.append((_record(_PULSED_SIZES[1], {4: label, 116: number + 1}), series_nodes))
    pulsed = _tree((_record(_PULSED_SIZES[0], {8: version}), group_nodes), _PULSED_SIZES)
    stimulus = _tree((_record(_STIMULUS_SIZES[0], {8: version}), stimuli), _STIMULUS_SIZES)
    items = [(256, len(data) - 256, b".dat"), (len(data), len(pulsed), b".pul")]
    items.append((len(data) + len(pulsed), len(stimulus), b".pgf"))
    header = struct.pack("<8s32sdi?", b"DAT2", version.encode(), 0.0, len(items), True).ljust(64, b"\0")
    data[:256] = (header + b"".join(struct.pack("<ii8s", *item) for item in items)).ljust(256, b"\0")
    path.write_bytes(bytes(data) + pulsed + stimulus)


def _stimulus(series: Series, sweeps: int, step_ms: float) -> Node:
    samples = len(next(iter(series.traces.values()))[0])
    segment = _record(_STIMULUS_SIZES[3], {5: b"\x01", 20: 1.0, 36: samples * step_ms / 1000, 48: 1.0})
    channel = _record(_STIMULUS_SIZES[2], {25: bytes([series.mode]), 40: series.stimulus_unit, 76: b"\x01"})
    head = _record(_STIMULUS_SIZES[1], {4: series.label, 112: step_ms / 1000, 144: sweeps})
    return (head, [(channel, [(segment, [])])])


def _trace(unit: str, values: NDArray[np.float64], step_ms: float, data: bytearray) -> Node:
    scale = {"V": 1e-3, "A": 1e-12}.get(unit, 1.0)
    fields = {4: f"{unit}mon", 40: len(data), 44: len(values), 64: b"\x01", 70: bytes([_FLOAT32]), 72: scale}
    data += (values / scale).astype("<f4").tobytes()
    return (_record(_PULSED_SIZES[4], {**fields, 96: unit, 104: step_ms / 1000, 120: "s"}), [])


def _record(size: int, fields: dict[int, str | int | float | bytes]) -> bytes:
    record = bytearray(size)
    for offset, value in fields.items():
        if isinstance(value, str):
            packed = value.encode("latin-1")
        elif isinstance(value, bytes):
            packed = value
        else:
            packed = struct.pack("<i" if isinstance(value, int) else "<d", value)
        record[offset : offset + len(packed)] = packed
    return bytes(record)


def _tree(root: Node, sizes: tuple[int, ...]) -> bytes:
    return b"eerT" + struct.pack(f"<i{len(sizes)}i", len(sizes), *sizes) + _node(root)


def _node(node: Node) -> bytes:
    record, children = node
    return record + struct.pack("<i", len(children)) + b"".join(_node(child) for child in children)
