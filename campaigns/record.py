"""The record of a campaign: every evaluation, appended as it ends, never rewritten.

New evaluations go to `tail.jsonl`, one line each, handed to the operating system at once and to the disk every
second. Every thousand of them become a Parquet file (written aside, then renamed), and a new tail is begun. A line
torn by a crash is dropped: that candidate is evaluated again.

Appending costs the same however long the record is; opening it reads of the Parquet files only what columns they
have, and reading it has one of them in memory at a time.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.record_format import (
    RecordedEvaluation,
    names_in,
    part_paths,
    read_lines,
    read_part,
    read_part_header,
    to_line,
    to_rows,
    to_table,
    with_later_columns,
    write_part,
)
from rheobase.campaigns.writing import replacing, writing
from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

__all__ = ["ROWS_PER_FILE", "EvaluationRecord", "RecordedEvaluation", "read_frame", "read_frames"]

ROWS_PER_FILE = 1000
_SYNC_EVERY_S = 1.0
_TAIL = "tail.jsonl"


class EvaluationRecord:
    """Append-only record in a folder.

    A row need not have all parameters and objectives: a stage may free some and score some.

    Args:
        folder: Where it lies; made when absent.
        parameters: Names of the free parameters, of all stages together.
        objectives: Names of the objectives, likewise.

    Raises:
        CampaignError: a damaged file, a record of other parameters or objectives, or the disk is full.
    """

    def __init__(self, folder: Path, parameters: Sequence[str], objectives: Sequence[str]) -> None:
        self._folder = folder
        self._parameters = dict.fromkeys(parameters)
        self._objectives = dict.fromkeys(objectives)
        self._tail_path = folder / _TAIL
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob("writing-*"):
                leftover.unlink()
            parts = part_paths(folder)
            self._in_files = sum(self._check_part(path) for path in parts)
            self._next_part = 1 + int(parts[-1].stem.removeprefix("part-")) if parts else 0
            self._tail = self._read_tail(parts)
            self._stream = self._tail_path.open("ab", buffering=0)
        self._synced = time.monotonic()

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the objectives, of all stages together."""
        return tuple(self._objectives)

    def __len__(self) -> int:
        return self._in_files + len(self._tail)

    def append(self, row: RecordedEvaluation) -> None:
        """Add one evaluation.

        Raises:
            CampaignError: the disk is full; what was recorded before is safe.
            ValueError: a number that is not finite, or a parameter or objective that the record does not know.
        """
        self._refuse_unknown(row)
        line = to_line(row)
        with writing(self._tail_path):
            self._write(line)
            if time.monotonic() - self._synced > _SYNC_EVERY_S:
                os.fsync(self._stream.fileno())
                self._synced = time.monotonic()
        self._tail.append(row)
        if len(self._tail) >= ROWS_PER_FILE:
            self.compact()

    def compact(self) -> None:
        """Move the tail into a Parquet file.

        Raises:
            CampaignError: the disk is full; the tail stays as it is.
        """
        if not self._tail:
            return
        with replacing(self._folder / f"part-{self._next_part:06d}.parquet") as aside:
            write_part(self._table(self._tail), aside)
        with writing(self._folder):
            _sync_folder(self._folder)
        # A crash between these two leaves rows in both places; opening the record drops such copies. The tail is
        # replaced and not emptied: who reads it at this moment reads the old one to its end.
        with replacing(self._tail_path) as aside:
            stream = aside.open("ab", buffering=0)
        self._stream.close()
        self._stream = stream
        self._next_part += 1
        self._in_files += len(self._tail)
        self._tail = []

    def close(self) -> None:
        """End with everything in Parquet; on a full disk with everything where it is, which is as safe."""
        with contextlib.suppress(CampaignError):
            self.compact()
        self._stream.close()

    def rows(self, search: str | None = None) -> Iterator[RecordedEvaluation]:
        """Evaluations in the order in which they were recorded, one file in memory at a time.

        Args:
            search: Only those of this search.
        """
        for path in part_paths(self._folder):
            yield from to_rows(_of_search(read_part(path), search))
        yield from (row for row in self._tail if search in (None, row.search))

    def frame(self) -> pd.DataFrame:
        """The record as a table: search, number, ..., `parameter.*`, `feature.*`, `score.*`."""
        import pyarrow as pa

        tables = [self._table([]), *_tables(self._folder)]
        frame: pd.DataFrame = pa.concat_tables(tables, promote_options="default").to_pandas()
        return frame

    def _table(self, rows: Sequence[RecordedEvaluation]) -> Any:
        return to_table(rows, list(self._parameters), list(self._objectives))

    def _refuse_unknown(self, row: RecordedEvaluation) -> None:
        for names, known in (
            (row.parameters.keys(), self._parameters),
            (row.scores.keys(), self._objectives),
            (row.features.keys(), self._objectives),
        ):
            if not names <= known.keys():
                unknown = ", ".join(sorted(names - known.keys())[:5])
                raise ValueError(f"expected only parameters and objectives that the record knows, got {unknown} too")

    def _write(self, line: bytes) -> None:
        """Write a whole line, or nothing of it."""
        begin = os.fstat(self._stream.fileno()).st_size
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[self._stream.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                self._stream.truncate(begin)
            raise

    def _check_part(self, path: Path) -> int:
        """Number of rows of a Parquet file, its columns compared with ours."""
        columns, rows = read_part_header(path)
        self._compare(path, names_in(columns, "parameter"), names_in(columns, "score"))
        return rows

    def _compare(self, where: object, parameters: Iterable[str], objectives: Iterable[str]) -> None:
        for kind, unknown in (
            ("parameters", set(parameters).difference(self._parameters)),
            ("features", set(objectives).difference(self._objectives)),
        ):
            if unknown:
                raise CampaignError(
                    f"{where}: recorded with {kind} that the campaign does not have now "
                    f"({', '.join(sorted(unknown)[:5])}); begin in another folder with --out"
                )

    def _read_tail(self, parts: Sequence[Path]) -> list[RecordedEvaluation]:
        """Rows of the tail; a torn last line and copies of what is in Parquet are removed from it."""
        if not self._tail_path.exists():
            return []
        content = self._tail_path.read_bytes()
        known = _keys(read_part(parts[-1], ["search", "number"])) if parts else set()
        rows = []
        for place, row in enumerate(read_lines(content, self._tail_path), start=1):
            self._compare(f"{self._tail_path}, line {place}", row.parameters, row.scores)
            if (row.search, row.number) not in known:
                rows.append(row)
        whole = b"".join(map(to_line, rows))
        if whole != content:
            with replacing(self._tail_path) as aside:
                aside.write_bytes(whole)
        return rows


def read_frame(folder: Path) -> pd.DataFrame | None:
    """The record as a table, also while a campaign writes to it; None when there is none.

    Files that were written with other parameters or objectives are read too: the table has the columns of all.

    Raises:
        CampaignError: a damaged file.
    """
    import pyarrow as pa

    tables = list(_tables(folder))
    if not tables:
        return None
    frame: pd.DataFrame = pa.concat_tables(tables, promote_options="default").to_pandas()
    return frame


def read_frames(folder: Path) -> Iterator[pd.DataFrame]:
    """The same, a thousand rows at a time; each table has the columns that were recorded then.

    Raises:
        CampaignError: a damaged file.
    """
    for table in _tables(folder):
        yield table.to_pandas()


def _tables(folder: Path) -> Iterator[Any]:
    """What is recorded, without copies, also while another process writes."""
    # The tail first: what moves from it into a Parquet file meanwhile is then seen twice, not missed.
    path = folder / _TAIL
    tail = {(row.search, row.number): row for row in read_lines(path.read_bytes() if path.exists() else b"", path)}
    for part in part_paths(folder):
        table = with_later_columns(read_part(part))
        for key in tail.keys() & _keys(table):
            del tail[key]
        yield table
    if tail:
        rows = list(tail.values())
        parameters = dict.fromkeys(name for row in rows for name in row.parameters)
        objectives = dict.fromkeys(name for row in rows for name in (*row.scores, *row.features))
        yield to_table(rows, list(parameters), list(objectives))


def _of_search(table: Any, search: str | None) -> Any:
    import pyarrow.compute

    return table if search is None else table.filter(pyarrow.compute.equal(table["search"], search))


def _keys(table: Any) -> set[tuple[str, int]]:
    return set(zip(table["search"].to_pylist(), table["number"].to_pylist(), strict=True))


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
