"""A campaign in stages through the command line, killed in a coarse stage and while its elites are evaluated again."""

from __future__ import annotations

import json
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns.record import EvaluationRecord, RecordedEvaluation
from rheobase.features.targets_file import read_targets
from rheobase.fitting.ensembles.ensemble import read_ensemble
from tests.campaigns.processes import Running
from tests.campaigns.tiny import write_tiny

if TYPE_CHECKING:
    from pathlib import Path

STAGES = """\
  evaluations: 18
  rescored: 40
  stages:
    passive: {free: [g_pas.all], protocols: [intrinsic], evaluations: 6}
    coarse: {start: best 2 of passive, segment_length: 200 um, absolute_tolerance: 1e-2, evaluations: 12}
    fine: {start: best 3 of coarse, narrow: 40 %, evaluations: 6}
"""
PARAMETERS = ("g_pas.all", "gNaTgbar_NaTg.somatic", "gSKv3_1bar_SKv3_1.somatic")


def _rows(folder: Path) -> dict[tuple[str, int], tuple[object, ...]]:
    """All that must be the same however often the campaign was killed."""
    record = EvaluationRecord(folder / "record", PARAMETERS, tuple(read_targets(folder / "targets.json").objectives))
    rows: list[RecordedEvaluation] = list(record.rows())
    record.close()
    found: dict[tuple[str, int], tuple[object, ...]] = {
        (row.search, row.number): (row.parameters, row.features, row.scores, row.failure, row.excluded, row.fidelity)
        for row in rows
    }
    assert len(found) == len(rows), "a candidate was recorded twice"
    return found


def _lines(folder: Path) -> int:
    tail = folder / "record" / "tail.jsonl"
    return tail.read_bytes().count(b"\n") if tail.exists() else 0


def _finish(campaign: Path, folder: Path, workers: int) -> None:
    run = Running("run", campaign, "--out", folder, "--workers", workers)
    assert run.wait(180.0) == 0, run.error
    assert run.left_behind() == []


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("campaign"), ("  evaluations: 18\n", STAGES))


@pytest.fixture(scope="module")
def whole(campaign: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the campaign, run on two workers without any interruption."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    _finish(campaign, folder, 2)
    return folder


def test_a_campaign_in_stages_comes_to_its_end(whole: Path) -> None:
    rows = _rows(whole)
    names = [search for search, _ in rows]
    assert [names.count(stage) for stage in ("passive", "coarse", "fine")] == [6, 12, 6]
    again = sorted(key for key in rows if key[0] == "rescored")  # the order of arrival is that of two workers
    assert again == [("rescored", number) for number in range(len(again))]
    assert 3 <= len(again) < 12
    assert {rows[key][-1] for key in rows if key[0] == "coarse"} == {"200 um, 0.01"}
    assert {rows[key][-1] for key in rows if key[0] != "coarse"} == {"40 um, 0.001"}
    assert {member.search for member in read_ensemble(whole / "ensemble.json").members} <= {"fine", "rescored"}
    page = (whole / "report.html").read_text(encoding="utf-8")
    assert "What coarser simulations did to the scores" in page
    assert "200 um, 0.01" in page


def test_killed_in_a_coarse_stage_and_while_elites_are_evaluated_again(
    campaign: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("record", "ensemble.json", "report*", "*.npz"))
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    for key in ("finished", "stages"):
        del state[key]
    (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
    for begin, end in ((8, 18), (25, 24 + 12)):
        run = Running("run", campaign, "--out", folder, "--workers", 1)
        run.wait_until(lambda begin=begin, end=end: begin <= _lines(folder) < end)  # type: ignore[misc]
        run.kill()
        assert run.wait() == -signal.SIGKILL
        assert run.left_behind(20.0, "simulator_process") == []
        assert begin <= _lines(folder) < len(_rows(whole))
    _finish(campaign, folder, 2)
    assert _rows(folder) == _rows(whole)
    assert read_ensemble(folder / "ensemble.json") == read_ensemble(whole / "ensemble.json")
