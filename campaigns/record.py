"""The record of a campaign: every evaluation, appended as it ends, never rewritten.

New evaluations go to `tail.jsonl`, one line each, handed to the operating system at once and to the disk every
second. Every thousand of them become a Parquet file (written aside, then renamed), and a new tail is begun. A line torn by a
crash is dropped: that candidate is evaluated again.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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
            for leftover in folder.glob("*.writing"):
                leftover.unlink()
            self._tail = self._read_tail()
            self._stream: IO[str] = self._tail_path.open("a", encoding="utf-8")
        self._synced = time.monotonic()
        self._in_files = sum(_rows(path) for path in self._files())

    def __len__(self) -> int:
        return self._in_files + len(self._tail)

    def append(self, row: RecordedEvaluation) -> None:
        """Add one evaluation.

        Raises:
            CampaignError: the disk is full; what was recorded before is safe.
        """
        line = json.dumps(dataclasses.asdict(row), allow_nan=False, separators=(",", ":")) + "\n"
        with writing(self._tail_path):
            self._stream.write(line)
            self._stream.flush()
            if time.monotonic() - self._synced > _SYNC_EVERY_S:
                os.fsync(self._stream.fileno())
                self._synced = time.monotonic()
        self._tail.append(row)
        if len(self._tail) >= ROWS_PER_FILE:
            self.compact()

    def compact(self) -> None:
        """Move the tail into a Parquet file."""
        if not self._tail:
            return
        import pyarrow.parquet

        path = self._folder / f"part-{len(self._files()):06d}.parquet"
        aside = path.with_suffix(".writing")
        with writing(path):
            pyarrow.parquet.write_table(self._table(self._tail), aside)
            with aside.open("rb") as written:
                os.fsync(written.fileno())
            aside.replace(path)
            # A crash between these two leaves rows in both places; reading the tail drops such copies.
            self._stream.close()
            self._stream = self._tail_path.open("w", encoding="utf-8")
        self._in_files += len(self._tail)
        self._tail = []

    def close(self) -> None:
        """End with everything in Parquet."""
        self.compact()
        self._stream.close()

    def rows(self) -> Iterator[RecordedEvaluation]:
        """All evaluations in the order in which they were recorded, one file in memory at a time."""
        import pyarrow.parquet

        for path in self._files():
            for values in pyarrow.parquet.read_table(path).to_pylist():
                yield self._row(values)
        yield from self._tail

    def frame(self) -> pd.DataFrame:
        """The record as a table: search, number, ..., `parameter.*`, `feature.*`, `score.*`."""
        import pyarrow as pa
        import pyarrow.parquet

        tables = [pyarrow.parquet.read_table(path) for path in self._files()]
        return pa.concat_tables([*tables, self._table(self._tail)]).to_pandas()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("part-*.parquet"))

    def _read_tail(self) -> list[RecordedEvaluation]:
        if not self._tail_path.exists():
            return []
        content = self._tail_path.read_bytes()
        whole, _, torn = content.rpartition(b"\n")
        if torn:
            with self._tail_path.open("r+b") as stream:
                stream.truncate(len(content) - len(torn))
        known = self._known_in_last_file()
        rows = []
        for place, line in enumerate(whole.splitlines(), start=1):
            try:
                row = RecordedEvaluation(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise CampaignError(
                    f"{self._tail_path}, line {place} is damaged ({error}); "
                    "remove that line: its candidate is evaluated again"
                ) from error
            if (row.search, row.number) not in known:
                rows.append(row)
        return rows

    def _known_in_last_file(self) -> set[tuple[str, int]]:
        import pyarrow.parquet

        files = self._files()
        if not files:
            return set()
        columns = pyarrow.parquet.read_table(files[-1], columns=["search", "number"])
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
    """The record as a table, also while a campaign writes to it; None when there is none."""
    import pandas as pd

    frames = [pd.read_parquet(path) for path in sorted(folder.glob("part-*.parquet"))]
    tail = folder / "tail.jsonl"
    lines = tail.read_text(encoding="utf-8").splitlines(keepends=True) if tail.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    if rows:
        flat = [
            {key: value for key, value in row.items() if not isinstance(value, dict)}
            | {f"{kind}.{name}": value for kind in _NESTED for name, value in row[f"{kind}s"].items()}
            for row in rows
        ]
        frames.append(pd.DataFrame(flat))
    if not frames:
        return None
    return pd.concat(frames, ignore_index=True).drop_duplicates(["search", "number"])


_NESTED = ("parameter", "feature", "score")


def _rows(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet

    try:
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise CampaignError(f"{path} is damaged and cannot be read ({error}); restore it from a backup") from error


class writing:  # noqa: N801 - reads as a verb: with writing(path)
    """Context that turns a full or failing disk into one clear message."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError):
            return
        remedy = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "mend that"
        raise CampaignError(
            f"{self._path} cannot be written: {os.strerror(error.errno) if error.errno else error}. What was recorded before is safe: "
            f"{remedy} and give the same command again"
        ) from error
