"""Stages that a campaign declares: what they become, what is said of mistakes, and a campaign of them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from rheobase.campaigns.circuits.building import build_targets
from rheobase.campaigns.circuits.confirming import final_trials
from rheobase.campaigns.circuits.running import check_circuit, make_tuner
from rheobase.campaigns.circuits.schema import CircuitCampaign
from rheobase.campaigns.circuits.stages import build_stages
from rheobase.campaigns.circuits.subject import make_subject
from rheobase.campaigns.circuits.trial_record import read_trials
from rheobase.campaigns.schema_types import CANONICAL
from rheobase.features.activity.populations import Units
from rheobase.features.activity.sonata import write_sonata_spikes
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import RheobaseError
from tests.campaigns.circuits.tiny import load_circuit, write_tiny_circuit
from tests.campaigns.processes import Running

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.fitting.tuning.stage import TuningStage

TUNING = "tuning: {duration: 400 ms, transient: 100 ms, trials: 16, final_seeds: 2}\n"
OWN = """\
tuning:
  duration: 400 ms
  transient: 100 ms
  trials: 16
  stages:
    background: 12
    L4 alone: {trials: 9, accept: {seeds: 1, confirming_seeds: 2, tolerance: 0.5}, proposals: [optuna_tpe]}
    only A:
      targets: ["rate:L4_A"]
      simulated: [L4_A]
      replayed: {"*_B": target}
      free:
        onto A: {parameters: ["weight:*->L4_A"], smallest: 0.5, largest: 2.0}
        background: {parameters: ["background:L4_A"]}
      accept: {seeds: 1, confirming_seeds: 1, tolerance: 0.5}
      after: [single projections]
      duration: 1 s
      trials: 7
      patience: 4
      required: true
    A at a rate:
      targets: ["rate:L4_B"]
      constraints: ["rate:*"]
"""


def _stages(campaign: CircuitCampaign) -> dict[str, TuningStage]:
    stages = build_stages(campaign, make_subject(campaign), build_targets(campaign))
    return {stage.name: stage for stage in stages}


def test_stages_of_ones_own_among_those_of_the_recipe(tmp_path: Path) -> None:
    campaign = load_circuit(write_tiny_circuit(tmp_path, (TUNING, OWN)))
    stages = _stages(campaign)
    assert list(stages)[-1] == "fresh seeds"
    own = stages["only A"]
    assert [(one.key, one.tolerance) for one in own.targets] == [("rate:L4_A", pytest.approx(0.5 * 0.4 * 12.0))]
    assert own.simulated.populations == ("L4_A",)
    assert own.simulated.replayed == {"L4_B": 10.0}
    assert (own.simulated.duration_ms, own.simulated.dropped_ms) == (1100.0, 100.0)
    assert own.simulated.limits is not None
    assert [(knob.name, knob.bounds, knob.coupling) for knob in own.free] == [
        ("onto A", (0.5, 2.0), True), ("background", (0.2, 5.0), False),
    ]  # fmt: skip
    # One excitatory, one inhibitory source.
    assert own.free[0].effects == {"rate:L4_A": pytest.approx(0.1)}
    assert (own.seeds, own.confirming_seeds, own.budget, own.patience, own.required) == (1, 1, 7, 4, True)
    assert own.after == ("single projections",)
    other = stages["A at a rate"]
    assert not other.free
    assert other.after == ("only A",)
    assert {one.key: one.constraint for one in other.targets} == {"rate:L4_B": False, "rate:L4_A": True}
    assert set(stages["fresh seeds"].after) == {"single projections", "only A", "A at a rate"}
    assert stages["background"].budget == 12
    changed = stages["L4 alone"]
    assert (changed.budget, changed.seeds, changed.confirming_seeds) == (9, 1, 2)
    assert changed.proposals == ("optuna_tpe",)
    assert changed.targets[0].tolerance == pytest.approx(0.5 * 0.4 * 12.0)


def test_a_record_knows_its_declared_stages(tmp_path: Path) -> None:
    """What a folder keeps of a campaign becomes the same campaign."""
    campaign = load_circuit(write_tiny_circuit(tmp_path, (TUNING, OWN)))
    again = CircuitCampaign.model_validate(campaign.model_dump(mode="json"), context=CANONICAL)
    assert again.model_dump() == campaign.model_dump()
    assert again.essence() == campaign.essence()
    assert campaign.essence()["tuning"]["stages"]["background"] == 12, "as files before wrote it"
    assert "recipe" not in campaign.essence()["tuning"]


def test_check_lists_declared_stages(tmp_path: Path) -> None:
    lines: list[str] = []
    check_circuit(load_circuit(write_tiny_circuit(tmp_path, (TUNING, OWN))), lines.append)
    assert any(line.strip() == "only A: 2 factors, 1 targets, at most 7 trials of 1.1 s" for line in lines)


def test_a_stage_in_place_of_one_of_the_recipe(tmp_path: Path) -> None:
    """As in the README: what follows starts from it."""
    own = OWN.replace("    only A:", "    L4 alone:").replace("      after: [single projections]\n", "")
    own = own.replace(own[own.index("    L4 alone: {") : own.index("    L4 alone:\n")], "")
    campaign = load_circuit(write_tiny_circuit(tmp_path, (TUNING, own)))
    stages = _stages(campaign)
    assert stages["L4 alone"].after == ("background",)
    assert stages["full circuit"].after == ("L4 alone",)
    check_circuit(campaign, lambda _: None)


def test_silence_is_looked_for_as_long_as_in_the_end(tmp_path: Path) -> None:
    """Its measured time decides about how many cells are silent; without a spectrum no trial is longer for it."""
    measures = (
        "  tolerance: 40 %\n  measures: [{population: L4_A, measure: fraction_silent, value: 0.1, tolerance: 0.1}]\n"
    )
    campaign = load_circuit(write_tiny_circuit(tmp_path, ("  tolerance: 40 %\n", measures)))
    stages = _stages(campaign)
    (final, *_) = final_trials(campaign, {})
    for name in ("spectrum", "fresh seeds"):
        assert (stages[name].simulated.duration_ms, stages[name].simulated.signals) == (final.duration_ms, False), name


MISTAKES = {
    "a target that is not there": (('targets: ["rate:L4_A"]', 'targets: ["rate:L5_A"]'), "'rate:L5_A' is none of the"),
    "a target not simulated": (
        ('targets: ["rate:L4_A"]', 'targets: ["rate:L4_*"]'),
        "rate:L4_B is a target, but 'L4_B' is not simulated; there are L4_A",
    ),
    "a population that is not there": (("simulated: [L4_A]", "simulated: [L5_A]"), "'L5_A' is no population; there"),
    "simulated and replayed": (('{"*_B": target}', '{"*": target}'), "'L4_A' is simulated, so it cannot be replayed"),
    "not recorded": (('{"*_B": target}', '{"*_B": recorded}'), "tuning.recorded has no 'L4_B'"),
    "a rate without a unit": (('{"*_B": target}', '{"*_B": 3}'), "expected a quantity with its unit"),
    "a parameter that is not there": (
        ('["background:L4_A"]', '["background:L5_A"]'),
        r"tuning.stages.only A.free.background: 'background' multiplies 'background:L5_A', but the circuit has no",
    ),
    "bounds that exclude the value so far": (("smallest: 0.5", "smallest: 1.5"), "less than or equal to 1"),
    "after nothing": (("after: [single", "after: [sinlge"), "stage 'only A' comes after 'sinlge projections'; there"),
    "two branches with the same gains": (
        ("after: [single projections]", "after: [background]"),
        r"tuning.stages: stages 'L4 alone' and 'only A' both free weight:L4_A->L4_A, and neither comes after the other",
    ),
    "a circle": (
        ("after: [single projections]", 'after: ["A at a rate"]'),
        "these stages wait for each other: .*only A, A at",
    ),
    "an unknown source of places": (("[optuna_tpe]", "[optuna_tpx]"), "places come from .* got optuna_tpx"),
    "fewer trials than seeds": (("trials: 7", "trials: 1"), "a budget of 1 simulations is less than the seeds"),
    "what only own stages have": (
        ("{trials: 9,", "{connected: false,"), r"tuning.stages.L4 alone: 'constraints', 'simulated', 'replayed' and",
    ),
    "roots of what one factor does not move": (
        ("patience: 4", "proposals: [root]"), "for root finding each knob acts on one target",
    ),
    "without the recipe and without stages": (
        ("  stages:\n" + OWN.partition("  stages:\n")[2], "  recipe: false\n"), "without the recipe there must be",
    ),
    "an unknown key": (("patience: 4", "patiance: 4"), r"unknown key; did you mean 'patience'\?"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_said_with_their_place(tmp_path: Path, mistake: str) -> None:
    (before, after), expected = MISTAKES[mistake]
    assert before in OWN
    path = write_tiny_circuit(tmp_path, (TUNING, OWN.replace(before, after)))
    with pytest.raises(RheobaseError, match=expected) as caught:
        check_circuit(load_circuit(path), lambda _: None)
    assert str(path) in str(caught.value)


# ---------------------------------------------------------------------- recorded trains


def _write_recorded(path: Path, units: int, length_ms: float, population: str = "L4_B", seed: int = 1) -> SpikeTrains:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(20.0 * length_ms / 1000.0, units)
    trains = SpikeTrains(rng.uniform(0.0, length_ms, counts.sum()), np.repeat(np.arange(units), counts),
                         Units.from_sizes({population: units}), 0.0, length_ms)  # fmt: skip
    write_sonata_spikes(trains, path)
    return trains


RECORDED = "tuning:\n  recorded: {L4_B: {file: spikes.h5, population: fast, observed: 0 ms to 1500 ms}}\n"


def test_recorded_trains_are_replayed(tmp_path: Path) -> None:
    trains = _write_recorded(tmp_path / "spikes.h5", 3, 1500.0, "fast")
    own = OWN.replace("tuning:\n", RECORDED).replace('"*_B": target', '"*_B": recorded')
    campaign = load_circuit(write_tiny_circuit(tmp_path, (TUNING, own)))
    simulated = _stages(campaign)["only A"].simulated
    assert not simulated.replayed
    played = simulated.recorded["L4_B"]
    assert len(played.units) == 4, "as many as there are cells"
    assert sorted(len(played.train(cell)) for cell in range(3)) == sorted(trains.counts.tolist())
    tuner = make_tuner(campaign, make_subject(campaign), build_targets(campaign), {})
    asked = tuner.ask()
    assert asked is not None
    assert not asked.trial.recorded, "the background stage simulates all"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("L4_B: {file", "L5_B: {file"), "tuning.recorded.L5_B: 'L5_B' is no population"),
        (("spikes.h5", "nowhere.h5"), "there is no file /.*nowhere.h5"),
        (("spikes.h5", "tiny_circuit.yaml"), "spike trains are read from .h5"),
        ((", observed: 0 ms to 1500 ms", ""), "does not say from when to when it was recorded"),
        (("population: fast", "population: slow"), "there is no population 'slow'"),
        (("duration: 1 s", "duration: 3 s"), "L4_B: its trains last 1500 ms, but a trial of stage 'only A' lasts 3100"),
    ],
)
def test_recorded_trains_that_cannot_be(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    _write_recorded(tmp_path / "spikes.h5", 3, 1500.0, "fast")
    own = OWN.replace("tuning:\n", RECORDED).replace('"*_B": target', '"*_B": recorded')
    assert change[0] in own
    path = write_tiny_circuit(tmp_path, (TUNING, own.replace(*change)))
    with pytest.raises(RheobaseError, match=expected):
        check_circuit(load_circuit(path), lambda _: None)


ALONE = """\
tuning:
  recipe: false
  recorded: {L4_B: {file: spikes.h5, observed: 0 ms to 600 ms}}
  duration: 400 ms
  transient: 100 ms
  final_seeds: 2
  stages:
    A with recorded B:
      targets: ["rate:L4_A"]
      simulated: [L4_A]
      replayed: {L4_B: recorded}
      free: {background: {parameters: ["background:L4_A"]}}
      proposals: [root]
      accept: {seeds: 1, confirming_seeds: 1}
    both:
      targets: ["rate:*"]
      free:
        background A: {parameters: ["background:L4_A"]}
        background B: {parameters: ["background:L4_B"], smallest: 0.1}
        A->B: {parameters: ["weight:L4_A->L4_B"], smallest: 0.05}
      accept: {seeds: 1, confirming_seeds: 2}
      trials: 30
"""


def test_a_campaign_of_ones_own_stages_runs(tmp_path: Path) -> None:
    _write_recorded(tmp_path / "spikes.h5", 2, 600.0)
    path = write_tiny_circuit(tmp_path, (TUNING, ALONE))
    run = Running("run", path, "--out", tmp_path / "run", "--workers", 1)
    assert run.wait(300.0) == 0, run.error
    trials = list(read_trials(tmp_path / "run" / "trials.jsonl"))
    assert list(dict.fromkeys(one.stage for one in trials)) == ["A with recorded B", "both"]
    assert {one.origin for one in trials if one.stage == "A with recorded B"} == {"root"}
    assert "Stage 'A with recorded B': met" in run.error
    assert "Stage 'both': met" in run.error
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "A with recorded B" in page
    _write_recorded(tmp_path / "spikes.h5", 2, 600.0, seed=2)
    again = Running("run", path, "--out", tmp_path / "run")
    assert again.wait(60.0) == 2
    assert "a file of recorded spike trains or rates has changed" in again.error
