"""targets.json: feature targets in our own schema."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import FeatureError
from rheobase.features.targets import FeatureTargets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA = "rheobase.targets/2"
_FIRST_SCHEMA = "rheobase.targets/1"


def write_targets(targets: FeatureTargets, path: Path) -> None:
    """Write targets as JSON; never a bare NaN."""
    content = {"schema": SCHEMA, **dataclasses.asdict(targets)}
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def write_cell_targets(cells: Mapping[str, FeatureTargets], folder: Path) -> dict[str, Path]:
    """Write the targets of single cells into files of their own, `targets_CELL.json`.

    Args:
        cells: Targets by cell.
        folder: Where; made when it is not there.

    Returns:
        The file of each cell. Characters that file names cannot have become "_"; names differ by more than upper and
        lower case, which not every disk tells apart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    taken: set[str] = set()
    for cell, targets in cells.items():
        plain = re.sub(r"[^\w.+-]", "_", cell)
        path = folder / f"targets_{plain}.json"
        number = 2
        while path.name.lower() in taken:
            path = folder / f"targets_{plain}_{number}.json"
            number += 1
        taken.add(path.name.lower())
        write_targets(targets, path)
        paths[cell] = path
    return paths


def read_targets(path: Path) -> FeatureTargets:
    """Read what `write_targets` wrote, also in an earlier version.

    Raises:
        FeatureError: not such a file; the message names the path and the key.
    """
    from pydantic import TypeAdapter, ValidationError

    content = _read_json(path)
    try:
        # JSON again, because strictly a tuple is none other than a tuple, but in JSON a list.
        return TypeAdapter(FeatureTargets).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise FeatureError(f"{path}: {key}: {first['msg']}, got {_short(first['input'])}") from None
    except FeatureError as error:
        raise FeatureError(f"{path}: {error}") from None


def _read_json(path: Path) -> dict[str, Any]:
    """Content of the file in the present schema, without the schema's name."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise FeatureError(f"the targets file {path} does not exist") from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FeatureError(f"{path} is not a JSON file of targets: {error}") from error
    schema = content.pop("schema", None) if isinstance(content, dict) else None
    if schema == _FIRST_SCHEMA:
        return _from_first_schema(content, path)
    if schema != SCHEMA:
        raise FeatureError(f'{path}: expected \'"schema": "{SCHEMA}"\'; extract the targets again with this version')
    return dict(content)


def _refuse(constant: str) -> float:
    raise ValueError(f"expected finite numbers, got {constant}")


def _from_first_schema(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Version 1 knew single steps in % of the threshold current only."""
    try:
        for protocol in content["protocols"]:
            level, duration_ms = protocol.pop("amplitude_percent"), protocol.pop("duration_ms")
            piece = {"onset_ms": 0.0, "duration_ms": duration_ms, "start": level, "end": level}
            protocol["stimulus"] = {"pieces": [piece]}
    except (KeyError, TypeError, AttributeError) as error:
        raise FeatureError(f"{path}: not the targets that rheobase writes: {error!r}") from None
    return content


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else f"{text[:57]}..."
