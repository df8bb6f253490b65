"""Patterns of file names with {placeholders}, and the order in which people number files."""

from __future__ import annotations

import glob
import re

from rheobase.features.errors import RecordingError

PLACEHOLDERS = ("cell", "protocol", "sweep", "channel")

_TOKEN = re.compile(r"\{(?P<name>[^{}]*)\}|(?P<star>\*)|(?P<brace>[{}])|(?P<text>[^{}*]+)")


def path_pattern(pattern: str) -> re.Pattern[str]:
    """Regular expression of a pattern such as "{cell}/X_{protocol}_{sweep}.ibw", for paths with '/'.

    A placeholder used twice must have the same text in both places.

    Raises:
        RecordingError: An unknown placeholder, or a brace that is not closed.
    """
    expression = ""
    seen: set[str] = set()
    for token in _TOKEN.finditer(pattern):
        name = token["name"]
        if token["brace"] is not None:
            raise RecordingError(f"pattern '{pattern}': a brace is open or closed without its other half")
        if token["star"] is not None:
            expression += "[^/]*"
        elif token["text"] is not None:
            expression += re.escape(token["text"])
        elif name not in PLACEHOLDERS:
            known = ", ".join(f"{{{known_name}}}" for known_name in PLACEHOLDERS)
            raise RecordingError(f"pattern '{pattern}': '{{{name}}}' is not one of {known}")
        elif name in seen:
            expression += f"(?P={name})"
        else:
            expression += f"(?P<{name}>[^/]+?)"
            seen.add(name)
    return re.compile(expression)


def names_in(match: re.Match[str]) -> dict[str, str]:
    """Placeholders' values in a path that a `path_pattern` matched."""
    return {name: value for name, value in match.groupdict().items() if value is not None}


def path_glob(pattern: str) -> str:
    """Glob that finds at least the paths that a pattern matches."""
    tokens = _TOKEN.finditer(pattern)
    parts = (glob.escape(token["text"]) if token["text"] is not None else "*" for token in tokens)
    return re.sub(r"\*\*+", "*", "".join(parts))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts sweep 2 before sweep 10."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts if part)
