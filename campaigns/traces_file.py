"""Voltage traces of the ensemble's members, kept for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.writing import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Traces = Mapping[int, Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]]


def write_traces(traces: Traces, path: Path) -> None:
    """Write traces by member and protocol."""
    arrays = {
        f"{member}/{protocol}": np.stack([time, voltage]).astype(np.float32)
        for member, found in traces.items()
        for protocol, (time, voltage) in found.items()
    }
    with replacing(path) as aside:
        np.savez_compressed(aside, **arrays)  # type: ignore[arg-type]


def read_traces(path: Path) -> dict[int, dict[str, NDArray[np.float32]]]:
    """Arrays of shape (2, samples), time (ms) and voltage (mV), by member and protocol."""
    found: dict[int, dict[str, NDArray[np.float32]]] = {}
    if path.exists():
        with np.load(path) as archive:
            for name in archive.files:
                member, _, protocol = name.partition("/")
                found.setdefault(int(member), {})[protocol] = archive[name]
    return found
