"""The record of a campaign: every evaluation, appended as it ends, never rewritten.

New evaluations go to `tail.jsonl`, one line each, handed to the operating system at once and to the disk every
second. Every thousand of them become a Parquet file (written aside, then renamed), and a new tail is begun. A line
torn by a crash is dropped: that candidate is evaluated again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.writing import replacing, writing
from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

ROWS_PER_FILE = 1000
_SYNC_EVERY_S = 1.0


@dataclass(frozen=True)
class RecordedEvaluation:
    """One row of the record.

    Attributes:
        search: Name of the search that asked for it.
        number: The candidate's number in that search.
        asked: Place of the question in the search's sequence of questions and answers, from 0.
        told: Place of the answer; replaying both restores the search.
        parameters: Value of each free parameter.
        features: Measured features by objective; those that could not be measured are absent.
        scores: Every objective's score (standard deviations).
        failure: Why the evaluation ended early, None when it did not.
        cpu_seconds: CPU time it took.
        ended: When it ended (seconds since 1970).
    """

    search: str
    number: int
    asked: int
    told: int
    parameters: dict[str, float]
    features: dict[str, float]
    scores: dict[str, float]
    failure: str | None
    cpu_seconds: float
    ended: float


class EvaluationRecord:
    """Append-only record in a folder.

    Args:
        folder: Where it lies; made when absent.
        parameters: Names of the free parameters.
        objectives: Names of the objectives.

    Raises:
        CampaignError: a damaged file, or the disk is full.
    """

    def __init__(self, folder: Path, parameters: Sequence[str], objectives: Sequence[str]) -> None:
        self._folder = folder
        self._parameters = tuple(parameters)
        self._objectives = tuple(objectives)
        self._tail_path = folder / "tail.jsonl"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob("writing-*"):
                leftover.unlink()
            self._in_files = sum(self._check_part(path) for path in _parts(folder))
            self._tail = self._read_tail()
            self._stream = self._tail_path.open("ab", buffering=0)
        self._synced = time.monotonic()

    def __len__(self) -> int:
        return self._in_files + len(self._tail)

    def append(self, row: RecordedEvaluation) -> None:
        """Add one evaluation.

        Raises:
            CampaignError: the disk is full; what was recorded before is safe.
            ValueError: a number that is not finite.
        """
        line = _line(row)
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
        import pyarrow.parquet

        last = max((int(path.stem.removeprefix("part-")) for path in _parts(self._folder)), default=-1)
        path = self._folder / f"part-{last + 1:06d}.parquet"
        with replacing(path) as aside:
            pyarrow.parquet.write_table(self._table(self._tail), aside)
        with writing(self._tail_path):
            _sync_folder(self._folder)
            # A crash between these two leaves rows in both places; opening the record drops such copies.
            self._stream.truncate(0)
        self._in_files += len(self._tail)
        self._tail = []

    def close(self) -> None:
        """End with everything in Parquet; on a full disk with everything where it is, which is as safe."""
        with contextlib.suppress(CampaignError):
            self.compact()
        self._stream.close()

    def rows(self) -> Iterator[RecordedEvaluation]:
        """All evaluations in the order in which they were recorded, one file in memory at a time."""
        for path in _parts(self._folder):
            for values in _read_part(path).to_pylist():
                yield self._row(values)
        yield from self._tail

    def frame(self) -> pd.DataFrame:
        """The record as a table: search, number, ..., `parameter.*`, `feature.*`, `score.*`."""
        import pyarrow as pa

        tables = [_read_part(path) for path in _parts(self._folder)]
        frame: pd.DataFrame = pa.concat_tables([*tables, self._table(self._tail)]).to_pandas()
        return frame

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
        import pyarrow.parquet

        with _reading(path):
            metadata = pyarrow.parquet.read_metadata(path)
        there = {name for name in metadata.schema.names if "." in name}
        self._compare(
            path,
            {name.removeprefix("parameter.") for name in there if name.startswith("parameter.")},
            {name.removeprefix("score.") for name in there if name.startswith("score.")},
        )
        return int(metadata.num_rows)

    def _compare(self, where: object, parameters: Iterable[str], objectives: Iterable[str]) -> None:
        for kind, there, ours in (
            ("parameters", set(parameters), set(self._parameters)),
            ("features", set(objectives), set(self._objectives)),
        ):
            if there != ours:
                raise CampaignError(
                    f"{where}: recorded with other {kind} than the campaign has now "
                    f"({', '.join(sorted(there ^ ours)[:5])}); begin in another folder with --out"
                )

    def _read_tail(self) -> list[RecordedEvaluation]:
        """Rows of the tail; a torn last line and copies of what is in Parquet are removed from it."""
        if not self._tail_path.exists():
            return []
        content = self._tail_path.read_bytes()
        whole, _, torn = content.rpartition(b"\n")
        known = self._known_in_last_part()
        rows = []
        copies = False
        for place, line in enumerate(whole.splitlines(), start=1):
            try:
                row = RecordedEvaluation(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise CampaignError(
                    f"{self._tail_path}, line {place} is damaged ({error}); "
                    "remove that line and those below it: their candidates are evaluated again"
                ) from error
            self._compare(f"{self._tail_path}, line {place}", row.parameters, row.scores)
            if (row.search, row.number) in known:
                copies = True
            else:
                rows.append(row)
        if copies or torn:
            with replacing(self._tail_path) as aside:
                aside.write_bytes(b"".join(map(_line, rows)))
        return rows

    def _known_in_last_part(self) -> set[tuple[str, int]]:
        parts = _parts(self._folder)
        if not parts:
            return set()
        columns = _read_part(parts[-1], ["search", "number"])
        return set(zip(columns["search"].to_pylist(), columns["number"].to_pylist(), strict=True))

    def _table(self, rows: Sequence[RecordedEvaluation]) -> Any:
        import pyarrow as pa

        types = {
            "search": pa.string(), "number": pa.int64(), "asked": pa.int64(), "told": pa.int64(),
            "failure": pa.string(), "cpu_seconds": pa.float64(), "ended": pa.float64(),
        }  # fmt: skip
        columns = {name: pa.array([getattr(row, name) for row in rows], kind) for name, kind in types.items()}
        for prefix, names, attribute in (
            ("parameter", self._parameters, "parameters"),
            ("feature", self._objectives, "features"),
            ("score", self._objectives, "scores"),
        ):
            for name in names:
                values = [getattr(row, attribute).get(name) for row in rows]
                columns[f"{prefix}.{name}"] = pa.array(values, pa.float64())
        return pa.table(columns)

    def _row(self, values: dict[str, Any]) -> RecordedEvaluation:
        def part(prefix: str, names: Sequence[str]) -> dict[str, float]:
            found = {name: values[f"{prefix}.{name}"] for name in names}
            return {name: value for name, value in found.items() if value is not None}

        plain = {key: value for key, value in values.items() if "." not in key}
        return RecordedEvaluation(
            **plain,
            parameters=part("parameter", self._parameters),
            features=part("feature", self._objectives),
            scores=part("score", self._objectives),
        )


def read_frame(folder: Path) -> pd.DataFrame | None:
    """The record as a table, also while a campaign writes to it; None when there is none.

    Raises:
        CampaignError: a damaged file.
    """
    import pandas as pd

    # The tail first: what moves from it into a Parquet file meanwhile is then seen twice, not missed.
    tail = folder / "tail.jsonl"
    content = tail.read_bytes() if tail.exists() else b""
    rows = []
    for place, line in enumerate(content.rpartition(b"\n")[0].splitlines(), start=1):
        try:
            rows.append(_flat(json.loads(line)))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise CampaignError(f"{tail}, line {place} is damaged ({error})") from error
    frames = [_read_part(path).to_pandas() for path in _parts(folder)]
    if rows:
        frames.append(pd.DataFrame(rows))
    if not frames:
        return None
    frame: pd.DataFrame = pd.concat(frames, ignore_index=True).drop_duplicates(["search", "number"], ignore_index=True)
    return frame


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A line of the tail as a row of the table; a feature that was not measured is there, as None."""
    flat = {key: value for key, value in row.items() if not isinstance(value, dict)}
    flat |= {f"parameter.{name}": value for name, value in row["parameters"].items()}
    flat |= {f"feature.{name}": row["features"].get(name) for name in row["scores"]}
    return flat | {f"score.{name}": value for name, value in row["scores"].items()}


def _line(row: RecordedEvaluation) -> bytes:
    return json.dumps(dataclasses.asdict(row), allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def _read_part(path: Path, columns: list[str] | None = None) -> Any:
    import pyarrow.parquet

    with _reading(path):
        return pyarrow.parquet.read_table(path, columns=columns)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise CampaignError(f"{path} is damaged and cannot be read ({reason}); restore it from a backup") from error


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
