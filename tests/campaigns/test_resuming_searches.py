"""Resumed searches are the searches they would have been."""

from __future__ import annotations

import dataclasses
import weakref
from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns.ending import Budget
from rheobase.campaigns.record import RecordedEvaluation
from rheobase.campaigns.searching import SearchRun, replay, run_search
from rheobase.features.errors import CampaignError
from rheobase.fitting.search.factory import SearchSettings, make_search
from tests.campaigns.inline_pool import InlinePool
from tests.campaigns.toys import DIMENSIONS, OBJECTIVES, Seen, Toy, results, run_toy, toy_record, toy_search

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rheobase.fitting.evaluation import Bound, Candidate


@pytest.mark.parametrize("stopped", [0, 1, 3, 7, 8, 9, 13, 20, 29])
def test_a_deterministic_search_stopped_anywhere_is_the_same_in_the_end(tmp_path: Path, stopped: int) -> None:
    run_toy(tmp_path / "whole", InlinePool(Toy()), evaluations=30)
    ended, _ = run_toy(tmp_path / "parts", InlinePool(Toy(), 3, seed=1), evaluations=30, stop_after=stopped)
    assert not ended
    assert len(results(tmp_path / "parts")) < 30
    ended, seen = run_toy(tmp_path / "parts", InlinePool(Toy(), 2, seed=2), evaluations=30)
    assert ended
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    assert len(seen.rows) <= 30 - stopped, "what was recorded was evaluated again"


def test_stopped_again_and_again(tmp_path: Path) -> None:
    run_toy(tmp_path / "whole", InlinePool(Toy()), evaluations=40)
    runs = 0
    while not run_toy(tmp_path / "parts", InlinePool(Toy(), 3, seed=runs), evaluations=40, stop_after=2)[0]:
        runs += 1
        assert runs < 60
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


def test_a_larger_budget_goes_on_as_if_it_had_been_there_from_the_start(tmp_path: Path) -> None:
    run_toy(tmp_path / "whole", InlinePool(Toy()), evaluations=40)
    for evaluations in (11, 23, 40):
        assert run_toy(tmp_path / "parts", InlinePool(Toy(), 2, seed=1), evaluations=evaluations)[0]
        assert len(results(tmp_path / "parts")) == evaluations
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


@pytest.mark.parametrize("stopped", [1, 5, 12, 25, 33])
def test_an_asynchronous_search_is_replayed_exactly(tmp_path: Path, stopped: int) -> None:
    """After a resume the search's next question is the one that the interrupted search would have asked."""
    record, seen = toy_record(tmp_path), Seen()
    search = toy_search(deterministic=False)
    pool = InlinePool(Toy(), 4, seed=3)
    run = SearchRun("search", Budget(60), OBJECTIVES, 1.0)
    run_search(run, search, pool, record, [seen], lambda: len(seen.rows) >= stopped)
    fresh = toy_search(deterministic=False)
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
    while not run_toy(tmp_path, InlinePool(Toy(), 4, seed=runs), evaluations=60, deterministic=False, stop_after=7)[0]:
        runs += 1
        assert runs < 60
    assert runs > 3
    rows = list(toy_record(tmp_path).rows())
    assert len(rows) == 60
    places = [entry.asked for entry in rows] + [entry.told for entry in rows]
    assert len(set(places)) == len(places), "two of them at one place of the sequence"


def test_what_an_earlier_run_left_unfinished_comes_first(tmp_path: Path) -> None:
    record = toy_record(tmp_path)
    search = toy_search(deterministic=False)
    first = [search.ask() for _ in range(4)]
    assert first[3] is not None
    record.append(
        RecordedEvaluation("search", 3, 3, 4, first[3].parameters, {}, dict.fromkeys(OBJECTIVES, 1.0), None, 0.1, 0.0)
    )
    record.close()
    pool = InlinePool(Toy(), 2)
    run_toy(tmp_path, pool, evaluations=10, deterministic=False)
    assert pool.submitted[:3] == [0, 1, 2]
    found = results(tmp_path)
    assert sorted(found) == list(range(10))
    assert all(candidate is not None and found[candidate.number][0] == candidate.parameters for candidate in first)


@pytest.mark.parametrize("change", ["seed", "row", "number", "place"])
def test_the_record_of_another_search_is_refused(tmp_path: Path, change: str) -> None:
    run_toy(tmp_path, InlinePool(Toy()), evaluations=12)
    before = list(toy_record(tmp_path).rows())
    if change == "seed":
        with pytest.raises(CampaignError, match=r"made by another version of the search .*--out"):
            run_toy(tmp_path, InlinePool(Toy()), evaluations=20, seed=6)
    elif change == "row":
        with pytest.raises(CampaignError, match="made by another version of the search"):
            replay(toy_search(deterministic=True), [entry for entry in before if entry.number != 4])
    elif change == "place":
        moved = dataclasses.replace(before[3], asked=before[3].asked + 1)
        with pytest.raises(CampaignError, match="made by another version of the search"):
            replay(toy_search(deterministic=True), [*before[:3], moved, *before[4:]])
    else:
        with pytest.raises(CampaignError, match="made by another version of the search"):
            replay(toy_search(deterministic=True, population=4), before)
    assert list(toy_record(tmp_path).rows()) == before


def test_rows_of_other_searches_are_left_alone(tmp_path: Path) -> None:
    record = toy_record(tmp_path)
    other = RecordedEvaluation(
        "first look", 0, 0, 1, {"g_pas.all": 1e-4, "e_pas.all": -70.0}, {}, dict.fromkeys(OBJECTIVES, 1.0), None, 0.1, 0
    )
    record.append(other)
    record.close()
    assert run_toy(tmp_path, InlinePool(Toy()), evaluations=12)[0]
    rows = list(toy_record(tmp_path).rows())
    assert rows[0] == other
    assert len(rows) == 13


def test_watchers_see_what_earlier_runs_recorded(tmp_path: Path) -> None:
    run_toy(tmp_path, InlinePool(Toy(), 3, seed=1), evaluations=20)
    before = list(toy_record(tmp_path).rows())
    _, seen = run_toy(tmp_path, InlinePool(Toy(), 3, seed=1), evaluations=30)
    assert seen.earlier == before
    assert len(seen.rows) == 10


def test_replaying_holds_one_row_at_a_time(tmp_path: Path) -> None:
    run_toy(tmp_path, InlinePool(Toy(), 5, seed=1), evaluations=60, deterministic=False)
    contents = [vars(entry) for entry in toy_record(tmp_path).rows()]
    alive: list[weakref.ref[RecordedEvaluation]] = []

    def rows() -> Iterator[RecordedEvaluation]:
        for content in contents:
            entry = RecordedEvaluation(**content)
            alive.append(weakref.ref(entry))
            yield entry
            del entry
            assert sum(one() is not None for one in alive) <= 1

    assert replay(toy_search(deterministic=False), rows()).told == 60


def test_a_record_without_some_objectives_is_refused(tmp_path: Path) -> None:
    run_toy(tmp_path, InlinePool(Toy()), evaluations=12)
    rows = [dataclasses.replace(entry, scores={"near": 1.0}, excluded=False) for entry in toy_record(tmp_path).rows()]
    with pytest.raises(CampaignError, match="made by another version of the search"):
        replay(toy_search(deterministic=True), rows)


class Steep(Toy):
    """One objective alone may be enough to exclude a candidate."""

    steepness = 4.0


@pytest.mark.parametrize("deterministic", [True, False])
def test_excluded_candidates_are_recorded_as_such_and_replayed(tmp_path: Path, deterministic: bool) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _, seen = run_toy(whole, InlinePool(Steep()), evaluations=80, deterministic=deterministic)
    excluded = [entry for entry in seen.rows if entry.excluded]
    assert 0 < len(excluded) < 60
    assert all(list(entry.scores) == ["near"] and entry.failure is None for entry in excluded)
    while not run_toy(parts, InlinePool(Steep()), evaluations=80, deterministic=deterministic, stop_after=20)[0]:
        pass
    assert results(parts) == results(whole)
    assert [entry.number for entry in toy_record(parts).rows() if entry.excluded] == [
        entry.number for entry in excluded
    ]


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
    record, search = toy_record(tmp_path), Listening()
    run_search(run, search, InlinePool(Toy(), 3, seed=1), record, [], lambda: False)
    assert any("-" in told for told in search.told)
    resumed = Listening()
    replay(resumed, record.rows("search"), run.means)
    assert resumed.told == search.told
    assert resumed.ask() == search.ask()
    with pytest.raises(CampaignError, match="another version of the search"):
        replay(Listening(), record.rows("search"), {})
    record.close()
