"""HEKA PatchMaster bundles (.dat), read through myokit: current clamp with the current recorded.

Sweeps are named as PatchMaster numbers them, group_series_sweep from 1; the series' name is the protocol. Groups
are cells: the only one is named after the file, several after the file and the group.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import library, quantity_of, reading
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REMEDY = "in PatchMaster, export the sweeps as Igor binary waves, or write them to NWB or to a table"
_BUNDLE, _VERSION, _IS_LITTLE_ENDIAN = slice(0, 4), slice(8, 40), 52  # where the header has them


class HekaReader:
    """Reads bundles of PatchMaster version 2 through myokit (extra `rheobase[heka]`)."""

    suffixes: tuple[str, ...] = (".dat",)

    def cells(self, path: Path) -> set[str | None]:
        """Groups of the file; None when there is one only."""
        with reading(path, "a PatchMaster bundle"), _open(path) as content:
            return set(_cells(path, content))

    def read(self, path: Path) -> Iterator[RawSweep]:
        """Current-clamp sweeps in the order of the file; those of voltage clamp say so.

        The stimulus is never reconstructed from the pulse generator's file: where only the voltage was recorded,
        the sweep has no current.

        Raises:
            RecordingError: Not a bundle, a version or byte order that myokit does not read, truncated or
                damaged.
        """
        with reading(path, "a PatchMaster bundle"), _open(path) as content:
            cells = _cells(path, content)
            for group_index, (cell, group) in enumerate(zip(cells, content, strict=True)):
                for series_index, series in enumerate(group):
                    protocol = series.label().strip() or None
                    clamp = _why_no_current_clamp(series)
                    for sweep_index, sweep in enumerate(series):
                        name = f"{group_index + 1}_{series_index + 1}_{sweep_index + 1}"
                        empty = any(len(trace) == 0 for trace in sweep) or len(sweep) == 0
                        left_out = clamp or ("it has no samples" if empty else None)
                        if left_out:
                            yield RawSweep((), cell, protocol, name, left_out=left_out)
                        else:
                            yield RawSweep(_channels(sweep), cell, protocol, name)


def _open(path: Path) -> Any:
    with path.open("rb") as file:
        header = file.read(64)
    if header[_BUNDLE] != b"DAT2":
        older = header[_BUNDLE] in (b"DAT1", b"DATA")
        what = "PatchMaster file in several parts" if older else "bundle of HEKA PatchMaster"
        remedy = "in PatchMaster, save it as a bundle" if older else "other programs' .dat files cannot be read"
        raise RecordingError(
            f"{path}: expected a bundle of HEKA PatchMaster, got {'a' if older else 'no'} {what}; {remedy}"
        )
    version = header[_VERSION].split(b"\x00")[0].decode("latin-1").strip()
    if not version.startswith("v2x"):
        raise RecordingError(f"{path}: PatchMaster version '{version}' is not one that can be read (v2x...); {_REMEDY}")
    if len(header) <= _IS_LITTLE_ENDIAN or not header[_IS_LITTLE_ENDIAN]:
        raise RecordingError(f"{path}: it was written on a big-endian computer, which cannot be read; {_REMEDY}")
    heka = library("myokit.formats.heka", "heka", path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return heka.PatchMasterFile(str(path))
        except NotImplementedError as error:
            raise RecordingError(f"{path}: {error} (myokit cannot read such a stimulus); {_REMEDY}") from error


def _cells(path: Path, content: Any) -> list[str | None]:
    """Cell of each group; by its number where two groups have the same label."""
    labels = [group.label().strip() for group in content]
    if len(labels) == 1:
        return [None]
    are_names = all(labels) and len(set(labels)) == len(labels)
    return [f"{path.stem}_{label if are_names else number + 1}" for number, label in enumerate(labels)]


def _why_no_current_clamp(series: Any) -> str | None:
    """Reason why a series was not recorded in current clamp, or may not have been; None when it was."""
    stimulus = series.stimulus()
    if stimulus is None:
        return "it has no stimulus"
    modes = {channel.amplifier_mode().name for channel in stimulus}
    currents = any(str(channel.unit()) == "[nA]" for channel in stimulus)
    if "VC" in modes:
        return "voltage clamp"
    if "CC" in modes or currents:
        return None
    return "its stimulus names neither current clamp nor a current, so it may be voltage clamp"


def _channels(sweep: Any) -> tuple[Channel, ...]:
    channels = []
    for trace in sweep:
        unit = str(trace.value_unit()).strip("[]")
        if quantity_of(unit) is not None:
            step_ms = float(f"{1000.0 * trace.duration() / len(trace):.9g}")
            channels.append(Channel(np.array(trace.values(), dtype=np.float64), unit, step_ms, trace.label().strip()))
    return tuple(channels)
