"""From a folder of recording files to recordings: which file is which cell, protocol, sweep and channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from rheobase.features.cell_files import CellFiles, FilesByCell
from rheobase.features.errors import RecordingError
from rheobase.features.joining import FoundSweep, join
from rheobase.features.naming import natural_key
from rheobase.features.readers import sweeps_and_problems
from rheobase.features.reading_report import ReadingReport
from rheobase.features.recording_files import RecordingFile, absent_sweeps, name_sweeps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rheobase.features.recording import Recording

_SHOWN = 5  # names of sweeps in a message


@dataclass(frozen=True)
class RecordingFolder:
    """Where recordings lie and how their files are named.

    Attributes:
        folder: The folder, or the folders, that `pattern` starts from. No cell may be in two of them: whether it is
            one cell or two of one name cannot be told.
        pattern: File names below the folder, for example "{cell}-SR-C1/X_{protocol}_ch{channel}_{sweep}.ibw".
            The placeholders cell, protocol, sweep and channel stand for any text without '/', as does '*'; where
            a name can be split in several ways, the placeholders on the left take as little as they can.
            What has no placeholder comes from the file, as in "{cell}.nwb"; a file that does not know its
            cell is a cell of its own, named after the file. None: every readable file below the folder.
        table: A table in each folder that lists the files and what they are, in place of a pattern (see
            `file_index`).
        junction_potential_mV: Liquid-junction potential (mV), subtracted from every voltage.
        protocols: Keep only these protocols, upper or lower case alike; None keeps all.
        cells: Keep only these cells; None keeps all.
        strict: Stop at the first unreadable file or sweep; otherwise leave it out and report it.
    """

    folder: Path | tuple[Path, ...]
    pattern: str | None = None
    junction_potential_mV: float = 0.0
    protocols: tuple[str, ...] | None = None
    cells: tuple[str, ...] | None = None
    strict: bool = True
    table: str | None = None

    @property
    def folders(self) -> tuple[Path, ...]:
        """All of its folders."""
        return self.folder if isinstance(self.folder, tuple) else (self.folder,)

    def __str__(self) -> str:
        return ", ".join(map(str, self.folders))


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
    for recordings in read_cells(folder, problems):
        yield from recordings


def read_cells(folder: RecordingFolder, problems: list[str] | None = None) -> Iterator[Iterator[Recording]]:
    """The same cell by cell, those without recordings left out: nothing of a cell is read before it is its turn.

    Args:
        folder: As `read_recordings`.
        problems: As `read_recordings`.

    Raises:
        RecordingError: As `read_recordings`.
    """
    report = ReadingReport(folder.strict, problems)
    for files in FilesByCell(folder, report):
        recordings = read_cell(files, folder, report)
        first = next(recordings, None)
        if first is not None:
            yield chain((first,), recordings)
    report.check_found(str(folder), folder.protocols)


def read_cell(files: CellFiles, folder: RecordingFolder, report: ReadingReport) -> Iterator[Recording]:
    """Recordings of one cell by protocol and sweep.

    Args:
        files: Its files.
        folder: What to keep of them, and the junction potential.
        report: Takes what was left out or changed.

    Raises:
        RecordingError: As `read_recordings`, when strict.
    """
    for group in _grouped(_wanted_sweeps(files, folder, report)):
        try:
            recording = join(group, folder.junction_potential_mV)
        except RecordingError as error:
            report.leave_out(error)
            continue
        report.recordings += 1
        yield recording


def _wanted_sweeps(files: CellFiles, folder: RecordingFolder, report: ReadingReport) -> Iterator[FoundSweep]:
    """Sweeps of a cell, and parts of sweeps, of the protocols to keep."""
    wanted = {protocol.lower() for protocol in folder.protocols} if folder.protocols is not None else None
    for file in files.files:
        named = file.protocols
        if wanted is not None and named and wanted.isdisjoint(protocol.lower() for protocol in named):
            report.protocols.update(named)
            continue
        try:
            for sweep in _sweeps_of(file, files.cell, report):
                report.protocols.add(sweep.protocol)
                if wanted is None or sweep.protocol.lower() in wanted:
                    report.sweeps += 1
                    yield sweep
        except RecordingError as error:
            report.leave_out(error)


def _sweeps_of(file: RecordingFile, cell: str, report: ReadingReport) -> list[FoundSweep]:
    """Sweeps of a cell in a file; the report says which others there are and why they are left out."""
    raws = []
    for sweep in sweeps_and_problems(file.path):
        if isinstance(sweep, RecordingError):
            report.leave_out(sweep)
        else:
            # Of the other cells only the names matter.
            raws.append(sweep if file.cell_of(sweep) == cell else replace(sweep, channels=()))
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


def _grouped(sweeps: Iterable[FoundSweep]) -> Iterator[list[FoundSweep]]:
    """Parts of each sweep, sorted by protocol and sweep; they are let go as they are taken."""
    groups: dict[tuple[str, str], list[FoundSweep]] = {}
    for sweep in sweeps:
        groups.setdefault((sweep.protocol, sweep.sweep), []).append(sweep)
    for key in sorted(groups, key=lambda name: (natural_key(name[0]), natural_key(name[1]))):
        yield groups.pop(key)
