from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import efel
import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.features.errors import ModelError
from rheobase.features.recording import Step
from rheobase.features.targets import FeatureTarget, FeatureTargets
from rheobase.fitting.cells.evaluator import CellEvaluator, EvaluationSettings
from rheobase.fitting.cells.model import Distribution
from rheobase.fitting.cells.parameters import ParameterText
from rheobase.fitting.cells.simulation import SomaClamp
from rheobase.fitting.evaluation import Evaluation
from rheobase.objectives.scores import FAILURE_SCORE
from tests.fitting.cells import small_cell
from tests.fitting.cells.processes import in_new_process
from tests.shared_data import shared

INTRINSIC = ("resting_potential", "input_resistance", "holding_current", "threshold_current")
IN_STEPS = (
    "IV_-40.soma.v.voltage_base",
    "IV_-40.soma.v.sag_ratio1",
    "IDrest_200.soma.v.mean_frequency",
    "IDrest_200.soma.v.time_to_first_spike",
    "IDrest_200.soma.v.AP_amplitude",
    "APWaveform_250.soma.v.AP_duration_half_width",
    "APWaveform_250.soma.v.AHP_depth",
)


@pytest.fixture
def evaluator() -> CellEvaluator:
    return CellEvaluator(small_cell.model(), small_cell.targets(), small_cell.SETTINGS)


@pytest.fixture(scope="session")
def hidden() -> Evaluation:
    return evaluate_here(small_cell.HIDDEN)


def evaluate_here(parameters: Mapping[str, float]) -> Evaluation:
    evaluator = CellEvaluator(small_cell.model(), small_cell.targets(), small_cell.SETTINGS)
    return evaluator.evaluate(parameters, keep_traces=True)


def with_intrinsic(targets: FeatureTargets, name: str, mean: float, std: float) -> FeatureTargets:
    changed = tuple(
        dataclasses.replace(target, mean=mean, std=std) if target.feature == name else target
        for target in targets.intrinsic
    )
    return dataclasses.replace(targets, intrinsic=changed)


def assert_identical(one: Evaluation, other: Evaluation) -> None:
    assert one.features == other.features
    assert one.scores == other.scores
    assert one.failure == other.failure
    assert one.traces.keys() == other.traces.keys()
    for name in one.traces:
        for mine, theirs in zip(one.traces[name], other.traces[name], strict=True):
            np.testing.assert_array_equal(mine, theirs, strict=True)


class TestRepeatability:
    def test_a_b_a_is_equal_to_the_last_bit(self, evaluator: CellEvaluator, hidden: Evaluation) -> None:
        between = evaluator.evaluate(small_cell.OTHER, keep_traces=True)
        assert between.features != hidden.features
        assert_identical(evaluator.evaluate(small_cell.HIDDEN, keep_traces=True), hidden)

    def test_a_candidate_that_fails_leaves_nothing_behind(self, evaluator: CellEvaluator, hidden: Evaluation) -> None:
        failing = evaluator.evaluate({**small_cell.HIDDEN, "g_pas.all": math.nan})
        assert failing.failure is not None
        assert_identical(evaluator.evaluate(small_cell.HIDDEN, keep_traces=True), hidden)

    def test_a_cell_built_before_leaves_nothing_behind(self, evaluator: CellEvaluator, hidden: Evaluation) -> None:
        other = CellEvaluator(small_cell.model({"e_pas.all": "-70 mV"}), small_cell.targets(), small_cell.SETTINGS)
        assert other.evaluate(small_cell.HIDDEN).features["resting_potential"] > -76.0
        with pytest.raises(ModelError, match=r"'small' is no longer in NEURON.*another was built since"):
            evaluator.evaluate(small_cell.HIDDEN)
        assert_identical(evaluate_here(small_cell.HIDDEN), hidden)

    def test_equal_in_a_fresh_process(self, hidden: Evaluation) -> None:
        assert_identical(in_new_process(evaluate_here, small_cell.HIDDEN), hidden)


def test_what_an_evaluation_costs(evaluator: CellEvaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settled once without current and once held, few short steps for the threshold, one call of eFEL a stimulus."""
    done: list[str] = []
    simulated_ms: list[float] = []

    def counted(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            done.append(name)
            result = original(*arguments, **named)
            if name == "spikes_at":
                simulated_ms.append(float(result.time_ms[-1]))
            return result

        monkeypatch.setattr(owner, name, call)

    for name in ("settle", "hold", "spikes_at"):
        counted(SomaClamp, name)
    counted(efel, "get_feature_values")
    targets = small_cell.targets()
    assert evaluator.evaluate(small_cell.HIDDEN).failure is None
    assert (done.count("settle"), done.count("hold")) == (1, 1)
    assert done.count("get_feature_values") == len(targets.protocols)
    assert done.count("spikes_at") <= 10
    # Whole steps of the length that the threshold is defined by would be the number of steps.
    assert sum(simulated_ms) < 0.75 * len(simulated_ms) * targets.threshold_duration_ms


class TestScores:
    def test_the_hidden_cell_meets_its_targets(self, hidden: Evaluation) -> None:
        assert hidden.failure is None
        assert max(hidden.scores.values()) < 0.5

    def test_objectives_in_a_fixed_order(self, evaluator: CellEvaluator, hidden: Evaluation) -> None:
        assert evaluator.objectives == INTRINSIC + IN_STEPS
        assert tuple(hidden.scores) == evaluator.objectives

    def test_scores_are_z_scores_of_features_that_efel_measures_on_the_traces(self, hidden: Evaluation) -> None:
        checked = 0
        for protocol in small_cell.targets().protocols:
            time_ms, voltage_mV = hidden.traces[protocol.name]
            amplitude_nA = hidden.features["threshold_current"] * protocol.stimulus.level / 100.0
            step = Step(50.0, 50.0 + protocol.duration_ms, amplitude_nA, hidden.features["holding_current"])
            for target in protocol.features:
                name = f"{protocol.name}.soma.v.{target.feature}"
                value = efel_mean(target.feature, time_ms, voltage_mV, step, protocol.settings.interpolation_step_ms)
                assert hidden.features[name] == value
                assert hidden.scores[name] == abs(value - target.mean) / target.std
                checked += 1
        assert checked == len(IN_STEPS)

    def test_intrinsic_scores_are_z_scores(self, hidden: Evaluation) -> None:
        for target in small_cell.targets().intrinsic:
            expected = abs(hidden.features[target.feature] - target.mean) / target.std
            assert hidden.scores[target.feature] == expected

    def test_traces_begin_held_and_show_the_spikes(self, hidden: Evaluation) -> None:
        for time_ms, voltage_mV in hidden.traces.values():
            assert 0.0 <= time_ms[0] < 1.0
            assert (np.diff(time_ms) >= 0.0).all()
            assert np.ptp(voltage_mV[time_ms < 50.0]) < 0.5
            assert abs(voltage_mV[0] - -84.0) < 0.1
        assert hidden.traces["IDrest_200"][0][-1] == pytest.approx(50.0 + 200.0 + 20.0, abs=1e-6)
        assert hidden.traces["IDrest_200"][1].max() > -20.0

    def test_traces_only_when_asked_for(self, evaluator: CellEvaluator) -> None:
        assert evaluator.evaluate(small_cell.HIDDEN).traces == {}

    def test_cpu_seconds(self, hidden: Evaluation) -> None:
        assert 0.01 < hidden.cpu_seconds < 30.0

    def test_threshold_is_the_models_own_to_the_stated_precision(self, hidden: Evaluation) -> None:
        finer = dataclasses.replace(small_cell.SETTINGS, threshold_precision=0.001)
        evaluator = CellEvaluator(small_cell.model(), small_cell.targets(), finer)
        fine = evaluator.evaluate(small_cell.HIDDEN).features["threshold_current"]
        coarse = hidden.features["threshold_current"]
        assert fine <= coarse * 1.001
        assert coarse * (1 - 0.02) <= fine

    def test_rest_and_input_resistance_follow_from_the_membrane(self) -> None:
        """A passive cell rests at e_pas; its resistance is that of the leak of its whole (nearly isopotential) area."""
        passive = {"gNaTgbar_NaTg.somatic": "0 S/cm2", "gIhbar_Ih.all": "0 S/cm2", "gImbar_Im.somatic": "0 S/cm2"}
        passive |= {"gSKv3_1bar_SKv3_1.somatic": "0 S/cm2", "gK_Pstbar_K_Pst.somatic": "0 S/cm2"}
        model = small_cell.model({**passive, "Ra.all": "1 ohm cm"})
        targets = with_intrinsic(small_cell.targets(), "threshold_current", 0.1, 0.01)
        evaluator = CellEvaluator(model, targets, EvaluationSettings(stage_limit=1000.0, settle_ms=500.0))
        found = evaluator.evaluate({"g_pas.all": 2e-4})
        area_cm2 = sum(segment.area() for section in evaluator._instance.cell.all for segment in section) * 1e-8
        assert found.features["resting_potential"] == pytest.approx(-80.0, abs=1e-3)
        assert found.features["input_resistance"] == pytest.approx(1e-6 / (2e-4 * area_cm2), rel=0.01)
        assert found.features["holding_current"] == pytest.approx(-4.0 * 2e-4 * area_cm2 * 1e6, rel=0.01)


def efel_mean(
    feature: str, time_ms: NDArray[np.float64], voltage_mV: NDArray[np.float64], step: Step, interpolation_ms: float
) -> float:
    trace = {"T": time_ms, "V": voltage_mV, "stim_start": [step.onset_ms], "stim_end": [step.offset_ms]}
    trace["stimulus_current"] = [step.amplitude_nA]
    efel.reset()
    efel.set_setting("Threshold", -20.0)
    efel.set_setting("interp_step", interpolation_ms)
    efel.set_setting("strict_stiminterval", True)
    values = efel.get_feature_values([trace], [feature])[0][feature]
    efel.reset()
    assert values is not None
    return float(np.mean(values))


class TestStages:
    """Each stage that fails says so; what it and those behind it would have measured gets the failure score."""

    def failing(self, parameters: dict[str, float], targets: FeatureTargets, stage_limit: float = 20.0) -> Evaluation:
        settings = dataclasses.replace(small_cell.SETTINGS, stage_limit=stage_limit)
        return CellEvaluator(small_cell.model(), targets, settings).evaluate(parameters, keep_traces=True)

    def check(self, found: Evaluation, real: tuple[str, ...], failed: tuple[str, ...]) -> None:
        for name in real:
            assert found.scores[name] < FAILURE_SCORE, name
            assert name in found.features
        for name in failed:
            assert found.scores[name] == FAILURE_SCORE, name
            assert name not in found.features
        assert set(found.scores) == {*INTRINSIC, *IN_STEPS}

    def test_rest_far_off(self) -> None:
        targets = with_intrinsic(small_cell.targets(), "resting_potential", -40.0, 1.0)
        found = self.failing(small_cell.HIDDEN, targets)
        assert found.failure == "resting_potential: -78.19 mV is 38 standard deviations off"
        assert found.scores["resting_potential"] == pytest.approx(38.19, abs=0.01)
        self.check(found, ("resting_potential",), (*INTRINSIC[1:], *IN_STEPS))
        assert found.traces == {}

    def test_fires_without_current(self) -> None:
        model = small_cell.model({"e_pas.all": "-30 mV"})
        found = CellEvaluator(model, small_cell.targets(), small_cell.SETTINGS).evaluate(small_cell.HIDDEN)
        assert found.failure == "rest: the cell fires without any current"
        self.check(found, (), (*INTRINSIC, *IN_STEPS))

    def test_holding_current_far_off(self) -> None:
        targets = with_intrinsic(small_cell.targets(), "holding_current", 0.5, 0.01)
        found = self.failing(small_cell.HIDDEN, targets)
        assert found.failure is not None
        assert found.failure.startswith("holding_current: -0.02184 nA is 52 standard deviations off")
        self.check(
            found,
            ("resting_potential", "holding_current"),
            ("input_resistance", "threshold_current", *IN_STEPS),
        )

    def test_fires_when_held(self) -> None:
        targets = dataclasses.replace(small_cell.targets(), holding_voltage_mV=-42.0)
        targets = with_intrinsic(targets, "holding_current", -1.0, 0.1)
        found = self.failing({**small_cell.HIDDEN, "gNaTgbar_NaTg.somatic": 1.0}, targets)
        assert found.failure == "holding: the cell fires when held at -42.0 mV"
        self.check(
            found,
            ("resting_potential", "holding_current"),
            ("input_resistance", "threshold_current", *IN_STEPS),
        )

    def test_input_resistance_far_off(self) -> None:
        targets = with_intrinsic(small_cell.targets(), "input_resistance", 50.0, 5.0)
        found = self.failing(small_cell.HIDDEN, targets)
        assert found.failure == "input_resistance: 174.7 MOhm is 25 standard deviations off"
        self.check(
            found,
            ("resting_potential", "holding_current", "input_resistance"),
            ("threshold_current", *IN_STEPS),
        )

    def test_what_weighs_nothing_ends_nothing(self) -> None:
        targets = with_intrinsic(small_cell.targets(), "input_resistance", 50.0, 5.0)
        silenced = tuple(
            dataclasses.replace(one, weight=0.0) if one.feature == "input_resistance" else one
            for one in targets.intrinsic
        )
        targets = dataclasses.replace(targets, intrinsic=silenced)
        found = CellEvaluator(small_cell.model(), targets, small_cell.SETTINGS).evaluate(small_cell.HIDDEN)
        assert found.failure is None
        assert found.scores["input_resistance"] > 20.0
        assert max(found.scores[name] for name in IN_STEPS) < 5.0

    def test_no_threshold_current(self) -> None:
        found = self.failing({**small_cell.HIDDEN, "gNaTgbar_NaTg.somatic": 0.0}, small_cell.targets())
        assert found.failure == "threshold_current: no spike up to 0.502 nA"  # mean + 20 std
        self.check(
            found,
            ("resting_potential", "holding_current", "input_resistance"),
            ("threshold_current", *IN_STEPS),
        )

    def test_threshold_current_far_off(self) -> None:
        targets = with_intrinsic(small_cell.targets(), "threshold_current", 1.0, 0.01)
        found = self.failing(small_cell.HIDDEN, targets)
        assert found.failure is not None
        assert found.failure.endswith("nA is 90 standard deviations off")
        self.check(found, INTRINSIC, IN_STEPS)

    def test_largest_current_without_a_target(self) -> None:
        targets = small_cell.targets()
        targets = dataclasses.replace(targets, intrinsic=targets.intrinsic[:3])
        settings = dataclasses.replace(small_cell.SETTINGS, largest_current_nA=0.09)
        found = CellEvaluator(small_cell.model(), targets, settings).evaluate(small_cell.HIDDEN)
        assert found.failure == "threshold_current: no spike up to 0.09 nA"

    def test_input_resistance_does_not_depend_on_the_stimuli_beside_it(self) -> None:
        """Their lengths are none of its business: a short step would leave the membrane uncharged."""
        targets = small_cell.targets()
        alone = dataclasses.replace(targets, protocols=())
        both = [
            CellEvaluator(small_cell.model(), some, small_cell.SETTINGS).evaluate(small_cell.HIDDEN).features
            for some in (targets, alone)
        ]
        assert both[0]["input_resistance"] == both[1]["input_resistance"]

    def test_without_intrinsic_targets_the_steps_are_still_in_percent_of_the_threshold(self) -> None:
        targets = dataclasses.replace(small_cell.targets(), intrinsic=())
        bare = CellEvaluator(small_cell.model(), targets, small_cell.SETTINGS)
        assert bare.objectives == IN_STEPS
        found = bare.evaluate(small_cell.HIDDEN)
        assert found.failure is None
        assert found.features["IDrest_200.soma.v.mean_frequency"] == pytest.approx(62.4, rel=0.1)

    def test_integration_that_fails(self, evaluator: CellEvaluator) -> None:
        found = evaluator.evaluate({**small_cell.HIDDEN, "g_pas.all": math.nan})
        assert found.failure is not None
        assert "NEURON" in found.failure or "NaN" in found.failure
        assert set(found.scores.values()) == {FAILURE_SCORE}
        assert found.features == {}

    def test_a_feature_that_a_trace_lacks_gets_the_failure_score_and_the_rest_real_ones(self) -> None:
        targets = small_cell.targets()
        iv = targets.protocols[0]
        spikes_below_rest = dataclasses.replace(iv, features=(*iv.features, FeatureTarget("AP_width", 1.0, 0.1, "ms")))
        targets = dataclasses.replace(targets, protocols=(spikes_below_rest, *targets.protocols[1:]))
        found = CellEvaluator(small_cell.model(), targets, small_cell.SETTINGS).evaluate(small_cell.HIDDEN)
        assert found.failure is None
        assert found.scores.pop("IV_-40.soma.v.AP_width") == FAILURE_SCORE
        assert max(found.scores.values()) < 0.5

    @pytest.mark.parametrize("name", ["g_pas.all", "nonsense"])
    def test_wrong_parameters_are_an_error_of_the_caller(self, evaluator: CellEvaluator, name: str) -> None:
        wrong = {**small_cell.HIDDEN, "nonsense": 1.0}
        if name != "nonsense":
            wrong = {key: value for key, value in small_cell.HIDDEN.items() if key != name}
        with pytest.raises(ModelError, match=rf"expected a value for each free parameter; .*{name}"):
            evaluator.evaluate(wrong)


@pytest.mark.slow
def test_layer_5_pyramidal_cell_a_b_a() -> None:
    """The reconstructed cell with an apical dendrite full of channels: as repeatable as the small one."""
    from rheobase.fitting.cells.morphology import read_morphology

    morphology = read_morphology(shared("morphologies", "C060114A5.asc"))
    texts = {"gNaTgbar_NaTg.axonal": "1.5 S/cm2", "ena.axonal": "50 mV", "cm.apical": "2 uF/cm2"}
    model = small_cell.model(texts, morphology=morphology, replace_axon=True, segment_length_um=100.0)
    targets = with_intrinsic(small_cell.targets(), "input_resistance", 60.0, 20.0)
    targets = with_intrinsic(targets, "threshold_current", 0.5, 0.2)
    targets = with_intrinsic(targets, "holding_current", -0.1, 0.2)
    evaluator = CellEvaluator(model, targets, small_cell.SETTINGS)
    first = evaluator.evaluate(small_cell.HIDDEN, keep_traces=True)
    assert first.failure is None
    assert set(first.traces) == {"IV_-40", "IDrest_200", "APWaveform_250"}
    evaluator.evaluate(small_cell.OTHER)
    assert_identical(evaluator.evaluate(small_cell.HIDDEN, keep_traces=True), first)


def test_a_distribution_without_a_finite_value_fails_the_candidate_only() -> None:
    root = Distribution("root", "{value} * math.sqrt({scale})")
    changes = {
        "gNaTgbar_NaTg.somatic": ParameterText("0.1 to 1 S/cm2", distribution="root"),
        "scale.distribution_root": ParameterText("-1 to 1"),
    }
    evaluator = CellEvaluator(small_cell.model(changes, [root]), small_cell.targets(), small_cell.SETTINGS)
    failed = evaluator.evaluate({**small_cell.HIDDEN, "scale.distribution_root": -0.5})
    assert failed.failure is not None
    assert "distribution 'root'" in failed.failure
    assert set(failed.scores.values()) == {FAILURE_SCORE}
    assert evaluator.evaluate({**small_cell.HIDDEN, "scale.distribution_root": 1.0}).failure is None
