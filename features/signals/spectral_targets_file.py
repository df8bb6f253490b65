"""spectrum.json: spectral targets in our own schema."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from rheobase.features.errors import FeatureError
from rheobase.features.signals.spectral_targets import SpectralTargets

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "rheobase.spectrum/1"


def write_spectral_targets(targets: SpectralTargets, path: Path) -> None:
    """Write targets as JSON; a missing alpha peak is written with its reason, never as NaN."""
    content = {"schema": SCHEMA, **dataclasses.asdict(targets)}
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_spectral_targets(path: Path) -> SpectralTargets:
    """Read what `write_spectral_targets` wrote.

    Raises:
        FeatureError: Not such a file; the message names the path and the key.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise FeatureError(f"the file of spectral targets {path} does not exist") from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FeatureError(f"{path} is not a JSON file of spectral targets: {error}") from error
    if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
        raise FeatureError(f'{path}: expected \'"schema": "{SCHEMA}"\'; is it a file of spectral targets?')
    try:
        # JSON again, because strictly a tuple is none other than a tuple, but in JSON a list.
        return TypeAdapter(SpectralTargets).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise FeatureError(f"{path}: {key}: {first['msg']}") from None
    except FeatureError as error:
        raise FeatureError(f"{path}: {error}") from None


def _refuse(constant: str) -> float:
    raise ValueError(f"expected finite numbers, got {constant}")
