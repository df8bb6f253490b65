"""When a search ends, and that this does not depend on the number of its workers where nothing may."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING, Any

import pytest

from rheobase.campaigns.ending import Budget, Ending
from rheobase.campaigns.folder import CampaignFolder
from tests.campaigns.rows import OBJECTIVES, row
from tests.campaigns.toy import ToyRun, results, toy_campaign

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.campaigns.record import RecordedEvaluation

GENERATION = 6


class Clock:
    """Time that a test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _row(number: int, total: float, **changes: Any) -> RecordedEvaluation:
    return dataclasses.replace(row(number, total), failure=None, **changes)


def _after(budget: Budget, *rows: RecordedEvaluation, **settings: Any) -> str | None:
    ending = Ending(budget, **settings)
    for one in rows:
        ending.learn(one)
    return ending.reason()


def test_without_rules_only_the_evaluations_end_it() -> None:
    assert _after(Budget(5), *(_row(number, 0.0) for number in range(10))) is None


def test_wall_time() -> None:
    clock = Clock()
    ending = Ending(Budget(100, wall_s=60.0), clock=clock)
    clock.now_s += 60.0
    assert ending.reason() is None
    clock.now_s += 0.1
    assert ending.reason() == "its time is over"


def test_cpu_time_counts_everything_that_was_computed() -> None:
    rows = [_row(0, 5.0), _row(1, 5.0, excluded=True), dataclasses.replace(row(2, 5.0), failure="timeout: no answer")]
    assert _after(Budget(100, cpu_s=0.74), *rows) == "its CPU time is used up"
    assert _after(Budget(100, cpu_s=0.75), *rows) is None


def test_worst_score() -> None:
    assert _after(Budget(100, worst_score=2.0), _row(0, 4.2)) is None
    assert _after(Budget(100, worst_score=2.0), _row(0, 4.0)) == "a model with a worst score of 2.00 was found"


def test_what_was_excluded_or_failed_is_no_model_that_was_found() -> None:
    excluded, failed = _row(0, 0.1, excluded=True), dataclasses.replace(row(1, 0.1), failure="rest: it fires")
    assert _after(Budget(100, worst_score=2.0), excluded, failed) is None


def test_stagnation_counts_from_the_last_improvement_of_one_percent() -> None:
    totals = [100.0, 99.5, 99.2, 98.9, 98.9, 98.5]
    rows = [_row(number, total) for number, total in enumerate(totals)]
    assert _after(Budget(100, stagnation=3), *rows[:3]) is None
    assert _after(Budget(100, stagnation=2), *rows[:3]) == "no progress in 2 evaluations"
    assert _after(Budget(100, stagnation=3), *rows) is None, "98.9 is an improvement of one percent"
    assert _after(Budget(100, stagnation=2), *rows) == "no progress in 2 evaluations"


def test_progress_is_judged_by_the_weighted_sum() -> None:
    def scored(number: int, first: float, second: float) -> RecordedEvaluation:
        return dataclasses.replace(_row(number, 1.0), scores=dict(zip(OBJECTIVES, (first, second), strict=True)))

    rows = [scored(0, 5.0, 5.0), scored(1, 1.0, 5.0), scored(2, 0.5, 5.0)]
    only_second = dict(zip(OBJECTIVES, (0.0, 1.0), strict=True))
    assert _after(Budget(100, stagnation=2), *rows) is None
    assert _after(Budget(100, stagnation=2), *rows, weights=only_second) == "no progress in 2 evaluations"
    assert _after(Budget(100, worst_score=1.0), scored(0, 7.0, 1.0), weights=only_second) is not None


@pytest.mark.parametrize("seed", range(5))
def test_in_order_the_same_evaluations_say_the_same(seed: int) -> None:
    generator = random.Random(seed)
    rows = [_row(number, generator.uniform(50, 100)) for number in range(30)]
    shuffled = generator.sample(rows, len(rows))
    for stagnation in (3, 10, 20):
        budget = Budget(100, stagnation=stagnation)
        assert _after(budget, *shuffled, in_order=True) == _after(budget, *rows)


# ---------------------------------------------------------------------- in a campaign

RULES: dict[str, tuple[dict[str, Any], str]] = {
    "stagnation": ({"stagnation": 15}, "no progress in"),
    "worst score": ({"worst_score": 3.1}, "a model with a worst score of"),
    "cpu time": ({"cpu_time": "20 s"}, "its CPU time is used up"),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_deterministic_search_ends_after_the_same_generation_however_many_workers(tmp_path: Path, rule: str) -> None:
    keys, reason = RULES[rule]
    campaign = toy_campaign({"evaluations": 600, **keys})
    for workers in (1, 2, 5, 7):
        path = tmp_path / f"run_{workers}"
        assert ToyRun(path, campaign, workers=workers, order=workers).run()
        assert results(path) == results(tmp_path / "run_1")
        assert CampaignFolder(path).read_state()["stages"]["search"]["ended"].startswith(reason)
    evaluations = len(results(tmp_path / "run_1"))
    assert evaluations % GENERATION == 0
    assert 2 * GENERATION < evaluations < 300, "neither at once nor never"


@pytest.mark.parametrize("rule", RULES)
def test_stopped_in_the_midst_it_ends_where_it_would_have(tmp_path: Path, rule: str) -> None:
    campaign = toy_campaign({"evaluations": 600, **RULES[rule][0]})
    assert ToyRun(tmp_path / "whole", campaign).run()
    for attempt in range(200):
        left = iter(range(4))
        run = ToyRun(tmp_path / "parts", campaign, workers=2, order=attempt, stop=lambda: next(left, None) is None)  # noqa: B023
        if run.run():
            break
    assert attempt > 2
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


@pytest.mark.parametrize("rule", RULES)
def test_an_asynchronous_search_ends_soon_and_stays_ended(tmp_path: Path, rule: str) -> None:
    keys, reason = RULES[rule]
    campaign = toy_campaign({"evaluations": 600, "deterministic": False, **keys})
    path = tmp_path / "run"
    assert ToyRun(path, campaign, workers=3, order=1).run()
    before = results(path)
    assert GENERATION < len(before) < 300
    state = CampaignFolder(path).read_state()
    assert state["stages"]["search"]["ended"].startswith(reason)
    CampaignFolder(path).write_state(stages={})  # as after a kill just before it was written
    assert ToyRun(path, campaign, workers=3, order=2).run()
    assert results(path) == before


def test_a_larger_budget_goes_on_where_the_smaller_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "run"
    assert ToyRun(path, toy_campaign({"evaluations": 600, "cpu_time": "10 s"})).run()
    first = results(path)
    assert ToyRun(path, toy_campaign({"evaluations": 600, "cpu_time": "20 s"}), workers=3, order=1).run()
    assert len(results(path)) > len(first)
    assert ToyRun(tmp_path / "whole", toy_campaign({"evaluations": 600, "cpu_time": "20 s"})).run()
    assert results(path) == results(tmp_path / "whole")


def test_wall_time_of_earlier_runs_counts(tmp_path: Path) -> None:
    path = tmp_path / "run"
    campaign = toy_campaign({"evaluations": 600, "wall_time": "1 h"})
    seen = iter(range(20))
    assert not ToyRun(path, campaign, stop=lambda: next(seen, None) is None).run()
    folder = CampaignFolder(path)
    assert 0.0 < folder.read_state()["stages"]["search"]["seconds"] < 60.0
    folder.write_state(stages={"search": {"seconds": 3601.0}})
    before = results(path)
    assert ToyRun(path, campaign).run()
    assert len(results(path)) - len(before) < GENERATION, "the generation that had begun is brought to its end"
    assert folder.read_state()["stages"]["search"]["ended"] == "its time is over"
