"""Campaign files of circuits: what they become, and what is said of mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns.circuits.building import build_blueprint, build_targets
from rheobase.campaigns.circuits.durations import limit_s
from rheobase.campaigns.circuits.running import check_circuit, make_tuner
from rheobase.campaigns.circuits.stages import build_stages
from rheobase.campaigns.circuits.subject import make_subject
from rheobase.campaigns.loading import LIBRARY_FOLDER, library
from rheobase.features.errors import RheobaseError
from rheobase.fitting.circuits.callable_circuit import CallableCircuit
from rheobase.fitting.circuits.circuit import Trial
from rheobase.fitting.circuits.command_circuit import CommandCircuit
from rheobase.fitting.tuning.trials import Outcome
from tests.campaigns.circuits.tiny import load_circuit, write_tiny_circuit

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.fitting.tuning.stage import TuningStage

EEG = LIBRARY_FOLDER / "targets" / "eeg_rest_sub038.json"


def _stages(campaign: CircuitCampaign) -> tuple[TuningStage, ...]:
    return build_stages(campaign, make_subject(campaign), build_targets(campaign))


def test_a_circuit_as_it_is_described(tmp_path: Path) -> None:
    blueprint = build_blueprint(load_circuit(write_tiny_circuit(tmp_path)))
    assert {one.name: one.size for one in blueprint.populations} == {"L4_A": 8, "L4_B": 4}
    assert all(10 <= len(one.variants) <= 50 for one in blueprint.populations)
    found = {one.name: one for one in blueprint.projections}
    assert set(found) == {"L4_A->L4_A", "L4_B->L4_A", "L4_A->L4_B"}
    assert found["L4_A->L4_B"].probability == 0.5
    assert found["L4_B->L4_A"].conductance_nS == 0.5
    assert not found["L4_B->L4_A"].synapse.is_excitatory
    assert set(blueprint.parameters) >= {"weight:L4_A->L4_B", "background:L4_A", "background:L4_B"}


def test_tolerances_are_no_narrower_than_what_is_known(tmp_path: Path) -> None:
    keys = load_circuit(write_tiny_circuit(tmp_path)).targets
    assert keys.tolerance_Hz("L4_A") == pytest.approx(0.4 * 12.0)
    narrow = load_circuit(write_tiny_circuit(tmp_path, ("tolerance: 40 %", "tolerance: 10 %"))).targets
    assert narrow.tolerance_Hz("L4_A") == pytest.approx(1.2)
    assert narrow.tolerance_Hz("L4_B") == pytest.approx(12.0 / 3.0), "the standard error of the mean of 9 units"


def test_a_part_of_the_cells_with_the_input_of_all(tmp_path: Path) -> None:
    blueprint = build_blueprint(load_circuit(write_tiny_circuit(tmp_path, ("  radius:", "  scale: 0.7\n  radius:"))))
    assert {one.name: one.size for one in blueprint.populations} == {"L4_A": 6, "L4_B": 3}
    assert any(one.name.startswith("lost ") for one in blueprint.backgrounds)


def test_further_measures_are_targets_of_the_last_stages(tmp_path: Path) -> None:
    change = ("  tolerance: 40 %\n", "  tolerance: 40 %\n  measures: [{population: L4_A, measure: cv_isi, value: 0.8, "
              "tolerance: 0.3}]\n")  # fmt: skip
    campaign = load_circuit(write_tiny_circuit(tmp_path, change))
    (target,) = [one for one in build_targets(campaign).populations if one.population == "L4_A"]
    assert target.cv_isi is not None
    assert (target.cv_isi.value, target.cv_isi.tolerance) == (0.8, 0.3)
    found = {stage.name: [one.key for one in stage.targets] for stage in _stages(campaign)}
    assert "cv_isi:L4_A" in found["spectrum"]
    assert "cv_isi:L4_A" not in found["L4 alone"]
    wrong = load_circuit(write_tiny_circuit(tmp_path, (change[0], change[1].replace("L4_A", "L4_C"))))
    with pytest.raises(RheobaseError, match=r"targets.measures: 'L4_C' has no rate to be tuned to"):
        build_targets(wrong)


def test_stages_of_one_layer(tmp_path: Path) -> None:
    campaign = load_circuit(write_tiny_circuit(tmp_path, ("final_seeds: 2", "final_seeds: 2, stages: {background: 7}")))
    stages = _stages(campaign)
    assert [stage.name for stage in stages] == [
        "background", "L4 alone", "full circuit", "single projections", "fresh seeds",
    ]  # fmt: skip
    assert stages[0].budget == 7
    assert stages[1].budget == 16


def test_backgrounds_that_do_not_excite_stay_as_described(tmp_path: Path) -> None:
    more = (
        '    - {target: "*_B", fluctuating: {mean: 8 nS, std_ratio: 0.4}}\n',
        '    - {target: "*_B", fluctuating: {mean: 8 nS, std_ratio: 0.4}}\n'
        '    - {target: "*", name: inhibitory, fluctuating: {mean: 3 nS, reversal: -75 mV}}\n'
        '    - {target: "*", name: tonic, tonic: {conductance: 1e-5 S/cm2}}\n',
    )
    campaign = load_circuit(write_tiny_circuit(tmp_path, more, ("  radius:", "  scale: 0.7\n  radius:")))
    assert any(":lost " in name for name in make_subject(campaign).parameters)
    knobs = {knob.name: knob.parameters for stage in _stages(campaign) for knob in stage.free}
    assert knobs["background L4_A"] == ("background:L4_A",)
    assert knobs["background L4_B"] == ("background:L4_B",)


def test_a_modulation_is_not_made_deeper_than_its_rate(tmp_path: Path) -> None:
    more = (
        '    - {target: "*_B", fluctuating: {mean: 8 nS, std_ratio: 0.4}}\n',
        '    - {target: "*_B", fluctuating: {mean: 8 nS, std_ratio: 0.4}}\n'
        '    - {target: "*_A", name: thalamus, poisson: {synapse: excitation, conductance: 0.1 nS, trains: 5, '
        "rate: 5 Hz, modulation: 10 Hz, depth: 80 %}}\n",
    )
    own = """tuning:
  recipe: false
  stages:
    modulation:
      targets: ["rate:*"]
      free: {depth: {parameters: ["modulation:*"], smallest: 0.5, largest: 2}}
      proposals: [optuna_tpe]
"""
    tuning = "tuning: {duration: 400 ms, transient: 100 ms, trials: 16, final_seeds: 2}\n"
    campaign = load_circuit(write_tiny_circuit(tmp_path, more, (tuning, own)))
    subject, name = make_subject(campaign), "modulation:L4_A:thalamus"
    tuner = make_tuner(campaign, subject, build_targets(campaign), {})
    tried = set()
    while not tuner.finished:
        asked = tuner.ask()
        assert asked is not None
        tried.add(asked.trial.parameters.get(name, 1.0))
        tuner.tell(asked.number, Outcome({"rate:L4_A": 30.0, "rate:L4_B": 1.0}, None, 1.0, 0.0))
    assert max(tried) <= 1.25
    assert len(tried) > 5
    deepest = Trial({name: subject.limits[name][1]}, seed=1, duration_ms=20.0, simulated=("L4_A",))
    assert subject.build().simulate(deepest).stopped is None


MISTAKES = {
    "a population in no layer": (
        ("{layer: L4, cells: etype_bac", "{layer: L5, cells: etype_bac"),
        r"line \d+, circuit: the population 'L4_A' lies in 'L5', which is no layer; there are L4",
    ),
    "an ensemble that does not exist": (
        ("cells: etype_bac", "cells: etype_bax"),
        r"circuit.populations.L4_A.cells: 'etype_bax' is neither the folder of a campaign nor an ensemble",
    ),
    "a synapse that does not exist": (
        ("synapse: excitation", "synapse: excitatoin"),
        r"'excitatoin' is no synapse; there are excitation, inhibition",
    ),
    "a conductance without a unit": (("conductance: 0.3 nS", "conductance: 0.3"), r"got 0.3"),
    "a wrong unit": (("conductance: 0.3 nS", "conductance: 0.3 mV"), r"expected a unit like nS, got 'mV'"),
    "a probability above 1": (("L4_B: 0.5}", "L4_B: 1.5}"), r"a probability lies between 0 and 1, got 1.5"),
    "a source that does not exist": (
        ("L4_B: {L4_A: 0.5}", "L4_B: {L4_C: 0.5}"), r"'L4_C' is no population; there are L4_A, L4_B",
    ),
    "no rule": (('source: "*_B"', 'source: "*_C"'), r"no rule says what L4_B->L4_A is like"),
    "a background for nobody": (
        ('{target: "*_B", fluctuating', '{target: "*_C", fluctuating'), r"'\*_C' is none of the populations",
    ),
    "two kinds of background": (
        ("fluctuating: {mean: 2 nS, std_ratio: 0.4}", "fluctuating: {mean: 2 nS}, tonic: {conductance: 1e-5 S/cm2}"),
        r"give one of 'fluctuating', 'poisson' and 'tonic'",
    ),
    "a rate of nobody": (("rates: {L4_A: 12 Hz", "rates: {L4_C: 12 Hz"), r"targets.rates names 'L4_C'"),
    "a population without a rate": (("L4_A: 12 Hz, ", ""), r"every population needs a rate to be tuned to; L4_A has"),
    "a name that is no group in a file": (
        ("    L4_A: {layer", "    L2/3_A: {layer"), r"the name of a population or stimulus has none of / : .*'L2/3_A'",
    ),
    "a spectrum of too short trials": (
        ("  tolerance: 40 %\ntuning: {", f"  spectrum: {{file: {EEG}}}\ntuning: {{spectrum_duration: 800 ms, "),
        r"tuning.spectrum_duration: a spectrum with a bin every 1 Hz is measured in 1000 ms at least, got 800 ms",
    ),
    "an unknown key": (("trials: 16", "trails: 16"), r"unknown key; did you mean 'trials'\?"),
    "an unknown stage": (("trials: 16", "trials: 16, stages: {backround: 3}"), r"there is no stage 'backround'"),
    "receptors of both signs": (
        ("AMPA: {rise: 0.2 ms, decay: 1.7 ms, reversal: 0 mV}",
         "AMPA: {rise: 0.2 ms, decay: 2 ms, reversal: 0 mV}, GABA_A: {rise: 0.2 ms, decay: 2 ms, reversal: -80 mV}"),
        r"circuit.synapses.excitation: the synapse 'excitation' needs AMPA, NMDA or both",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_said_with_their_place(tmp_path: Path, mistake: str) -> None:
    change, expected = MISTAKES[mistake]
    path = write_tiny_circuit(tmp_path, change)
    with pytest.raises(RheobaseError, match=expected) as caught:
        _stages(load_circuit(path))
    assert str(path) in str(caught.value)


EXTERNAL = """\
rheobase: 1
name: others
external:
  populations: {E: 80, I: 20}
  parameters: ["weight:E->E", "weight:I->E", "background:E", "background:I"]
  layers: {all: {excitatory: [E], inhibitory: [I]}}
  WAY
targets: {rates: {E: 2 Hz, I: 6 Hz}}
"""


def test_circuits_of_others(tmp_path: Path) -> None:
    path = tmp_path / "others.yaml"
    path.write_text(EXTERNAL.replace("WAY", "command: [python3, simulate.py]"), encoding="utf-8")
    subject = make_subject(load_circuit(path))
    assert isinstance(subject.build(), CommandCircuit)
    path.write_text(EXTERNAL.replace("WAY", "function: tests.campaigns.circuits.others:simulate"), encoding="utf-8")
    campaign = load_circuit(path)
    subject = make_subject(campaign)
    assert isinstance(subject.build(), CallableCircuit)
    stages = build_stages(campaign, subject, build_targets(campaign))
    assert [knob.name for knob in stages[1].free] == ["E->E", "I->E"]


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("time_limit: 5 s", "give either 'command' or 'function'"),
        ("function: tests.campaigns.circuits.others:nothing", "nothing"),
        ("command: [no-such-simulator]", "there is no command 'no-such-simulator' that can be run"),
    ],
)
def test_circuits_of_others_that_cannot_be(tmp_path: Path, way: str, expected: str) -> None:
    path = tmp_path / "others.yaml"
    path.write_text(EXTERNAL.replace("WAY", way), encoding="utf-8")
    with pytest.raises(RheobaseError, match=expected):
        make_subject(load_circuit(path))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("populations: {E: 80", "populations: {E: 0"), "greater than or equal to 1"),
        (("targets:", "tuning: {layers: [L5]}\ntargets:"), "tuning.layers: the layers to tune are L5, but .* has all"),
        (("populations: {E: 80", "populations: {E/x: 80"), "the name of a population or stimulus has none of /"),
    ],
)
def test_mistakes_in_circuits_of_others(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    path = tmp_path / "others.yaml"
    text = EXTERNAL.replace("WAY", "command: [python3, simulate.py]")
    if "E/x" in change[1]:
        text = text.replace("excitatory: [E]", "excitatory: [E/x]")
    path.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(RheobaseError, match=expected):
        check_circuit(load_circuit(path), lambda _: None)


def test_commands_have_the_time_that_they_are_given(tmp_path: Path) -> None:
    path = tmp_path / "others.yaml"
    path.write_text(EXTERNAL.replace("WAY", "command: [python3, a.py]\n  time_limit: 2 h"), encoding="utf-8")
    assert limit_s(load_circuit(path), 500.0) > 7200.0
    assert limit_s(load_circuit(write_tiny_circuit(tmp_path)), 500.0) == 300.0


def test_the_first_rule_with_an_in_degree_holds(tmp_path: Path) -> None:
    rule = '      - {source: "*_A", target: "*", synapse: excitation, conductance: 0.3 nS, contacts: 2}\n'
    first = "      - {source: L4_B, target: L4_B, synapse: inhibition, conductance: 1 nS, in_degree: 2}\n"
    then = '      - {source: "*_B", target: "*_B", synapse: inhibition, conductance: 2 nS, in_degree: 3}\n'
    blueprint = build_blueprint(load_circuit(write_tiny_circuit(tmp_path, (rule, rule + first + then))))
    (made,) = (one for one in blueprint.projections if one.name == "L4_B->L4_B")
    assert (made.in_degree, made.conductance_nS) == (2, 1.0)
    both = first.replace("target: L4_B", "target: L4_A")
    with pytest.raises(RheobaseError, match="L4_B->L4_A is connected by a probability and by a rule with 'in_degree'"):
        build_blueprint(load_circuit(write_tiny_circuit(tmp_path, (rule, rule + both))))


def test_a_campaign_has_one_circuit(tmp_path: Path) -> None:
    path = write_tiny_circuit(tmp_path)
    path.write_text(path.read_text() + EXTERNAL.partition("external:")[1] + "\n  " + "populations: {}\n  "
                    "parameters: []\n  layers: {}\n  command: [ls]\n")  # fmt: skip
    with pytest.raises(RheobaseError, match="give either 'circuit', which NEURON simulates, or 'external'"):
        load_circuit(path)


def test_the_ready_column_can_be_built() -> None:
    campaign = load_circuit(library()["cortical_column"])
    subject = make_subject(campaign)
    assert 250 <= sum(subject.populations.values()) <= 500
    assert len(subject.populations) == 16
    assert subject.blueprint is not None
    assert all(len(one.variants) >= 10 for one in subject.blueprint.populations)
    assert [layer.name for layer in subject.layers] == ["L4", "L23", "L5", "L6"]
