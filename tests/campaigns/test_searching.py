"""The search stage: resumed searches are the searches they would have been."""

from __future__ import annotations

import dataclasses
import math
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns.ending import Budget
from rheobase.campaigns.pool import Outcome, Task
from rheobase.campaigns.record import EvaluationRecord, RecordedEvaluation
from rheobase.campaigns.searching import SearchRun, replay, run_search
from rheobase.features.errors import CampaignError
from rheobase.fitting.evaluation import Evaluation
from rheobase.fitting.search.algorithm import Setup
from rheobase.fitting.search.evolution import Evolution, EvolutionOptions
from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.space import Dimension
from rheobase.fitting.search.unit_cube import UnitCubeSearch
from rheobase.objectives.scores import FAILURE_SCORE
from tests.campaigns.inline_pool import InlinePool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from rheobase.campaigns.pool import Pool
    from rheobase.fitting.evaluation import Bound, Candidate
    from rheobase.fitting.search.interface import Search

DIMENSIONS = (Dimension("g_pas.all", 1e-5, 1e-3, logarithmic=True), Dimension("e_pas.all", -90.0, -60.0))
OBJECTIVES = ("near", "far")


class Toy:
    """Two distances in the unit square, at odds with each other; a corner where evaluations fail."""

    steepness = 1.0

    def evaluate(self, parameters: Mapping[str, float], _: bool = False, bound: Bound | None = None) -> Evaluation:
        x, y = (dimension.position(parameters[dimension.name]) for dimension in DIMENSIONS)
        if x > 0.9:
            failure = "threshold_current: no spike"
            return Evaluation({}, dict.fromkeys(OBJECTIVES, FAILURE_SCORE), failure, cpu_seconds=0.1)
        scores = {
            "near": 10 * math.hypot(x - 0.2, y - 0.3) ** self.steepness,
            "far": 10 * math.hypot(x - 0.6, y - 0.7) ** self.steepness,
        }
        if bound is not None and bound.excludes({"near": scores["near"]}):
            return Evaluation({"near": x}, {"near": scores["near"]}, excluded=True, cpu_seconds=0.05)
        return Evaluation({"near": x, "far": y}, scores, cpu_seconds=0.1)


class Seen:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.earlier: list[RecordedEvaluation] = []
        self.rows: list[RecordedEvaluation] = []

    def recorded(self, row: RecordedEvaluation) -> None:
        self.earlier.append(row)

    def evaluated(self, row: RecordedEvaluation) -> None:
        self.rows.append(row)


def _search(*, deterministic: bool, seed: int = 5, algorithm: str = "ibea", population: int = 8) -> Search:
    setup = Setup(len(DIMENSIONS), len(OBJECTIVES), seed, population, deterministic=deterministic)
    return UnitCubeSearch(DIMENSIONS, OBJECTIVES, Evolution(setup, EvolutionOptions(), algorithm), deterministic)


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
        run = SearchRun("search", Budget(evaluations, wall_s), OBJECTIVES, 10.0, deterministic)
        return run_search(run, search, pool, record, [seen], stop) is not None, seen
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
    run = SearchRun("search", Budget(60), OBJECTIVES, 1.0)
    run_search(run, search, pool, record, [seen], lambda: len(seen.rows) >= stopped)
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


@pytest.mark.parametrize("change", ["seed", "row", "number", "place"])
def test_the_record_of_another_search_is_refused(tmp_path: Path, change: str) -> None:
    _run(tmp_path, InlinePool(Toy()), evaluations=12)
    before = list(_record(tmp_path).rows())
    if change == "seed":
        with pytest.raises(CampaignError, match=r"made by another version of the search .*--out"):
            _run(tmp_path, InlinePool(Toy()), evaluations=20, seed=6)
    elif change == "row":
        with pytest.raises(CampaignError, match="made by another version of the search"):
            replay(_search(deterministic=True), [entry for entry in before if entry.number != 4])
    elif change == "place":
        moved = dataclasses.replace(before[3], asked=before[3].asked + 1)
        with pytest.raises(CampaignError, match="made by another version of the search"):
            replay(_search(deterministic=True), [*before[:3], moved, *before[4:]])
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

    def evaluate(self, parameters: Mapping[str, float], _: bool = False, bound: Bound | None = None) -> Evaluation:
        del bound
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
        def evaluate(self, parameters: Mapping[str, float], _: bool = False, bound: Bound | None = None) -> Evaluation:
            time.sleep(0.02)
            return super().evaluate(parameters, bound=bound)

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


def test_watchers_see_what_earlier_runs_recorded(tmp_path: Path) -> None:
    _run(tmp_path, InlinePool(Toy(), 3, seed=1), evaluations=20)
    before = list(_record(tmp_path).rows())
    _, seen = _run(tmp_path, InlinePool(Toy(), 3, seed=1), evaluations=30)
    assert seen.earlier == before
    assert len(seen.rows) == 10


def test_replaying_holds_one_row_at_a_time(tmp_path: Path) -> None:
    _run(tmp_path, InlinePool(Toy(), 5, seed=1), evaluations=60, deterministic=False)
    contents = [vars(entry) for entry in _record(tmp_path).rows()]
    alive: list[weakref.ref[RecordedEvaluation]] = []

    def rows() -> Iterator[RecordedEvaluation]:
        for content in contents:
            entry = RecordedEvaluation(**content)
            alive.append(weakref.ref(entry))
            yield entry
            del entry
            assert sum(one() is not None for one in alive) <= 1

    assert replay(_search(deterministic=False), rows()).told == 60


def test_a_record_without_some_objectives_is_refused(tmp_path: Path) -> None:
    _run(tmp_path, InlinePool(Toy()), evaluations=12)
    rows = [dataclasses.replace(entry, scores={"near": 1.0}, excluded=False) for entry in _record(tmp_path).rows()]
    with pytest.raises(CampaignError, match="made by another version of the search"):
        replay(_search(deterministic=True), rows)


class Steep(Toy):
    """One objective alone may be enough to exclude a candidate."""

    steepness = 4.0


@pytest.mark.parametrize("deterministic", [True, False])
def test_excluded_candidates_are_recorded_as_such_and_replayed(tmp_path: Path, deterministic: bool) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _, seen = _run(whole, InlinePool(Steep()), evaluations=80, deterministic=deterministic)
    excluded = [entry for entry in seen.rows if entry.excluded]
    assert 0 < len(excluded) < 60
    assert all(list(entry.scores) == ["near"] and entry.failure is None for entry in excluded)
    while not _run(parts, InlinePool(Steep()), evaluations=80, deterministic=deterministic, stop_after=20)[0]:
        pass
    assert _results(parts) == _results(whole)
    assert [entry.number for entry in _record(parts).rows() if entry.excluded] == [entry.number for entry in excluded]


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
        record, pool = _record(tmp_path), Timed(usual_s=4.0)
        run = SearchRun("search", Budget(evaluations), OBJECTIVES, 60.0, deterministic=not learns)
        assert run_search(run, _search(deterministic=False), pool, record, [], lambda: False)
        record.close()
        return pool.limits_s

    first = limits_s(300)
    assert first[:100] == [60.0] * 100
    assert first[-1] == (12.0 if learns else 60.0)
    assert limits_s(310) == [12.0 if learns else 60.0] * 10, "what was learnt is learnt again from the record"
    given_up = next(entry for entry in _record(tmp_path).rows() if entry.number == 199)
    assert given_up.failure == f"timeout: no answer within {12.0 if learns else 60.0:g} s of CPU time"
    assert given_up.cpu_seconds == 1.5, "the pool's figure"


@pytest.mark.parametrize("workers", [1, 5])
def test_a_deterministic_search_ends_between_generations_only(tmp_path: Path, workers: int) -> None:
    """Otherwise it would depend on the order of arrival how many candidates were evaluated."""
    record = _record(tmp_path)
    budget = Budget(400, worst_score=3.1)
    run = SearchRun("search", budget, OBJECTIVES, 10.0, deterministic=True)
    pool = InlinePool(Toy(), workers, seed=workers)
    reason = run_search(run, _search(deterministic=True), pool, record, [], lambda: False)
    assert reason is not None
    assert reason.startswith("a model with a worst score of ")
    assert 8 < len(record) < 400
    assert len(record) % 8 == 0
    assert pool.submitted == list(range(len(record)))
    record.close()


class Listening:
    """A search, and the deviations that it is told."""

    def __init__(self) -> None:
        objectives = dict.fromkeys(OBJECTIVES, "all")
        self._search = make_search(
            "bayesian", DIMENSIONS, OBJECTIVES, SearchSettings(options={"founders": 6}), 3, objectives
        )
        self.told: list[str] = []

    def ask(self) -> Candidate | None:
        return self._search.ask()

    def bound(self, number: int) -> Bound | None:
        return self._search.bound(number)

    def tell(
        self,
        number: int,
        scores: Mapping[str, float],
        failed: bool = False,
        excluded: bool = False,
        deviations: Mapping[str, float] | None = None,
    ) -> None:
        self.told.append(repr(deviations))
        if deviations is not None and not failed:
            assert {name: abs(value) for name, value in deviations.items()} == scores
        self._search.tell(number, scores, failed, excluded, deviations)


def test_searches_are_told_deviations_with_signs_then_and_when_resumed(tmp_path: Path) -> None:
    run = SearchRun("search", Budget(40), OBJECTIVES, 10.0, means={"near": 0.2, "far": 0.7})
    record, search = _record(tmp_path), Listening()
    run_search(run, search, InlinePool(Toy(), 3, seed=1), record, [], lambda: False)
    assert any("-" in told for told in search.told)
    resumed = Listening()
    replay(resumed, record.rows("search"), run.means)
    assert resumed.told == search.told
    assert resumed.ask() == search.ask()
    with pytest.raises(CampaignError, match="another version of the search"):
        replay(Listening(), record.rows("search"), {})
    record.close()
