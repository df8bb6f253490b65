from __future__ import annotations

import math

import pytest

from rheobase.fitting.search.algorithm import Outcome, Proposal, Setup
from rheobase.fitting.search.restarting import RestartingAlgorithm, Restarts

SETUP = Setup(dimensions=2, groups=1, seed=7, population=10, start=((0.5, 0.5),))


class Remembering:
    """An algorithm that proposes the middle and notes what it learns."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.totals: list[float] = []
        self.exhausted = False

    @property
    def generation_size(self) -> int:
        return self.setup.population or 10

    def propose(self) -> Proposal:
        return Proposal((0.5, 0.5), 3.0)

    def learn(self, proposal: Proposal, outcome: Outcome) -> None:  # noqa: ARG002
        self.totals.append(outcome.total)


def restarting(restarts: Restarts) -> tuple[RestartingAlgorithm, list[Remembering]]:
    made: list[Remembering] = []

    def make(setup: Setup) -> Remembering:
        made.append(Remembering(setup))
        return made[-1]

    return RestartingAlgorithm(make, SETUP, restarts), made


def tell(algorithm: RestartingAlgorithm, *totals: float, failed: bool = False) -> None:
    for total in totals:
        algorithm.learn(algorithm.propose(), Outcome((total,), total, failed))


def test_stagnation() -> None:
    algorithm, made = restarting(Restarts(after=3, improvement=0.1))
    tell(algorithm, 100.0, 95.0, 91.0, 89.0)  # the last one is 10 % better than the first
    tell(algorithm, 85.0, 89.0)
    assert len(made) == 1
    tell(algorithm, 81.0)
    assert len(made) == 2
    tell(algorithm, 500.0, 501.0, 502.0)  # better than nothing in its own run
    assert len(made) == 2
    tell(algorithm, 500.0)
    assert len(made) == 3


def test_failures_and_rejections_are_no_improvement() -> None:
    algorithm, made = restarting(Restarts(after=2))
    tell(algorithm, 1.0, failed=True)
    algorithm.learn(algorithm.propose(), Outcome((math.inf,), math.inf, rejected=True))
    assert len(made) == 2


def test_a_fresh_run() -> None:
    algorithm, made = restarting(Restarts(after=1, improvement=0.0, growth=3.0))
    tell(algorithm, *[5.0] * 1000)
    assert [one.setup.population for one in made[:5]] == [10, 30, 90, 160, 160]
    assert algorithm.generation_size == 160
    assert made[0].setup.start
    assert not any(one.setup.start for one in made[1:])
    assert len({one.setup.seed for one in made}) == len(made)
    assert len(made[3].totals) == 17, "patience grows with the population"


def test_converged() -> None:
    algorithm, made = restarting(Restarts())
    tell(algorithm, *[5.0] * 500)
    assert len(made) == 1
    made[0].exhausted = True
    tell(algorithm, 5.0)
    assert len(made) == 2


def test_late_answers_of_an_earlier_run_are_forgotten() -> None:
    algorithm, made = restarting(Restarts(after=1, improvement=0.0))
    late = algorithm.propose()
    assert (late.position, late.largest_total) == ((0.5, 0.5), 3.0)
    tell(algorithm, 5.0, 5.0)
    assert len(made) == 2
    algorithm.learn(late, Outcome((0.0,), 0.0))
    assert made[0].totals == [5.0, 5.0]
    assert made[1].totals == []


@pytest.mark.parametrize("growth", [1.0, 2.0])
def test_growth_has_an_end(growth: float) -> None:
    algorithm, _ = restarting(Restarts(after=1, improvement=0.0, growth=growth))
    tell(algorithm, *[5.0] * 3000)
    assert algorithm.generation_size == (10 if growth == 1.0 else 160)
