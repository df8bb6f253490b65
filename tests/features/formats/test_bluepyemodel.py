"""BluePyEModel's fitness calculator configuration, read and written.

CONFIGURATION has the members that `FitnessCalculatorConfiguration.as_dict` of BluePyEModel 1.0.50 stores. What
`write_bluepyemodel` made of 15 e-types was read by that class and stored again without any difference.
"""

from __future__ import annotations

import copy
import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.formats.bluepyemodel import read_bluepyemodel, write_bluepyemodel
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.sites import RecordingSite
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from tests.features.formats.reading import acting, has_note, numbers, protocol, stimulus, target, write_json

if TYPE_CHECKING:
    from pathlib import Path


def efeature(protocol_name: str, feature: str, mean: float, std: float, **more: Any) -> dict[str, Any]:
    return {
        "efel_feature_name": feature,
        "protocol_name": protocol_name,
        "recording_name": "soma.v",
        "threshold_efeature_std": None,
        "default_std_value": 0.001,
        "mean": mean,
        "original_std": std,
        "sample_size": 7,
        "efeature_name": None,
        "weight": 1.0,
        "efel_settings": {"strict_stiminterval": True, "Threshold": -30.0, "interp_step": 0.025},
        **more,
    }


STEP: dict[str, Any] = {
    "name": "IDrest_130",
    "stimuli": [
        {
            "delay": 700.0,
            "amp": 0.35,
            "thresh_perc": 130.5,
            "duration": 2000.0,
            "totduration": 3000.0,
            "holding_current": -0.13,
        }
    ],
    "recordings_from_config": [
        {"type": "CompRecording", "name": "IDrest_130.soma.v", "location": "soma", "variable": "v"},
        {
            "type": "somadistanceapic",
            "somadistance": 199.0,
            "name": "IDrest_130.dend1.v",
            "seclist_name": "apical",
            "var": "v",
            "sec_name": "apic",
        },
    ],
    "validation": False,
    "protocol_type": "ThresholdBasedProtocol",
    "stochasticity": False,
}
CONFIGURATION: dict[str, Any] = {
    "efeatures": [
        efeature("IDrest_130", "Spikecount", 6.026, 4.016),
        efeature("IDrest_130", "Spikecount", 2.0, 0.5, efeature_name="Spikecount_phase1", weight=3.0)
        | {"efel_settings": {"strict_stiminterval": True, "stim_start": 700.0, "stim_end": 1200.0}},
        efeature("IDrest_130", "maximum_voltage_from_voltagebase", 60.0, 6.0, recording_name="dend1.v"),
        efeature("RMPProtocol", "steady_state_voltage_stimend", -77.2, 3.6, efeature_name="voltage_base"),
        efeature("RMPProtocol", "Spikecount", 0.0, 0.001),
        efeature("RinProtocol", "ohmic_input_resistance_vb_ssse", 46.2, 5.0),
        efeature("SearchHoldingCurrent", "steady_state_voltage_stimend", -83.0, 1.0, sample_size=0),
        efeature("SearchHoldingCurrent", "bpo_holding_current", -0.14, 0.05, sample_size=None),
        efeature("SearchThresholdCurrent", "bpo_threshold_current", 0.35, 0.06, sample_size=None),
    ],
    "protocols": [STEP],
}


def read(folder: Path, efeatures: list[Any] | None = None, **step: Any) -> FeatureTargets:
    content = copy.deepcopy(CONFIGURATION)
    content["efeatures"] += efeatures or []
    content["protocols"][0] |= step
    return read_bluepyemodel(write_json(folder / "model.json", content))


def test_properties_of_the_cell(tmp_path: Path) -> None:
    targets = read(tmp_path)
    assert {each.feature: (each.mean, each.std, each.sweeps) for each in targets.intrinsic} == {
        "resting_potential": (-77.2, 3.6, 7),
        "input_resistance": (46.2, 5.0, 7),
        "holding_current": (-0.14, 0.05, 0),
        "threshold_current": (0.35, 0.06, 0),
    }
    assert targets.holding_voltage_mV == -83.0


def test_features_of_a_step(tmp_path: Path) -> None:
    targets = read(tmp_path)
    counted = target(targets, "IDrest_130.soma.v.Spikecount")
    assert (counted.mean, counted.std, counted.sweeps) == (6.026, 4.016, 7)
    early = target(targets, "IDrest_130.soma.v.Spikecount_phase1")
    assert (early.feature, early.weight, early.window_ms) == ("Spikecount", 3.0, (0.0, 500.0))
    assert early.settings == MeasurementSettings(-20.0, 0.025)
    assert protocol(targets, "IDrest_130").settings == MeasurementSettings(-30.0, 0.025)
    assert protocol(targets, "IDrest_130").stimulus == stimulus(
        (0.0, 2000.0, 130.5, 130.5), before_ms=700.0, after_ms=300.0
    )
    assert target(targets, "IDrest_130.dend1.v.maximum_voltage_from_voltagebase").mean == 60.0
    assert targets.sites == (RecordingSite("dend1", "apical", 199.0, "apical_trunk"),)
    assert has_note(targets, "dend1", "radial distance is taken as path distance")


def test_spikes_at_rest_are_a_protocol_without_current(tmp_path: Path) -> None:
    rest = protocol(read(tmp_path), "RMP")
    assert rest.stimulus == stimulus((0.0, 500.0, 0.0, 0.0), unit="nA", before_ms=0.0, after_ms=0.0, holding_nA=0.0)
    assert [(each.feature, each.mean) for each in rest.features] == [("Spikecount", 0.0)]


def test_protocol_in_nA_keeps_its_holding_current(tmp_path: Path) -> None:
    found = protocol(read(tmp_path, protocol_type="Protocol"), "IDrest_130")
    assert (found.stimulus.unit, found.stimulus.level, found.stimulus.holding_nA) == ("nA", 0.35, -0.13)


def test_back_propagating_spikes_are_measured_to_the_end_of_the_sweep(tmp_path: Path) -> None:
    content = json.loads(json.dumps(CONFIGURATION).replace("IDrest_130", "bAP_1000"))
    targets = read_bluepyemodel(write_json(tmp_path / "model.json", content))
    assert acting(targets)["bAP_1000.soma.v.Spikecount"][2] == (0.0, 2300.0)
    assert acting(targets)["bAP_1000.soma.v.Spikecount_phase1"][2] == (0.0, 500.0)


@pytest.mark.parametrize(
    ("std", "fraction", "mean", "acts"), [(1.0, 0.05, -80.0, 4.0), (5.0, 0.05, -80.0, 5.0), (1.0, 0.05, 0.0, 0.05)]
)
def test_standard_deviation_as_it_acts(tmp_path: Path, std: float, fraction: float, mean: float, acts: float) -> None:
    entry = efeature("IDrest_130", "minimum_voltage", mean, std, threshold_efeature_std=fraction)
    assert target(read(tmp_path, [entry]), "IDrest_130.soma.v.minimum_voltage").std == pytest.approx(acts)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            efeature("IDrest_130", "maximum_voltage", 1.0, 1.0, recording_name={"": "soma.v", "ais": "axon.v"}),
            ("IDrest_130 maximum_voltage left out", "several recordings"),
        ),
        (efeature("SearchThresholdCurrent_dend", "bpo_threshold_current_dend", 1.0, 1.0), ("no such feature",)),
        (efeature("RMPProtocol", "voltage_base", -70.0, 1.0), ("voltage_base", "gives the resting_potential already")),
        (efeature("IDrest_130", "maximum_voltage", math.nan, 1.0), ("maximum_voltage left out", "no mean")),
        (efeature("IDrest_130", "maximum_voltage", 1.0, math.nan), ("maximum_voltage left out", "no standard")),
    ],
)
def test_what_cannot_be_a_target_is_noted_by_name(
    tmp_path: Path, entry: dict[str, Any], words: tuple[str, ...]
) -> None:
    targets = read(tmp_path, [entry])
    assert numbers(targets) == numbers(read(tmp_path))
    assert has_note(targets, *words)


def test_validation_and_stochastic_channels_are_noted(tmp_path: Path) -> None:
    targets = read(tmp_path, validation=True, stochasticity=True)
    assert has_note(targets, "IDrest_130 is for validation only")
    assert has_note(targets, "IDrest_130", "stochastic channels")


def test_places_that_depend_on_the_morphology_are_noted(tmp_path: Path) -> None:
    place = {"type": "terminal_sections", "name": "IDrest_130.tip.v", "seclist_name": "apical", "var": "v"}
    entry = efeature("IDrest_130", "maximum_voltage", 1.0, 1.0, recording_name="tip.v")
    targets = read(tmp_path, [entry], recordings_from_config=[*STEP["recordings_from_config"], place])
    assert has_note(targets, "the place 'tip' cannot be given", "terminal_sections")
    assert has_note(targets, "tip.v maximum_voltage", "left out")


def test_written_as_bluepyemodel_stores_it(tmp_path: Path) -> None:
    targets = read(tmp_path)
    write_bluepyemodel(targets, tmp_path / "again.json")
    written = json.loads((tmp_path / "again.json").read_text("utf-8"))
    assert list(written) == ["efeatures", "protocols"]
    names = {(each["protocol_name"], each["efel_feature_name"], each["efeature_name"]) for each in written["efeatures"]}
    assert ("RMPProtocol", "Spikecount", None) in names
    assert ("IDrest_130", "Spikecount", "Spikecount_phase1") in names
    for entry in written["efeatures"]:
        assert list(entry) == list(CONFIGURATION["efeatures"][0])
    (step,) = written["protocols"]
    assert list(step) == list(STEP)
    assert step["stimuli"] == [{**STEP["stimuli"][0], "holding_current": -0.14}]
    place = STEP["recordings_from_config"][1]
    assert step["recordings_from_config"][1] == {key: place[key] for key in place if key != "sec_name"}
    assert read_bluepyemodel(tmp_path / "again.json") == targets


def test_number_of_cells_is_lost_and_said(tmp_path: Path) -> None:
    step = ProtocolTargets(
        "IDrest_150",
        stimulus((0.0, 500.0, 150.0, 150.0), before_ms=100.0, after_ms=100.0),
        0.1,
        (FeatureTarget("ISI_CV", 0.1, 0.1, cells=5), FeatureTarget("Spikecount", 3.0, 1.0, cells=5, sweeps=12)),
    )
    said = write_bluepyemodel(FeatureTargets(-80.0, 500.0, (), (step,)), tmp_path / "folder" / "model.json")
    assert said == (
        "cells (IDrest_150.soma.v.ISI_CV, and 1 more): 5 becomes 0",
        "sweeps (IDrest_150.soma.v.ISI_CV): 0 becomes 5",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"efeatures": []}, r"expected the key 'protocols', got efeatures"),
        ({"efeatures": [{"mean": 1.0}], "protocols": []}, r"efeatures.0: expected the key 'protocol_name', got mean"),
        ({"efeatures": [], "protocols": [{"name": "a"}]}, r"protocols.0: expected the key 'stimuli', got name"),
        ({"efeatures": [], "protocols": {}}, r"protocols: expected a list, got \{\}"),
    ],
)
def test_faults_name_file_and_key(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        read_bluepyemodel(write_json(tmp_path / "model.json", content))
