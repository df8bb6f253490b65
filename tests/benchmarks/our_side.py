"""The benchmark problems searched by us: the real loop, record and search, in one process so that CPU time is exact."""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from collections.abc import Callable, Mapping
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
class Moment:
    """What a search had taken until then (s)."""

    cpu_seconds: float
    wall_seconds: float


@dataclass(frozen=True)
class Holder:
    """A model that was the best so far at the fidelity of the search.

    Attributes:
        parameters: Its parameters.
        total: Sum of its scores at the fidelity of the search.
    """

    parameters: dict[str, float]
    total: float


@dataclass(frozen=True)
class OurRun:
    """What a search of ours used, and where it got.

    Attributes:
        evaluations: Number of evaluations.
        excluded: How many of them were ended early by the search's bound.
        cpu_seconds: CPU time of everything, the driver included (s).
        holders: The models that were the best so far, in the order in which they were found.
        candidates: Parameters of all evaluations.
        reached: When a model was as good as wanted at full fidelity.
        best_total: Smallest sum of scores at full fidelity of those that were evaluated so.
    """

    evaluations: int
    excluded: int
    cpu_seconds: float
    holders: tuple[Holder, ...]
    candidates: tuple[dict[str, float], ...]
    reached: Moment | None = None
    best_total: float = math.inf


class _Here:
    """A pool of one worker, in this process; NEURON holds one cell at a time."""

    def __init__(self, build: Callable[[], CellEvaluator]) -> None:
        self._build = build
        self.renew()
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

    def renew(self) -> None:
        """Build the cell, again where another has been built since."""
        self._evaluator = self._build()

    def close(self) -> None:
        """Nothing is left."""


class _Holders:
    """Watches for the best so far."""

    def __init__(self) -> None:
        self.found: list[Holder] = []
        self.candidates: list[dict[str, float]] = []
        self.excluded = 0
        self._begin, self._begin_cpu = time.monotonic(), time.process_time()

    @property
    def spent(self) -> Moment:
        """What was taken so far."""
        return Moment(time.process_time() - self._begin_cpu, time.monotonic() - self._begin)

    def recorded(self, row: RecordedEvaluation) -> None:
        """There is no earlier run."""

    def evaluated(self, row: RecordedEvaluation) -> None:
        self.excluded += row.excluded
        self.candidates.append(row.parameters)
        total = sum(row.scores.values())
        if row.excluded or row.failure is not None or (self.found and total >= self.found[-1].total):
            return
        self.found.append(Holder(row.parameters, total))


class _Confirmation:
    """Ends a search as soon as a model is as good as wanted at full fidelity; the time it takes is the search's."""

    def __init__(self, problem: Problem, watcher: _Holders, goal_total: float, pool: _Here) -> None:
        self._problem, self._watcher, self._goal_total, self._pool = problem, watcher, goal_total, pool
        self._seen = 0
        self.best_total = math.inf

    def __call__(self) -> bool:
        """Whether a best so far that looks as good as wanted is so at full fidelity."""
        new = [holder for holder in self._watcher.found[self._seen :] if holder.total <= self._goal_total]
        self._seen = len(self._watcher.found)
        if new:
            evaluator = CellEvaluator(self._problem.model, self._problem.targets, self._problem.settings)
            self.best_total = min(self.best_total, *(full_total(evaluator, holder.parameters) for holder in new))
            self._pool.renew()
        return self.best_total <= self._goal_total


def run_ours(
    problem: Problem,
    seed: int,
    cpu_limit_s: float,
    goal_total: float,
    segment_length_um: float,
    absolute_tolerance: float,
    algorithm: str,
    population: int | None = None,
) -> OurRun:
    """Our asynchronous search with its defaults, at a chosen fidelity.

    Args:
        problem: What to fit.
        seed: Of the search.
        cpu_limit_s: When to end (s of CPU time).
        goal_total: It ends before that when a model has this sum of scores at full fidelity. Looked at are those that
            have it at the fidelity of the search and are the best so far.
        segment_length_um: Longest segment while searching (um).
        absolute_tolerance: Of the variable time step while searching.
        algorithm: Name of the search.
        population: Its size; None: what suits it.
    """
    watcher = _Holders()
    model = dataclasses.replace(problem.model, segment_length_um=segment_length_um)
    settings = dataclasses.replace(problem.settings, absolute_tolerance=absolute_tolerance)
    pool = _Here(lambda: CellEvaluator(model, problem.targets, settings))
    objectives = tuple(problem.targets.objectives)
    means = {name: goal.mean for name, goal in problem.targets.objectives.items()}
    search = make_search(
        algorithm, model.dimensions, objectives, SearchSettings(population), seed, problem.targets.groups
    )
    confirmation = _Confirmation(problem, watcher, goal_total, pool)
    with tempfile.TemporaryDirectory(prefix="rheobase-search-") as folder:
        record = EvaluationRecord(Path(folder), [dimension.name for dimension in model.dimensions], objectives)
        run = SearchRun("search", Budget(10**9, cpu_s=cpu_limit_s), objectives, 120.0, means=means)
        run_search(run, search, pool, record, [watcher], confirmation)
        evaluations = len(record)
        record.close()
    spent = watcher.spent
    return OurRun(
        evaluations,
        watcher.excluded,
        spent.cpu_seconds,
        tuple(watcher.found),
        tuple(watcher.candidates),
        spent if confirmation.best_total <= goal_total else None,
        confirmation.best_total,
    )


def full_total(evaluator: CellEvaluator, parameters: Mapping[str, float]) -> float:
    """Sum of all scores."""
    return sum(evaluator.evaluate(parameters).scores.values())
