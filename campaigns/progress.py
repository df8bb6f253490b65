"""Progress bars on standard error."""

from __future__ import annotations

import contextlib
import math
import threading
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.recent import RecentValues
from rheobase.objectives.scores import total_score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rheobase.campaigns.record import RecordedEvaluation
    from rheobase.features.recording import Recording


def bar(description: str, total: int | None, unit: str, initial: int = 0) -> Any:
    """A tqdm bar; on a terminal it moves, in a log it prints a line every half minute."""
    import sys

    from tqdm import tqdm

    return tqdm(
        desc=description,
        total=total,
        initial=initial,
        unit=f" {unit}",
        dynamic_ncols=True,
        mininterval=0.3 if sys.stderr.isatty() else 30.0,
        file=sys.stderr,
    )


@contextlib.contextmanager
def working(description: str) -> Iterator[None]:
    """Show for how long a piece of work has been going on whose parts cannot be counted."""
    shown = bar(description, None, "s")
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(1.0):
            shown.update()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        shown.close()


class SearchBar:
    """Evaluations done, the best sum of scores, the median of the last 500 that ran to their end, time left.

    Args:
        name: What the search is called.
        total: How many evaluations there will be.
        weights: Weights of the objectives in the sum of scores; 1 of those absent.
    """

    def __init__(self, name: str, total: int, weights: Mapping[str, float] | None = None) -> None:
        self._weights = weights
        self._best = math.inf
        self._totals = RecentValues()
        self._from_record = 0
        self._bar = bar(name, total, "evaluations")

    def recorded(self, row: RecordedEvaluation) -> None:
        """An evaluation of an earlier run."""
        self._note(row)
        self._from_record += 1
        self._bar.update()

    def evaluated(self, row: RecordedEvaluation) -> None:
        """One more evaluation."""
        if self._from_record:
            self._bar.reset()  # how fast the record was read says nothing of how fast evaluations are
            self._bar.initial = self._bar.n = self._from_record
            self._from_record = 0
        self._note(row)
        if len(self._totals):
            said = f"best {self._best:.1f}, median {self._totals.quantile(0.5):.1f}"
            self._bar.set_postfix_str(said, refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def _note(self, row: RecordedEvaluation) -> None:
        if not row.excluded:
            total = total_score(row.scores, self._weights)
            self._totals.add(total)
            self._best = min(self._best, total)


class RecordingBar:
    """Sweeps read."""

    def __init__(self) -> None:
        self._bar = bar("recordings", None, "sweeps")

    def read(self, recording: Recording) -> None:
        """One more sweep."""
        self._bar.set_postfix_str(recording.cell, refresh=False)
        self._bar.update()

    def cell(self, name: str, sweeps: int) -> None:
        """All sweeps of one more cell."""
        self._bar.set_postfix_str(name, refresh=False)
        self._bar.update(sweeps)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
