"""Whole campaigns through the command line, in processes of their own that are killed, stopped and resumed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from rheobase.campaigns.record import read_frame
from rheobase.features.targets_file import read_targets
from rheobase.fitting.ensembles.ensemble import read_ensemble
from tests.campaigns.processes import Running
from tests.campaigns.tiny import write_tiny
from tests.shared_data import shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _run(campaign: Path, folder: Path, *arguments: object) -> Running:
    return Running("run", campaign, "--out", folder, *arguments)


def _finish(campaign: Path, folder: Path, *arguments: object, limit_s: float = 180.0) -> Running:
    running = _run(campaign, folder, *arguments)
    assert running.wait(limit_s) == 0, running.error
    assert running.left_behind() == []
    return running


def _results(folder: Path) -> pd.DataFrame:
    """Parameters, scores and failures of all candidates, in the order of their numbers."""
    frame = read_frame(folder / "record")
    assert frame is not None
    kept = [name for name in frame.columns if name.startswith(("parameter.", "score.", "feature."))]
    return frame.sort_values("number").set_index("number")[[*sorted(kept), "failure"]]


def _lines(folder: Path) -> int:
    tail = folder / "record" / "tail.jsonl"
    return tail.read_bytes().count(b"\n") if tail.exists() else 0


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("campaign"))


@pytest.fixture(scope="module")
def finished(campaign: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the campaign, run on one worker without any interruption."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    _finish(campaign, folder, "--workers", 1)
    return folder


def test_a_campaign_ends_with_everything_it_promises(finished: Path) -> None:
    results = _results(finished)
    assert list(results.index) == list(range(18))
    targets = read_targets(finished / "targets.json")
    assert {f"score.{name}" for name in targets.objectives} <= set(results.columns)
    assert {"threshold_current", "IDrest_200.soma.v.mean_frequency"} <= set(targets.objectives)
    assert [cell.name for cell in targets.cells] == ["virtual_1", "virtual_2"]
    ensemble = read_ensemble(finished / "ensemble.json")
    assert 1 <= len(ensemble.members) <= 3
    assert ensemble.members[0].total == pytest.approx(results.filter(like="score.").sum(axis=1).min())
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert "tiny" in page
    assert "surrogate" in page.lower()
    assert (finished / "study.journal").stat().st_size > 0
    assert not list(finished.rglob("*writing*"))


def test_the_same_command_again_does_nothing_new(campaign: Path, finished: Path) -> None:
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in finished.rglob("*") if path.is_file()}

    before, begin = content(), time.monotonic()
    again = _finish(campaign, finished, "--workers", 1)
    assert time.monotonic() - begin < 15.0
    assert f"Nothing is left to do. Report: {finished / 'report.html'}" in again.error
    assert content() == before


def test_two_workers_give_the_record_of_one(campaign: Path, finished: Path, tmp_path: Path) -> None:
    _finish(campaign, tmp_path / "run", "--workers", 2)
    pd.testing.assert_frame_equal(_results(tmp_path / "run"), _results(finished), check_exact=True)


def test_coreneuron_gives_the_record_of_neuron(campaign: Path, tmp_path: Path) -> None:
    """With fixed steps, to the last bit."""
    for integrator in ("fixed", "coreneuron"):
        changes = (f"evaluation.integrator={integrator}", "evaluation.time_step='0.1 ms'", "search.evaluations=6")
        words = (word for change in changes for word in ("--set", change))
        _finish(campaign, tmp_path / integrator, "--workers", 1, *words)
    found, expected = _results(tmp_path / "coreneuron"), _results(tmp_path / "fixed")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert found.filter(like="feature.").notna().any(axis=None)


def test_killed_at_every_stage_and_resumed(campaign: Path, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    moments = {
        "surrogates": lambda: (folder / "recordings.writing").exists(),
        "extraction": lambda: (folder / "recordings").exists() and not (folder / "targets.json").exists(),
        "search": lambda: 3 <= _lines(folder) < 18,
        "late search": lambda: 11 <= _lines(folder) < 18,
        "ensemble": lambda: _lines(folder) == 18 or (folder / "record" / "part-000000.parquet").exists(),
    }
    for name, moment in moments.items():
        run = _run(campaign, folder, "--workers", 1)
        run.wait_until(moment)
        run.kill()
        assert run.wait() == -signal.SIGKILL, name
        # An agent of Ray's own that was only starting notices a minute late that its raylet has gone.
        assert run.left_behind(20.0, "simulator_process") == [], f"killed during {name}"
    assert not (folder / "report.html").exists()
    _finish(campaign, folder, "--workers", 1)
    pd.testing.assert_frame_equal(_results(folder), _results(finished), check_exact=True)
    assert read_ensemble(folder / "ensemble.json") == read_ensemble(finished / "ensemble.json")


def test_stopped_and_resumed_while_a_second_run_is_refused(campaign: Path, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = _run(campaign, folder, "--workers", 2)
    run.wait_until(lambda: (folder / "recordings.writing").exists())
    begin = time.monotonic()
    second = _run(campaign, folder)
    assert second.wait() == 2
    assert time.monotonic() - begin < 15.0
    assert f"another run is at work in {folder}; wait for it, stop it, or choose another folder" in second.error
    assert "Traceback" not in second.error
    run.signal(signal.SIGINT, group=True)  # as a terminal does on Ctrl-C
    _assert_stopped(run, folder)

    run = _run(campaign, folder, "--workers", 1)
    run.wait_until(lambda: 3 <= _lines(folder) < 18)
    run.signal(signal.SIGTERM)
    _assert_stopped(run, folder)
    so_far = read_frame(folder / "record")
    assert so_far is not None
    assert 3 <= len(so_far) < 18

    run = _run(campaign, folder, "--workers", 2)
    run.wait_until(lambda: _lines(folder) >= 2)
    run.signal(signal.SIGINT, group=True)
    _assert_stopped(run, folder)
    _finish(campaign, folder, "--workers", 2)
    pd.testing.assert_frame_equal(_results(folder), _results(finished), check_exact=True)


def _assert_stopped(run: Running, folder: Path) -> None:
    assert run.wait(60.0) == 130, run.error
    assert f"Stopped. Nothing is lost: the same command resumes (folder {folder})" in run.error
    assert "Traceback" not in run.error
    assert run.left_behind() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_while_ray_starts(campaign: Path, tmp_path: Path, number: int) -> None:
    run = _run(campaign, tmp_path / "run", "--workers", 1)
    run.wait_until(lambda: (tmp_path / "run" / "state.json").exists())
    time.sleep(1.0)
    run.signal(number, group=number == signal.SIGINT)
    assert run.wait(60.0) == 130, run.error
    assert "the same command resumes" in run.error
    assert "Traceback" not in run.error
    assert run.left_behind() == []


def test_a_second_ctrl_c_ends_at_once(campaign: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = _run(campaign, folder, "--workers", 1)
    run.wait_until(lambda: (folder / "recordings.writing").exists())
    run.signal(signal.SIGINT, group=True)
    run.signal(signal.SIGINT, group=True)
    assert run.wait(60.0) == 130, run.error
    assert "the same command resumes" in run.error
    assert "Traceback" not in run.error
    assert run.left_behind() == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("seed=4", "seed was 3, now 4"),
        ("search.population=8", "search.population was 6, now 8"),
        ("model.parameters.g_pas.all=1e-5 to 3e-4 S/cm2", "model.parameters.g_pas.all.value was"),
        ("recordings.surrogates.noise=1 mV", "recordings.surrogates.noise was 0.05, now 1.0"),
    ],
)
def test_another_campaign_in_the_same_folder_is_refused(campaign: Path, finished: Path, change: str, key: str) -> None:
    state = (finished / "state.json").read_bytes()
    run = _run(campaign, finished, "--set", change)
    assert run.wait() == 2
    assert f"{finished} was begun with another campaign: " in run.error
    assert key in run.error
    assert "--out" in run.error
    assert (finished / "state.json").read_bytes() == state


def test_a_campaign_that_did_nothing_yet_may_be_mended(campaign: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = _run(campaign, folder, "--workers", 1)
    run.wait_until(lambda: (folder / "state.json").exists())
    run.kill()
    run.wait()
    run = _run(campaign, folder, "--workers", 1, "--set", "seed=4")
    run.wait_until(lambda: (folder / "recordings.writing").exists())
    run.kill()
    run.wait()
    assert json.loads((folder / "state.json").read_text(encoding="utf-8"))["campaign"]["seed"] == 4


def test_a_larger_budget_goes_on_from_what_is_there(campaign: Path, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    _finish(campaign, folder, "--workers", 2, "--set", "search.evaluations=24", "--set", "ensemble.size=2")
    results = _results(folder)
    assert list(results.index) == list(range(24))
    pd.testing.assert_frame_equal(results.iloc[:18], _results(finished), check_exact=True)
    assert len(read_ensemble(folder / "ensemble.json").members) == 2
    status = Running("status", folder)
    assert status.wait() == 0
    assert "search: 24 of 24 evaluations" in status.out


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_stops_a_campaign_that_resumes(campaign: Path, finished: Path, small_disk: Path) -> None:
    folder = small_disk / "run"
    folder.mkdir()
    for name in ("state.json", "targets.json", "sweeps.json"):
        shutil.copy(finished / name, folder / name)
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    del state["finished"], state["stages"]
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    shutil.copytree(finished / "recordings", folder / "recordings")
    room = 28_000  # some pages: for a few evaluations in record and study, not for all
    with (small_disk / "ballast").open("wb") as ballast:
        ballast.write(bytes(shutil.disk_usage(small_disk).free - room))
    run = _run(campaign, folder, "--workers", 1)
    assert run.wait() == 2, run.error
    assert "cannot be written: No space left on device. What was recorded before is safe: free some space" in run.error
    assert "Traceback" not in run.error
    assert run.left_behind() == []
    so_far = read_frame(folder / "record")
    assert so_far is not None
    assert 0 < len(so_far) < 18
    (small_disk / "ballast").unlink()
    _finish(campaign, folder, "--workers", 1)
    pd.testing.assert_frame_equal(_results(folder), _results(finished), check_exact=True)


def test_real_recordings(tmp_path: Path) -> None:
    data = shared("rat_l5_pyramidal")
    campaign = write_tiny(
        tmp_path,
        ("rheobase_protocols: [IDthresh]", "rheobase_protocols: [IDthresh, IDrest]"),
        ("deterministic: true\n  evaluations: 18", "deterministic: true\n  evaluations: 8"),
        ("settle: 300 ms", "settle: 300 ms\n  stage_limit: 1000"),
    )
    text = campaign.read_text(encoding="utf-8")
    begin, end = text.index("  surrogates:"), text.index("features:\n  rheo")
    real = f'  folder: {data}\n  files: "{{cell}}-SR-C1/X_{{protocol}}_ch{{channel}}_{{sweep}}.ibw"\n'
    cells = sorted({path.name.removesuffix("-SR-C1") for path in data.iterdir() if path.name.endswith("-SR-C1")})[:2]
    campaign.write_text(text[:begin] + real + f"  cells: {json.dumps(cells)}\n" + text[end:], encoding="utf-8")
    folder = tmp_path / "run"
    _finish(campaign, folder, "--workers", 2)
    targets = read_targets(folder / "targets.json")
    assert [cell.name for cell in targets.cells] == cells
    assert -100 < targets.holding_voltage_mV < -70, "the junction potential is subtracted"
    assert len(_results(folder)) == 8
    assert (folder / "report.html").exists()
