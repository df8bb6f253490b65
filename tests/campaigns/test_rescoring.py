"""Other targets for a campaign that has run: what the record can answer, and what it cannot."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rheobase.campaigns import cli
from rheobase.campaigns.building import build_model
from rheobase.campaigns.choosing import choose_ensemble
from rheobase.campaigns.elites import complete
from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.loading import load_campaign
from rheobase.campaigns.measured_alike import find_recorded, measurements
from rheobase.campaigns.record import EvaluationRecord, RecordedEvaluation, read_frame
from rheobase.campaigns.rescoring import rescore_campaign
from rheobase.campaigns.stages import weights_of
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.sites import RecordingSite
from rheobase.features.target_stimuli import ProtocolStimulus
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from rheobase.features.targets_file import write_targets
from rheobase.fitting.ensembles.ensemble import read_ensemble
from rheobase.objectives.scores import FAILURE_SCORE, z_score
from tests.campaigns.tiny import write_tiny
from tests.campaigns.toy import LEAK, OBJECTIVES, POTASSIUM, SODIUM, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rheobase.fitting.ensembles.ensemble import Ensemble

FULL, COARSE = "40 um, 0.001", "100 um, 0.001"
AMPLITUDE = "Step_150.soma.v.AP_amplitude"
RATE = "Step_200.soma.v.mean_frequency"


def _row(number: int) -> RecordedEvaluation:
    """Every kind of evaluation: a stage of some features, coarse ones, failed and excluded ones, a feature lacking."""
    generator = np.random.default_rng([13, number])
    spread = dict(zip(OBJECTIVES, (10.0, 0.02, 2.0, 5.0, 2.0), strict=True))
    goals = TARGETS.objectives
    features = {name: goals[name].mean + spread[name] * float(generator.normal(0.0, 2.0)) for name in OBJECTIVES}
    failure, excluded, asked = None, False, OBJECTIVES
    search, fidelity = "fine", FULL
    if number < 10:
        search, asked = "passive", OBJECTIVES[:2]
    elif number < 20:
        search, fidelity = "coarse", COARSE
    elif number % 7 == 0:
        failure = "input_resistance: 900 MOhm is 80 standard deviations off"
        features = {"input_resistance": 900.0}
    elif number % 7 == 1:
        excluded, asked = True, OBJECTIVES[:3]
    elif number % 7 == 2:
        del features[AMPLITUDE]
    features = {name: value for name, value in features.items() if name in asked}
    return RecordedEvaluation(
        search=search,
        number=number,
        asked=2 * number,
        told=2 * number + 1,
        parameters={
            LEAK: 2e-5 + 1e-6 * number,
            SODIUM: 0.2 + 0.005 * number,
            POTASSIUM: float(generator.uniform(0.1, 1)),
        },
        features=features,
        scores={name: z_score(features.get(name), goals[name].mean, goals[name].std) for name in asked},
        failure=failure,
        cpu_seconds=0.5,
        ended=1.7e9 + number,
        excluded=excluded,
        fidelity=fidelity,
    )


ROWS = [_row(number) for number in range(90)]


@pytest.fixture(scope="module")
def campaign_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("campaign"), ("  size: 3", "  size: 4"), ("_score: 5", "_score: 3"))


@pytest.fixture
def folder(campaign_file: Path, tmp_path: Path) -> Path:
    """Folder of a campaign: a record of three files and a tail."""
    path = tmp_path / "run"
    path.mkdir()
    campaign = load_campaign(campaign_file)
    opened = CampaignFolder(path)
    opened.begin(campaign, build_model(campaign))
    write_targets(TARGETS, opened.targets)
    record = EvaluationRecord(opened.record, (LEAK, SODIUM, POTASSIUM), OBJECTIVES)
    for number, row in enumerate(ROWS):
        record.append(row)
        if number in (15, 40, 60):
            record.compact()
    assert len(list(opened.record.glob("part-*"))) == 3
    assert (opened.record / "tail.jsonl").stat().st_size > 0
    return path


def _changed(**changes: dict[str, Any]) -> FeatureTargets:
    """The targets with some of them changed, by objective."""

    intrinsic = tuple(dataclasses.replace(target, **changes.get(target.feature, {})) for target in TARGETS.intrinsic)
    protocols = tuple(
        dataclasses.replace(
            protocol,
            features=tuple(dataclasses.replace(t, **changes.get(protocol.objective(t), {})) for t in protocol.features),
        )
        for protocol in TARGETS.protocols
    )
    return dataclasses.replace(TARGETS, intrinsic=intrinsic, protocols=protocols)


def _rescore(folder: Path, targets: FeatureTargets) -> tuple[Ensemble, str]:
    path = folder.parent / "new.json"
    write_targets(targets, path)
    said: list[str] = []
    return read_ensemble(rescore_campaign(folder, path, None, said.append)), "\n".join(said)


def _by_hand(targets: FeatureTargets, names: dict[str, str]) -> dict[int, dict[str, float]]:
    """Scores of the evaluations that can be scored, by number."""
    goals = targets.objectives
    return {
        row.number: {new: z_score(row.features.get(old), goals[new].mean, goals[new].std) for new, old in names.items()}
        for row in ROWS
        if not row.excluded and row.fidelity == FULL and set(names.values()) <= row.scores.keys()
    }


SAME = {name: name for name in OBJECTIVES}


def test_the_same_targets_give_the_campaigns_own_ensemble(folder: Path, campaign_file: Path) -> None:
    ensemble, said = _rescore(folder, TARGETS)
    frame = read_frame(folder / "record")
    assert frame is not None
    campaign = load_campaign(campaign_file)
    own = complete(frame, OBJECTIVES, (FULL,))
    assert ensemble == choose_ensemble(campaign, own, build_model(campaign).dimensions, weights_of(TARGETS))
    assert "Must be simulated" not in said
    assert len(ensemble.members) == 4


def test_other_means_and_standard_deviations(folder: Path) -> None:
    targets = _changed(
        **{"input_resistance": {"mean": 170.0}, AMPLITUDE: {"std": 20.0}, RATE: {"mean": 24.0, "std": 6.0}}
    )
    ensemble, said = _rescore(folder, targets)
    expected = _by_hand(targets, SAME)
    totals = {number: sum(scores.values()) for number, scores in expected.items()}
    best = min(totals, key=totals.__getitem__)
    before = min((n for n in totals), key=lambda n: sum(_by_hand(TARGETS, SAME)[n].values()))
    assert before != best, "the test would show nothing"
    assert ensemble.members[0].number == best
    assert ensemble.members[0].total == pytest.approx(totals[best])
    assert ensemble.accepted_in_record == sum(max(scores.values()) <= 3.0 for scores in expected.values())
    for member in ensemble.members:
        row = ROWS[member.number]
        assert member.parameters == row.parameters
        assert member.features == row.features
        assert member.scores == pytest.approx(expected[member.number])
    lines = said.splitlines()
    assert lines[0].split() == [
        "feature", "target", "before", "target", "now", "best", "before", "(fine", f"{before})", "best", "now",
        "(fine", f"{best})",
    ]  # fmt: skip
    value = ROWS[before].features[RATE]
    line = next(line for line in lines if line.startswith(RATE))
    assert "20 +- 2 Hz" in line
    assert "24 +- 6 Hz" in line
    assert f"{value:.4g} ({abs(value - 24.0) / 6.0:.2f})" in line


def test_other_weights(folder: Path) -> None:
    targets = _changed(**{name: {"weight": 0.0} for name in OBJECTIVES if name != RATE})
    ensemble, said = _rescore(folder, targets)
    scores = _by_hand(targets, SAME)
    best = min(scores, key=lambda number: scores[number][RATE])
    assert ensemble.members[0].number == best
    assert ensemble.members[0].total == ensemble.members[0].worst == pytest.approx(scores[best][RATE])
    assert set(ensemble.members[0].scores) == set(OBJECTIVES), "shown, but not counted"
    assert "100 +- 10 MOhm, weight 0" in said


def test_a_feature_that_a_model_does_not_have_is_a_failure_and_no_gap(folder: Path) -> None:
    only = dataclasses.replace(TARGETS.protocols[0], features=TARGETS.protocols[0].features[1:])
    targets = dataclasses.replace(TARGETS, intrinsic=(), protocols=(only,))
    ensemble, said = _rescore(folder, targets)
    scores = _by_hand(targets, {AMPLITUDE: AMPLITUDE})
    lacking = [number for number, found in scores.items() if found[AMPLITUDE] == FAILURE_SCORE]
    assert lacking
    assert not set(lacking) & {member.number for member in ensemble.members}
    assert f"{len(scores)} of 90 evaluations are scored" in said


def test_evaluations_that_were_not_to_measure_it_are_left_out(folder: Path) -> None:
    """Properties of the cell were measured in the stage of these too."""
    targets = dataclasses.replace(TARGETS, protocols=())
    _, said = _rescore(folder, targets)
    excluded = sum(row.excluded for row in ROWS)
    assert f"{90 - 10 - excluded} of 90 evaluations are scored" in said
    _, said = _rescore(folder, TARGETS)
    assert f"{90 - 20 - excluded} of 90 evaluations are scored" in said
    assert f"{excluded} were stopped early, for the sake of the campaign's own targets: they are not scored" in said
    failed = sum(row.failure is not None for row in ROWS)
    assert f"{failed} ended at a property too far from the campaign's own targets" in said


def test_excluded_evaluations_are_never_chosen(folder: Path) -> None:
    excluded = {row.number for row in ROWS if row.excluded}
    for name in OBJECTIVES[:3]:
        weights = {other: {"weight": 0.0} for other in OBJECTIVES if other != name}
        ensemble, _ = _rescore(folder, _changed(**weights))
        assert not excluded & {member.number for member in ensemble.members}


def test_features_may_come_back_under_another_name(folder: Path) -> None:
    renamed = dataclasses.replace(TARGETS.protocols[1], name="strong")
    called = dataclasses.replace(TARGETS.protocols[0].features[0], name="rate")
    first = dataclasses.replace(TARGETS.protocols[0], features=(called, TARGETS.protocols[0].features[1]))
    targets = dataclasses.replace(TARGETS, protocols=(renamed, first))
    ensemble, said = _rescore(folder, targets)
    assert "Must be simulated" not in said
    same, _ = _rescore(folder, TARGETS)
    assert [member.number for member in ensemble.members] == [member.number for member in same.members]
    assert ensemble.members[0].scores["strong.soma.v.mean_frequency"] == same.members[0].scores[RATE]
    assert "Step_150.soma.v.rate" in ensemble.members[0].features


def test_what_was_not_measured_is_named_and_the_rest_is_scored(folder: Path) -> None:
    new = FeatureTarget("AHP_depth", 10.0, 2.0, "mV")
    first = dataclasses.replace(TARGETS.protocols[0], features=(*TARGETS.protocols[0].features, new))
    ensemble, said = _rescore(folder, dataclasses.replace(TARGETS, protocols=(first, TARGETS.protocols[1])))
    assert set(ensemble.members[0].scores) == set(OBJECTIVES)
    assert "Must be simulated again, and not part of these scores:" in said
    assert "  Step_150.soma.v.AHP_depth: it was not measured in this campaign" in said
    assert f"'targets: {{features: {folder.parent / 'new.json'}}}'" in said
    assert f"'search: {{start: best 20 of {folder}}}'" in said


# ---------------------------------------------------------------------- what is measured alike

LATER = MeasurementSettings(spike_threshold_mV=-10.0)
SITE = RecordingSite("dend1", "apical", 100.0)
ELSEWHERE = dataclasses.replace(
    TARGETS,
    sites=(SITE,),
    protocols=(ProtocolTargets("Step_150", ProtocolStimulus.step(150.0, 500.0), 0.3,
                               (FeatureTarget("maximum_voltage", 0.0, 1.0, "mV", location="dend1"),)),),
)  # fmt: skip


def _first(change: Callable[[ProtocolTargets], ProtocolTargets]) -> FeatureTargets:
    return dataclasses.replace(TARGETS, protocols=(change(TARGETS.protocols[0]), TARGETS.protocols[1]))


def _feature(**values: Any) -> FeatureTargets:
    def change(protocol: ProtocolTargets) -> ProtocolTargets:
        first, second = protocol.features
        return dataclasses.replace(protocol, features=(dataclasses.replace(first, **values), second))

    return _first(change)


STEP = {"Step_150.soma.v.mean_frequency", "Step_150.soma.v.AP_amplitude"}
CHANGES: dict[str, tuple[FeatureTargets, set[str], str]] = {
    "stimulus": (
        _first(lambda protocol: dataclasses.replace(protocol, stimulus=ProtocolStimulus.step(160.0, 500.0))),
        STEP, "it was measured under another stimulus",
    ),
    "length of the stimulus": (
        _first(lambda protocol: dataclasses.replace(protocol, stimulus=ProtocolStimulus.step(150.0, 600.0))),
        STEP, "it was measured under another stimulus",
    ),
    "settings of a protocol": (
        _first(lambda protocol: dataclasses.replace(protocol, settings=LATER)),
        STEP, "it was measured with other settings",
    ),
    "settings of a feature": (
        _feature(settings=LATER), {"Step_150.soma.v.mean_frequency"}, "it was measured with other settings",
    ),
    "window": (
        _feature(window_ms=(0.0, 100.0)), {"Step_150.soma.v.mean_frequency"}, "it was measured in another window",
    ),
    "two things": (
        _feature(window_ms=(0.0, 100.0), settings=LATER), {"Step_150.soma.v.mean_frequency"},
        "it was measured in another window and with other settings",
    ),
    "holding voltage": (
        dataclasses.replace(TARGETS, holding_voltage_mV=-70.0), set(OBJECTIVES),
        "it was measured from another holding voltage",
    ),
    "threshold steps": (
        dataclasses.replace(TARGETS, threshold_duration_ms=2000.0), set(OBJECTIVES) - {"input_resistance"},
        "it was measured with another definition of the threshold current",
    ),
    "spike threshold": (
        dataclasses.replace(TARGETS, settings=LATER), set(OBJECTIVES) - {"input_resistance"},
        "it was measured with another definition of the threshold current",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_measured_otherwise_must_be_simulated_again(change: str) -> None:
    targets, missing, reason = CHANGES[change]
    found = find_recorded(TARGETS, targets, set(OBJECTIVES))
    assert set(found.missing) == missing
    assert set(found.missing.values()) == {reason}
    assert set(found.names) == set(OBJECTIVES) - missing


def test_another_place_of_the_same_name() -> None:
    moved = dataclasses.replace(ELSEWHERE, sites=(dataclasses.replace(SITE, distance_um=200.0),))
    found = find_recorded(ELSEWHERE, moved, set(ELSEWHERE.objectives))
    assert found.missing == {"Step_150.dend1.v.maximum_voltage": "it was measured at another place"}


def test_a_stimulus_in_nA_does_not_depend_on_the_threshold_current_nor_always_on_the_holding_voltage() -> None:
    stimulus = dataclasses.replace(ProtocolStimulus.step(0.3, 500.0, "nA"), holding_nA=-0.05)
    protocol = dataclasses.replace(TARGETS.protocols[0], stimulus=stimulus)
    targets = dataclasses.replace(
        TARGETS, intrinsic=(FeatureTarget("resting_potential", -75.0, 2.0, "mV"),), protocols=(protocol,)
    )
    other = dataclasses.replace(targets, holding_voltage_mV=-60.0, threshold_duration_ms=1.0)
    assert find_recorded(targets, other, set(targets.objectives)).missing == {}
    assert measurements(targets) == measurements(other)


def test_what_no_stage_looked_at() -> None:
    found = find_recorded(TARGETS, TARGETS, set(OBJECTIVES[:2]))
    assert list(found.names) == list(OBJECTIVES[:2])
    assert set(found.missing.values()) == {"no stage of this campaign looked at it"}


# ---------------------------------------------------------------------- the command


def _command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object, code: int = 0
) -> str:
    monkeypatch.setattr(sys, "argv", ["rheobase", "rescore", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    assert (ended.value.code or 0) == code, captured.err
    assert "Traceback" not in captured.err
    return captured.err if code else captured.out


def test_the_command_writes_an_ensemble_and_leaves_the_campaign_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    new, out = folder.parent / "new.json", folder.parent / "chosen.json"
    write_targets(_changed(**{RATE: {"mean": 24.0}}), new)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    said = _command(capsys, monkeypatch, folder, "--targets", new, "--out", out)
    assert said.splitlines()[-1] == str(out)
    assert "Best now: worst score " in said
    assert len(read_ensemble(out).members) == 4
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    said = _command(capsys, monkeypatch, folder, "--targets", new)
    assert read_ensemble(folder / "rescored_ensemble.json") == read_ensemble(out)


def test_the_commands_errors(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new.json"
    write_targets(TARGETS, new)
    said = _command(capsys, monkeypatch, tmp_path, "--targets", new, code=2)
    assert "is not the folder of a campaign" in said
    said = _command(capsys, monkeypatch, folder, "--targets", tmp_path / "nowhere.json", code=2)
    assert "nowhere.json" in said
    said = _command(capsys, monkeypatch, folder, "--targets", new, "--out", folder / "ensemble.json", code=2)
    assert "is the ensemble of the campaign's own targets; give another file with --out" in said
    said = _command(capsys, monkeypatch, folder, "--targets", new, "--out", tmp_path / "no" / "folder.json", code=2)
    assert "cannot be written: No such file or directory" in said
    write_targets(dataclasses.replace(TARGETS, holding_voltage_mV=-70.0), new)
    said = _command(capsys, monkeypatch, folder, "--targets", new, code=2)
    assert "no target with a weight above zero can be scored from the record" in said
    assert "  input_resistance: it was measured from another holding voltage" in said
    for path in (folder / "record").iterdir():
        path.unlink()
    said = _command(capsys, monkeypatch, folder, "--targets", new, code=2)
    assert "has no evaluations yet; run the campaign first" in said
