"""The whole tuning on a mean-field model: recovery, resume, verdicts, cost beside plain sampling."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.circuit import Trial
from rheobase.fitting.search.interface import SearchError
from rheobase.fitting.tuning.recipe import RecipeSettings, rate_limits, standard_recipe
from rheobase.fitting.tuning.stage import Knob, Simulated, TuningStage
from rheobase.fitting.tuning.targets import TuningTarget, rate_target
from rheobase.fitting.tuning.trials import Outcome, Told
from rheobase.fitting.tuning.tuner import Tuner
from rheobase.fitting.tuning.tuning import tune
from tests.fitting.tuning.toy_circuit import LAYERS, POPULATIONS, SIZES, ToyCircuit, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

TWO_LAYERS = POPULATIONS[:8]
TRUE = ToyCircuit(names=TWO_LAYERS)
TRUE_RATES = TRUE.rates(Trial({}, 0, 1000.0))
UNCONNECTED = TRUE.rates(Trial({}, 0, 1000.0, connected=False))
TARGETS = [rate_target(name, rate, max(0.2 * rate, 0.5)) for name, rate in TRUE_RATES.items()]
SPECTRUM = [TuningTarget("aperiodic_exponent", 1.2, 0.15)]
SETTINGS = RecipeSettings(duration_ms=2500.0, spectrum_ms=6000.0, unconnected_Hz=UNCONNECTED)


def perturbed(seed: int) -> ToyCircuit:
    """The true circuit with every strength halved or doubled."""
    rng = np.random.default_rng(seed)
    return ToyCircuit({name: float(rng.choice([0.5, 2.0])) for name in TRUE.parameters}, TWO_LAYERS)


def recipe(*extra: TuningTarget, settings: RecipeSettings = SETTINGS) -> tuple[TuningStage, ...]:
    return standard_recipe(LAYERS[:2], [*TARGETS, *extra], SIZES, TRUE.parameters, settings)


def excited(population: str, target: TuningTarget) -> Knob:
    sources = ("*_E", "*_PV", "*_SST", "*_VIP")
    return Knob(
        f"all->{population}", tuple(f"weight:{s}->{population}" for s in sources[:1]), effects={target.key: 0.6}
    )


@pytest.mark.parametrize("seed", range(5))
def test_rates_and_spectrum_are_found_again(seed: int) -> None:
    circuit = perturbed(seed)
    tuned = tune(circuit, recipe(*SPECTRUM), seed, measure)
    assert tuned.met, tuned.sentences
    found = Trial(tuned.parameters, 0, 1000.0)
    for name, rate in circuit.rates(found).items():
        assert rate == pytest.approx(TRUE_RATES[name], rel=0.3, abs=0.6), name
    assert circuit.exponent(found) == pytest.approx(1.2, abs=0.2)
    assert tuned.stages[-1].best[0].judged.met
    assert len(tuned.stages[-1].best[0].values) == 5
    print(f"seed {seed}: {circuit.simulations} simulations, {circuit.cell_seconds:.0f} cell seconds")


def cost_until_rates_are_met(stages: Sequence[TuningStage], seed: int) -> tuple[bool, float]:
    circuit = perturbed(seed)
    tuned = tune(circuit, stages, seed, measure)
    return tuned.stages[-1].state == "met", circuit.cell_seconds


def test_cheaper_than_sampling_all_gains_of_the_full_circuit() -> None:
    """Plain TPE over all gains and backgrounds gets three times the cost of the stages, and does not get there."""
    stages = recipe()
    met, cost = cost_until_rates_are_met(stages, 1)
    full = next(stage for stage in stages if stage.name == "full circuit")
    background = next(stage for stage in stages if stage.name == "background")
    budget = int(3.0 * cost / (sum(TRUE.populations.values()) * full.simulated.duration_ms / 1000.0))
    sampled = dataclasses.replace(
        full,
        free=(*full.free, *background.free),
        proposals=("optuna_tpe",),
        budget=budget,
        patience=budget,
        after=(),
    )
    sampled = dataclasses.replace(
        sampled, free=tuple(dataclasses.replace(knob, bounds=(0.2, 5.0)) for knob in sampled.free)
    )
    sampled_met, sampled_cost = cost_until_rates_are_met([sampled], 1)
    print(f"stages {cost:.0f} cell seconds, TPE {sampled_cost:.0f}: ratio {sampled_cost / cost:.1f}, met {sampled_met}")
    assert met
    assert not sampled_met


def test_impossible_targets_end_in_a_statement() -> None:
    """Two populations on one factor cannot be moved apart."""
    unconnected = {name: UNCONNECTED[name] for name in ("L4_PV", "L4_E")}
    targets = tuple(
        rate_target(name, rate * factor, 0.1 * rate)
        for (name, rate), factor in zip(unconnected.items(), (1.6, 0.6), strict=True)
    )
    both = Knob("background of E and PV", ("background:L4_E", "background:L4_PV"), (0.2, 5.0))
    stage = TuningStage("L4", (both,), targets, Simulated(4000.0, 500.0, connected=False), budget=60)
    tuned = tune(TRUE, [stage], 0, measure)
    assert not tuned.met
    assert tuned.stages[0].state == "not met"
    said = " ".join(tuned.sentences)
    assert "rate:L4_PV and rate:L4_E exclude each other" in said
    assert "both depend on background of E and PV" in said
    assert "instead of" in said


def test_unreachable_background_is_named() -> None:
    target = rate_target("L4_E", 240.0, 10.0)
    knob = Knob("background L4_E", ("background:L4_E",), (0.5, 2.0), {target.key: 3.0})
    stage = TuningStage("background", (knob,), (target,), Simulated(1000.0, connected=False), proposals=("root",))
    tuned = tune(TRUE, [stage], 0, measure)
    assert not tuned.met
    assert len(tuned.record) < 20
    assert any("at its upper bound, 2" in sentence for sentence in tuned.sentences)


def test_tolerance_smaller_than_noise_is_said() -> None:
    target = rate_target("L4_VIP", TRUE_RATES["L4_VIP"], 0.02)
    stage = TuningStage("L4", (excited("L4_VIP", target),), (target,), Simulated(600.0, 100.0), budget=30)
    tuned = tune(TRUE, [stage], 0, measure)
    assert any("is smaller than the standard error of a mean over 3 seeds" in line for line in tuned.sentences)


def small_stages() -> list[TuningStage]:
    """Two quick stages of all kinds of proposals."""
    targets = tuple(target for target in TARGETS if target.population in ("L4_PV", "L4_SST"))
    knobs = tuple(excited(str(target.population), target) for target in targets)
    backgrounds = tuple(
        Knob(f"background {t.population}", (f"background:{t.population}",), (0.2, 5.0), {t.key: 3.0}) for t in targets
    )
    first = TuningStage("roots", backgrounds, targets, Simulated(800.0, connected=False), budget=9, proposals=("root",))
    mixed = ("jacobian", "optuna_tpe", "jacobian_sampled", "probe", "optuna_cma_es")
    second = TuningStage("mixed", knobs, targets, Simulated(800.0), budget=20, proposals=mixed, after=("roots",))
    return [first, second, TuningStage("fresh", (), targets, Simulated(800.0), seeds=3, after=("mixed",))]


def drive(tuner: Tuner, circuit: ToyCircuit, told: list[Told], limit: int = 10_000) -> list[Told]:
    """Sequentially to the end, or until so many were told."""
    by_name = {stage.name: stage for stage in small_stages()}
    waiting = list(tuner.awaited)
    while not tuner.finished and len(told) < limit:
        asked = waiting.pop(0) if waiting else tuner.ask()
        assert asked is not None
        told.append(tuner.tell(asked.number, Outcome(measure(circuit.simulate(asked.trial), by_name[asked.stage]))))
    return told


def fresh(deterministic: bool = True) -> Tuner:
    return Tuner(TRUE.populations, TRUE.parameters, small_stages(), 7, 2, deterministic)


def test_resumed_anywhere_it_goes_on_as_if_never_killed() -> None:
    circuit = perturbed(1)
    whole = drive(fresh(), circuit, [])
    for cut in range(0, len(whole) + 1, 3):
        tuner = fresh()
        tuner.repeat(whole[:cut])
        assert drive(tuner, circuit, whole[:cut]) == whole
    assert fresh().progress()[0].state == "running"


def test_order_of_telling_and_number_of_workers_do_not_matter() -> None:
    circuit = perturbed(1)
    alone, pairs = fresh(), fresh()
    one_by_one = drive(alone, circuit, [])
    by_name = {stage.name: stage for stage in small_stages()}
    told: list[Told] = []
    while not pairs.finished:
        batch = list(itertools.takewhile(lambda asked: asked is not None, iter(pairs.ask, object())))
        for asked in reversed(batch):
            assert asked is not None
            told.append(pairs.tell(asked.number, Outcome(measure(circuit.simulate(asked.trial), by_name[asked.stage]))))
    assert {t.number: t.position for t in told} == {t.number: t.position for t in one_by_one}
    assert pairs.parameters == alone.parameters


def test_asynchronous_record_is_repeated_with_its_order() -> None:
    circuit, tuner = perturbed(1), fresh(deterministic=False)
    by_name = {stage.name: stage for stage in small_stages()}
    rng, under_way, told = np.random.default_rng(0), [], []
    while not tuner.finished and len(told) < 25:
        while len(under_way) < 3 and (asked := tuner.ask()) is not None:
            under_way.append(asked)
        asked = under_way.pop(int(rng.integers(len(under_way))))
        told.append(tuner.tell(asked.number, Outcome(measure(circuit.simulate(asked.trial), by_name[asked.stage]))))
    again = fresh(deterministic=False)
    again.repeat(told)
    assert [a.number for a in again.awaited] == [a.number for a in tuner.awaited]
    assert again.progress() == tuner.progress()
    assert again.ask() == tuner.ask()


def test_a_foreign_record_is_refused() -> None:
    told = drive(fresh(), perturbed(1), [], 8)
    other = Tuner(TRUE.populations, TRUE.parameters, list(recipe()), 8)
    with pytest.raises(CampaignError, match="the record does not belong to this tuning"):
        other.repeat(told)


def test_misuse_is_refused() -> None:
    tuner = fresh()
    with pytest.raises(SearchError, match="simulation 3 is not awaited"):
        tuner.tell(3, Outcome({}))
    asked = tuner.ask()
    assert asked is not None
    with pytest.raises(SearchError, match="expected a number, or None"):
        tuner.tell(asked.number, Outcome({"rate:L4_PV": float("nan")}))


def test_stages_that_do_not_fit_the_circuit() -> None:
    stage = dataclasses.replace(small_stages()[0], simulated=Simulated(800.0, populations=("L9_E",)))
    with pytest.raises(CampaignError, match="stage 'roots': the circuit has no population 'L9_E'; it has L4_E"):
        Tuner(TRUE.populations, TRUE.parameters, [stage], 1)


def test_what_comes_after_a_required_stage_is_left_out() -> None:
    stages = small_stages()
    target = rate_target("L4_PV", 240.0, 1.0)
    impossible = dataclasses.replace(
        stages[0],
        targets=(target,),
        free=(Knob("b", ("background:L4_PV",), (0.9, 1.1), {target.key: 3.0}),),
        required=True,
    )
    tuned = tune(TRUE, [impossible, *stages[1:]], 0, measure)
    assert [stage.state for stage in tuned.stages] == ["not met", "left out", "left out"]
    assert not tuned.met


def test_all_runaways_are_not_presented_as_a_result() -> None:
    target = rate_target("L4_E", TRUE_RATES["L4_E"], 0.5)
    limits = dataclasses.replace(rate_limits([target], SIZES), largest_Hz={"L4_VIP": 0.001})
    stage = TuningStage("L4", (excited("L4_E", target),), (target,), Simulated(500.0, limits=limits), budget=8)
    tuned = tune(TRUE, [stage], 0, measure)
    assert not tuned.met
    assert tuned.stages[0].stopped == len(tuned.record)
    assert "every simulation was stopped early, the first of them because L4_VIP fired" in tuned.sentences[0]
