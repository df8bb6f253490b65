"""The record of a circuit's campaign: every simulation, appended as it ends, never rewritten."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rheobase.campaigns.writing import writing
from rheobase.features.errors import CampaignError
from rheobase.fitting.tuning.trials import Outcome, Told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class RecordedTrial:
    """A line of the record.

    Attributes:
        told: What the tuner was told.
        stage: Name of the stage.
        place: Number of its place within the stage.
        origin: Where the place comes from.
        repetition: Which seed of the place.
        parameters: Parameters that were not 1.
        seed: Seed of the simulation.
        ended: When it ended (seconds since 1970).
    """

    told: Told
    stage: str
    place: int
    origin: str
    repetition: int
    parameters: dict[str, float]
    seed: int
    ended: float


class TrialRecord:
    """Append-only record in a file; a line torn by a crash is dropped, and that simulation is done again.

    Args:
        path: The file.

    Raises:
        CampaignError: a damaged line, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trials = list(read_trials(path))
        whole = b"".join(map(_to_line, self.trials))
        with writing(path):
            if path.exists() and path.stat().st_size > len(whole):
                os.truncate(path, len(whole))
            self._stream = path.open("ab", buffering=0)

    def append(self, trial: RecordedTrial) -> None:
        """Add a line, and see it on the disk: a simulation takes seconds, a line a thousandth of that.

        Raises:
            CampaignError: the disk is full; what was recorded before is safe.
        """
        begin = os.fstat(self._stream.fileno()).st_size
        rest = memoryview(_to_line(trial))
        with writing(self._path):
            try:
                while rest:
                    rest = rest[self._stream.write(rest) :]
                os.fsync(self._stream.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    self._stream.truncate(begin)
                raise
        self.trials.append(trial)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def read_trials(path: Path) -> Iterator[RecordedTrial]:
    """Trials of a record, also while a campaign writes to it; a torn last line is left out.

    Raises:
        CampaignError: a damaged line.
    """
    content = path.read_bytes() if path.exists() else b""
    for number, line in enumerate(content.rpartition(b"\n")[0].splitlines(), start=1):
        try:
            entry = json.loads(line)
            told = entry.pop("told")
            outcome = Outcome(**told.pop("outcome"))
            told["position"] = tuple(told["position"])
            yield RecordedTrial(Told(**told, outcome=outcome), **entry)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CampaignError(
                f"{path}, line {number} is damaged ({error}); remove that line and those below it: these simulations "
                "are done again"
            ) from error


def _to_line(trial: RecordedTrial) -> bytes:
    return json.dumps(asdict(trial), allow_nan=False, separators=(",", ":")).encode() + b"\n"


def now() -> float:
    """Seconds since 1970."""
    return time.time()
