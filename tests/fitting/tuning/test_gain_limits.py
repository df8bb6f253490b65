"""Limits of parameters by data: nothing beyond them is ever simulated, and what needs more is not met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.circuit import CircuitResponse
from rheobase.fitting.tuning.gain_limits import GainLimits
from rheobase.fitting.tuning.stage import Knob, Simulated, TuningStage
from rheobase.fitting.tuning.targets import rate_target
from rheobase.fitting.tuning.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.circuits.circuit import Trial

PARAMETERS = ("weight:A->A", "weight:B->A")


@dataclass
class Driven:
    """A population whose rate is 2 Hz times both of its weights."""

    populations: Mapping[str, int] = field(default_factory=lambda: {"A": 100})
    parameters: tuple[str, ...] = PARAMETERS
    asked: list[dict[str, float]] = field(default_factory=list)

    def simulate(self, trial: Trial) -> CircuitResponse:
        self.asked.append({name: trial.parameters.get(name, 1.0) for name in PARAMETERS})
        rate_Hz = 2.0 * float(np.prod(list(self.asked[-1].values())))
        seconds = trial.duration_ms / 1000.0
        counts = np.random.default_rng(trial.seed).poisson(rate_Hz * seconds, 100)
        times = np.linspace(0.0, trial.duration_ms, counts.sum())
        spikes = SpikeTrains(times, np.repeat(np.arange(100), counts), Units.from_sizes({"A": 100}), 0.0,
                             trial.duration_ms)  # fmt: skip
        return CircuitResponse(spikes, simulated_ms=trial.duration_ms)


def measure(response: CircuitResponse, stage: TuningStage) -> dict[str, float | None]:
    return {"rate:A": float(response.spikes.counts.mean()) / response.spikes.duration_s}


def stage(rate_Hz: float, *knobs: Knob) -> TuningStage:
    target = rate_target("A", rate_Hz, 0.1 * rate_Hz)
    return TuningStage("all", knobs, (target,), Simulated(4000.0), budget=40)


BOTH = Knob("all->A", ("weight:*",), (0.2, 5.0), {"rate:A": 1.0})


def test_a_limited_gain_stays_and_the_others_go_on() -> None:
    circuit, limits = Driven(), {"weight:A->A": (0.5, 1.5)}
    tuned = tune(circuit, [stage(9.0, BOTH)], 1, measure, limits=limits)
    assert tuned.met, tuned.sentences
    assert tuned.parameters["weight:A->A"] == pytest.approx(1.5)
    assert tuned.parameters["weight:B->A"] == pytest.approx(3.0, rel=0.15)
    assert all(0.5 <= one["weight:A->A"] <= 1.5 for one in circuit.asked)
    free = tune(Driven(), [stage(9.0, BOTH)], 1, measure)
    assert free.parameters["weight:A->A"] == pytest.approx(4.5**0.5, rel=0.1), "without limits both grow alike"


def test_what_needs_more_than_data_allow_is_not_met() -> None:
    circuit, limits = Driven(), {"weight:A->A": (0.5, 1.5)}
    tuned = tune(circuit, [stage(9.0, Knob("A->A", ("weight:A->A",), (0.2, 5.0)))], 1, measure, limits=limits)
    assert not tuned.met
    assert max(one["weight:A->A"] for one in circuit.asked) == pytest.approx(1.5)
    assert any("A->A (at its upper bound, 1.5)" in sentence for sentence in tuned.sentences)


def test_a_gain_beyond_its_limits_as_described_is_moved_at_once() -> None:
    circuit = Driven()
    limits = {"weight:A->A": (0.2, 0.5)}
    tuned = tune(circuit, [stage(2.0, Knob("B->A", ("weight:B->A",)))], 1, measure, limits=limits)
    assert tuned.met
    assert all(one["weight:A->A"] == 0.5 for one in circuit.asked)
    assert tuned.parameters["weight:B->A"] == pytest.approx(2.0, rel=0.15)


def test_knobs_have_no_room_in_which_nothing_moves() -> None:
    limits = GainLimits({"weight:A->A": (0.5, 1.5), "weight:B->A": (0.9, 2.0)})
    matched = {"all->A": PARAMETERS, "A->A": PARAMETERS[:1]}
    narrowed = limits.narrowed(stage(2.0, BOTH, Knob("A->A", PARAMETERS[:1], (0.2, 5.0))), matched,
                               {"weight:A->A": 1.5})  # fmt: skip
    assert narrowed.free[0].bounds == pytest.approx((0.5 / 1.5, 2.0))
    assert narrowed.free[1].bounds == pytest.approx((0.5 / 1.5, 1.0))
    assert limits.at_limits({"weight:A->A": 1.5, "weight:B->A": 1.2}) == {"weight:A->A": (1.5, True)}


def test_limits_have_an_order() -> None:
    with pytest.raises(CampaignError, match="the limits of weight:A->A are factors above 0, the smaller one first"):
        GainLimits({"weight:A->A": (2.0, 1.0)})
