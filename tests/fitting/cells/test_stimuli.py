"""Stimuli other than steps in % of the threshold current, and places other than the soma."""

from __future__ import annotations

import dataclasses

import pytest

from rheobase.features.errors import ModelError
from rheobase.features.sites import RecordingSite
from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from rheobase.fitting.cells.evaluator import CellEvaluator
from rheobase.fitting.evaluation import Evaluation
from tests.fitting.cells import small_cell


def evaluate(*protocols: ProtocolTargets, sites: tuple[RecordingSite, ...] = (), **changes: str) -> Evaluation:
    targets = FeatureTargets(-84.0, 200.0, (), protocols, sites=sites)
    evaluator = CellEvaluator(small_cell.model(changes), targets, small_cell.SETTINGS)
    return evaluator.evaluate(small_cell.HIDDEN, keep_traces=True)


def test_absolute_steps_with_their_own_holding_current_need_no_threshold() -> None:
    held = dataclasses.replace(ProtocolStimulus.step(0.2, 200.0, "nA"), holding_nA=-0.022)
    features = (FeatureTarget("mean_frequency", 62.4, 5.0, "Hz"), FeatureTarget("voltage_base", -84.0, 1.0, "mV"))
    found = evaluate(ProtocolTargets("Step1", held, 0.2, features))
    assert found.failure is None
    assert max(found.scores.values()) < 0.5
    assert set(found.features) == {"Step1.soma.v.mean_frequency", "Step1.soma.v.voltage_base"}


def test_two_levels_measured_in_the_second() -> None:
    """HyperDepol: the sag's rebound shortens nothing here; the deep level shows in voltage_base's window only."""
    stimulus = ProtocolStimulus(
        (TargetPiece(0.0, 100.0, -0.05, -0.05), TargetPiece(100.0, 100.0, 0.3, 0.3)), "nA", window_ms=(100.0, 200.0)
    )
    found = evaluate(ProtocolTargets("HyperDepol", stimulus, 0.3, (FeatureTarget("Spikecount", 8.0, 5.0),)))
    assert found.failure is None
    single = evaluate(
        ProtocolTargets("Step", ProtocolStimulus.step(0.3, 100.0, "nA"), 0.3, (FeatureTarget("Spikecount", 8.0, 5.0),))
    )
    assert found.features["HyperDepol.soma.v.Spikecount"] == pytest.approx(
        single.features["Step.soma.v.Spikecount"], abs=2
    )
    time_ms, voltage_mV = found.traces["HyperDepol"]
    assert voltage_mV[(time_ms > 100.0) & (time_ms < 150.0)].min() < -88.0


def test_a_ramp() -> None:
    stimulus = ProtocolStimulus((TargetPiece(0.0, 300.0, 0.0, 300.0),))
    found = evaluate(ProtocolTargets("Ramp", stimulus, 0.3, (FeatureTarget("time_to_first_spike", 130.0, 30.0, "ms"),)))
    assert found.failure is None
    assert found.features["Ramp.soma.v.time_to_first_spike"] > 100.0  # the threshold current is reached at 100 ms


class TestSites:
    FEATURE = FeatureTarget("maximum_voltage", 20.0, 10.0, "mV", location="dend1")

    def test_a_dendrite_is_measured_where_it_is(self) -> None:
        site = RecordingSite("dend1", "apical", 150.0, "apical_trunk")
        at_soma = FeatureTarget("maximum_voltage", 20.0, 10.0, "mV")
        found = evaluate(
            ProtocolTargets("bAP", ProtocolStimulus.step(200.0, 50.0), 0.2, (at_soma, self.FEATURE)), sites=(site,)
        )
        assert found.failure is None
        far, soma = found.features["bAP.dend1.v.maximum_voltage"], found.features["bAP.soma.v.maximum_voltage"]
        assert -80.0 < far < soma - 5.0

    def test_calcium(self) -> None:
        feature = FeatureTarget("maximum_voltage", 1e-4, 1e-4, "mM", variable="cai")
        protocol = ProtocolTargets("bAP", ProtocolStimulus.step(200.0, 50.0), 0.2, (feature,))
        calcium = {"gCa_HVAbar_Ca_HVA.somatic": "1e-3 S/cm2", "gamma_CaDynamics_E2.somatic": "0.005"}
        found = evaluate(protocol, **calcium, **{"decay_CaDynamics_E2.somatic": "100 ms"})
        assert found.features["bAP.soma.cai.maximum_voltage"] > 1e-4

    def test_what_the_cell_has_not(self) -> None:
        protocol = ProtocolTargets("bAP", ProtocolStimulus.step(200.0, 50.0), 0.2, (self.FEATURE,))
        far = RecordingSite("dend1", "apical", 5000.0)
        with pytest.raises(ModelError, match=r"no apical section reaches 5000 um.*choose a nearer site"):
            evaluate(protocol, sites=(far,))
        with pytest.raises(ModelError, match="has no myelinated sections"):
            evaluate(protocol, sites=(RecordingSite("dend1", "myelinated", 10.0),))
        without = dataclasses.replace(self.FEATURE, variable="cai")
        protocol = dataclasses.replace(protocol, features=(without,))
        with pytest.raises(ModelError, match=r"there is no 'cai' at 'dend1'.*insert a mechanism"):
            evaluate(protocol, sites=(RecordingSite("dend1", "apical", 100.0),))
