"""The search stage: ask, evaluate, tell, record, until the budget is spent. Resumes from the record."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rheobase.campaigns.pool import Task
from rheobase.campaigns.record import RecordedEvaluation
from rheobase.features.errors import CampaignError
from rheobase.fitting.evaluation import Candidate, Evaluation
from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rheobase.campaigns.pool import Outcome, Pool
    from rheobase.campaigns.record import EvaluationRecord
    from rheobase.fitting.search.interface import Search

_LOOK_EVERY_S = 0.5  # how long a stop request may go unseen


@dataclass(frozen=True)
class Budget:
    """When a search ends.

    Attributes:
        evaluations: After this many evaluations, those of earlier runs included.
        wall_s: After this time (s) in this run; None: never.
        evaluation_limit_s: One evaluation is given up after this time (s).
    """

    evaluations: int
    wall_s: float | None
    evaluation_limit_s: float


class Watcher(Protocol):
    """Whoever wants to see evaluations as they end."""

    def evaluated(self, row: RecordedEvaluation) -> None:
        """One more evaluation was recorded."""


@dataclass
class _Progress:
    """Place in the search's sequence of questions and answers."""

    place: int = 0
    told: int = 0
    asked_at: dict[int, int] = field(default_factory=dict)
    waiting: list[Candidate] = field(default_factory=list)
    at_work: dict[int, Candidate] = field(default_factory=dict)


def run_search(
    name: str,
    search: Search,
    pool: Pool,
    record: EvaluationRecord,
    objectives: Sequence[str],
    budget: Budget,
    watchers: Sequence[Watcher],
    stop: Callable[[], bool],
) -> bool:
    """Run a search to the end of its budget.

    Args:
        name: Its name in the record.
        search: A fresh search; the record's evaluations are told to it first.
        pool: Workers that know the method `evaluate`.
        record: Where evaluations are kept.
        objectives: Names of the objectives.
        budget: When to end.
        watchers: Told of every new evaluation.
        stop: Asked often; True ends the run as soon as it is seen, unfinished evaluations are repeated on resuming.

    Returns:
        Whether the budget was spent; False when stopped.

    Raises:
        CampaignError: the record does not belong to this search.
    """
    progress = replay(search, (row for row in record.rows() if row.search == name))
    begin = time.monotonic()
    while not stop():
        asking = budget.wall_s is None or time.monotonic() - begin <= budget.wall_s
        while asking and pool.free:
            candidate = _next(search, progress, budget)
            asking = candidate is not None
            if candidate is not None:
                progress.at_work[candidate.number] = candidate
                arguments = (candidate.parameters,)
                pool.submit(Task(candidate.number, "evaluate", arguments, budget.evaluation_limit_s))
        if not asking and not progress.at_work:  # no free worker alone is no end: new ones may be on their way
            return True
        for outcome in pool.wait(_LOOK_EVERY_S):
            row = _answer(name, search, progress, outcome, objectives)
            record.append(row)
            for watcher in watchers:
                watcher.evaluated(row)
    return False


def replay(search: Search, rows: Iterable[RecordedEvaluation]) -> _Progress:
    """Bring a fresh search to where the recorded one was.

    Every question and every answer took one place in a common sequence; a place without an answer was a question.

    Raises:
        CampaignError: the search asks something else than what was recorded.
    """
    told = {row.told: row for row in rows}
    asked = {row.asked: row for row in told.values()}
    progress = _Progress()
    waiting: dict[int, Candidate] = {}
    for place in range(max(told, default=-1) + 1):
        row = told.get(place)
        if row is not None:
            search.tell(row.number, row.scores, row.failure is not None)
            waiting.pop(row.number)
            progress.told += 1
            continue
        candidate = search.ask()
        expected = asked.get(place)
        if candidate is None or (expected and (expected.number, expected.parameters) != _identity(candidate)):
            raise CampaignError(
                "the record was made by another version of the search and cannot be continued; "
                "begin in another folder with --out (what was recorded stays readable)"
            )
        waiting[candidate.number] = candidate
        progress.asked_at[candidate.number] = place
    progress.place = max(told, default=-1) + 1
    progress.waiting = list(waiting.values())
    return progress


def _identity(candidate: Candidate) -> tuple[int, dict[str, float]]:
    return candidate.number, candidate.parameters


def _next(search: Search, progress: _Progress, budget: Budget) -> Candidate | None:
    """The next candidate to evaluate: first those that an earlier run left unfinished."""
    if progress.told + len(progress.at_work) >= budget.evaluations:
        return None
    if progress.waiting:
        return progress.waiting.pop(0)
    candidate = search.ask()
    if candidate is not None:
        progress.asked_at[candidate.number] = progress.place
        progress.place += 1
    return candidate


def _answer(
    name: str, search: Search, progress: _Progress, outcome: Outcome, objectives: Sequence[str]
) -> RecordedEvaluation:
    candidate = progress.at_work.pop(outcome.key)
    evaluation = outcome.value
    if not isinstance(evaluation, Evaluation):
        evaluation = Evaluation({}, dict.fromkeys(objectives, FAILURE_SCORE), outcome.failure, outcome.seconds)
    elif not all(map(math.isfinite, evaluation.scores.values())):
        failure = "defect: a score is not a finite number"
        evaluation = Evaluation({}, dict.fromkeys(objectives, FAILURE_SCORE), failure, evaluation.cpu_seconds)
    search.tell(candidate.number, evaluation.scores, evaluation.failure is not None)
    row = RecordedEvaluation(
        search=name,
        number=candidate.number,
        asked=progress.asked_at.pop(candidate.number),
        told=progress.place,
        parameters=candidate.parameters,
        features={name: value for name, value in evaluation.features.items() if math.isfinite(value)},
        scores=evaluation.scores,
        failure=evaluation.failure,
        cpu_seconds=evaluation.cpu_seconds,
        ended=time.time(),
    )
    progress.place += 1
    progress.told += 1
    return row
