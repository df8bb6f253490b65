"""Stages in a graph with branches: what each starts from, and what comes out."""

from __future__ import annotations

import math

import pytest

from rheobase.features.errors import CampaignError
from rheobase.fitting.tuning.stage import Knob, Simulated, TuningStage
from rheobase.fitting.tuning.targets import rate_target
from rheobase.fitting.tuning.trials import Outcome
from rheobase.fitting.tuning.tuner import Tuner

SIMULATED = Simulated(1000.0)
TARGETS = {"A": 4.0, "B": 9.0}  # Hz, where all factors are 1 the rates are 2 and 3
NAMES = ("background:A", "background:B", "weight:A->A", "weight:A->B")


def stage(name: str, population: str, *free: str, after: tuple[str, ...] = ()) -> TuningStage:
    key = f"rate:{population}"
    knobs = tuple(Knob(one, (one,), (0.2, 5.0), {key: 1.0}) for one in free)
    target = rate_target(population, TARGETS[population], 0.05 * TARGETS[population])
    return TuningStage(name, knobs, (target,), SIMULATED, budget=40, after=after)


def rates(parameters: dict[str, float]) -> dict[str, float]:
    value = {name: parameters.get(name, 1.0) for name in NAMES}
    return {
        "rate:A": 2.0 * value["background:A"] * value["weight:A->A"],
        "rate:B": 3.0 * value["background:B"] * value["weight:A->B"],
    }


def tuned(*stages: TuningStage, limits: dict[str, tuple[float, float]] | None = None) -> Tuner:
    tuner = Tuner({"A": 10, "B": 10}, NAMES, stages, seed=1, limits=limits)
    while not tuner.finished:
        asked = tuner.ask()
        assert asked is not None
        tuner.tell(asked.number, Outcome(rates(dict(asked.trial.parameters)), None, 1000.0, 0.0))
    return tuner


def test_branches_come_together() -> None:
    """What the first branch tuned is not taken back by the second, which knows nothing of it."""
    tuner = tuned(
        stage("A", "A", "weight:A->A"),
        stage("B", "B", "weight:A->B"),
        stage("both", "A", "background:A", after=("A", "B")),
    )
    assert tuner.met
    assert tuner.parameters["weight:A->A"] == pytest.approx(2.0, rel=0.06)
    assert tuner.parameters["weight:A->B"] == pytest.approx(3.0, rel=0.06)
    assert rates(tuner.parameters) == {key: pytest.approx(hz, rel=0.06) for key, hz in
                                       (("rate:A", 4.0), ("rate:B", 9.0))}  # fmt: skip


def test_a_limit_that_a_branch_inherits_is_not_what_it_found() -> None:
    """The gain of A is moved to its limit before anything begins; B, after A in the order, does not move it back."""
    tuner = tuned(
        stage("A", "A", "weight:A->A"),
        stage("B", "B", "weight:A->B"),
        stage("both", "A", "background:A", after=("A", "B")),
        limits={"weight:A->A": (1.2, 8.0)},
    )
    assert tuner.met
    assert tuner.parameters["weight:A->A"] == pytest.approx(2.0, rel=0.06)


def test_later_stages_go_on_from_earlier_ones_at_any_distance() -> None:
    tuner = tuned(
        stage("first", "A", "background:A"),
        stage("second", "B", "background:B", after=("first",)),
        stage("third", "A", "weight:A->A", after=("second",)),
    )
    third = next(one for one in tuner.progress() if one.name == "third")
    assert third.parameters["background:A"] == pytest.approx(2.0, rel=0.06)
    assert math.prod(third.factors.values()) == pytest.approx(1.0, rel=0.06)


def test_two_branches_may_not_tune_the_same() -> None:
    stages = (stage("A", "A", "weight:A->A"), stage("other", "A", "weight:A->A", "background:A"))
    with pytest.raises(CampaignError, match="'A' and 'other' both free weight:A->A, and neither comes after the other"):
        Tuner({"A": 10, "B": 10}, NAMES, stages, seed=1)
    chained = (stages[0], stage("other", "A", "weight:A->A", after=("A",)))
    assert tuned(*chained).met
