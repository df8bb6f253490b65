"""The commands around a run: check, status, report, export, library."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from rheobase.campaigns import cli
from rheobase.campaigns.loading import library
from rheobase.campaigns.record import EvaluationRecord, read_frame
from rheobase.fitting.cells.mechanisms import BUNDLED_FOLDER
from tests.campaigns.processes import Running
from tests.campaigns.rows import row
from tests.campaigns.tiny import write_tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished campaign."""
    base = tmp_path_factory.mktemp("finished")
    run = Running("run", write_tiny(base), "--out", base / "run", "--workers", 1, "--set", "search.evaluations=12")
    assert run.wait() == 0, run.error
    return base / "run"


def _said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object, code: int = 0
) -> str:
    monkeypatch.setattr(sys, "argv", ["rheobase", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    assert (ended.value.code or 0) == code, captured.err
    assert "Traceback" not in captured.err
    return captured.err if code else captured.out


def test_check_prints_plan_and_cost_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiny(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    said = _said(capsys, monkeypatch, "check", path, "--workers", 2)
    assert "Campaign tiny" in said
    assert "recordings: surrogates, 2 virtual cells" in said
    assert "IDrest at 200 %" in said
    assert re.search(r"model: small_pyramid\.swc, \d+ sections, \d+ segments", said)
    assert "g_pas.all: 1e-05 to 0.0002 S/cm2, logarithmic" in said
    assert "gNaTgbar_NaTg.somatic: 0.1 to 1 S/cm2" in said
    assert "population 6, 18 evaluations" in said
    assert re.search(r"cost of an evaluation, estimated: \d+\.\d s simulated and up to \d+\.\d CPU s", said)
    assert re.search(r"18 evaluations; at most \d+ minutes on 2 workers", said)
    assert said.endswith("Everything is in order.\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_users_own_mechanism_is_compiled_and_inserted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    text = (BUNDLED_FOLDER / "Ih.mod").read_text(encoding="utf-8")
    (own / "MyIh.mod").write_text(text.replace("SUFFIX Ih", "SUFFIX MyIh"), encoding="utf-8")
    settings = [f"model.mechanisms={own}", "model.parameters.gIhbar_MyIh.basal=0 to 1e-5 S/cm2"]
    settings.append("recordings.surrogates.hidden.gIhbar_MyIh.basal=5e-6 S/cm2")
    words = [word for setting in settings for word in ("--set", setting)]
    said = _said(capsys, monkeypatch, "check", write_tiny(tmp_path), *words)
    assert "gIhbar_MyIh.basal: 0 to 1e-05 S/cm2" in said
    assert said.endswith("Everything is in order.\n")


def test_status_of_a_finished_campaign(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = _said(capsys, monkeypatch, "status", finished)
    assert said.startswith(f"tiny ({finished})")
    assert re.search(r"targets: \d+ features, 2 cells", said)
    assert "search: 12 of 12 evaluations" in said
    assert re.search(r"best: sum \d+\.\d, worst score \d+\.\d\d; median sum \d+\.\d; \d+ accepted", said)
    assert f"report: {finished / 'report.html'}" in said


def test_status_counts_what_is_no_result_apart(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Excluded candidates, coarse discretisations and failures by their kinds; most of it in Parquet."""
    for name in ("state.json", "targets.json"):
        shutil.copy(finished / name, tmp_path / name)
    frame = read_frame(finished / "record")
    assert frame is not None
    objectives = [name.removeprefix("score.") for name in frame if name.startswith("score.")]
    full = dataclasses.replace(
        row(0),
        parameters={},
        features={},
        scores=dict.fromkeys(objectives, 2.0),
        failure=None,
        fidelity=frame["fidelity"][0],
    )
    record = EvaluationRecord(tmp_path / "record", [], objectives)
    kinds = [
        {},
        {"scores": dict.fromkeys(objectives, 7.0)},
        {"scores": dict.fromkeys(objectives, 0.1), "fidelity": "one segment a section"},
        {"scores": {objectives[0]: 0.1}, "excluded": True},
        {"scores": dict.fromkeys(objectives, 250.0), "failure": "timeout: no answer within 3 s of CPU time"},
        {"scores": dict.fromkeys(objectives, 250.0), "failure": "timeout: no answer within 4 s of CPU time"},
        {"scores": dict.fromkeys(objectives, 250.0), "failure": "memory: used more than 4 GiB"},
    ]
    for number, kind in enumerate(kinds):
        record.append(dataclasses.replace(full, number=number, **kind))  # type: ignore[arg-type]
        if number == 4:
            record.compact()
    said = _said(capsys, monkeypatch, "status", tmp_path)
    assert "search: 7 of 12 evaluations, 0.0 CPU minutes" in said
    assert f"best: sum {2.0 * len(objectives):.1f}, worst score 2.00; median sum " in said
    assert "; 1 accepted" in said
    assert "ended early: 2 timeout, 1 excluded, 1 memory" in said


def test_status_and_report_leave_a_running_campaign_alone(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    run = Running("run", write_tiny(tmp_path), "--out", folder, "--workers", 1)
    run.wait_until(lambda: (folder / "state.json").exists())
    said = _said(capsys, monkeypatch, "status", folder)
    assert said.startswith(f"tiny ({folder})")
    tail = folder / "record" / "tail.jsonl"
    run.wait_until(lambda: tail.exists() and tail.read_bytes().count(b"\n") >= 2)
    (folder / "ensemble.json").write_bytes((finished / "ensemble.json").read_bytes())  # of an earlier, smaller budget
    said = _said(capsys, monkeypatch, "status", folder)
    done = re.search(r"search: (\d+) of 18 evaluations", said)
    assert done
    assert int(done[1]) >= 2
    report = Running("report", folder)
    assert report.wait() == 0, report.error
    assert run.wait() == 0, run.error
    numbers = [int(number) for number in pd.concat(
        [pd.read_parquet(part) for part in sorted((folder / "record").glob("part-*.parquet"))]
    )["number"]]  # fmt: skip
    assert sorted(numbers) == list(range(18)), "the report wrote into the record of a running campaign"


@pytest.mark.parametrize("command", [["status"], ["report"], ["export", "--format", "json"]])
def test_a_folder_without_a_campaign(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        said = _said(capsys, monkeypatch, *command, folder, code=2)
        assert said == (
            f"rheobase: {folder} is not the folder of a campaign; give the one that `rheobase run` wrote to\n"
        )
    assert list(tmp_path.iterdir()) == []


def test_a_report_is_written_again(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, figure = finished / "report.html", finished / "report.png"
    page.unlink()
    figure.unlink()
    record = {path.name: path.read_bytes() for path in (finished / "record").iterdir()}
    assert _said(capsys, monkeypatch, "report", finished).strip() == str(page)
    assert "tiny" in page.read_text(encoding="utf-8")
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert {path.name: path.read_bytes() for path in (finished / "record").iterdir()} == record


def test_export_before_the_end(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state.json").write_bytes((finished / "state.json").read_bytes())
    said = _said(capsys, monkeypatch, "export", tmp_path, "--format", "json", code=2)
    assert f"the ensemble {tmp_path / 'ensemble.json'} does not exist; it is written when a campaign has ended" in said
    said = _said(capsys, monkeypatch, "export", tmp_path, "--format", "csv", code=2)
    assert "has no evaluations yet; run the campaign first" in said
    said = _said(capsys, monkeypatch, "report", tmp_path, code=2)
    assert "targets.json does not exist" in said


def test_export_json(finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    target = _said(capsys, monkeypatch, "export", finished, "--format", "json").strip()
    assert target == str(finished / "export" / "json")
    content = json.loads((finished / "export" / "json" / "final.json").read_text(encoding="utf-8"))
    ensemble = json.loads((finished / "ensemble.json").read_text(encoding="utf-8"))
    assert len(content) == len(ensemble["members"])
    assert content["tiny_00"]["parameters"] == ensemble["members"][0]["parameters"]
    assert content["tiny_00"]["score"] == pytest.approx(sum(content["tiny_00"]["fitness"].values()))


def test_export_csv(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "table"
    assert _said(capsys, monkeypatch, "export", finished, "--format", "csv", "--to", target).strip() == str(target)
    table = pd.read_csv(target / "record.csv")
    assert sorted(table["number"]) == list(range(12))
    assert "parameter.g_pas.all" in table.columns


def test_export_hoc(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _said(capsys, monkeypatch, "export", finished, "--format", "hoc", "--to", tmp_path / "hoc", "--models", 1)
    assert [path.name for path in (tmp_path / "hoc").iterdir()] == ["tiny_00"]
    assert list((tmp_path / "hoc" / "tiny_00").rglob("*.hoc"))
    assert list((tmp_path / "hoc" / "tiny_00").rglob("*.mod"))


def test_the_library_lists_and_prints(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said = _said(capsys, monkeypatch, "library")
    assert re.search(r"(?m)^  demo +\S", said)
    assert re.search(r"(?m)^  neocortical_pyramidal +\S", said)
    for name, path in library().items():
        assert _said(capsys, monkeypatch, "library", name) == path.read_text(encoding="utf-8")
    assert "did you mean 'demo'?" in _said(capsys, monkeypatch, "library", "dem", code=2)
