"""Campaigns that begin with the models of an earlier one."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from rheobase.campaigns.loading import load_campaign
from rheobase.features.errors import CampaignError
from rheobase.fitting.ensembles.ensemble import read_ensemble
from tests.campaigns.tiny import write_tiny
from tests.campaigns.toy import LEAK, POTASSIUM, SODIUM, ToyRun, rows_of, toy_campaign

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an earlier campaign."""
    path = tmp_path_factory.mktemp("earlier") / "run"
    assert ToyRun(path, toy_campaign({"evaluations": 30})).run()
    return path


def _best(path: Path, number: int) -> list[dict[str, float]]:
    found = [row for row in rows_of(path) if not row.excluded and row.failure is None]
    return [row.parameters for row in sorted(found, key=lambda row: sum(row.scores.values()))[:number]]


def _first(path: Path, number: int, search: str = "search") -> list[dict[str, float]]:
    rows = [row for row in rows_of(path) if row.search == search and row.number < number]
    return [row.parameters for row in sorted(rows, key=lambda row: row.number)]


def _approximately(models: list[dict[str, float]]) -> list[Any]:
    return [pytest.approx(model, rel=1e-9) for model in models]


def test_the_best_models_of_a_folder(earlier: Path, tmp_path: Path) -> None:
    run = ToyRun(tmp_path / "run", toy_campaign({"start": f"best 3 of {earlier}", "evaluations": 12}))
    assert run.run()
    assert _first(tmp_path / "run", 3) == _approximately(_best(earlier, 3))
    assert run.said == []


def test_the_best_models_of_an_ensemble_for_one_stage(earlier: Path, tmp_path: Path) -> None:
    stages = {
        "first": {"evaluations": 6},
        "second": {"start": f"best 2 of {earlier}/ensemble.json", "evaluations": 6, "free": [SODIUM, LEAK]},
    }
    run = ToyRun(tmp_path / "run", toy_campaign({"stages": stages}))
    assert run.run()
    members = sorted(read_ensemble(earlier / "ensemble.json").members, key=lambda member: member.total)
    first, second = _first(tmp_path / "run", 2, "second")
    assert first == pytest.approx(members[0].parameters)
    assert second == pytest.approx({**members[1].parameters, POTASSIUM: members[0].parameters[POTASSIUM]})


def test_a_resumed_campaign_needs_its_source_no_more(earlier: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(earlier, source)
    campaign = toy_campaign({"start": f"best 3 of {source}", "evaluations": 18})
    left = iter(range(5))
    assert not ToyRun(tmp_path / "run", campaign, stop=lambda: next(left, None) is None).run()
    shutil.rmtree(source)
    assert ToyRun(tmp_path / "run", campaign).run()
    assert _first(tmp_path / "run", 3) == _approximately(_best(earlier, 3))


def test_another_source_is_another_campaign(earlier: Path, tmp_path: Path) -> None:
    assert ToyRun(tmp_path / "run", toy_campaign({"start": f"best 3 of {earlier}", "evaluations": 6})).run()
    with pytest.raises(CampaignError, match=r"begun with another campaign: search\.start\.best was 3, now 2"):
        ToyRun(tmp_path / "run", toy_campaign({"start": f"best 2 of {earlier}", "evaluations": 6})).run()


def _ensemble(path: Path, **parameters: float) -> Path:
    member = {
        "number": 0, "parameters": parameters, "features": {}, "scores": {"a": 1.0}, "total": 1.0, "worst": 1.0,
        "accepted": True,
    }  # fmt: skip
    content = {"schema": "rheobase.ensemble/1", "name": "own", "largest_score": 5.0, "accepted_in_record": 1}
    path.write_text(json.dumps({**content, "members": [member]}), encoding="utf-8")
    return path


def test_parameters_are_matched_by_name(tmp_path: Path) -> None:
    source = _ensemble(tmp_path / "own.json", **{SODIUM: 1.5, LEAK: -3.0, "gIhbar_Ih.basal": 1e-5})
    run = ToyRun(tmp_path / "run", toy_campaign({"start": f"best 3 of {source}", "evaluations": 6}))
    assert run.run()
    assert _first(tmp_path / "run", 1) == [{LEAK: 1e-5, SODIUM: 1.0, POTASSIUM: pytest.approx(1.0)}]
    models = f"Models to start from ({source})"
    assert run.said == [
        f"{models} lack {POTASSIUM}, which get the middle of their bounds",
        f"{models} have gIhbar_Ih.basal too, which this campaign does not move",
        f"{models} lie outside the bounds in {LEAK}, {SODIUM} and are moved onto them",
    ]


def test_models_of_another_cell_altogether(tmp_path: Path) -> None:
    source = _ensemble(tmp_path / "own.json", **{"gIhbar_Ih.basal": 1e-5})
    run = ToyRun(tmp_path / "run", toy_campaign({"start": f"best 3 of {source}"}))
    with pytest.raises(CampaignError, match=r"search\.start: the models of .* have none of this campaign's free param"):
        run.run()


def test_a_folder_without_evaluations(earlier: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(earlier, source)
    shutil.rmtree(source / "record")
    with pytest.raises(CampaignError, match=r"search\.start: .*source has no evaluations yet; run that campaign first"):
        ToyRun(tmp_path / "run", toy_campaign({"start": f"best 3 of {source}"})).run()


def test_paths_are_relative_to_the_file_those_of_overrides_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = "  stages:\n    one: {start: best 3 of ../a}\n    two: {start: best 2 of one}\n"
    path = write_tiny(tmp_path, ("  population: 6\n", f"  population: 6\n  start: best 20 of b.json\n{stages}"))
    monkeypatch.chdir("/")
    search = load_campaign(path).search
    assert search.start is not None
    assert search.start.path == tmp_path / "b.json"
    one, two = (stage.start for stage in search.in_stages.values())
    assert one is not None
    assert two is not None
    assert (one.path, two.path, two.stage) == (tmp_path / "../a", None, "one")
    start = load_campaign(path, ["search.start=best 5 of c/d"]).search.start
    assert start is not None
    assert (start.best, str(start.path)) == (5, "/c/d")
