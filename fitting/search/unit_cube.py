"""The ask/tell side of every search: numbers, bounds, checks of what is told, and whole generations on demand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic

from rheobase.fitting.evaluation import Candidate
from rheobase.fitting.search.algorithm import Outcome, P
from rheobase.fitting.search.interface import SearchError, TotalBound, total_score
from rheobase.objectives.scores import deviations as deviations_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.fitting.search.algorithm import Algorithm
    from rheobase.fitting.search.space import Dimension


class UnitCubeSearch(Generic[P]):
    """A search over a box of parameters by an algorithm that knows the unit cube only.

    Args:
        dimensions: The free parameters.
        objectives: Names of all objectives, to be minimised.
        algorithm: Where the proposals come from.
        deterministic: Whether whole generations are awaited. The algorithm learns their outcomes in the order of their
            numbers, so that nothing depends on the order in which evaluations end, nor on the number of workers.
            Otherwise there is a new candidate whenever one is asked for.
        groups: Group of each objective, by name; None: every objective is its own group. Multi-objective algorithms
            see the mean of a group: among some thirty objectives nearly every model is the best at something and
            nothing is selected; among a few groups the good ones are.
    """

    def __init__(
        self,
        dimensions: Sequence[Dimension],
        objectives: Sequence[str],
        algorithm: Algorithm[P],
        deterministic: bool = False,
        groups: Mapping[str, str] | None = None,
    ) -> None:
        self._dimensions = tuple(dimensions)
        self._objectives = tuple(objectives)
        self._algorithm = algorithm
        self._deterministic = deterministic
        self._groups = list(group_members(self._objectives, groups).values())
        self._next_number = 0
        self._awaited: dict[int, P] = {}
        self._left_in_generation = algorithm.generation_size
        self._learnt_later: dict[int, tuple[P, Outcome]] = {}

    def ask(self) -> Candidate | None:
        """The next candidate; None while a generation of a deterministic search is incomplete."""
        if self._deterministic:
            if self._left_in_generation == 0:
                return None
            self._left_in_generation -= 1
        proposal = self._algorithm.propose()
        number = self._next_number
        self._next_number += 1
        self._awaited[number] = proposal
        values = {d.name: d.value(place) for d, place in zip(self._dimensions, proposal.position, strict=True)}
        return Candidate(number, values)

    def bound(self, number: int) -> TotalBound | None:
        """What a candidate must not exceed, None when it must be evaluated to the end."""
        largest_total = self._proposal(number).largest_total
        return None if math.isinf(largest_total) else TotalBound(self._objectives, largest_total)

    def tell(
        self,
        number: int,
        scores: Mapping[str, float],
        failed: bool = False,
        excluded: bool = False,
        deviations: Mapping[str, float] | None = None,
    ) -> None:
        """The scores of a candidate that was asked for."""
        proposal = self._proposal(number)
        self._check(number, scores, partial=excluded)
        if excluded:
            self._check_excluded(number, scores, failed)
        outcome = self._outcome(proposal, scores, failed, deviations)
        del self._awaited[number]
        if self._deterministic:
            self._learnt_later[number] = (proposal, outcome)
            if self._left_in_generation == 0 and not self._awaited:
                self._end_generation()
        else:
            self._algorithm.learn(proposal, outcome)

    def _end_generation(self) -> None:
        for _, (proposal, outcome) in sorted(self._learnt_later.items()):
            self._algorithm.learn(proposal, outcome)
        self._learnt_later.clear()
        self._left_in_generation = self._algorithm.generation_size

    def _outcome(
        self, proposal: P, scores: Mapping[str, float], failed: bool, deviations: Mapping[str, float] | None
    ) -> Outcome:
        total = total_score(self._objectives, scores)
        # What was ended early and what was not must be the same to the algorithm.
        if (failed and not math.isinf(proposal.largest_total)) or total > proposal.largest_total:
            return Outcome((math.inf,) * len(self._groups), math.inf, rejected=True)
        means = (sum(math.log1p(scores[name]) for name in members) / len(members) for members in self._groups)
        known = deviations_of(scores) if deviations is None else deviations
        return Outcome(tuple(means), total, failed, deviations=tuple(known[name] for name in self._objectives))

    def _proposal(self, number: int) -> P:
        if number not in self._awaited:
            raise SearchError(f"candidate {number} is not awaited: it was never asked for, or was told before")
        return self._awaited[number]

    def _check(self, number: int, scores: Mapping[str, float], partial: bool) -> None:
        for name in self._objectives:
            if name not in scores:
                if partial:
                    continue
                raise SearchError(f"candidate {number} comes without a score for the objective '{name}'")
            if not 0.0 <= scores[name] < math.inf:  # NaN neither
                raise SearchError(
                    f"candidate {number}, '{name}': expected a finite score, zero or more, got {scores[name]}"
                )

    def _check_excluded(self, number: int, scores: Mapping[str, float], failed: bool) -> None:
        bound = self.bound(number)
        if failed:
            raise SearchError(f"candidate {number} cannot both have failed and be excluded")
        if bound is None:
            raise SearchError(f"candidate {number} has no bound that could exclude it")
        if not bound.excludes(scores):
            total = total_score(self._objectives, scores)
            raise SearchError(
                f"candidate {number} is not excluded: its total of {total:g} lies within its bound, "
                f"{bound.largest_total:g}"
            )


def group_members(objectives: Sequence[str], groups: Mapping[str, str] | None) -> dict[str, list[str]]:
    """Objectives of each group; every objective by itself when there are no groups.

    Raises:
        SearchError: an objective without a group.
    """
    members: dict[str, list[str]] = {}
    for name in objectives:
        if groups is not None and name not in groups:
            raise SearchError(f"the objective '{name}' belongs to no group")
        members.setdefault(name if groups is None else groups[name], []).append(name)
    return members
