"""The search stage: what is asked, recorded and told, and when it ends."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns.ending import Budget
from rheobase.campaigns.pool import Outcome, Task
from rheobase.campaigns.record import RecordedEvaluation
from rheobase.campaigns.searching import SearchRun, run_search
from rheobase.fitting.evaluation import Evaluation
from rheobase.objectives.scores import FAILURE_SCORE
from tests.campaigns.inline_pool import InlinePool
from tests.campaigns.toys import DIMENSIONS, OBJECTIVES, Toy, results, run_toy, toy_record, toy_search

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rheobase.fitting.evaluation import Bound


def test_it_ends_with_its_budget_and_tells_its_watchers(tmp_path: Path) -> None:
    pool = InlinePool(Toy(), 3, seed=1)
    ended, seen = run_toy(tmp_path, pool, evaluations=30)
    assert ended
    assert pool.most_at_once == 3
    assert sorted(results(tmp_path)) == list(range(30))
    assert sorted(entry.number for entry in seen.rows) == list(range(30))


@pytest.mark.parametrize("algorithm", ["ibea", "nsga2"])
@pytest.mark.parametrize("workers", [1, 2, 7, 40])
def test_a_deterministic_search_does_not_depend_on_its_workers(tmp_path: Path, workers: int, algorithm: str) -> None:
    run_toy(tmp_path / "one", InlinePool(Toy()), evaluations=45, algorithm=algorithm)
    run_toy(tmp_path / "many", InlinePool(Toy(), workers, seed=workers), evaluations=45, algorithm=algorithm)
    assert results(tmp_path / "many") == results(tmp_path / "one")


def test_failed_tasks_get_failure_scores_and_the_search_goes_on(tmp_path: Path) -> None:
    def fail(task: Task) -> str | None:
        return "timeout: no answer within 10 s" if task.key % 3 == 0 else None

    assert run_toy(tmp_path, InlinePool(Toy(), 2, seed=1, fail=fail), evaluations=21)[0]
    for number, (_, scores, failure) in results(tmp_path).items():
        if number % 3 == 0:
            assert failure == "timeout: no answer within 10 s"
            assert scores == dict.fromkeys(OBJECTIVES, FAILURE_SCORE)
    assert any(failure is None for _, _, failure in results(tmp_path).values())


class Odd(Toy):
    """Scores and features that are no numbers, as a defective evaluator may give."""

    def evaluate(self, parameters: Mapping[str, float], _: bool = False, bound: Bound | None = None) -> Evaluation:
        del bound
        x = DIMENSIONS[0].position(parameters["g_pas.all"])
        if x < 0.5:
            return Evaluation({"near": math.nan, "far": 1.0}, {"near": 1.0, "far": 2.0})
        return Evaluation({"near": 1.0}, {"near": math.nan, "far": 2.0})


def test_what_is_not_a_number_costs_a_candidate_not_the_campaign(tmp_path: Path) -> None:
    assert run_toy(tmp_path, InlinePool(Odd()), evaluations=20)[0]
    rows = list(toy_record(tmp_path).rows())
    spoilt = [entry for entry in rows if entry.failure is not None]
    assert 0 < len(spoilt) < 20
    assert {entry.failure for entry in spoilt} == {"defect: a score is not a finite number"}
    assert all(entry.scores == dict.fromkeys(OBJECTIVES, FAILURE_SCORE) for entry in spoilt)
    assert all(entry.features == {"far": 1.0} for entry in rows if entry.failure is None)


def test_the_wall_time_ends_a_search(tmp_path: Path) -> None:
    class Slow(Toy):
        def evaluate(self, parameters: Mapping[str, float], _: bool = False, bound: Bound | None = None) -> Evaluation:
            time.sleep(0.02)
            return super().evaluate(parameters, bound=bound)

    ended, seen = run_toy(tmp_path, InlinePool(Slow(), 2), evaluations=10_000, wall_s=0.3)
    assert ended
    assert 3 < len(seen.rows) < 30
    ended, seen = run_toy(tmp_path, InlinePool(Slow(), 2), evaluations=10_000, wall_s=-1.0)
    assert ended
    assert seen.rows == []


class Late:
    """A pool whose only worker is gone for a while, as after the loss of its node."""

    def __init__(self) -> None:
        self._inner = InlinePool(Toy())
        self._absent = 3

    @property
    def free(self) -> int:
        return 0 if self._absent else self._inner.free

    def submit(self, task: Task) -> None:
        self._inner.submit(task)

    def wait(self, timeout_s: float) -> list[Outcome]:
        if self._absent:
            self._absent -= 1
            return []
        outcomes = self._inner.wait(timeout_s)
        self._absent = 2
        return outcomes

    def close(self) -> None:
        pass


def test_a_moment_without_workers_is_not_the_end(tmp_path: Path) -> None:
    ended, seen = run_toy(tmp_path, Late(), evaluations=5)
    assert ended
    assert len(seen.rows) == 5


def _numbers(rows: Iterable[RecordedEvaluation]) -> list[int]:
    return [entry.number for entry in rows]


def test_a_stop_is_seen_before_the_next_question(tmp_path: Path) -> None:
    ended, seen = run_toy(tmp_path, InlinePool(Toy(), 2), evaluations=10, stop_after=0)
    assert not ended
    assert _numbers(seen.rows) == []


class Timed(InlinePool):
    """Notes the time limits; a few of the tasks are given up at them."""

    def __init__(self, usual_s: float) -> None:
        super().__init__(self, 3, seed=1, fail=self._failure)
        self._usual_s = usual_s
        self.limits_s: list[float] = []

    def evaluate(self, *_: object) -> Evaluation:
        return Evaluation({}, dict.fromkeys(OBJECTIVES, 1.0), cpu_seconds=self._usual_s)

    def submit(self, task: Task) -> None:
        self.limits_s.append(task.limit_s)
        super().submit(task)

    @staticmethod
    def _failure(task: Task) -> str | None:
        return f"timeout: no answer within {task.limit_s:g} s of CPU time" if task.key % 200 == 199 else None


@pytest.mark.parametrize("learns", [True, False])
def test_time_limits_learn_where_they_may(tmp_path: Path, learns: bool) -> None:
    def limits_s(evaluations: int) -> list[float]:
        record, pool = toy_record(tmp_path), Timed(usual_s=4.0)
        run = SearchRun("search", Budget(evaluations), OBJECTIVES, 60.0, deterministic=not learns)
        assert run_search(run, toy_search(deterministic=False), pool, record, [], lambda: False)
        record.close()
        return pool.limits_s

    first = limits_s(300)
    assert first[:100] == [60.0] * 100
    assert first[-1] == (12.0 if learns else 60.0)
    assert limits_s(310) == [12.0 if learns else 60.0] * 10, "what was learnt is learnt again from the record"
    given_up = next(entry for entry in toy_record(tmp_path).rows() if entry.number == 199)
    assert given_up.failure == f"timeout: no answer within {12.0 if learns else 60.0:g} s of CPU time"
    assert given_up.cpu_seconds == 1.5, "the pool's figure"


@pytest.mark.parametrize("workers", [1, 5])
def test_a_deterministic_search_ends_between_generations_only(tmp_path: Path, workers: int) -> None:
    """Otherwise it would depend on the order of arrival how many candidates were evaluated."""
    record = toy_record(tmp_path)
    budget = Budget(400, worst_score=3.1)
    run = SearchRun("search", budget, OBJECTIVES, 10.0, deterministic=True)
    pool = InlinePool(Toy(), workers, seed=workers)
    reason = run_search(run, toy_search(deterministic=True), pool, record, [], lambda: False)
    assert reason is not None
    assert reason.startswith("a model with a worst score of ")
    assert 8 < len(record) < 400
    assert len(record) % 8 == 0
    assert pool.submitted == list(range(len(record)))
    record.close()
