"""The older tables: forms that the real ones of test_rat_etypes.py do not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.formats.legacy import read_legacy
from tests.features.formats.reading import acting, has_note, protocol, stimulus, target, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.features.targets import FeatureTargets

# The form of BluePyOpt's layer 5 example: Hay et al. 2011, PLoS Comput Biol 7: e1002107.
EXAMPLE_FEATURES = {
    "Step1": {"soma": {"mean_frequency": [6, 1], "AHP_depth_abs": [-60.3636, 2.3018]}},
    "bAP": {
        "soma": {"Spikecount": [1.0, 0.01]},
        "dend1": {"AP_amplitude_from_voltagebase": [45.0, 10.0]},
    },
}
EXAMPLE_PROTOCOLS: dict[str, Any] = {
    "Step1": {
        "stimuli": [
            {"delay": 700, "amp": 0.458, "duration": 2000, "totduration": 3000},
            {"delay": 0, "amp": -0.126, "duration": 3000, "totduration": 3000},
        ]
    },
    "bAP": {
        "stimuli": [{"delay": 295, "amp": 1.9, "duration": 5, "totduration": 600}],
        "extra_recordings": [
            {"var": "v", "somadistance": 660, "type": "somadistance", "name": "dend1", "seclist_name": "apical"}
        ],
    },
}
ENTRY = {"feature": "voltage_base", "val": [-80.0, 1.0], "n": 4}


def read(folder: Path, features: object, protocols: object, **more: Any) -> FeatureTargets:
    return read_legacy(write_json(folder / "f.json", features), write_json(folder / "p.json", protocols), **more)


def one_protocol(folder: Path, entry: dict[str, Any], *features: dict[str, Any]) -> FeatureTargets:
    return read(folder, {"Step_150": {"soma.v": [ENTRY, *features]}}, {"Step_150": entry})


def test_layer_5_example(tmp_path: Path) -> None:
    targets = read(tmp_path, EXAMPLE_FEATURES, EXAMPLE_PROTOCOLS, holding_voltage_mV=-80.0)
    assert protocol(targets, "Step1").stimulus == stimulus(
        (0.0, 2000.0, 0.458, 0.458), unit="nA", before_ms=700.0, after_ms=300.0, holding_nA=-0.126
    )
    assert protocol(targets, "bAP").stimulus.holding_nA == 0.0
    feature, unit, window_ms, settings = acting(targets)["bAP.dend1.v.AP_amplitude_from_voltagebase"]
    assert (feature, unit, window_ms) == ("AP_amplitude_from_voltagebase", "mV", (0.0, 305.0))
    assert (settings.spike_threshold_mV, settings.strict_stimulus_interval) == (-55.0, False)
    assert acting(targets)["Step1.soma.v.mean_frequency"][3].spike_threshold_mV == -20.0
    assert (target(targets, "Step1.soma.v.mean_frequency").mean, target(targets, "bAP.soma.v.Spikecount").std) == (
        6.0,
        0.01,
    )


def test_holding_voltage_of_the_example_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="give a holding voltage with it"):
        read(tmp_path, EXAMPLE_FEATURES, EXAMPLE_PROTOCOLS)


@pytest.mark.parametrize(
    ("kind", "ramp", "pieces", "unit"),
    [
        (
            "RampThresholdProtocol",
            {"ramp_delay": 70.0, "thresh_perc_start": 150.0, "thresh_perc_end": 250.0, "ramp_duration": 200.0},
            (0.0, 200.0, 150.0, 250.0),
            "percent",
        ),
        (
            "RampProtocol",
            {"ramp_delay": 70.0, "ramp_amplitude_start": 0.1, "ramp_amplitude_end": 0.4, "ramp_duration": 200.0},
            (0.0, 200.0, 0.1, 0.4),
            "nA",
        ),
    ],
)
def test_ramps(
    tmp_path: Path, kind: str, ramp: dict[str, float], pieces: tuple[float, float, float, float], unit: str
) -> None:
    stimuli = {"ramp": {**ramp, "totduration": 300.0}, "holding": {"amp": -0.1, "totduration": 300.0}}
    targets = one_protocol(tmp_path, {"type": kind, "stimuli": stimuli}, {"feature": "ISI_CV", "val": [0.1, 0.1]})
    found = protocol(targets, "Step_150").stimulus
    assert found.pieces == stimulus(pieces).pieces
    assert (found.unit, found.before_ms, found.after_ms) == (unit, 70.0, 30.0)
    assert found.holding_nA == (None if unit == "percent" else -0.1)


def test_threshold_of_a_feature(tmp_path: Path) -> None:
    step = {"delay": 70.0, "thresh_perc": 150.0, "duration": 200.0, "totduration": 300.0}
    entry = {"feature": "Spikecount", "val": [1, 1], "threshold": -55.0, "strict_stim": False}
    targets = one_protocol(tmp_path, {"type": "StepThresholdProtocol", "stimuli": {"step": step}}, entry)
    settings = acting(targets)["Step_150.soma.v.Spikecount"][3]
    assert (settings.spike_threshold_mV, settings.strict_stimulus_interval) == (-55.0, False)


def test_keys_that_are_not_used_are_noted(tmp_path: Path) -> None:
    step = {"delay": 70.0, "thresh_perc": 150.0, "duration": 200.0, "totduration": 300.0}
    entry = {"feature": "Spikecount", "val": [1, 1], "colour": "red"}
    targets = one_protocol(tmp_path, {"type": "StepThresholdProtocol", "stimuli": {"step": step}}, entry)
    assert has_note(targets, "1 features have 'colour', which is not used")


def test_amplitude_that_nothing_gives_is_noted(tmp_path: Path) -> None:
    step = {"delay": 70.0, "amp": None, "thresh_perc": 150.0, "duration": 200.0, "totduration": 300.0}
    targets = one_protocol(tmp_path, {"type": "StepThresholdProtocol", "stimuli": {"step": step}})
    assert protocol(targets, "Step_150").amplitude_nA == 0.0
    assert has_note(targets, "Step_150: amplitude in nA unknown")


def test_stimulus_without_features_is_noted(tmp_path: Path) -> None:
    step = {"delay": 70.0, "thresh_perc": 150.0, "duration": 200.0, "totduration": 300.0}
    entry = {"type": "StepThresholdProtocol", "stimuli": {"step": step}}
    targets = read(tmp_path, {"Step_150": {"soma.v": [ENTRY]}}, {"Step_150": entry, "Step_200": entry})
    assert has_note(targets, "Step_200 left out: no feature is measured under this stimulus")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "StepThresholdProtocol"}, "p.json: Step_150: expected the key 'stimuli', got type"),
        ({"stimuli": {"holding": {}}}, "Step_150.stimuli: expected the key 'step', got holding"),
        ({"stimuli": [{"amp": 1.0}]}, "Step_150.stimuli.0: expected the key 'delay', got amp"),
    ],
)
def test_faults_name_file_and_key(tmp_path: Path, entry: dict[str, Any], message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        one_protocol(tmp_path, entry)
