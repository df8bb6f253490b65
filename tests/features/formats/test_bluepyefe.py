"""BluePyEfe's files, read and written.

EFE_FEATURES, EFE_PROTOCOLS and EFE_CURRENTS are what BluePyEfe 2.3.63 (eFEL 5.7.34) wrote for the cells B6 and B8 of
its own test recordings: three of five features of IDRest at 250 % of the rheobase, the last one with a name, a window
and a spike threshold of its own, its standard deviation of 0 raised to 1e-3 by BluePyEfe. With all levels and
features the files that we wrote after reading its own were equal to them but for our two further keys.
BluePyEModel 1.0.50 read what `write_bluepyefe` made of 15 e-types (`init_from_bluepyefe`) to the same configurations
that `write_bluepyemodel` made of them.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.formats.bluepyefe import read_bluepyefe, write_bluepyefe
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.sites import RecordingSite
from rheobase.features.targets import CellSummary, FeatureTarget, FeatureTargets, ProtocolTargets
from tests.features.formats.reading import acting, has_note, numbers, protocol, stimulus, target, write_json

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {"strict_stiminterval": True, "Threshold": -20.0, "interp_step": 0.025}
EFE_FEATURES: dict[str, Any] = {
    "IDRest_250.0": {
        "soma": [
            {
                "feature": "Spikecount",
                "val": [78.5, 3.5],
                "n": 2,
                "efel_settings": SETTINGS,
                "efeature_name": "Spikecount",
            },
            {
                "feature": "voltage_base",
                "val": [-84.3307332576818, 0.18027262891850881],
                "n": 2,
                "efel_settings": SETTINGS,
                "efeature_name": "voltage_base",
            },
            {
                "feature": "Spikecount",
                "val": [21.0, 0.001],
                "n": 2,
                "efel_settings": {**SETTINGS, "Threshold": -10.0, "stim_start": 700.0, "stim_end": 1200.0},
                "efeature_name": "Spikecount_phase1",
            },
        ]
    }
}
EFE_PROTOCOLS: dict[str, Any] = {
    "IDRest_250.0": {
        "holding": {"delay": 0.0, "amp": -0.032810899429023266, "duration": 3000.0, "totduration": 3000.0},
        "step": {
            "delay": 700.0000000000001,
            "amp": 0.2620705445843874,
            "thresh_perc": 246.666664176047,
            "duration": 2000.0,
            "totduration": 3000.0,
        },
    }
}
EFE_CURRENTS: dict[str, Any] = {
    "holding_current": [-0.032810899429023266, 0.020311509259045124],
    "threshold_current": [0.1062448164448142, 0.012499391101300716],
    "all_holding_current": {"B6": -0.012499390169978142, "B8": -0.05312240868806839},
    "all_threshold_current": {"B6": 0.11874420754611492, "B8": 0.09374542534351349},
}


def write_files(folder: Path, features: object, protocols: object, currents: object = None) -> tuple[Path, Path]:
    if currents is not None:
        write_json(folder / "holding_threshold_currents.json", currents)
    return write_json(folder / "features.json", features), write_json(folder / "protocols.json", protocols)


def one_feature(**entry: Any) -> dict[str, Any]:
    return {"IDRest_250.0": {"soma": [{"feature": "voltage_base", "val": [-80.0, 1.0], "n": 3, **entry}]}}


@pytest.fixture
def efe(tmp_path: Path) -> FeatureTargets:
    return read_bluepyefe(*write_files(tmp_path, EFE_FEATURES, EFE_PROTOCOLS, EFE_CURRENTS))


def test_features_with_their_numbers_and_settings(efe: FeatureTargets) -> None:
    counted = target(efe, "IDRest_250.0.soma.v.Spikecount")
    assert (counted.mean, counted.std, counted.sweeps, counted.cells) == (78.5, 3.5, 2, 0)
    first = target(efe, "IDRest_250.0.soma.v.Spikecount_phase1")
    assert (first.feature, first.mean, first.std, first.window_ms) == ("Spikecount", 21.0, 0.001, (0.0, 500.0))
    assert first.settings == MeasurementSettings(-10.0, 0.025)
    assert protocol(efe, "IDRest_250.0").settings == MeasurementSettings(-20.0, 0.025)


def test_step_in_percent_of_the_threshold_current(efe: FeatureTargets) -> None:
    found = protocol(efe, "IDRest_250.0")
    percent = 246.666664176047
    expected = stimulus((0.0, 2000.0, percent, percent), before_ms=700.0000000000001, after_ms=300.0)
    assert found.stimulus == expected
    assert found.amplitude_nA == 0.2620705445843874


def test_currents_beside_the_features(efe: FeatureTargets) -> None:
    assert {each.feature: (each.mean, each.std, each.cells) for each in efe.intrinsic} == {
        "holding_current": (-0.032810899429023266, 0.020311509259045124, 2),
        "threshold_current": (0.1062448164448142, 0.012499391101300716, 2),
    }
    assert has_note(efe, "threshold_current of single cells", "B6 0.11874420754611492")
    assert efe.holding_voltage_mV == -84.3307332576818


def test_written_as_bluepyefe_wrote_it(efe: FeatureTargets, tmp_path: Path) -> None:
    write_bluepyefe(efe, tmp_path / "again")
    features, protocols, currents = (
        json.loads((tmp_path / "again" / name).read_text("utf-8"))
        for name in ("features.json", "protocols.json", "holding_threshold_currents.json")
    )
    entries = features["IDRest_250.0"]["soma"]
    assert [{key: entry[key] for key in EFE_FEATURES["IDRest_250.0"]["soma"][0]} for entry in entries] == (
        EFE_FEATURES["IDRest_250.0"]["soma"]
    )
    assert protocols["IDRest_250.0"] == EFE_PROTOCOLS["IDRest_250.0"]
    assert currents["threshold_current"] == EFE_CURRENTS["threshold_current"]


def test_round_trip_of_targets_that_use_everything(tmp_path: Path) -> None:
    targets = FeatureTargets(
        holding_voltage_mV=-83.0,
        threshold_duration_ms=500.0,
        intrinsic=(
            FeatureTarget("resting_potential", -77.1, 3.6, "mV", 16, 20),
            FeatureTarget("input_resistance", 53.4, 17.1, "MOhm", 44, 90),
            FeatureTarget("holding_current", -0.157, 0.1, "nA"),
            FeatureTarget("threshold_current", 0.309, 0.094, "nA"),
        ),
        protocols=(
            ProtocolTargets(
                "Step_150",
                stimulus((0.0, 500.0, 150.0, 150.0), before_ms=200.0, after_ms=75.5),
                0.46,
                (
                    FeatureTarget("Spikecount", 5.0, 1.0, cells=3, sweeps=9, weight=2.5),
                    FeatureTarget("Spikecount", 1.0, 0.5, name="early", window_ms=(0.0, 50.25)),
                    FeatureTarget("voltage_base", -83.0, 1.0, "mV", settings=MeasurementSettings(-10.0)),
                ),
                MeasurementSettings(-30.0, 0.1, strict_stimulus_interval=False, efel=(("max_spike_skip", 3),)),
            ),
            ProtocolTargets(
                "bAP",
                stimulus(
                    (0.0, 4.0, 1.5, 1.5), unit="nA", window_ms=(0.0, 300.0), before_ms=0.0, after_ms=1.0, holding_nA=0.1
                ),
                1.5,
                (FeatureTarget("maximum_voltage_from_voltagebase", 1e-4, 9e-5, "mM", location="d", variable="cai"),),
            ),
        ),
        sites=(RecordingSite("d", "apical", 208.0, "apical_trunk"),),
    )  # fmt: skip
    assert write_bluepyefe(targets, tmp_path) == ("settings (targets): " + _settings_change(),)
    reread = read_bluepyefe(tmp_path / "features.json", tmp_path / "protocols.json")
    assert reread.intrinsic == targets.intrinsic
    assert reread.protocols[1] == targets.protocols[1]
    assert numbers(reread) == numbers(targets)
    assert acting(reread) == acting(targets)
    assert reread.sites == targets.sites
    assert reread.holding_voltage_mV == -83.0


def _settings_change() -> str:
    before = MeasurementSettings()
    after = MeasurementSettings(-30.0, 0.1, strict_stimulus_interval=False, efel=(("max_spike_skip", 3),))
    return f"{before} becomes {after}"


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    step = ProtocolTargets("LongDC_50", stimulus((0.0, 500.0, 50.0, 50.0)), 0.1, (FeatureTarget("ISI_CV", 0.1, 0.1),))
    targets = FeatureTargets(
        -80.0,
        1000.0,
        (),
        (step,),
        junction_potential_mV=14.0,
        cells=(CellSummary("c1", 0.1, 0.0, -80.0, 3, bracketed=True),),
        notes=("a note",),
    )
    said = write_bluepyefe(targets, tmp_path)
    assert "junction_potential_mV (targets): 14.0 becomes 0.0" in said
    assert "threshold_duration_ms (targets): 1000.0 becomes 500.0" in said
    assert "cells (1 of them): not in the table" in said
    assert "notes (1 of them): not in the table" in said
    assert "before_ms (LongDC_50): None becomes 700.0" in said
    assert any("knows none in 'LongDC_50'" in line for line in said)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"val": [math.nan, 1.0]}, ("voltage_base left out", "no mean")),
        ({"val": [None, 1.0]}, ("voltage_base left out", "no mean")),
        ({"val": [-80.0, math.nan]}, ("voltage_base left out", "no standard deviation")),
        ({"val": [-80.0, -1.0]}, ("voltage_base left out", "no standard deviation")),
        ({"feature": "AP_amplitud"}, ("AP_amplitud left out", "no such feature", "(-80 +- 1)")),
        ({"feature": "BPAPatt2"}, ("BPAPatt2 left out", "620 um up the dendrite")),
        ({"feature": "bpo_rin"}, ("bpo_rin left out",)),
        ({"efel_settings": {"stim_start": 800.0, "stim_end": 750.0}}, ("left out: measured from 100 to 50 ms",)),
        ({"efel_settings": {"stim_start": 9000.0}}, ("left out: measured from 8300 to 2000 ms",)),
    ],
)
def test_what_cannot_be_a_target_is_noted_by_name(
    tmp_path: Path, entry: dict[str, Any], words: tuple[str, ...]
) -> None:
    features = one_feature()
    features["IDRest_250.0"]["soma"].append({"feature": "voltage_base", "val": [-80.0, 1.0], "n": 3, **entry})
    targets = read_bluepyefe(*write_files(tmp_path, features, EFE_PROTOCOLS))
    assert len(targets.objectives) == 1
    assert has_note(targets, *words)


def test_standard_deviation_of_zero_is_raised_and_noted(tmp_path: Path) -> None:
    targets = read_bluepyefe(*write_files(tmp_path, one_feature(val=[-80.0, 0]), EFE_PROTOCOLS))
    assert target(targets, "IDRest_250.0.soma.v.voltage_base").std == 0.001
    assert has_note(targets, "voltage_base", "standard deviation 0 raised to 0.001")


def test_old_names_become_the_present_ones(tmp_path: Path) -> None:
    features = one_feature()
    features["IDRest_250.0"]["soma"].append({"feature": "E6", "val": [70.0, 5.0], "efeature_name": "E6"})
    targets = read_bluepyefe(*write_files(tmp_path, features, EFE_PROTOCOLS))
    assert target(targets, "IDRest_250.0.soma.v.E6").feature == "AP1_amp"
    assert has_note(targets, "E6", "eFEL now calls it AP1_amp")


def test_unknown_setting_is_noted_and_a_wrong_one_refused(tmp_path: Path) -> None:
    targets = read_bluepyefe(*write_files(tmp_path, one_feature(efel_settings={"colour": "red"}), EFE_PROTOCOLS))
    assert has_note(targets, "no setting colour (red)")
    paths = write_files(tmp_path, one_feature(efel_settings={"Threshold": "low"}), EFE_PROTOCOLS)
    with pytest.raises(
        FeatureError, match=r"features.json: IDRest_250.0.soma.0.efel_settings: .*Threshold must be a number, got 'low'"
    ):
        read_bluepyefe(*paths)


def test_feature_without_its_stimulus_is_noted(tmp_path: Path) -> None:
    features = {**one_feature(), "Spont_0": {"soma": [{"feature": "mean_frequency", "val": [1.0, 0.5], "n": 4}]}}
    targets = read_bluepyefe(*write_files(tmp_path, features, EFE_PROTOCOLS))
    assert has_note(targets, "Spont_0 soma.v mean_frequency 1 +- 0.5 (n 4) left out", "no stimulus Spont_0")


def test_feature_at_an_unknown_place_is_noted(tmp_path: Path) -> None:
    features = one_feature()
    features["IDRest_250.0"]["dend1.v"] = [{"feature": "maximum_voltage", "val": [1.0, 0.5]}]
    targets = read_bluepyefe(*write_files(tmp_path, features, EFE_PROTOCOLS))
    assert has_note(targets, "dend1.v maximum_voltage", "left out", "do not say where 'dend1' is")


def test_same_place_name_in_two_protocols_gets_two_names(tmp_path: Path) -> None:
    places = [
        {"name": "dend1", "var": "v", "type": "somadistance", "somadistance": um, "seclist_name": "apical"}
        for um in (100.0, 200.0)
    ]
    protocols = {
        name: {**EFE_PROTOCOLS["IDRest_250.0"], "extra_recordings": [place]}
        for name, place in zip(("Step_1", "Step_2"), places, strict=True)
    }
    entry = {"feature": "maximum_voltage", "val": [1.0, 0.5]}
    held = {"feature": "voltage_base", "val": [-80.0, 0.5]}
    features = {name: {"soma": [held], "dend1.v": [entry]} for name in protocols}
    targets = read_bluepyefe(*write_files(tmp_path, features, protocols))
    assert {site.name: site.distance_um for site in targets.sites} == {"dend1": 100.0, "Step_2_dend1": 200.0}
    assert "Step_2.Step_2_dend1.v.maximum_voltage" in targets.objectives


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"IDRest_250.0": {"soma": [{"val": [1.0, 2.0]}]}}, r"soma.0: expected the key 'feature', got val"),
        (one_feature(val=[1.0]), r"soma.0.val: expected a list that begins with mean and standard deviation"),
        (one_feature(val=3), r"soma.0.val: expected a list, got 3"),
        (one_feature(val=["x", 1]), r"soma.0.val.0: expected a finite number, got \"x\""),
        (one_feature(efel_settings={"Threshold": math.nan}), r"efel_settings.Threshold: expected a finite number"),
        (one_feature(efel_settings={"interp_step": 0}), r"efel_settings: the interpolation step must be above 0 ms"),
        (one_feature(val=[10**400, 1]), r"soma.0.val.0: expected a finite number"),
        (one_feature(weight=-1), r"soma.0.weight: expected a weight of zero or more, got -1"),
        (one_feature(n=-1), r"soma.0.n: expected a whole number of zero or more, got -1"),
        (one_feature(feature=5), r"soma.0.feature: expected a text, got 5"),
        ({"IDRest_250.0": 5}, r"IDRest_250.0: expected an object with named members, got 5"),
        ({}, r"no feature that can be a target|does not say at which voltage"),
    ],
)
def test_faults_name_file_and_key(tmp_path: Path, features: object, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        read_bluepyefe(*write_files(tmp_path, features, EFE_PROTOCOLS))


def test_holding_voltage_is_that_of_held_protocols_in_the_ratio_of_their_numbers(tmp_path: Path) -> None:
    plain = EFE_PROTOCOLS["IDRest_250.0"]
    free = {"holding": {"amp": 0.0}, "step": {"delay": 9.0, "amp": 0.1, "duration": 9.0, "totduration": 30.0}}
    held = {"holding": {"amp": -0.1}, "step": free["step"]}
    base = {"feature": "voltage_base", "val": [-80.0, 1.0], "n": 1}
    features = {
        "Step_1": {"soma": [base]},
        "Step_2": {"soma": [{**base, "val": [-84.0, 1.0], "n": 3}]},
        "Step_3": {"soma": [{**base, "val": [-60.0, 1.0], "n": 9}]},
    }
    protocols = {"Step_1": plain, "Step_2": held, "Step_3": free}
    assert read_bluepyefe(*write_files(tmp_path, features, protocols)).holding_voltage_mV == pytest.approx(-83.0)
    protocols = {"Step_3": free}
    assert read_bluepyefe(*write_files(tmp_path, features, protocols)).holding_voltage_mV == -60.0


def test_holding_voltage_can_be_given_where_the_table_lacks_it(tmp_path: Path) -> None:
    paths = write_files(tmp_path, {"IDRest_250.0": {"soma": [{"feature": "ISI_CV", "val": [1, 2]}]}}, EFE_PROTOCOLS)
    with pytest.raises(FeatureError, match="does not say at which voltage the cells were held"):
        read_bluepyefe(*paths)
    assert read_bluepyefe(*paths, holding_voltage_mV=-70.0).holding_voltage_mV == -70.0
