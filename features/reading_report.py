"""What reading a folder of recordings found, and what it had to leave out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rheobase.features.errors import NothingFoundError, RecordingError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class ReadingReport:
    """Raises errors or keeps their messages; keeps notes, each once; counts sweeps.

    Attributes:
        strict: Whether the first error is raised.
        problems: Takes messages; None: they become warnings.
        seen: Messages so far.
        protocols: Protocols that were seen, wanted or not.
        sweeps: Number of sweeps, or parts of sweeps, of wanted protocols.
        recordings: Number of recordings that could be made of them.
    """

    strict: bool = True
    problems: list[str] | None = None
    seen: dict[str, None] = field(default_factory=dict)
    protocols: set[str] = field(default_factory=set)
    sweeps: int = 0
    recordings: int = 0

    def leave_out(self, error: RecordingError) -> None:
        """Raise an error when strict, with what can be done, otherwise keep its message."""
        if self.strict:
            raise RecordingError(f"{error}; or leave out what cannot be read, with recordings.skip_unreadable: true")
        self.note(str(error), "left out: ")

    def note(self, message: str, what: str = "") -> None:
        """Keep a message; a file of several cells is read for each of them and says the same each time."""
        if message in self.seen:
            return
        self.seen[message] = None
        if self.problems is None:
            warnings.warn(f"{what}{message}", stacklevel=3)
        else:
            self.problems.append(message)

    def add(self, part: ReadingReport) -> None:
        """Take what another report, of some of the cells, has."""
        for message in part.seen:
            self.note(message)
        self.protocols |= part.protocols
        self.sweeps += part.sweeps
        self.recordings += part.recordings

    def check_found(self, folder: str, wanted: Sequence[str] | None) -> None:
        """Raise NothingFoundError when there was no recording.

        Args:
            folder: Where they were looked for.
            wanted: Names of protocols; None: any.
        """
        if wanted is not None and not self.sweeps and self.protocols:
            raise NothingFoundError(
                f"{folder}: no recordings of {', '.join(wanted)}; "
                f"the protocols there are {', '.join(sorted(self.protocols))}"
            )
        if not self.recordings:
            first = next(iter(self.seen), None)
            reason = "" if first is None else f"; the first problem was: {first}"
            raise NothingFoundError(f"{folder}: no recording could be read{reason}")
