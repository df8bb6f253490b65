"""How evaluations are kept: as lines of JSON while they are young, as columns of Parquet after that."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_NAMED = (("parameter", "parameters"), ("feature", "features"), ("score", "scores"))
# Columns that records of earlier versions lack, and what their rows mean.
_LATER = {"excluded": False, "fidelity": ""}


@dataclass(frozen=True)
class RecordedEvaluation:
    """One row of the record.

    Attributes:
        search: Name of the search that asked for it.
        number: The candidate's number in that search.
        asked: Place of the question in the search's sequence of questions and answers, from 0.
        told: Place of the answer; replaying both restores the search.
        parameters: Value of each parameter that was free.
        features: Measured features by objective; those that could not be measured are absent.
        scores: Score of every objective that was asked for (standard deviations).
        failure: Why the evaluation ended early, None when it did not.
        cpu_seconds: CPU time it took.
        ended: When it ended (seconds since 1970).
        excluded: Whether it was ended as soon as it could no longer be selected: its scores are lower bounds.
        fidelity: The discretisation it was simulated with; empty: that of the campaign.
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
    excluded: bool = False
    fidelity: str = ""


def to_line(row: RecordedEvaluation) -> bytes:
    """A row as a line of JSON.

    Raises:
        ValueError: a number that is not finite.
    """
    return json.dumps(vars(row), allow_nan=False, separators=(",", ":")).encode() + b"\n"


def read_lines(content: bytes, where: Path) -> Iterator[RecordedEvaluation]:
    """Rows of whole lines; a torn last one is left out.

    Raises:
        CampaignError: a damaged line.
    """
    for place, line in enumerate(content.rpartition(b"\n")[0].splitlines(), start=1):
        try:
            row = RecordedEvaluation(**json.loads(line))
            for _, attribute in _NAMED:
                getattr(row, attribute).keys()
        except (ValueError, TypeError, AttributeError) as error:
            raise CampaignError(
                f"{where}, line {place} is damaged ({error}); "
                "remove that line and those below it: their candidates are evaluated again"
            ) from error
        yield row


def to_table(rows: Sequence[RecordedEvaluation], parameters: Sequence[str], objectives: Sequence[str]) -> Any:
    """Rows as an Arrow table: plain columns, `parameter.*`, `feature.*` and `score.*`; null for what a row lacks."""
    import pyarrow as pa

    types = {
        "search": pa.string(), "number": pa.int64(), "asked": pa.int64(), "told": pa.int64(),
        "failure": pa.string(), "cpu_seconds": pa.float64(), "ended": pa.float64(),
        "excluded": pa.bool_(), "fidelity": pa.string(),
    }  # fmt: skip
    columns = {name: pa.array([getattr(row, name) for row in rows], kind) for name, kind in types.items()}
    for (prefix, attribute), names in zip(_NAMED, (parameters, objectives, objectives), strict=True):
        values = [getattr(row, attribute) for row in rows]
        for name in names:
            columns[f"{prefix}.{name}"] = pa.array([of_row.get(name) for of_row in values], pa.float64())
    return pa.table(columns)


def to_rows(table: Any) -> Iterator[RecordedEvaluation]:
    """Rows of an Arrow table, whatever parameters and objectives it has."""
    plain = {name: table[name].to_pylist() for name in table.column_names if "." not in name}
    named: dict[str, Iterator[Any]] = {attribute: _dictionaries(table, prefix) for prefix, attribute in _NAMED}
    for place in range(len(table)):
        yield RecordedEvaluation(
            **{name: values[place] for name, values in plain.items()},
            **{attribute: next(values) for attribute, values in named.items()},
        )


def names_in(columns: Iterable[str], prefix: str) -> list[str]:
    """What is named by columns `PREFIX.NAME`, in their order."""
    return [column.partition(".")[2] for column in columns if column.partition(".")[0] == prefix]


def part_paths(folder: Path) -> list[Path]:
    """The Parquet files of a record, oldest first."""
    return sorted(folder.glob("part-*.parquet"))


def write_part(table: Any, path: Path) -> None:
    """Write a Parquet file; numbers hardly ever repeat, so that only texts gain from a dictionary."""
    import pyarrow.parquet

    texts = ["search", "failure", "fidelity"]
    pyarrow.parquet.write_table(table, path, use_dictionary=texts, write_statistics=False)


def read_part(path: Path, columns: list[str] | None = None) -> Any:
    """A Parquet file as an Arrow table.

    Raises:
        CampaignError: it is damaged.
    """
    import pyarrow.parquet

    with _reading(path):
        return pyarrow.parquet.read_table(path, columns=columns)


def read_part_header(path: Path) -> tuple[list[str], int]:
    """Columns and number of rows of a Parquet file, without its data.

    Raises:
        CampaignError: it is damaged.
    """
    import pyarrow.parquet

    with _reading(path):
        metadata = pyarrow.parquet.read_metadata(path)
    return list(metadata.schema.names), int(metadata.num_rows)


def with_later_columns(table: Any) -> Any:
    """A table of an earlier version with the columns that were added since."""
    import pyarrow as pa

    for name, value in _LATER.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.array([value] * len(table)))
    return table


def _dictionaries(table: Any, prefix: str) -> Iterator[dict[str, float]]:
    """For each row the values of its columns `PREFIX.NAME`, by name; nulls are left out."""
    names = names_in(table.column_names, prefix)
    values = np.empty((len(table), len(names)))
    for place, name in enumerate(names):
        values[:, place] = table[f"{prefix}.{name}"].to_numpy()  # null becomes NaN, which a record never holds
    for is_whole, row in zip(np.logical_and.reduce(np.isfinite(values), axis=1), values.tolist(), strict=True):
        pairs = zip(names, row, strict=True)
        yield dict(pairs) if is_whole else {name: value for name, value in pairs if value == value}


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise CampaignError(f"{path} is damaged and cannot be read ({reason}); restore it from a backup") from error
