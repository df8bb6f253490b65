from __future__ import annotations

import math

import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.sites import RecordingSite
from rheobase.features.target_stimuli import ProtocolStimulus
from rheobase.features.targets import CellSummary, FeatureTarget, FeatureTargets, ProtocolTargets, objective_name
from tests.features.example_targets import TARGETS


def test_objectives() -> None:
    assert list(TARGETS.objectives) == [
        "threshold_current",
        "IDrest_150.soma.v.mean_frequency",
        "IDrest_150.soma.v.Spikecount_late",
        "bAP.soma.v.Spikecount",
        "bAP.dend1.v.maximum_voltage_from_voltagebase",
        "bAP.ca_soma.cai.maximum_voltage_from_voltagebase",
    ]
    assert list(TARGETS.groups.values()) == ["intrinsic", "IDrest_150", "IDrest_150", "bAP", "bAP", "bAP"]
    assert list(TARGETS.groups) == list(TARGETS.objectives)
    assert objective_name("bAP", "maximum_voltage", "dend1") == "bAP.dend1.v.maximum_voltage"


def test_a_step_is_as_simple_as_it_is() -> None:
    step = TARGETS.protocols[0]
    assert (step.amplitude_percent, step.amplitude_nA, step.duration_ms) == (149.7, 0.31, 2000.0)
    absolute = ProtocolTargets("IV_-0.1", ProtocolStimulus.step(-0.1, 1000.0, "nA"), -0.101, ())
    assert absolute.amplitude_percent is None
    assert absolute.stimulus.level == -0.1


@pytest.mark.parametrize(("mean", "std"), [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_targets_are_finite(mean: float, std: float) -> None:
    with pytest.raises(FeatureError, match="the target of x must be finite with a standard deviation above zero, got"):
        FeatureTarget("x", mean, std)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_weights(weight: float) -> None:
    with pytest.raises(FeatureError, match="the weight of x must be zero or more, got"):
        FeatureTarget("x", 1.0, 1.0, weight=weight)


class TestNamesAreUnique:
    def test_features_of_a_protocol(self) -> None:
        twice = (FeatureTarget("Spikecount", 1.0, 1.0), FeatureTarget("Spikecount", 2.0, 1.0))
        with pytest.raises(FeatureError, match="IDrest_150 has 2 targets called Spikecount; give them names"):
            ProtocolTargets("IDrest_150", ProtocolStimulus.step(150.0, 100.0), 0.1, twice)

    def test_the_same_feature_in_two_places_or_under_two_names(self) -> None:
        FeatureTargets(
            -80.0, 2000.0, (),
            (
                ProtocolTargets(
                    "bAP", ProtocolStimulus.step(150.0, 100.0), 0.1,
                    (
                        FeatureTarget("Spikecount", 1.0, 1.0),
                        FeatureTarget("Spikecount", 1.0, 1.0, name="Spikecount_late"),
                        FeatureTarget("Spikecount", 1.0, 1.0, location="dend1"),
                    ),
                ),
            ),
            sites=(RecordingSite("dend1", "apical", 200.0),),
        )  # fmt: skip

    def test_protocols(self) -> None:
        step = ProtocolTargets("IDrest_150", ProtocolStimulus.step(150.0, 100.0), 0.1, ())
        with pytest.raises(FeatureError, match="there are 2 protocols or properties called IDrest_150"):
            FeatureTargets(-80.0, 2000.0, (), (step, step))


def test_locations_are_known() -> None:
    lost = ProtocolTargets(
        "bAP", ProtocolStimulus.step(150.0, 4.0), 0.1, (FeatureTarget("Spikecount", 1.0, 1.0, location="dend7"),)
    )
    with pytest.raises(FeatureError, match=r"bAP Spikecount is measured at 'dend7', which is not among the sites soma"):
        FeatureTargets(-80.0, 2000.0, (), (lost,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "soma"}, "needs a name other than 'soma'"),
        ({"name": ""}, "needs a name other than 'soma'"),
        ({"distance_um": -1.0}, "must not have a negative distance, got -1.0 um"),
        ({"position": 1.5}, "must lie at 0 to 1 of a section counted from 0, got 1.5 of section 0"),
        ({"section": -1}, "got 0.5 of section -1"),
    ],
)
def test_impossible_sites(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        RecordingSite(**{"name": "dend1", "section_list": "apical", **arguments})  # type: ignore[arg-type]


def test_what_a_cell_without_rheobase_says() -> None:
    assert CellSummary("C1", None, 0.0, -70.0, 3, bracketed=False).highest_silent_nA is None


def test_settings_are_the_protocols_unless_a_target_has_its_own() -> None:
    _, late = TARGETS.protocols[0].features
    assert late.settings == MeasurementSettings(-10.0)
    assert late.label == "Spikecount_late"
