"""Things kept on disk by name, so that memory does not grow with their number."""

from __future__ import annotations

import pickle
import sqlite3
from typing import TYPE_CHECKING, Generic, TypeVar

from rheobase.features.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator

Thing = TypeVar("Thing")

# Of all that is kept, SQLite has so much in memory (kibibytes).
_CACHE_KiB = 128


class Shelf(Generic[Thing]):
    """Things under names, several a name, in a temporary file that has no path and is gone with the process.

    Only the names are in memory. Things come back as copies, equal to the last bit.
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._file = sqlite3.connect("", isolation_level=None)  # "": SQLite's own temporary file
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KiB}"):
            self._file.execute(f"PRAGMA {setting}")
        self._file.execute("CREATE TABLE things (place INTEGER, thing BLOB)")
        self._file.execute("CREATE INDEX by_place ON things (place)")
        self._file.execute("BEGIN")  # and never commit: nobody else sees the file

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order in which they first came."""
        return tuple(self._places)

    def put(self, name: str, thing: Thing) -> None:
        """Put something under a name, behind what is there already.

        Raises:
            RecordingError: The disk is full.
        """
        place = self._places.setdefault(name, len(self._places))
        try:
            self._file.execute(
                "INSERT INTO things VALUES (?, ?)", (place, pickle.dumps(thing, pickle.HIGHEST_PROTOCOL))
            )
        except sqlite3.Error as error:
            raise RecordingError(
                f"what was found in {name} cannot be kept in a temporary file: {error}; free some space, or name a "
                "folder with more of it in the environment variable SQLITE_TMPDIR"
            ) from error

    def get(self, name: str) -> Iterator[Thing]:
        """What is under a name, in the order in which it came; nothing under an unknown one."""
        found = self._file.execute("SELECT thing FROM things WHERE place = ? ORDER BY rowid", (self._places.get(name),))
        for (thing,) in found:
            yield pickle.loads(thing)  # written by `put`, in this process
