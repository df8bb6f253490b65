"""When a search has come to its end."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.objectives.scores import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        weights: Weights of the objectives in the sum of scores; 1 of those absent.
        in_order: Whether evaluations count in the order of their numbers, whenever they end: with a whole generation
            known, what it says does not depend on the number of workers.
        clock: Time (s) since whenever.
    """

    def __init__(
        self,
        budget: Budget,
        weights: Mapping[str, float] | None = None,
        in_order: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget
        self._weights = weights
        self._early: dict[int, RecordedEvaluation] | None = {} if in_order else None
        self._next = 0
        self._clock = clock
        self._begin = clock()
        self._cpu_s = 0.0
        self._smallest_worst = math.inf
        self._best_total = math.inf
        self._since_best = 0

    def learn(self, row: RecordedEvaluation) -> None:
        """Take an evaluation into account."""
        if self._early is None:
            self._count(row)
            return
        self._early[row.number] = row
        while self._next in self._early:
            self._count(self._early.pop(self._next))
            self._next += 1

    def reason(self) -> str | None:
        """Why the search ends now, None while it goes on; its number of evaluations is not looked at here."""
        budget = self._budget
        if budget.wall_s is not None and self._clock() - self._begin > budget.wall_s:
            return "its time is over"
        if budget.cpu_s is not None and self._cpu_s > budget.cpu_s:
            return "its CPU time is used up"
        if budget.worst_score is not None and self._smallest_worst <= budget.worst_score:
            return f"a model with a worst score of {self._smallest_worst:.2f} was found"
        if budget.stagnation is not None and self._since_best >= budget.stagnation:
            return f"no progress in {self._since_best} evaluations"
        return None

    def _count(self, row: RecordedEvaluation) -> None:
        self._cpu_s += row.cpu_seconds
        self._since_best += 1
        if row.excluded or row.failure is not None:
            return
        summary = summarize(row.scores, self._weights)
        self._smallest_worst = min(self._smallest_worst, summary.worst)
        if summary.total < (1.0 - _IMPROVEMENT) * self._best_total:
            self._best_total, self._since_best = summary.total, 0
