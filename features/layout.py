"""From a folder of recording files to recordings: which file is which cell, protocol, sweep and channel."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.errors import RecordingError
from rheobase.features.joining import FoundSweep, join
from rheobase.features.naming import names_in, natural_key, path_glob, path_pattern
from rheobase.features.readers import known_suffixes, read_sweeps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rheobase.features.recording import RawSweep, Recording


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


@dataclass(frozen=True)
class _File:
    """A file of the folder and the placeholders' values in its name."""

    path: Path
    names: dict[str, str]


def list_cells(folder: RecordingFolder) -> tuple[str, ...]:
    """Names of the cells, sorted, as the file names tell them; no file is opened.

    Without {cell} in the pattern these are the names of the files, which is what a cell is called unless its
    file names it otherwise.

    Raises:
        RecordingError: As `read_recordings`, for what can be seen without opening files.
    """
    cells = {file.names.get("cell", file.path.stem) for file in _files(folder)}
    return tuple(sorted(_kept_cells(cells, folder), key=natural_key))


def read_recordings(folder: RecordingFolder, problems: list[str] | None = None) -> Iterator[Recording]:
    """Recordings of a folder by cell, protocol and sweep; one cell is in memory at a time.

    Args:
        folder: Where the files are and what to keep of them.
        problems: Takes the messages of what was left out when `folder.strict` is off; None warns.

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
            if wanted is not None and file.names.get("protocol", "").lower() not in wanted | {""}:
                protocols_seen.add(file.names["protocol"])
                continue
            try:
                sweeps.extend(_sweeps_of(file, cell))
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
        raise RecordingError(
            f"{folder.folder}: no recordings of {', '.join(folder.protocols or ())}; "
            f"the protocols there are {', '.join(sorted(protocols_seen))}"
        )
    if not kept:
        raise RecordingError(f"{folder.folder}: no recording could be read{report.first()}")


@dataclass
class _Report:
    """Raises an error, or keeps its message."""

    strict: bool
    problems: list[str] | None
    first_problem: str | None = None

    def leave_out(self, error: RecordingError) -> None:
        if self.strict:
            raise error
        self.first_problem = self.first_problem or str(error)
        if self.problems is None:
            warnings.warn(f"left out: {error}", stacklevel=3)
        else:
            self.problems.append(str(error))

    def first(self) -> str:
        return f"; the first problem was: {self.first_problem}" if self.first_problem else ""


def _files(folder: RecordingFolder) -> list[_File]:
    """Files of the folder that the pattern matches, sorted by path."""
    root = folder.folder
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise RecordingError(f"the folder of recordings {root} {what}")
    if folder.pattern is None:
        suffixes = known_suffixes()
        files = [_File(path, {}) for path in root.rglob("*") if path.suffix.lower() in suffixes and path.is_file()]
        expected = f"files ending in {', '.join(suffixes)}"
    else:
        pattern = path_pattern(folder.pattern)
        matches = ((path, pattern.fullmatch(path.relative_to(root).as_posix())) for path in _candidates(folder))
        files = [_File(path, names_in(match)) for path, match in matches if match is not None and path.is_file()]
        expected = f"files like '{folder.pattern}'"
    if not files:
        raise RecordingError(f"{root}: expected {expected}, found {_examples(root)}")
    return sorted(files, key=lambda file: natural_key(file.path.as_posix()))


def _candidates(folder: RecordingFolder) -> Iterator[Path]:
    return folder.folder.glob(path_glob(folder.pattern or ""))


def _examples(root: Path) -> str:
    there = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    if not there:
        return "no file at all"
    # One from each end: the first two are often neighbours with the same kind of name.
    shown = sorted({there[0], there[-1]})
    return f"{len(there)} files such as {' and '.join(repr(name) for name in shown)}"


def _files_by_cell(folder: RecordingFolder, report: _Report) -> Iterator[tuple[str, list[_File]]]:
    """Files of each cell, sorted by the cell's name."""
    files_of: dict[str, list[_File]] = {}
    for file in _files(folder):
        try:
            for cell in _cells_of(file):
                files_of.setdefault(cell, []).append(file)
        except RecordingError as error:
            report.leave_out(error)
    for cell in sorted(_kept_cells(set(files_of), folder), key=natural_key):
        yield cell, files_of[cell]


def _cells_of(file: _File) -> set[str]:
    if "cell" in file.names:
        return {file.names["cell"]}
    # Only the file itself can tell, so it is read twice: once for its cell's name, once in that cell's turn.
    return {sweep.cell or file.path.stem for sweep in read_sweeps(file.path)}


def _kept_cells(cells: set[str], folder: RecordingFolder) -> set[str]:
    if folder.cells is None:
        return cells
    missing = [cell for cell in folder.cells if cell not in cells]
    if missing:
        there = ", ".join(sorted(cells, key=natural_key))
        raise RecordingError(f"{folder.folder}: no cell '{missing[0]}'; the cells there are {there}")
    return set(folder.cells)


def _sweeps_of(file: _File, cell: str) -> Iterator[FoundSweep]:
    for raw in read_sweeps(file.path):
        own_cell = file.names.get("cell") or raw.cell or file.path.stem
        if own_cell == cell:
            yield FoundSweep(cell, _protocol(raw, file), _sweep_name(raw, file), raw.channels, file.path)


def _protocol(raw: RawSweep, file: _File) -> str:
    protocol = file.names.get("protocol") or raw.protocol
    if not protocol:
        raise RecordingError(
            f"{file.path}: neither the file nor its name tells the protocol; "
            "put {protocol} into the pattern, or the protocol into the file"
        )
    return protocol


def _sweep_name(raw: RawSweep, file: _File) -> str:
    named = file.names.get("sweep")
    if named is None:
        return raw.sweep if raw.sweep is not None else file.path.stem
    # A file that holds several sweeps numbers them itself, and the same numbers come back in the next file.
    return named if raw.sweep in (None, named) else f"{named}.{raw.sweep}"


def _grouped(sweeps: list[FoundSweep]) -> Iterator[list[FoundSweep]]:
    """Parts of each sweep, sorted by protocol and sweep."""
    groups: dict[tuple[str, str], list[FoundSweep]] = {}
    for sweep in sweeps:
        groups.setdefault((sweep.protocol, sweep.sweep), []).append(sweep)
    for key in sorted(groups, key=lambda name: (natural_key(name[0]), natural_key(name[1]))):
        yield groups[key]
