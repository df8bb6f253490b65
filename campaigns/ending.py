"""When a search has come to its end."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rheobase.campaigns.record_format import RecordedEvaluation

_IMPROVEMENT = 0.01


@dataclass(frozen=True)
class Budget:
    """When a search ends, whichever comes first; evaluations of earlier runs count.

    Attributes:
        evaluations: After this many evaluations.
        wall_s: After this time by the clock (s) in this run; None: never.
        cpu_s: After this CPU time of all evaluations (s); None: never.
        worst_score: When a model was found whose worst score is no more than this; None: never.
        stagnation: After so many evaluations in a row without the best sum of scores improving by 1 %; None: never.
    """

    evaluations: int
    wall_s: float | None = None
    cpu_s: float | None = None
    worst_score: float | None = None
    stagnation: int | None = None


class Ending:
    """Watches a search for its end.

    Args:
        budget: When that is.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._begin = time.monotonic()
        self._cpu_s = 0.0
        self._smallest_worst = math.inf
        self._best_total = math.inf
        self._since_best = 0

    def learn(self, row: RecordedEvaluation) -> None:
        """Take an evaluation into account."""
        self._cpu_s += row.cpu_seconds
        self._since_best += 1
        if row.excluded or row.failure is not None:
            return
        self._smallest_worst = min(self._smallest_worst, max(row.scores.values()))
        total = sum(row.scores.values())
        if total < (1.0 - _IMPROVEMENT) * self._best_total:
            self._best_total, self._since_best = total, 0

    def reason(self) -> str | None:
        """Why the search ends now, None while it goes on; its number of evaluations is not looked at here."""
        budget = self._budget
        if budget.wall_s is not None and time.monotonic() - self._begin > budget.wall_s:
            return "its time is over"
        if budget.cpu_s is not None and self._cpu_s > budget.cpu_s:
            return "its CPU time is used up"
        if budget.worst_score is not None and self._smallest_worst <= budget.worst_score:
            return f"a model with a worst score of {self._smallest_worst:.2f} was found"
        if budget.stagnation is not None and self._since_best >= budget.stagnation:
            return f"no progress in {self._since_best} evaluations"
        return None
