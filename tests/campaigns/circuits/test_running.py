"""Campaigns of circuits through the command line: to their end, killed and resumed, and with what cannot be reached."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rheobase.campaigns.circuits.confirming import read_final
from rheobase.campaigns.circuits.folder import CircuitFolder
from rheobase.campaigns.circuits.trial_record import RecordedTrial, TrialRecord, read_trials
from rheobase.features.errors import CampaignError
from rheobase.fitting.tuning.trials import Outcome, Told
from tests.campaigns.circuits.tiny import write_tiny_circuit
from tests.campaigns.processes import Running

if TYPE_CHECKING:
    from pathlib import Path

EXTERNAL = """\
rheobase: 1
name: others
external:
  populations: {E: 80, I: 20}
  parameters: ["weight:E->E", "weight:I->E", "background:E", "background:I"]
  layers: {all: {excitatory: [E], inhibitory: [I]}}
  function: tests.campaigns.circuits.others:simulate
targets: {rates: {E: 2 Hz, I: 6 Hz}}
tuning: {duration: 4 s, trials: 30}
"""


def _run(campaign: Path, folder: Path, workers: int) -> Running:
    run = Running("run", campaign, "--out", folder, "--workers", workers)
    assert run.wait(300.0) == 0, run.error
    assert "Traceback" not in run.error
    assert run.left_behind() == []
    return run


def _trials(folder: Path) -> dict[int, tuple[object, ...]]:
    """What must be the same however often a campaign was killed, and however many workers it had."""
    trials = list(read_trials(folder / "trials.jsonl"))
    found = {
        one.told.number: (one.stage, one.told.position, one.parameters, one.seed, one.told.outcome.values)
        for one in trials
    }
    assert len(found) == len(trials), "a trial was recorded twice"
    return found


def _outcomes(folder: Path) -> dict[object, dict[str, float | None]]:
    """What came of each trial, by its parameters and its seed."""
    trials = read_trials(folder / "trials.jsonl")
    return {(tuple(sorted(one.parameters.items())), one.seed): dict(one.told.outcome.values) for one in trials}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_circuit(tmp_path_factory.mktemp("campaign"))


@pytest.fixture(scope="module")
def whole(campaign: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    _run(campaign, folder, 2)
    return folder


def test_a_campaign_comes_to_its_end(campaign: Path, whole: Path) -> None:
    folder = CircuitFolder(whole)
    responses = read_final(folder)
    assert len(responses) == 2
    assert responses[0].spikes.units.populations == ("L4_A", "L4_B")
    assert responses[0].spikes.duration_s == pytest.approx(0.4)
    page = folder.report.read_text(encoding="utf-8")
    assert "L4_A" in page
    assert "single projections" in page
    assert folder.figure.stat().st_size > 10_000
    assert "weight:L4_A->L4_B" in folder.tuned.read_text(encoding="utf-8")
    assert (folder.network / "circuit_config.json").exists()
    again = _run(campaign, whole, 1)
    assert "tuning: 0 trials" in again.error


def test_dashboards_see_every_trial(whole: Path) -> None:
    import optuna

    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(whole / "study.journal")))
    studies = {summary.study_name: summary.n_trials for summary in optuna.get_all_study_summaries(storage)}
    trials = list(read_trials(whole / "trials.jsonl"))
    assert sum(studies.values()) == len(trials)
    assert studies["tiny_circuit: background"] == sum(trial.stage == "background" for trial in trials)
    background = optuna.load_study(study_name="tiny_circuit: background", storage=storage)
    assert set(background.best_params) == {"background L4_A", "background L4_B"}
    assert background.best_value < 1.5


def test_status_and_report_of_a_circuit(whole: Path) -> None:
    status = Running("status", whole)
    assert status.wait() == 0, status.error
    assert "background:" in status.out
    assert "L4 alone:" in status.out
    (whole / "report.html").unlink()
    report = Running("report", whole)
    assert report.wait() == 0, report.error
    assert (whole / "report.html").exists()


def test_killed_and_resumed_it_is_the_same(campaign: Path, whole: Path, tmp_path: Path) -> None:
    folder, expected = tmp_path / "run", _trials(whole)
    record = folder / "trials.jsonl"
    for lines in (3, len(expected) // 2):
        run = Running("run", campaign, "--out", folder, "--workers", 1)
        run.wait_until(lambda lines=lines: record.exists() and record.read_bytes().count(b"\n") >= lines)  # type: ignore[misc]
        run.kill()
        assert run.wait() == -signal.SIGKILL
        assert run.left_behind(20.0, "simulator_process") == []
    with record.open("ab") as stream:  # as a crash of the machine would leave it
        stream.write(b'{"told": {"number": 9')
    _run(campaign, folder, 2)
    assert _trials(folder) == expected
    assert (folder / "tuned.yaml").read_text() == (whole / "tuned.yaml").read_text()
    for one, other in zip(read_final(CircuitFolder(folder)), read_final(CircuitFolder(whole)), strict=True):
        assert np.array_equal(one.spikes.times_ms, other.spikes.times_ms)


def test_coreneuron_gives_the_same_spikes_but_for_rounding(campaign: Path, whole: Path, tmp_path: Path) -> None:
    """A spike at the edge of threshold may be there or not; and a campaign may change over to it at any time."""
    run = Running("run", campaign, "--out", tmp_path / "run", "--workers", 1, "--set", "circuit.coreneuron=true")
    assert run.wait(400.0) == 0, run.error
    same, other = _outcomes(tmp_path / "run"), _outcomes(whole)
    common = same.keys() & other.keys()
    assert len(common) > 10
    assert sum(same[key] == other[key] for key in common) > 0.8 * len(common)
    spike_Hz = 1.0 / (4 * 0.4)  # one more in the four cells of B, or two in the eight of A
    for key in common:
        assert same[key] == pytest.approx(other[key], abs=1.01 * spike_Hz)
    again = Running("run", campaign, "--out", tmp_path / "run", "--workers", 1)
    assert again.wait() == 0, again.error


def test_another_campaign_in_the_folder_is_refused(whole: Path, tmp_path: Path) -> None:
    other = write_tiny_circuit(tmp_path, ("L4_A: 12 Hz", "L4_A: 14 Hz"))
    run = Running("run", other, "--out", whole)
    assert run.wait() == 2
    assert "was begun with another campaign: targets.rates.L4_A.mean was 12.0, now 14.0" in run.error


def test_what_cannot_be_reached_is_no_success(tmp_path: Path) -> None:
    """A population that only gets inhibition and no background cannot fire."""
    impossible = write_tiny_circuit(
        tmp_path,
        ('    - {target: "*_B", fluctuating: {mean: 8 nS, std_ratio: 0.4}}\n', ""),
        ("L4_B: {L4_A: 0.5}", "L4_B: {L4_B: 0.5}"),
        ('source: "*_A", target: "*"', 'source: "*_A", target: "*_A"'),
        ("L4_A: {L4_A: 0.3, L4_B: 0.5}", "L4_A: {L4_A: 0.3}"),
        ("trials: 16", "trials: 6"),
    )
    run = _run(impossible, tmp_path / "run", 2)
    assert "Not met with 2 unseen seeds" in run.error
    assert "rate:L4_B: 0 Hz, wanted 10" in run.error
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Not met" in page


def test_a_circuit_of_others_is_tuned_alike(tmp_path: Path) -> None:
    path = tmp_path / "others.yaml"
    path.write_text(EXTERNAL, encoding="utf-8")
    run = _run(path, tmp_path / "run", 2)
    assert "All 2 targets are met, as means over 5 seeds that the tuning has not seen" in run.error


# ---------------------------------------------------------------------- the record


def _trial(number: int) -> RecordedTrial:
    told = Told(number, number + 1, (0.1, -0.2), Outcome({"rate:A": 1.5, "alpha_peak": None}, None, 100.0, 0.5))
    return RecordedTrial(told, "background", number, "root", 0, {"background:A": 1.1}, 7, 1.0)


def test_the_record_comes_back_as_it_was_and_drops_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    record = TrialRecord(path)
    for number in range(3):
        record.append(_trial(number))
    record.close()
    path.write_bytes(path.read_bytes()[:-10])
    record = TrialRecord(path)
    assert record.trials == [_trial(0), _trial(1)]
    record.append(_trial(2))
    record.close()
    assert list(read_trials(path)) == [_trial(number) for number in range(3)]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    record = TrialRecord(path)
    record.append(_trial(0))
    record.append(_trial(1))
    record.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b'{"stage": 3}\n' + lines[1])
    with pytest.raises(CampaignError, match=r"trials.jsonl, line 1 is damaged"):
        TrialRecord(path)
