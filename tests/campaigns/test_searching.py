"""The search stage: resumed searches are the searches they would have been."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns.pool import Outcome, Task
from rheobase.campaigns.record import EvaluationRecord, RecordedEvaluation
from rheobase.campaigns.searching import Budget, replay, run_search
from rheobase.features.errors import CampaignError
from rheobase.fitting.evaluation import Evaluation
from rheobase.fitting.search.evolution import EvolutionarySearch, EvolutionSettings
from rheobase.fitting.search.space import Dimension
from rheobase.objectives.scores import FAILURE_SCORE
from tests.campaigns.inline_pool import InlinePool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from rheobase.campaigns.pool import Pool

DIMENSIONS = (Dimension("g_pas.all", 1e-5, 1e-3, logarithmic=True), Dimension("e_pas.all", -90.0, -60.0))
OBJECTIVES = ("near", "far")


class Toy:
    """Two distances in the unit square, at odds with each other; a corner where evaluations fail."""

    def evaluate(self, parameters: Mapping[str, float]) -> Evaluation:
        x, y = (dimension.position(parameters[dimension.name]) for dimension in DIMENSIONS)
        if x > 0.9:
            return Evaluation({}, dict.fromkeys(OBJECTIVES, FAILURE_SCORE), "threshold_current: no spike", 0.1)
        scores = {"near": 10 * math.hypot(x - 0.2, y - 0.3), "far": 10 * math.hypot(x - 0.6, y - 0.7)}
        return Evaluation({"near": x, "far": y}, scores, None, 0.1)


class Seen:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.rows: list[RecordedEvaluation] = []

    def evaluated(self, row: RecordedEvaluation) -> None:
        self.rows.append(row)


def _search(*, deterministic: bool, seed: int = 5, algorithm: str = "ibea", population: int = 8) -> EvolutionarySearch:
    settings = EvolutionSettings(algorithm, population, deterministic)
    return EvolutionarySearch(DIMENSIONS, OBJECTIVES, settings, seed)


def _record(folder: Path) -> EvaluationRecord:
    return EvaluationRecord(folder, [dimension.name for dimension in DIMENSIONS], OBJECTIVES)


def _run(
    folder: Path,
    pool: Pool,
    *,
    evaluations: int,
    deterministic: bool = True,
    stop_after: int | None = None,
    wall_s: float | None = None,
    algorithm: str = "ibea",
    seed: int = 5,
) -> tuple[bool, Seen]:
    record, seen = _record(folder), Seen()
    stop: Callable[[], bool] = (lambda: False) if stop_after is None else (lambda: len(seen.rows) >= stop_after)
    try:
        search = _search(deterministic=deterministic, algorithm=algorithm, seed=seed)
        return run_search(
            "search", search, pool, record, OBJECTIVES, Budget(evaluations, wall_s, 10.0), [seen], stop
        ), seen
    finally:
        record.close()


def _results(folder: Path) -> dict[int, tuple[dict[str, float], dict[str, float], str | None]]:
    rows = list(_record(folder).rows())
    assert len({entry.number for entry in rows}) == len(rows), "a candidate was recorded twice"
    return {entry.number: (entry.parameters, entry.scores, entry.failure) for entry in rows}


def test_it_ends_with_its_budget_and_tells_its_watchers(tmp_path: Path) -> None:
    pool = InlinePool(Toy(), 3, seed=1)
    ended, seen = _run(tmp_path, pool, evaluations=30)
    assert ended
    assert pool.most_at_once == 3
    assert sorted(_results(tmp_path)) == list(range(30))
    assert sorted(entry.number for entry in seen.rows) == list(range(30))


@pytest.mark.parametrize("algorithm", ["ibea", "nsga2"])
@pytest.mark.parametrize("workers", [1, 2, 7, 40])
def test_a_deterministic_search_does_not_depend_on_its_workers(tmp_path: Path, workers: int, algorithm: str) -> None:
    _run(tmp_path / "one", InlinePool(Toy()), evaluations=45, algorithm=algorithm)
    _run(tmp_path / "many", InlinePool(Toy(), workers, seed=workers), evaluations=45, algorithm=algorithm)
    assert _results(tmp_path / "many") == _results(tmp_path / "one")


@pytest.mark.parametrize("stopped", [0, 1, 3, 7, 8, 9, 13, 20, 29])
def test_a_deterministic_search_stopped_anywhere_is_the_same_in_the_end(tmp_path: Path, stopped: int) -> None:
    _run(tmp_path / "whole", InlinePool(Toy()), evaluations=30)
    ended, _ = _run(tmp_path / "parts", InlinePool(Toy(), 3, seed=1), evaluations=30, stop_after=stopped)
    assert not ended
    assert len(_results(tmp_path / "parts")) < 30
    ended, seen = _run(tmp_path / "parts", InlinePool(Toy(), 2, seed=2), evaluations=30)
    assert ended
    assert _results(tmp_path / "parts") == _results(tmp_path / "whole")
    assert len(seen.rows) <= 30 - stopped, "what was recorded was evaluated again"


def test_stopped_again_and_again(tmp_path: Path) -> None:
    _run(tmp_path / "whole", InlinePool(Toy()), evaluations=40)
    runs = 0
    while not _run(tmp_path / "parts", InlinePool(Toy(), 3, seed=runs), evaluations=40, stop_after=2)[0]:
        runs += 1
        assert runs < 60
    assert _results(tmp_path / "parts") == _results(tmp_path / "whole")


def test_a_larger_budget_goes_on_as_if_it_had_been_there_from_the_start(tmp_path: Path) -> None:
    _run(tmp_path / "whole", InlinePool(Toy()), evaluations=40)
    for evaluations in (11, 23, 40):
        assert _run(tmp_path / "parts", InlinePool(Toy(), 2, seed=1), evaluations=evaluations)[0]
        assert len(_results(tmp_path / "parts")) == evaluations
    assert _results(tmp_path / "parts") == _results(tmp_path / "whole")


@pytest.mark.parametrize("stopped", [1, 5, 12, 25, 33])
def test_an_asynchronous_search_is_replayed_exactly(tmp_path: Path, stopped: int) -> None:
    """After a resume the search's next question is the one that the interrupted search would have asked."""
    record, seen = _record(tmp_path), Seen()
    search = _search(deterministic=False)
    pool = InlinePool(Toy(), 4, seed=3)
    run_search(
        "search", search, pool, record, OBJECTIVES, Budget(60, None, 1.0), [seen], lambda: len(seen.rows) >= stopped
    )
    fresh = _search(deterministic=False)
    rows = list(record.rows())
    progress = replay(fresh, rows)
    assert progress.told == len(rows)
    asked_after = {entry.number for entry in rows} | {candidate.number for candidate in progress.waiting}
    assert asked_after == set(range(len(asked_after)))
    unanswered = [number for number in pool.submitted if number not in {entry.number for entry in rows}]
    waiting = [candidate.number for candidate in progress.waiting]
    assert waiting == unanswered[: len(waiting)], "those asked for before the last answer wait for theirs"
    # Questions behind the last answer are asked again, and are the same.
    for number in unanswered[len(waiting) :]:
        again = fresh.ask()
        assert again is not None
        assert again.number == number
    for _ in range(5):
        ours, theirs = fresh.ask(), search.ask()
        assert ours is not None
        assert ours == theirs
    record.close()


def test_asynchronous_runs_resume_without_loss(tmp_path: Path) -> None:
    runs = 0
    while not _run(tmp_path, InlinePool(Toy(), 4, seed=runs), evaluations=60, deterministic=False, stop_after=7)[0]:
        runs += 1
        assert runs < 60
    assert runs > 3
    rows = list(_record(tmp_path).rows())
    assert len(rows) == 60
    places = [entry.asked for entry in rows] + [entry.told for entry in rows]
    assert len(set(places)) == len(places), "two of them at one place of the sequence"


def test_what_an_earlier_run_left_unfinished_comes_first(tmp_path: Path) -> None:
    record = _record(tmp_path)
    search = _search(deterministic=False)
    first = [search.ask() for _ in range(4)]
    assert first[3] is not None
    record.append(
        RecordedEvaluation("search", 3, 3, 4, first[3].parameters, {}, dict.fromkeys(OBJECTIVES, 1.0), None, 0.1, 0.0)
    )
    record.close()
    pool = InlinePool(Toy(), 2)
    _run(tmp_path, pool, evaluations=10, deterministic=False)
    assert pool.submitted[:3] == [0, 1, 2]
    results = _results(tmp_path)
    assert sorted(results) == list(range(10))
    assert all(candidate is not None and results[candidate.number][0] == candidate.parameters for candidate in first)


@pytest.mark.parametrize("change", ["seed", "row", "number"])
def test_the_record_of_another_search_is_refused(tmp_path: Path, change: str) -> None:
    _run(tmp_path, InlinePool(Toy()), evaluations=12)
    before = list(_record(tmp_path).rows())
    if change == "seed":
        with pytest.raises(CampaignError, match=r"made by another version of the search .*--out"):
            _run(tmp_path, InlinePool(Toy()), evaluations=20, seed=6)
    elif change == "row":
        with pytest.raises(CampaignError, match="made by another version of the search"):
            replay(_search(deterministic=True), [entry for entry in before if entry.number != 4])
    else:
        with pytest.raises(CampaignError, match="made by another version of the search"):
            replay(_search(deterministic=True, population=4), before)
    assert list(_record(tmp_path).rows()) == before


def test_rows_of_other_searches_are_left_alone(tmp_path: Path) -> None:
    record = _record(tmp_path)
    other = RecordedEvaluation(
        "first look", 0, 0, 1, {"g_pas.all": 1e-4, "e_pas.all": -70.0}, {}, dict.fromkeys(OBJECTIVES, 1.0), None, 0.1, 0
    )
    record.append(other)
    record.close()
    assert _run(tmp_path, InlinePool(Toy()), evaluations=12)[0]
    rows = list(_record(tmp_path).rows())
    assert rows[0] == other
    assert len(rows) == 13


def test_failed_tasks_get_failure_scores_and_the_search_goes_on(tmp_path: Path) -> None:
    def fail(task: Task) -> str | None:
        return "timeout: no answer within 10 s" if task.key % 3 == 0 else None

    assert _run(tmp_path, InlinePool(Toy(), 2, seed=1, fail=fail), evaluations=21)[0]
    for number, (_, scores, failure) in _results(tmp_path).items():
        if number % 3 == 0:
            assert failure == "timeout: no answer within 10 s"
            assert scores == dict.fromkeys(OBJECTIVES, FAILURE_SCORE)
    assert any(failure is None for _, _, failure in _results(tmp_path).values())


class Odd(Toy):
    """Scores and features that are no numbers, as a defective evaluator may give."""

    def evaluate(self, parameters: Mapping[str, float]) -> Evaluation:
        x = DIMENSIONS[0].position(parameters["g_pas.all"])
        if x < 0.5:
            return Evaluation({"near": math.nan, "far": 1.0}, {"near": 1.0, "far": 2.0})
        return Evaluation({"near": 1.0}, {"near": math.nan, "far": 2.0})


def test_what_is_not_a_number_costs_a_candidate_not_the_campaign(tmp_path: Path) -> None:
    assert _run(tmp_path, InlinePool(Odd()), evaluations=20)[0]
    rows = list(_record(tmp_path).rows())
    spoilt = [entry for entry in rows if entry.failure is not None]
    assert 0 < len(spoilt) < 20
    assert {entry.failure for entry in spoilt} == {"defect: a score is not a finite number"}
    assert all(entry.scores == dict.fromkeys(OBJECTIVES, FAILURE_SCORE) for entry in spoilt)
    assert all(entry.features == {"far": 1.0} for entry in rows if entry.failure is None)


def test_the_wall_time_ends_a_search(tmp_path: Path) -> None:
    class Slow(Toy):
        def evaluate(self, parameters: Mapping[str, float]) -> Evaluation:
            time.sleep(0.02)
            return super().evaluate(parameters)

    ended, seen = _run(tmp_path, InlinePool(Slow(), 2), evaluations=10_000, wall_s=0.3)
    assert ended
    assert 3 < len(seen.rows) < 30
    ended, seen = _run(tmp_path, InlinePool(Slow(), 2), evaluations=10_000, wall_s=-1.0)
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
    ended, seen = _run(tmp_path, Late(), evaluations=5)
    assert ended
    assert len(seen.rows) == 5


def _numbers(rows: Iterable[RecordedEvaluation]) -> list[int]:
    return [entry.number for entry in rows]


def test_a_stop_is_seen_before_the_next_question(tmp_path: Path) -> None:
    ended, seen = _run(tmp_path, InlinePool(Toy(), 2), evaluations=10, stop_after=0)
    assert not ended
    assert _numbers(seen.rows) == []
