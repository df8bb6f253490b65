"""Progress bars on standard error."""

from __future__ import annotations

import bisect
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from rheobase.objectives.scores import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    """Evaluations done, best and median score, time left."""

    def __init__(self, total: int, done: list[float]) -> None:
        self._totals = sorted(done)
        self._bar = bar("search", total, "evaluations", initial=len(done))
        self._show()

    def evaluated(self, row: RecordedEvaluation) -> None:
        """One more evaluation."""
        bisect.insort(self._totals, summarize(row.scores).total)
        self._show()
        self._bar.update()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def _show(self) -> None:
        if self._totals:
            best, median = self._totals[0], self._totals[len(self._totals) // 2]
            self._bar.set_postfix_str(f"best {best:.1f}, median {median:.1f}", refresh=False)


class RecordingBar:
    """Sweeps read."""

    def __init__(self) -> None:
        self._bar = bar("recordings", None, "sweeps")

    def read(self, recording: Recording) -> None:
        """One more sweep."""
        self._bar.set_postfix_str(recording.cell, refresh=False)
        self._bar.update()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
