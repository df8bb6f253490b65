"""The shapes of stimuli that BluePyEfe and BluePyEModel have.

The descriptions were given to the eCodes of BluePyEModel 1.0.50 once: the current that each of its `generate` made at
a step of 0.1 ms was that of our pieces to 1e-15 nA, in nA and in % of a threshold current. (PosCheops and NegCheops in
% were compared in nA only: there its `generate` leaves the threshold current aside, unlike its simulation.)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.formats.bluepyefe import read_bluepyefe
from rheobase.features.formats.bluepyemodel import read_bluepyemodel, write_bluepyemodel
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from tests.features.formats.reading import has_note, protocol, stimulus, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.features.target_stimuli import ProtocolStimulus

FRAME = {"delay": 100.0, "totduration": 2200.0}
SHAPES: dict[str, tuple[dict[str, Any], ProtocolStimulus]] = {
    "IDrest_150": (
        {"amp": 0.3, "thresh_perc": 150.0, "duration": 200.0},
        stimulus((0.0, 200.0, 150.0, 150.0)),
    ),
    "Ramp_300": (
        {"amp": 0.6, "thresh_perc": 300.0, "duration": 200.0},
        stimulus((0.0, 200.0, 0.0, 300.0)),
    ),
    "SpikeRecMultiSpikes_600": (
        {"amp": 1.2, "thresh_perc": 600.0, "n_spikes": 3, "delta": 6.5, "spike_duration": 3.5},
        stimulus((0.0, 3.5, 600.0, 600.0), (10.0, 3.5, 600.0, 600.0), (20.0, 3.5, 600.0, 600.0)),
    ),
    "sAHP_250": (
        {"amp": 0.5, "thresh_perc": 250.0, "long_amp": 0.08, "long_amp_rel": 40.0, "duration": 225.0}
        | {"tmid": 350.0, "tmid2": 575.0, "toff": 1025.0},
        stimulus((0.0, 250.0, 40.0, 40.0), (250.0, 225.0, 250.0, 250.0), (475.0, 450.0, 40.0, 40.0)),
    ),
    "HyperDepol_-160": (
        {"amp": -0.32, "thresh_perc": -160.0, "amp2": 0.2, "depol_amp_rel": 100.0, "duration": 720.0}
        | {"tmid": 550.0, "toff": 820.0},
        stimulus((0.0, 450.0, -160.0, -160.0), (450.0, 270.0, 100.0, 100.0)),
    ),
    "DeHyperpol_-160": (
        {"amp": 0.3, "amp_rel": 150.0, "amp2": -0.32, "thresh_perc": -160.0, "duration": 720.0}
        | {"tmid": 370.0, "toff": 820.0},
        stimulus((0.0, 270.0, 150.0, 150.0), (270.0, 450.0, -160.0, -160.0)),
    ),
    "PosCheops_300": (
        {"amp": 0.6, "thresh_perc": 300.0, "duration": 1866.0}
        | {"t1": 900.0, "t2": 1100.0, "t3": 1500.0, "t4": 1700.0, "toff": 1966.0},
        stimulus(
            (0.0, 400.0, 0.0, 300.0), (400.0, 400.0, 300.0, 0.0), (1000.0, 200.0, 0.0, 300.0),
            (1200.0, 200.0, 300.0, 0.0), (1600.0, 133.0, 0.0, 300.0), (1733.0, 133.0, 300.0, 0.0),
        ),
    ),
}  # fmt: skip
FEATURES = (FeatureTarget("voltage_base", -80.0, 1.0, "mV"),)


def configuration(name: str, *stimuli: dict[str, Any], kind: str = "ThresholdBasedProtocol") -> dict[str, Any]:
    feature = {
        "efel_feature_name": "voltage_base",
        "protocol_name": name,
        "recording_name": "soma.v",
        "mean": -80.0,
        "original_std": 1.0,
    }
    recording = {"type": "CompRecording", "name": f"{name}.soma.v", "location": "soma", "variable": "v"}
    written = {"name": name, "stimuli": list(stimuli), "recordings_from_config": [recording], "protocol_type": kind}
    return {"efeatures": [feature], "protocols": [written]}


def read_stimulus(folder: Path, name: str, *stimuli: dict[str, Any], **more: Any) -> ProtocolTargets:
    path = write_json(folder / "model.json", configuration(name, *stimuli, **more))
    return protocol(read_bluepyemodel(path, holding_voltage_mV=-80.0), name)


def refused(folder: Path, name: str, *stimuli: dict[str, Any], **more: Any) -> FeatureError:
    """Why a stimulus cannot be given: the table has no other target."""
    path = write_json(folder / "model.json", configuration(name, *stimuli, **more))
    with pytest.raises(FeatureError, match="has no feature that can be a target") as caught:
        read_bluepyemodel(path, holding_voltage_mV=-80.0)
    return caught.value


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_read(name: str, tmp_path: Path) -> None:
    description, expected = SHAPES[name]
    found = read_stimulus(tmp_path, name, {**FRAME, **description})
    assert found.stimulus.pieces == expected.pieces
    assert found.stimulus.level == float(name.rpartition("_")[2])
    assert found.stimulus.before_ms == 100.0
    assert found.stimulus.after_ms == pytest.approx(2100.0 - found.duration_ms)
    assert found.amplitude_nA == pytest.approx(found.stimulus.level * 0.002)


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_written(name: str, tmp_path: Path) -> None:
    description, expected = SHAPES[name]
    given = stimulus(
        *((piece.onset_ms, piece.duration_ms, piece.start, piece.end) for piece in expected.pieces),
        before_ms=100.0,
        after_ms=2100.0 - expected.duration_ms,
    )
    made = ProtocolTargets(name, given, given.level * 0.002, FEATURES)
    said = write_bluepyemodel(FeatureTargets(-80.0, 200.0, (), (made,)), tmp_path / "model.json")
    assert not any("BluePyEModel" in line for line in said)
    written = json.loads((tmp_path / "model.json").read_text("utf-8"))["protocols"][0]["stimuli"]
    assert written == [pytest.approx({**FRAME, **description, "holding_current": None})]


@pytest.mark.parametrize("name", SHAPES)
def test_shape_in_nA(name: str, tmp_path: Path) -> None:
    description, expected = SHAPES[name]
    plain = {key: value for key, value in description.items() if not key.endswith("_rel")}
    step = {**FRAME, **plain, "holding_current": -0.05}
    found = read_stimulus(tmp_path, name, step, kind="Protocol").stimulus  # which leaves thresh_perc aside
    assert (found.unit, found.holding_nA) == ("nA", -0.05)
    assert [piece.end for piece in found.pieces] == pytest.approx([0.002 * piece.end for piece in expected.pieces])


@pytest.mark.parametrize("name", ["sAHP_250", "HyperDepol_-160", "DeHyperpol_-160"])
def test_second_level_in_nA_is_scaled_by_the_first(name: str, tmp_path: Path) -> None:
    description, expected = SHAPES[name]
    plain = {key: value for key, value in description.items() if not key.endswith("_rel")}
    found = read_stimulus(tmp_path, name, {**FRAME, **plain}).stimulus
    assert found.unit == "percent"
    assert [piece.start for piece in found.pieces] == pytest.approx([piece.start for piece in expected.pieces])


def test_shape_that_has_no_name_is_written_piece_by_piece(tmp_path: Path) -> None:
    given = stimulus((0.0, 10.0, 50.0, 80.0), (15.0, 5.0, -20.0, -20.0), main_piece=1, before_ms=0.0, after_ms=0.0)
    made = ProtocolTargets("Odd_80", given, -0.04, FEATURES)
    said = write_bluepyemodel(FeatureTargets(-80.0, 200.0, (), (made,)), tmp_path / "model.json")
    assert "Odd_80: BluePyEModel has no stimulus of this shape" in said
    assert protocol(read_bluepyemodel(tmp_path / "model.json"), "Odd_80") == made


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("Ramp_100", stimulus((0.0, 10.0, 100.0, 100.0)), "no stimulus of this shape"),
        ("SpikeRec_600", stimulus((0.0, 3.0, 600.0, 600.0), (9.0, 3.0, 600.0, 600.0)), "but it is 'pulses'"),
        ("DC_100", stimulus((0.0, 10.0, 100.0, 100.0)), "knows none in 'DC_100'"),
    ],
)
def test_name_under_which_bluepyemodel_would_run_something_else(
    name: str, given: ProtocolStimulus, words: str, tmp_path: Path
) -> None:
    targets = FeatureTargets(-80.0, 200.0, (), (ProtocolTargets(name, given, 0.2, FEATURES),))
    assert any(words in line for line in write_bluepyemodel(targets, tmp_path / "model.json"))
    assert protocol(read_bluepyemodel(tmp_path / "model.json"), name).stimulus.pieces == given.pieces


@pytest.mark.parametrize(
    ("name", "step", "words"),
    [
        ("SineSpec_100", {"amp": 0.1, "thresh_perc": 100.0, "duration": 5.0}, "only named: sinespec"),
        ("SineSpec_100", {"thresh_perc": 100.0, "duration": 5.0, "chirp_time_offset": 0.1}, "only named: sinespec"),
        ("WhiteNoise_100", {"thresh_perc": 100.0, "duration": 5.0}, "only named: noise"),
        ("Step_100", {"thresh_perc": 100.0, "duration": 5.0, "waveform": [0.1]}, "it has waveform, which"),
        ("Step_100", {"amp": 0.1, "duration": 5.0}, "no amplitude in % of the threshold current"),
        ("sAHP_100", {"thresh_perc": 100.0, "duration": 5.0}, "only named: sahp"),
        ("sAHP_100", SHAPES["sAHP_250"][0] | {"long_amp_rel": None, "amp": None}, "no amplitude in %"),
        ("BAC_100", {"thresh_perc": 10.0, "duration": 5.0, "location": {"type": "somadistance"}}, "not injected into"),
    ],
)
def test_stimulus_that_cannot_be_given_is_noted(name: str, step: dict[str, Any], words: str, tmp_path: Path) -> None:
    error = str(refused(tmp_path, name, {**FRAME, **step}))
    assert f"the stimulus of {name} cannot be given" in error
    assert words in error


def test_kinds_of_protocols_that_cannot_be_given(tmp_path: Path) -> None:
    step = {**FRAME, "thresh_perc": 100.0, "duration": 5.0}
    error = refused(tmp_path, "Step_100", step, kind="ThresholdBasedNoHoldingProtocol")
    assert "it is a ThresholdBasedNoHoldingProtocol" in str(error)


def test_overlapping_steps_cannot_be_given(tmp_path: Path) -> None:
    steps = [{"delay": onset, "thresh_perc": 50.0, "duration": 10.0, "totduration": 50.0} for onset in (5.0, 9.0)]
    assert "its steps overlap" in str(refused(tmp_path, "Step_100", *steps))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"delay": 5.0, "thresh_perc": 50.0, "totduration": 50.0}, "expected the key 'duration'"),
        ({"delay": 5.0, "thresh_perc": 50.0, "duration": -1.0}, r"stimuli.0: the pieces of a stimulus must"),
        ({"delay": "soon", "thresh_perc": 50.0, "duration": 1.0}, r"stimuli.0.delay: expected a finite number"),
        ({"delay": 5.0, "thresh_perc": 50.0, "n_spikes": 0, "spike_duration": 1.0}, "one pulse or more, got 0"),
    ],
)
def test_faults_of_a_stimulus_name_file_and_key(step: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write_json(tmp_path / "model.json", configuration("Step_100", step))
    with pytest.raises(FeatureError, match=message):
        read_bluepyemodel(path)


def test_bluepyefe_stimulus_that_cannot_be_given_is_noted(tmp_path: Path) -> None:
    step = {"holding": {"amp": 0.0}, "step": {**FRAME, "amp": 0.1, "thresh_perc": 100.0, "duration": 5.0}}
    features = {name: {"soma": [{"feature": "voltage_base", "val": [-80, 1]}]} for name in ("Step_100", "SineSpec_100")}
    paths = (
        write_json(tmp_path / "f.json", features),
        write_json(tmp_path / "p.json", {"Step_100": step, "SineSpec_100": step}),
    )
    targets = read_bluepyefe(*paths)
    assert list(targets.objectives) == ["Step_100.soma.v.voltage_base"]
    assert has_note(targets, "SineSpec_100 soma.v voltage_base -80 +- 1 left out")
