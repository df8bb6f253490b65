"""Activity as JSON: targets of circuits, and what a circuit reached."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, NoReturn

from rheobase.features.activity.activity import Activity
from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "rheobase.activity/1"

# Spectra, measured from other signals, have their own section beside this one.
_SECTION = "activity"


def write_activity(activity: Activity, path: Path) -> None:
    """Write activity as JSON: absent values are null, never NaN."""
    content = {"schema": SCHEMA, _SECTION: dataclasses.asdict(activity)}
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_activity(path: Path) -> Activity:
    """Read what `write_activity` wrote; other sections of the file are passed over.

    Raises:
        FeatureError: Not such a file; the message names the path and the key.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise FeatureError(f"the file of activity {path} does not exist") from None
    except (OSError, ValueError) as error:
        raise FeatureError(f"{path} is not a JSON file of activity: {error}") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or _SECTION not in content:
        raise FeatureError(
            f'{path}: expected "schema": "{SCHEMA}" and "{_SECTION}"; measure the activity again with this version'
        )
    return _validated(content[_SECTION], path)


def _validated(section: Any, path: Path) -> Activity:
    from pydantic import TypeAdapter, ValidationError

    try:
        # Through JSON once more: only there a list may be a tuple while text may not be a number.
        return TypeAdapter(Activity).validate_json(json.dumps(section), strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in (_SECTION, *first["loc"]))
        raise FeatureError(f"{path}, {where}: {first['msg']}") from None
    except FeatureError as error:
        raise FeatureError(f"{path}: {error}") from None


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number; absent values are null")
