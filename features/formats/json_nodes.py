"""Values of a JSON file that know where they stand, so that a message can name the key."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Node:
    """A value of a JSON file.

    Attributes:
        value: The value.
        path: The file.
        keys: The keys that lead to it, from the top.
    """

    value: Any
    path: Path
    keys: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """File and key, for messages."""
        return f"{self.path}: {'.'.join(self.keys)}" if self.keys else str(self.path)

    def error(self, expected: str) -> FeatureError:
        """What to raise when the value is not what it should be."""
        text = json.dumps(self.value)
        return FeatureError(f"{self.where}: expected {expected}, got {text if len(text) < 60 else text[:57] + '...'}")

    def blame(self, error: FeatureError) -> FeatureError:
        """An error of what was made of the value, with file and key where it does not have them."""
        return error if str(error).startswith(str(self.path)) else FeatureError(f"{self.where}: {error}")

    @property
    def is_object(self) -> bool:
        """Whether it has named members."""
        return isinstance(self.value, dict)

    @property
    def is_number(self) -> bool:
        """Whether it is a finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            return False
        return abs(self.value) <= sys.float_info.max  # false for NaN too; a long integer may be beyond

    def members(self) -> Iterator[tuple[str, Node]]:
        """Named members; those that begin with "__" are comments and left out."""
        if not self.is_object:
            raise self.error("an object with named members")
        for key, value in self.value.items():
            if not key.startswith("__"):
                yield key, Node(value, self.path, (*self.keys, key))

    def elements(self) -> list[Node]:
        """Elements of a list."""
        if not isinstance(self.value, list):
            raise self.error("a list")
        return [Node(value, self.path, (*self.keys, str(index))) for index, value in enumerate(self.value)]

    def get(self, key: str) -> Node | None:
        """A member; None where there is none, or it is null."""
        if not self.is_object:
            raise self.error("an object with named members")
        value = self.value.get(key)
        return None if value is None else Node(value, self.path, (*self.keys, key))

    def need(self, key: str) -> Node:
        """A member that must be there."""
        found = self.get(key)
        if found is None:
            raise FeatureError(f"{self.where}: expected the key '{key}', got {', '.join(self.value) or 'nothing'}")
        return found

    def number(self) -> float:
        """A finite number."""
        if not self.is_number:
            raise self.error("a finite number")
        return float(self.value)

    def number_at(self, key: str) -> float:
        """The number at a key that must be there."""
        return self.need(key).number()

    def number_or_none(self, key: str) -> float | None:
        """The number at a key; None where there is none, or it is null."""
        found = self.get(key)
        return None if found is None else found.number()

    def count_at(self, key: str) -> int:
        """The whole number at a key, 0 where there is none."""
        found = self.number_or_none(key) or 0.0
        if found < 0 or not found.is_integer():
            raise self.need(key).error("a whole number of zero or more")
        return int(found)

    def text(self) -> str:
        """A text."""
        if not isinstance(self.value, str):
            raise self.error("a text")
        return self.value


def read_json(path: Path) -> Node:
    """Read a JSON file.

    Bare NaN are read as such: the value at hand decides what they mean.

    Raises:
        FeatureError: Not there, not JSON, or with a key twice in one object, of which one would be lost.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_distinct)
    except FileNotFoundError:
        raise FeatureError(f"the table {path} does not exist") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FeatureError(f"{path} is not a JSON file: {error}") from None
    return Node(content, path)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key '{twice}' stands twice in one object; rename one of them")
    return members
