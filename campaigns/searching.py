"""The search stage: ask, evaluate, tell, record, until the budget is spent. Resumes from the record."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rheobase.campaigns.ending import Ending
from rheobase.campaigns.limits import TimeLimit
from rheobase.campaigns.pool import Task
from rheobase.campaigns.record import RecordedEvaluation
from rheobase.features.errors import CampaignError
from rheobase.fitting.evaluation import Candidate, Evaluation
from rheobase.fitting.search.interface import SearchError
from rheobase.objectives.scores import FAILURE_SCORE, deviations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rheobase.campaigns.ending import Budget
    from rheobase.campaigns.pool import Outcome, Pool
    from rheobase.campaigns.record import EvaluationRecord
    from rheobase.fitting.search.interface import Search

_LOOK_EVERY_S = 0.5  # how long a stop request may go unseen


@dataclass(frozen=True)
class SearchRun:
    """What a search is part of.

    Attributes:
        name: Its name in the record.
        budget: When it ends.
        objectives: Names of the objectives.
        evaluation_limit_s: One evaluation is given up after this CPU time (s).
        deterministic: Whether its result must not depend on time: it may end only between generations, and no
            evaluation is given up because others were faster.
        fixed: Parameters that it does not move, recorded with the others.
        fidelity: How finely models are simulated, as the record names it.
        weights: Weights of the objectives in the sum of scores that its progress is judged by; 1 of those absent.
        means: What objectives are held against, by name: searches learn more from deviations with signs.
    """

    name: str
    budget: Budget
    objectives: tuple[str, ...]
    evaluation_limit_s: float
    deterministic: bool = False
    fixed: Mapping[str, float] = field(default_factory=dict)
    fidelity: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    means: Mapping[str, float] = field(default_factory=dict)


class Watcher(Protocol):
    """Whoever wants to see evaluations as they end."""

    def recorded(self, row: RecordedEvaluation) -> None:
        """An evaluation of an earlier run was found in the record."""

    def evaluated(self, row: RecordedEvaluation) -> None:
        """One more evaluation was recorded."""


@dataclass
class _Progress:
    """Place in the search's sequence of questions and answers."""

    place: int = 0
    told: int = 0
    asked_at: dict[int, int] = field(default_factory=dict)
    waiting: deque[Candidate] = field(default_factory=deque)
    at_work: dict[int, Candidate] = field(default_factory=dict)

    @property
    def between_generations(self) -> bool:
        """Whether nothing is awaited."""
        return not self.at_work and not self.waiting


def run_search(
    run: SearchRun,
    search: Search,
    pool: Pool,
    record: EvaluationRecord,
    watchers: Sequence[Watcher],
    stop: Callable[[], bool],
) -> str | None:
    """Run a search to its end.

    Args:
        run: What it is part of.
        search: A fresh search; the record's evaluations are told to it first.
        pool: Workers that know the method `evaluate`.
        record: Where evaluations are kept.
        watchers: Told of every evaluation, those of earlier runs first.
        stop: Asked often; True ends the run as soon as it is seen, unfinished evaluations are repeated on resuming.

    Returns:
        Why it ended; None when it was stopped.

    Raises:
        CampaignError: the record does not belong to this search.
    """
    limit = TimeLimit(run.evaluation_limit_s, learns=not run.deterministic)
    ending = Ending(run.budget, run.weights, in_order=run.deterministic)
    progress = replay(search, _shown(record.rows(run.name), watchers, limit, ending), run.means)
    loop = _Loop(run, search, pool, limit, ending, progress)
    while not stop():
        loop.give()
        if loop.is_over:
            return loop.reason
        for outcome in pool.wait(_LOOK_EVERY_S):
            row = loop.take(outcome)
            loop.give()  # before anything is written: the worker waits, the disk may
            record.append(row)
            for watcher in watchers:
                watcher.evaluated(row)
    return None


@dataclass
class _Loop:
    """Gives candidates to workers and takes their results, as long as the search goes on."""

    run: SearchRun
    search: Search
    pool: Pool
    limit: TimeLimit
    ending: Ending
    progress: _Progress
    reason: str | None = None  # why nothing more is asked

    @property
    def is_over(self) -> bool:
        # No free worker alone is no end: new ones may be on their way.
        return self.reason is not None and not self.progress.at_work

    def give(self) -> None:
        """Give every free worker a candidate."""
        if self.reason is None and (not self.run.deterministic or self.progress.between_generations):
            self.reason = self.ending.reason()
        while self.reason is None and self.pool.free:
            if self.progress.told + len(self.progress.at_work) >= self.run.budget.evaluations:
                self.reason = "its number of evaluations is reached"
                return
            candidate = self._next()
            if candidate is None:
                if self.progress.between_generations:
                    self.reason = "it has no more candidates"
                return
            self.progress.at_work[candidate.number] = candidate
            parameters = {**self.run.fixed, **candidate.parameters}
            arguments = (parameters, False, self.search.bound(candidate.number))
            self.pool.submit(Task(candidate.number, "evaluate", arguments, self.limit.limit_s))

    def take(self, outcome: Outcome) -> RecordedEvaluation:
        """Tell the search what came of a candidate; its row for the record."""
        row = _answer(self.run, self.search, self.progress, outcome)
        self.limit.learn(row)
        self.ending.learn(row)
        return row

    def _next(self) -> Candidate | None:
        """The next candidate to evaluate: first those that an earlier run left unfinished.

        A deterministic search is asked for its whole generation at once: where one ends, and with it the search, must
        not depend on the number of workers.
        """
        progress, waiting = self.progress, self.progress.waiting
        if not waiting:
            most = self.run.budget.evaluations if self.run.deterministic else 1
            while len(waiting) < most and (candidate := self.search.ask()) is not None:
                progress.asked_at[candidate.number] = progress.place
                progress.place += 1
                waiting.append(candidate)
        return waiting.popleft() if waiting else None


def _tell(search: Search, row: RecordedEvaluation, means: Mapping[str, float] | None) -> None:
    known = None if row.excluded else deviations(row.scores, row.features, means)
    search.tell(row.number, row.scores, row.failure is not None, row.excluded, known)


def replay(search: Search, rows: Iterable[RecordedEvaluation], means: Mapping[str, float] | None = None) -> _Progress:
    """Bring a fresh search to where the recorded one was.

    Every question and every answer took one place in a common sequence; a place without an answer was a question.

    Args:
        search: A fresh search.
        rows: Its evaluations in the order in which they were told; one of them is looked at at a time.
        means: What objectives are held against, by name; None: deviations have no signs.

    Raises:
        CampaignError: the search asks something else than what was recorded.
    """
    progress = _Progress()
    unanswered: dict[int, Candidate] = {}
    for row in rows:
        while progress.place < row.told:
            candidate = search.ask()
            if candidate is None:
                raise _another_search()
            unanswered[candidate.number] = candidate
            progress.asked_at[candidate.number] = progress.place
            progress.place += 1
        candidate = unanswered.pop(row.number, None)
        asked = progress.asked_at.pop(row.number, None)
        place = (asked, progress.place)
        if (
            candidate is None
            or place != (row.asked, row.told)
            or not (candidate.parameters.items() <= row.parameters.items())
        ):
            raise _another_search()
        try:
            _tell(search, row, means)
        except SearchError as error:  # other objectives
            raise _another_search() from error
        progress.place += 1
        progress.told += 1
    progress.waiting = deque(unanswered.values())
    return progress


def _another_search() -> CampaignError:
    return CampaignError(
        "the record was made by another version of the search and cannot be continued; "
        "begin in another folder with --out (what was recorded stays readable)"
    )


def _shown(
    rows: Iterable[RecordedEvaluation], watchers: Sequence[Watcher], limit: TimeLimit, ending: Ending
) -> Iterator[RecordedEvaluation]:
    """The same rows, seen by everyone who wants to know of earlier runs."""
    for row in rows:
        limit.learn(row)
        ending.learn(row)
        for watcher in watchers:
            watcher.recorded(row)
        yield row


def _answer(run: SearchRun, search: Search, progress: _Progress, outcome: Outcome) -> RecordedEvaluation:
    candidate = progress.at_work.pop(outcome.key)
    evaluation = evaluation_of(outcome, run.objectives)
    row = RecordedEvaluation(
        search=run.name,
        number=candidate.number,
        asked=progress.asked_at.pop(candidate.number),
        told=progress.place,
        parameters={**run.fixed, **candidate.parameters},
        features=evaluation.features,
        scores=evaluation.scores,
        failure=evaluation.failure,
        cpu_seconds=evaluation.cpu_seconds,
        ended=time.time(),
        excluded=evaluation.excluded,
        fidelity=run.fidelity,
    )
    _tell(search, row, run.means)
    progress.place += 1
    progress.told += 1
    return row


def evaluation_of(outcome: Outcome, objectives: Sequence[str]) -> Evaluation:
    """What came of a task `evaluate`, fit for the record: numbers are finite, and a failure has its scores.

    Args:
        outcome: The task's outcome.
        objectives: Names of the objectives.
    """
    evaluation = outcome.value
    if not isinstance(evaluation, Evaluation):
        return _failed(objectives, str(outcome.failure), outcome.cpu_seconds)
    if not all(map(math.isfinite, evaluation.scores.values())):
        return _failed(objectives, "defect: a score is not a finite number", evaluation.cpu_seconds)
    if all(map(math.isfinite, evaluation.features.values())):
        return evaluation
    finite = {name: value for name, value in evaluation.features.items() if math.isfinite(value)}
    return dataclasses.replace(evaluation, features=finite)


def _failed(objectives: Sequence[str], failure: str, cpu_seconds: float) -> Evaluation:
    return Evaluation({}, dict.fromkeys(objectives, FAILURE_SCORE), failure, cpu_seconds=cpu_seconds)
