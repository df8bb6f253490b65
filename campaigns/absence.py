"""Says when a search has had no worker for a while: a cluster that lost all its nodes is waited for, not in silence."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_AFTER_S = 20.0
AGAIN_AFTER_S = 600.0


class Absence:
    """Watches whether there is any worker.

    Args:
        say: Called with a line for the user.
        describe: What is known about the reason.
    """

    def __init__(self, say: Callable[[str], None], describe: Callable[[], str]) -> None:
        self._say = say
        self._describe = describe
        self._since: float | None = None
        self._said = 0

    def look(self, is_somebody_there: bool) -> None:
        """Take note of how it is now; to be called often."""
        now = time.monotonic()
        if is_somebody_there:
            if self._since is not None and self._said:
                self._say(f"Workers are there again, after {now - self._since:.0f} s")
            self._since, self._said = None, 0
        elif self._since is None:
            self._since = now
        elif now - self._since >= FIRST_AFTER_S + self._said * AGAIN_AFTER_S:
            self._say(f"No worker for {now - self._since:.0f} s: {self._describe()}. Waiting for one; nothing is lost")
            self._said += 1
