"""Readers of recording files, one module a format, and the registry that finds them by a file's suffix."""

from __future__ import annotations

import functools
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from rheobase.features.errors import RecordingError
from rheobase.features.readers.abf import AbfReader
from rheobase.features.readers.heka import HekaReader
from rheobase.features.readers.igor import IgorReader
from rheobase.features.readers.matlab import MatlabReader
from rheobase.features.readers.neo import NeoReader
from rheobase.features.readers.nwb import NwbReader
from rheobase.features.readers.signals import check_sweep, reading
from rheobase.features.readers.table import TableReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rheobase.features.recording import RawSweep

ENTRY_POINT_GROUP = "rheobase.readers"


@runtime_checkable
class Reader(Protocol):
    """Reads one file format.

    A package adds a reader of its own by naming its class, which takes no arguments, as an entry point of the
    group "rheobase.readers". `tests/contracts/reader.py` holds the tests that a reader has to pass.

    Attributes:
        suffixes: File name endings it reads, in lower case, for example (".ibw",).
    """

    suffixes: tuple[str, ...]

    def read(self, path: Path) -> Iterator[RawSweep]:
        """Sweeps of a file in the file's own units, in the file's order.

        Whether their samples can be those of a recording is checked by `read_sweeps`.

        Raises:
            RecordingError: The file cannot be read.
        """
        ...


@runtime_checkable
class CellTelling(Protocol):
    """A reader that knows a file's cells without its samples; others have to read the file for it."""

    def cells(self, path: Path) -> set[str | None]:
        """Names that the sweeps of a file will have in `RawSweep.cell`.

        Raises:
            RecordingError: As `Reader.read`.
        """
        ...


_BUILT_IN: tuple[Reader, ...] = (
    IgorReader(),
    AbfReader(),
    NwbReader(),
    NeoReader(),
    HekaReader(),
    MatlabReader(),
    TableReader(),
)


@functools.cache
def _third_party() -> tuple[Reader, ...]:
    readers = []
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            reader = entry_point.load()()
        except Exception as error:
            raise RecordingError(
                f"the reader '{entry_point.name}' ({entry_point.value}) cannot be loaded: {error}; "
                "repair or uninstall the package it comes from"
            ) from error
        if not isinstance(reader, Reader):
            raise RecordingError(f"the reader '{entry_point.name}' ({entry_point.value}) lacks suffixes or read()")
        readers.append(reader)
    return tuple(readers)


def known_suffixes() -> tuple[str, ...]:
    """File name endings that some reader reads, sorted."""
    return tuple(sorted({suffix for reader in _BUILT_IN + _third_party() for suffix in reader.suffixes}))


def reader_for(path: Path) -> Reader:
    """Reader of a file, chosen by its suffix; those that come with rheobase are asked first.

    Raises:
        RecordingError: No reader knows the suffix.
    """
    suffix = path.suffix.lower()
    for reader in _BUILT_IN:
        if suffix in reader.suffixes:
            return reader
    for reader in _third_party():
        if suffix in reader.suffixes:
            return reader
    raise RecordingError(
        f"{path}: no reader for files ending in '{path.suffix}'; the known endings are {', '.join(known_suffixes())}"
    )


def cells_in(path: Path) -> set[str | None]:
    """Names of the cells that a file tells; None among them stands for sweeps that do not name theirs.

    Raises:
        RecordingError: As `read_sweeps`.
    """
    reader = reader_for(path)
    if isinstance(reader, CellTelling):
        with reading(path, f"a {path.suffix} file"):
            return reader.cells(path)
    return {sweep.cell for sweep in read_sweeps(path)}


def read_sweeps(path: Path) -> Iterator[RawSweep]:
    """Sweeps of a file, read by the reader for its suffix and checked (see `check_sweep`).

    Raises:
        RecordingError: As `Reader.read`; no reader knows the suffix; or samples that no recording can have.
    """
    for sweep in sweeps_and_problems(path):
        if isinstance(sweep, RecordingError):
            raise sweep
        yield sweep


def sweeps_and_problems(path: Path) -> Iterator[RawSweep | RecordingError]:
    """Sweeps of a file as `read_sweeps` has them, with the error in place of one that cannot be a recording.

    Raises:
        RecordingError: As `Reader.read`, and when no reader knows the suffix.
    """
    reader = reader_for(path)
    with reading(path, f"a {path.suffix} file"):
        for sweep in reader.read(path):
            try:
                checked: RawSweep | RecordingError = check_sweep(sweep, path)
            except RecordingError as error:
                checked = error
            yield checked
