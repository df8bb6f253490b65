"""Tests that every search passes; a search's own test class inherits from `SearchContract`.

They speak of `ask` and `tell` alone, on a problem with three parameters and two objectives.
"""

from __future__ import annotations

import math
import pickle
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from rheobase.fitting.evaluation import Candidate
from rheobase.fitting.search.interface import Search, SearchError
from rheobase.fitting.search.space import Dimension
from rheobase.objectives.scores import FAILURE_SCORE
from tests.contracts.search_driving import (
    DIMENSIONS,
    OBJECTIVES,
    as_asked,
    as_far_as_needed,
    ask_batch,
    backwards,
    run,
    scores_of,
    shuffled,
    state_bytes,
    steep_scores_of,
)


class SearchContract(ABC):
    """A subclass makes the search; `evaluations` are enough for several generations of it."""

    evaluations: int = 120
    deterministic: bool = False  # whether candidates are independent of the number of workers and the order of answers
    ends_early: bool = True  # whether it ever gives bounds
    limits_founders: bool = False  # whether the first candidates have a bound, that only hopeless ones exceed
    hopeful: float = 0.2  # part of the failure score with which the first candidates are admitted nevertheless
    rounds_after_failures: int = 3  # evaluations after a first population of failures
    beyond: float = 0.6  # part of candidates that fall beyond a border that the best place lies at: about half
    nearer: float = 0.2  # distance to the best place in the end, in parts of that of the first candidates
    precision: float = 0.1  # with one parameter in a range of 30
    many: int = 2000  # evaluations after which its state must not have grown
    larger: float = 2.0  # by more than this

    @abstractmethod
    def search(
        self,
        seed: int = 1,
        dimensions: Sequence[Dimension] = DIMENSIONS,
        objectives: Sequence[str] = OBJECTIVES,
        start: Sequence[Sequence[float]] = (),
    ) -> Search:
        """A fresh search."""

    # ------------------------------------------------------------------ what is asked

    def test_candidates_lie_within_the_bounds(self) -> None:
        for candidate in run(self.search(), self.evaluations, 4, as_asked):
            assert list(candidate.parameters) == [dimension.name for dimension in DIMENSIONS]
            for dimension in DIMENSIONS:
                value = candidate.parameters[dimension.name]
                assert type(value) is float
                assert dimension.low <= value <= dimension.high

    def test_numbers_count_from_zero(self) -> None:
        asked = run(self.search(), self.evaluations, 4, shuffled)
        assert [candidate.number for candidate in asked] == list(range(self.evaluations))

    def test_first_candidates_cover_every_parameter(self) -> None:
        first = ask_batch(self.search(), 10)
        assert len(first) == 10
        for dimension in DIMENSIONS:
            places = [dimension.position(candidate.parameters[dimension.name]) for candidate in first]
            assert min(places) < 0.35
            assert max(places) > 0.65

    def test_does_not_ask_the_same_again_and_again(self) -> None:
        asked = run(self.search(), self.evaluations, 4, as_asked)
        assert len({tuple(candidate.parameters.values()) for candidate in asked}) > 0.8 * self.evaluations

    def test_asked_candidates_stay_as_they_were(self) -> None:
        search = self.search()
        asked = run(search, self.evaluations // 2, 4, as_asked)
        before = [dict(candidate.parameters) for candidate in asked]
        run(search, self.evaluations // 2, 4, as_asked)
        assert [candidate.parameters for candidate in asked] == before

    def test_changing_a_candidate_does_not_reach_into_the_search(self) -> None:
        one, other = self.search(), self.search()
        for _ in range(self.evaluations):
            mine, theirs = one.ask(), other.ask()
            assert mine is not None
            assert theirs is not None
            assert mine == theirs
            scores = scores_of(mine)
            mine.parameters.clear()
            one.tell(mine.number, scores)
            other.tell(theirs.number, scores)
            scores.clear()

    @pytest.mark.parametrize("workers", [1, 7])
    def test_never_stuck(self, workers: int) -> None:
        """Once everything is told there is a next candidate, for ever."""
        assert len(run(self.search(), 3 * self.evaluations, workers, backwards)) == 3 * self.evaluations

    def test_none_only_while_answers_are_awaited(self) -> None:
        search = self.search()
        batch = ask_batch(search, 1000)
        assert batch
        for candidate in batch:
            search.tell(candidate.number, scores_of(candidate))
        assert search.ask() is not None

    # ------------------------------------------------------------------ determinism

    @pytest.mark.parametrize("order", [as_asked, backwards, shuffled])
    def test_same_seed_same_candidates(self, order: Callable[[list[Candidate]], list[Candidate]]) -> None:
        assert run(self.search(3), self.evaluations, 4, order) == run(self.search(3), self.evaluations, 4, order)

    def test_another_seed_other_candidates(self) -> None:
        one, other = run(self.search(3), 20, 4, as_asked), run(self.search(4), 20, 4, as_asked)
        assert all(mine.parameters != theirs.parameters for mine, theirs in zip(one, other, strict=True))

    def test_two_searches_at_once_do_not_know_of_each_other(self) -> None:
        alone = run(self.search(3), self.evaluations, 1, as_asked)
        one, other = self.search(3), self.search(5)
        beside = []
        for _ in range(self.evaluations):
            beside.extend(run(one, 1, 1, as_asked))
            run(other, 1, 1, as_asked)
        assert [candidate.parameters for candidate in beside] == [candidate.parameters for candidate in alone]

    def test_global_random_states_are_neither_read_nor_changed(self) -> None:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002 - the global state is what this is about
        before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002
        one = run(self.search(), self.evaluations, 4, as_asked)
        assert random.getstate() == before
        for mine, theirs in zip(np.random.get_state(), numpy_before, strict=True):  # noqa: NPY002
            np.testing.assert_array_equal(mine, theirs)
        random.seed(2)
        np.random.seed(2)  # noqa: NPY002
        assert run(self.search(), self.evaluations, 4, as_asked) == one

    def test_repeating_the_calls_resumes(self) -> None:
        """A search interrupted in the midst of a batch goes on as if it had not been."""
        search = self.search()
        calls: list[Candidate | tuple[int, dict[str, float]]] = []
        waiting: list[Candidate] = []
        generator = random.Random(5)
        while len(calls) < self.evaluations:
            candidate = search.ask() if len(waiting) < 6 else None
            if candidate is not None:
                waiting.append(candidate)
                calls.append(candidate)
            else:
                done = waiting.pop(generator.randrange(len(waiting)))
                calls.append((done.number, scores_of(done)))
                search.tell(*calls[-1])  # type: ignore[misc]
        resumed = self.search()
        for call in calls:
            if isinstance(call, Candidate):
                assert resumed.ask() == call
            else:
                resumed.tell(*call)
        for left in waiting:
            search.tell(left.number, scores_of(left))
            resumed.tell(left.number, scores_of(left))
        assert run(resumed, self.evaluations, 3, as_asked) == run(search, self.evaluations, 3, as_asked)

    def test_neither_workers_nor_order_matter_when_deterministic(self) -> None:
        if not self.deterministic:
            pytest.skip("this search does not promise it")
        reference = run(self.search(), self.evaluations, 1, as_asked)
        for workers in (2, 3, 8, 1000):
            for order in (as_asked, backwards, shuffled):
                assert run(self.search(), self.evaluations, workers, order) == reference, (workers, order.__name__)

    # ------------------------------------------------------------------ what is told

    def test_told_twice(self) -> None:
        search = self.search()
        first = search.ask()
        assert first is not None
        search.tell(first.number, scores_of(first))
        with pytest.raises(SearchError, match="candidate 0 is not awaited: it was never asked for, or was told before"):
            search.tell(first.number, scores_of(first))

    @pytest.mark.parametrize("number", [-1, 1, 10_000])
    def test_told_but_never_asked(self, number: int) -> None:
        search = self.search()
        first = search.ask()
        assert first is not None
        with pytest.raises(SearchError, match=f"candidate {number} is not awaited"):
            search.tell(number, scores_of(first))

    @pytest.mark.parametrize("missing", OBJECTIVES)
    def test_missing_objective(self, missing: str) -> None:
        search, other = self.search(), self.search()
        first, theirs = search.ask(), other.ask()
        assert first is not None
        assert theirs is not None
        scores = scores_of(first)
        with pytest.raises(SearchError, match=f"candidate 0 comes without a score for the objective '{missing}'"):
            search.tell(first.number, {name: value for name, value in scores.items() if name != missing})
        search.tell(first.number, scores)  # is still awaited, and nothing else changed
        other.tell(theirs.number, scores)
        assert run(search, self.evaluations, 4, as_asked) == run(other, self.evaluations, 4, as_asked)

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -2.0])
    def test_impossible_score(self, bad: float) -> None:
        search = self.search()
        first = search.ask()
        assert first is not None
        with pytest.raises(SearchError, match=f"candidate 0, '{OBJECTIVES[1]}': expected a finite score.*got {bad}"):
            search.tell(first.number, {**scores_of(first), OBJECTIVES[1]: bad})
        search.tell(first.number, scores_of(first))

    def test_further_scores_do_not_matter(self) -> None:
        def told_more(search: Search) -> list[Candidate]:
            asked = []
            for _ in range(self.evaluations):
                asked.extend(ask_batch(search, 1))
                search.tell(asked[-1].number, {"another": 3.0, **scores_of(asked[-1])})
            return asked

        assert told_more(self.search()) == run(self.search(), self.evaluations, 1, as_asked)

    def test_failure_scores_for_all(self) -> None:
        """Nothing to choose from: the search goes on, within the bounds, and does not collapse to a point."""
        search = self.search()
        asked = []
        for _ in range(self.evaluations):
            asked.extend(ask_batch(search, 1))
            search.tell(asked[-1].number, dict.fromkeys(OBJECTIVES, FAILURE_SCORE))
        last = [candidate.parameters["e_pas.all"] for candidate in asked[-20:]]
        assert all(-95.0 <= value <= -65.0 for value in last)
        assert np.ptp(last) > 0.0

    def test_zero_scores_for_all(self) -> None:
        search = self.search()
        for _ in range(self.evaluations):
            (candidate,) = ask_batch(search, 1)
            search.tell(candidate.number, dict.fromkeys(OBJECTIVES, 0.0))
        assert search.ask() is not None

    def test_one_parameter_and_one_objective(self) -> None:
        search = self.search(dimensions=DIMENSIONS[1:2], objectives=OBJECTIVES[:1])
        best = math.inf
        for _ in range(2 * self.evaluations):
            (candidate,) = ask_batch(search, 1)
            score = abs(candidate.parameters["e_pas.all"] + 77.7)
            best = min(best, score)
            search.tell(candidate.number, {OBJECTIVES[0]: score})
        assert best < self.precision

    def test_learns(self) -> None:
        """Where both objectives agree, candidates gather around the one best place."""
        search = self.search()
        distances = []
        for _ in range(3 * self.evaluations):
            (candidate,) = ask_batch(search, 1)
            place = np.array([dimension.position(candidate.parameters[dimension.name]) for dimension in DIMENSIONS])
            away = np.abs(place - 0.3)
            distances.append(float(away.max()))
            search.tell(candidate.number, {OBJECTIVES[0]: float(away.sum()), OBJECTIVES[1]: float(away.max())})
        assert np.median(distances[-self.evaluations :]) < self.nearer * np.median(distances[:20])

    # ------------------------------------------------------------------ failures and constraints

    def test_a_first_population_of_failures(self) -> None:
        """Every candidate of the first 50 fails; those after that do not, and the search finds its way."""
        search = self.search()
        distances = []
        for place in range(50 + self.rounds_after_failures * self.evaluations):
            (candidate,) = ask_batch(search, 1)
            away = abs(DIMENSIONS[1].position(candidate.parameters["e_pas.all"]) - 0.3)
            if place < 50:
                search.tell(candidate.number, dict.fromkeys(OBJECTIVES, FAILURE_SCORE), failed=True)
            else:
                distances.append(away)
                search.tell(candidate.number, dict.fromkeys(OBJECTIVES, 10.0 * away))
        assert np.percentile(distances[-self.evaluations :], 10) < 0.02  # 0.05 by chance

    def test_who_failed_does_not_lead_the_search(self) -> None:
        """Failures with the best scores: their region is abandoned, though the best of the rest borders on it."""
        search = self.search()
        failures = []
        for _ in range(4 * self.evaluations):
            (candidate,) = ask_batch(search, 1)
            position = DIMENSIONS[1].position(candidate.parameters["e_pas.all"])
            failures.append(position < 0.5)
            search.tell(
                candidate.number, dict.fromkeys(OBJECTIVES, 0.0 if failures[-1] else 5.0 * position), failures[-1]
            )
        assert np.mean(failures[-2 * self.evaluations :]) < self.beyond

    def test_failures_without_end(self) -> None:
        search = self.search()
        for _ in range(self.evaluations):
            (candidate,) = ask_batch(search, 1)
            search.tell(candidate.number, scores_of(candidate), failed=True)
        assert search.ask() is not None

    # ------------------------------------------------------------------ bounds

    def test_bounds_belong_to_awaited_candidates(self) -> None:
        search = self.search()
        (candidate,) = ask_batch(search, 1)
        bound = search.bound(candidate.number)
        if self.limits_founders:
            assert bound is not None
            assert not bound.excludes(dict.fromkeys(OBJECTIVES, self.hopeful * FAILURE_SCORE))
            assert bound.excludes(dict.fromkeys(OBJECTIVES, FAILURE_SCORE))
        else:
            assert bound is None  # as long as anyone may enter
        for number in (-1, 1):
            with pytest.raises(SearchError, match=f"candidate {number} is not awaited"):
                search.bound(number)
        search.tell(candidate.number, scores_of(candidate))
        with pytest.raises(SearchError, match="candidate 0 is not awaited"):
            search.bound(candidate.number)

    def test_excluded_without_a_bound(self) -> None:
        search = self.search()
        (candidate,) = ask_batch(search, 1)
        message = "is not excluded: its total" if self.limits_founders else "has no bound that could exclude it"
        with pytest.raises(SearchError, match=f"candidate 0 {message}"):
            search.tell(candidate.number, scores_of(candidate), excluded=True)
        search.tell(candidate.number, scores_of(candidate))

    def _first_with_a_bound(self, search: Search) -> Candidate:
        """Of those awaited, after evaluations with total scores of about ten."""
        for _ in range(1000):
            (candidate,) = ask_batch(search, 1)
            bound = search.bound(candidate.number)
            if bound is not None and bound.excludes({OBJECTIVES[0]: 100.0}):  # not that of a founder
                return candidate
            search.tell(candidate.number, scores_of(candidate))
        pytest.fail("no bound in 1000 evaluations")

    def test_bounds(self) -> None:
        """They exclude what is bad beyond doubt, travel to workers, stay as they are, and are held to."""
        if not self.ends_early:
            pytest.skip("this search gives no bounds")
        search = self.search()
        candidate = self._first_with_a_bound(search)
        bound = search.bound(candidate.number)
        assert bound is not None
        assert not bound.excludes({})
        assert not bound.excludes({OBJECTIVES[0]: 0.0, "another": 1e9})
        assert not bound.excludes({OBJECTIVES[0]: math.nan})
        assert bound.excludes({OBJECTIVES[1]: 1e9})
        assert pickle.loads(pickle.dumps(bound)) == bound
        for other in ask_batch(search, 5):
            search.tell(other.number, dict.fromkeys(OBJECTIVES, 0.0))
        assert search.bound(candidate.number) == bound
        with pytest.raises(SearchError, match="is not excluded: its total of 0 lies within its bound"):
            search.tell(candidate.number, {OBJECTIVES[0]: 0.0}, excluded=True)
        with pytest.raises(SearchError, match="cannot both have failed and be excluded"):
            search.tell(candidate.number, {OBJECTIVES[0]: 1e9}, failed=True, excluded=True)
        with pytest.raises(SearchError, match=r"expected a finite score.*got nan"):
            search.tell(candidate.number, {OBJECTIVES[0]: math.nan}, excluded=True)
        search.tell(candidate.number, {OBJECTIVES[0]: 1e9}, excluded=True)

    @pytest.mark.parametrize("workers", [1, 6])
    def test_early_ends_change_nothing(self, workers: int) -> None:
        """The same candidates, whether evaluations end as soon as they may or are carried to the end."""
        full, early = self.search(7), self.search(7)
        generator = random.Random(5)
        awaited: list[tuple[Candidate, Candidate]] = []
        ended = 0
        for _ in range(6 * self.evaluations):
            while len(awaited) < workers and (candidate := full.ask()) is not None:
                other = early.ask()
                assert other == candidate
                awaited.append((candidate, other))
            candidate, other = awaited.pop(generator.randrange(len(awaited)))
            scores = steep_scores_of(candidate)
            failed = scores[OBJECTIVES[0]] == FAILURE_SCORE
            measured, excluded = as_far_as_needed(early, other, scores)
            ended += excluded
            full.tell(candidate.number, scores, failed)
            early.tell(other.number, measured, failed and not excluded, excluded)
        assert (ended > 0) == self.ends_early

    def test_early_ends_are_replayed(self) -> None:
        """Repeating asks and tells, exclusions among them, from any place on gives the same candidates."""
        search = self.search()
        calls: list[tuple[Candidate, dict[str, float], bool]] = []
        for _ in range(2 * self.evaluations):
            (candidate,) = ask_batch(search, 1)
            measured, excluded = as_far_as_needed(search, candidate, steep_scores_of(candidate))
            search.tell(candidate.number, measured, excluded=excluded)
            calls.append((candidate, measured, excluded))
        resumed = self.search()
        for candidate, measured, excluded in calls:
            assert resumed.ask() == candidate
            resumed.tell(candidate.number, measured, excluded=excluded)
        assert resumed.ask() == search.ask()

    # ------------------------------------------------------------------ where it begins, and what it keeps

    def test_places_to_start_from_come_first(self) -> None:
        places = [(0.25, 0.5, 0.75), (0.0, 1.0, 0.5), (0.25, 0.5, 0.75)]
        first = ask_batch(self.search(start=places), 4)
        values = [tuple(d.value(place) for d, place in zip(DIMENSIONS, position, strict=True)) for position in places]
        asked = [tuple(candidate.parameters.values()) for candidate in first]
        assert asked[:2] == [pytest.approx(value, rel=1e-12) for value in values[:2]]
        assert asked.count(asked[0]) == 1, "a place given twice was asked for twice"

    def test_its_state_does_not_grow(self) -> None:
        search = self.search()
        sizes = []
        for count in (self.many // 4, self.many - self.many // 4):
            for _ in range(count):
                (candidate,) = ask_batch(search, 1)
                search.tell(candidate.number, scores_of(candidate))
            sizes.append(state_bytes(search))
        assert sizes[1] < self.larger * sizes[0], sizes
