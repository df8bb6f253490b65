"""The benchmark problems searched by us: the real loop, record and search, in one process so that CPU time is exact."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rheobase.campaigns.ending import Budget
from rheobase.campaigns.pool import Outcome, Task
from rheobase.campaigns.record import EvaluationRecord, RecordedEvaluation
from rheobase.campaigns.searching import SearchRun, run_search
from rheobase.fitting.cells.evaluator import CellEvaluator
from rheobase.fitting.evaluation import Evaluation
from rheobase.fitting.search.factory import SearchSettings, make_search
from tests.benchmarks.problems import Problem


@dataclass(frozen=True)
class Holder:
    """A model that was the best so far at the fidelity of the search.

    Attributes:
        parameters: Its parameters.
        total: Sum of its scores at the fidelity of the search.
        cpu_seconds: CPU time that the search had taken when it was found (s).
        wall_seconds: The same by the clock (s).
    """

    parameters: dict[str, float]
    total: float
    cpu_seconds: float
    wall_seconds: float


@dataclass(frozen=True)
class OurRun:
    """What a search of ours used, and where it got.

    Attributes:
        evaluations: Number of evaluations.
        excluded: How many of them were ended early by the search's bound.
        cpu_seconds: CPU time of everything, the driver included (s).
        holders: The models that were the best so far, in the order in which they were found.
        candidates: Parameters of all evaluations.
    """

    evaluations: int
    excluded: int
    cpu_seconds: float
    holders: tuple[Holder, ...]
    candidates: tuple[dict[str, float], ...]


class _Here:
    """A pool of one worker, in this process."""

    def __init__(self, evaluator: CellEvaluator) -> None:
        self._evaluator = evaluator
        self._task: Task | None = None

    @property
    def free(self) -> int:
        return 1 if self._task is None else 0

    def submit(self, task: Task) -> None:
        self._task = task

    def wait(self, timeout_s: float) -> list[Outcome]:
        del timeout_s
        assert self._task is not None
        task, self._task = self._task, None
        evaluation: Evaluation = getattr(self._evaluator, task.method)(*task.arguments)
        return [Outcome(task.key, evaluation, None, evaluation.cpu_seconds)]

    def close(self) -> None:
        """Nothing is left."""


class _Holders:
    """Watches for the best so far."""

    def __init__(self) -> None:
        self.found: list[Holder] = []
        self.candidates: list[dict[str, float]] = []
        self.excluded = 0
        self._begin, self._begin_cpu = time.monotonic(), time.process_time()

    def recorded(self, row: RecordedEvaluation) -> None:
        """There is no earlier run."""

    def evaluated(self, row: RecordedEvaluation) -> None:
        self.excluded += row.excluded
        self.candidates.append(row.parameters)
        total = sum(row.scores.values())
        if row.excluded or row.failure is not None or (self.found and total >= self.found[-1].total):
            return
        spent = (time.process_time() - self._begin_cpu, time.monotonic() - self._begin)
        self.found.append(Holder(row.parameters, total, *spent))


def run_ours(
    problem: Problem,
    seed: int,
    cpu_limit_s: float,
    enough_total: float,
    segment_length_um: float,
    absolute_tolerance: float,
) -> OurRun:
    """Our search with its defaults (asynchronous IBEA, population 50), at a chosen fidelity.

    Args:
        problem: What to fit.
        seed: Of the search.
        cpu_limit_s: When to end (s of CPU time).
        enough_total: A sum of scores, at the fidelity of the search, at which to end before that.
        segment_length_um: Longest segment while searching (um).
        absolute_tolerance: Of the variable time step while searching.
    """
    begin_cpu = time.process_time()
    model = dataclasses.replace(problem.model, segment_length_um=segment_length_um)
    settings = dataclasses.replace(problem.settings, absolute_tolerance=absolute_tolerance)
    evaluator = CellEvaluator(model, problem.targets, settings)
    objectives = evaluator.objectives
    search = make_search(
        "ibea", model.dimensions, objectives, SearchSettings(population=50), seed, problem.targets.groups
    )
    watcher = _Holders()
    with tempfile.TemporaryDirectory(prefix="rheobase-search-") as folder:
        record = EvaluationRecord(Path(folder), [dimension.name for dimension in model.dimensions], objectives)
        run = SearchRun("search", Budget(10**9, cpu_s=cpu_limit_s), objectives, 120.0)
        run_search(
            run,
            search,
            _Here(evaluator),
            record,
            [watcher],
            lambda: bool(watcher.found) and watcher.found[-1].total <= enough_total,
        )
        evaluations = len(record)
        record.close()
    cpu_seconds = time.process_time() - begin_cpu
    return OurRun(evaluations, watcher.excluded, cpu_seconds, tuple(watcher.found), tuple(watcher.candidates))


@dataclass(frozen=True)
class Reached:
    """When a search of ours reached a total at full fidelity (s); None: it did not."""

    cpu_seconds: float | None
    wall_seconds: float | None
    best_total: float


def reached_at_full_fidelity(problem: Problem, run: OurRun, goal_total: float) -> Reached:
    """CPU time until a model's total at full fidelity was at most the goal.

    Every model that was the best so far is evaluated at full fidelity, and that is charged too.
    """
    evaluator = CellEvaluator(problem.model, problem.targets, problem.settings)
    extra_cpu = extra_wall = 0.0
    best = float("inf")
    for holder in run.holders:
        begin, begin_cpu = time.monotonic(), time.process_time()
        total = full_total(evaluator, holder.parameters)
        extra_cpu += time.process_time() - begin_cpu
        extra_wall += time.monotonic() - begin
        best = min(best, total)
        if total <= goal_total:
            return Reached(holder.cpu_seconds + extra_cpu, holder.wall_seconds + extra_wall, best)
    return Reached(None, None, best)


def full_total(evaluator: CellEvaluator, parameters: Mapping[str, float]) -> float:
    """Sum of all scores."""
    return sum(evaluator.evaluate(parameters).scores.values())
