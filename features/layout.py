"""From a folder of recording files to recordings: which file is which cell, protocol, sweep and channel."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rheobase.features.errors import NothingFoundError, RecordingError
from rheobase.features.joining import FoundSweep, join
from rheobase.features.naming import natural_key
from rheobase.features.readers import sweeps_and_problems
from rheobase.features.recording_files import RecordingFile, absent_sweeps, find_files, name_sweeps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rheobase.features.recording import Recording

_SHOWN = 5  # names of sweeps in a message


@dataclass(frozen=True)
class RecordingFolder:
    """Where recordings lie and how their files are named.

    Attributes:
        folder: The folder that `pattern` starts from.
        pattern: File names below the folder, for example "{cell}-SR-C1/X_{protocol}_ch{channel}_{sweep}.ibw".
            The placeholders cell, protocol, sweep and channel stand for any text without '/', as does '*'; where
            a name can be split in several ways, the placeholders on the left take as little as they can.
            What has no placeholder comes from the file, as in "{cell}.nwb"; a file that does not know its
            cell is a cell of its own, named after the file. None: every readable file below the folder.
        table: A table in the folder that lists the files and what they are, in place of a pattern (see
            `file_index`).
        junction_potential_mV: Liquid-junction potential (mV), subtracted from every voltage.
        protocols: Keep only these protocols, upper or lower case alike; None keeps all.
        cells: Keep only these cells; None keeps all.
        strict: Stop at the first unreadable file or sweep; otherwise leave it out and report it.
    """

    folder: Path
    pattern: str | None = None
    junction_potential_mV: float = 0.0
    protocols: tuple[str, ...] | None = None
    cells: tuple[str, ...] | None = None
    strict: bool = True
    table: str | None = None


def list_cells(folder: RecordingFolder) -> tuple[str, ...]:
    """Names of the cells, sorted, as the file names tell them; no file is opened.

    Without {cell} in the pattern these are the names of the files, which is what a cell is called unless its
    file names it otherwise.

    Raises:
        RecordingError: As `read_recordings`, for what can be seen without opening files.
    """
    cells = {file.names.get("cell", file.path.stem) for file in find_files(folder.folder, folder.pattern, folder.table)}
    return tuple(sorted(_kept_cells(cells, folder), key=natural_key))


def find_cells(folder: RecordingFolder) -> tuple[str, ...]:
    """Names of the cells, sorted, as `read_recordings` has them; files whose names do not tell are opened.

    Raises:
        RecordingError: As `read_recordings`.
    """
    return tuple(cell for cell, _ in _files_by_cell(folder, _Report(folder.strict, [])))


def read_recordings(folder: RecordingFolder, problems: list[str] | None = None) -> Iterator[Recording]:
    """Recordings of a folder by cell, protocol and sweep; one cell is in memory at a time.

    Args:
        folder: Where the files are and what to keep of them.
        problems: Takes the messages of what was left out or changed: sweeps that are no current clamp, padding
            that was cut, and what could not be read when `folder.strict` is off; None warns.

    Raises:
        RecordingError: The folder is missing, the pattern matches no file, nothing is left after `protocols`
            and `cells`, or (when strict) a file cannot be read, or a sweep lacks its voltage or its current,
            or has either twice, or both at different lengths or sampling.
    """
    report = _Report(folder.strict, problems)
    kept = found = 0
    protocols_seen: set[str] = set()
    wanted = {protocol.lower() for protocol in folder.protocols} if folder.protocols is not None else None
    for cell, files in _files_by_cell(folder, report):
        sweeps: list[FoundSweep] = []
        for file in files:
            named = file.protocols
            if wanted is not None and named and wanted.isdisjoint(protocol.lower() for protocol in named):
                protocols_seen.update(named)
                continue
            try:
                sweeps.extend(_sweeps_of(file, cell, report))
            except RecordingError as error:
                report.leave_out(error)
        protocols_seen.update(sweep.protocol for sweep in sweeps)
        sweeps = [sweep for sweep in sweeps if wanted is None or sweep.protocol.lower() in wanted]
        found += len(sweeps)
        for group in _grouped(sweeps):
            try:
                recording = join(group, folder.junction_potential_mV)
            except RecordingError as error:
                report.leave_out(error)
                continue
            kept += 1
            yield recording
    if wanted is not None and not found and protocols_seen:
        raise NothingFoundError(
            f"{folder.folder}: no recordings of {', '.join(folder.protocols or ())}; "
            f"the protocols there are {', '.join(sorted(protocols_seen))}"
        )
    if not kept:
        raise NothingFoundError(f"{folder.folder}: no recording could be read{report.first()}")


@dataclass
class _Report:
    """Raises an error, or keeps its message; keeps notes."""

    strict: bool
    problems: list[str] | None
    first_problem: str | None = None
    seen: set[str] = field(default_factory=set)

    def leave_out(self, error: RecordingError) -> None:
        if self.strict:
            raise error
        self.note(str(error), "left out: ")

    def note(self, message: str, what: str = "") -> None:
        if message in self.seen:
            return  # a file of several cells is read for each of them
        self.seen.add(message)
        self.first_problem = self.first_problem or message
        if self.problems is None:
            warnings.warn(f"{what}{message}", stacklevel=3)
        else:
            self.problems.append(message)

    def first(self) -> str:
        return f"; the first problem was: {self.first_problem}" if self.first_problem else ""


def _files_by_cell(folder: RecordingFolder, report: _Report) -> Iterator[tuple[str, list[RecordingFile]]]:
    """Files of each cell, sorted by the cell's name."""
    files_of: dict[str, list[RecordingFile]] = {}
    for file in find_files(folder.folder, folder.pattern, folder.table):
        try:
            for cell in file.cells():
                files_of.setdefault(cell, []).append(file)
        except RecordingError as error:
            report.leave_out(error)
    for cell in sorted(_kept_cells(set(files_of), folder), key=natural_key):
        yield cell, files_of[cell]


def _kept_cells(cells: set[str], folder: RecordingFolder) -> set[str]:
    if folder.cells is None:
        return cells
    missing = [cell for cell in folder.cells if cell not in cells]
    if missing:
        there = ", ".join(sorted(cells, key=natural_key))
        raise RecordingError(f"{folder.folder}: no cell '{missing[0]}'; the cells there are {there}")
    return set(folder.cells)


def _sweeps_of(file: RecordingFile, cell: str, report: _Report) -> list[FoundSweep]:
    """Sweeps of a cell in a file; the report says which others there are and why they are left out."""
    raws = []
    for sweep in sweeps_and_problems(file.path):
        if isinstance(sweep, RecordingError):
            report.leave_out(sweep)
        else:
            raws.append(sweep)
    left_out: dict[str, list[str]] = {}
    for raw in raws:
        if raw.left_out is not None:
            left_out.setdefault(raw.left_out, []).append(raw.sweep or "")
        elif raw.note is not None:
            report.note(f"{file.path}, sweep {raw.sweep}: {raw.note}")
    for reason, names in left_out.items():
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        report.note(f"{file.path}: sweep {shown}: {reason}", "left out: ")
    usable = [raw for raw in raws if raw.left_out is None]
    for error in absent_sweeps(file, usable):
        report.leave_out(error)
    of_cell = [raw for raw in usable if file.cell_of(raw) == cell]
    return list(name_sweeps(file, of_cell, cell))


def _grouped(sweeps: list[FoundSweep]) -> Iterator[list[FoundSweep]]:
    """Parts of each sweep, sorted by protocol and sweep."""
    groups: dict[tuple[str, str], list[FoundSweep]] = {}
    for sweep in sweeps:
        groups.setdefault((sweep.protocol, sweep.sweep), []).append(sweep)
    for key in sorted(groups, key=lambda name: (natural_key(name[0]), natural_key(name[1]))):
        yield groups[key]
