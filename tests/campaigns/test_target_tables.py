"""Campaigns on tables of targets instead of recordings: the ready ones, and what can be wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rheobase.campaigns.building import build_model
from rheobase.campaigns.extracting import read_table
from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.loading import LIBRARY_FOLDER, library, load_campaign
from rheobase.features.errors import CampaignError, FeatureError
from rheobase.features.targets_file import write_targets
from rheobase.fitting.cells.evaluator import CellEvaluator

ETYPES = sorted(name for name in library() if name.startswith("etype_"))


def test_there_are_some() -> None:
    assert {"etype_cadpyr_l5", "etype_cadpyr_l23", "etype_cnac", "etype_bac", "etype_dstut", "etype_bir"} == set(ETYPES)


@pytest.mark.parametrize("name", ETYPES)
def test_the_ready_ones_can_be_evaluated(name: str) -> None:
    campaign = load_campaign(library()[name])
    model, targets = build_model(campaign), read_table(campaign)
    evaluator = CellEvaluator(model, targets)
    assert evaluator.objectives == tuple(targets.objectives)
    assert len(evaluator.objectives) > 30
    assert not targets.sites  # nothing that a reduced cell has no place for
    assert 5 <= sum(section.nseg for section in evaluator._instance.cell.all) <= 15


def test_what_is_left_out_is_noted() -> None:
    targets = read_table(load_campaign(library()["etype_cadpyr_l5"]))
    assert "bAP" not in {protocol.name for protocol in targets.protocols}
    assert any(note.startswith("bAP left out: back-propagation") for note in targets.notes)


def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    override = ["targets.leave_out={Step_15: because}"]
    with pytest.raises(FeatureError, match=r"targets: leave_out: there is no .* 'Step_15'; did you mean"):
        read_table(load_campaign(library()["etype_cnac"], override))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    override = [f"targets.features={tmp_path / 'none.json'}"]
    with pytest.raises(FeatureError, match=r"none\.json does not exist"):
        read_table(load_campaign(library()["etype_cnac"], override))


def _begin(folder: Path, table: Path) -> None:
    campaign = load_campaign(library()["etype_cnac"], [f"targets.features={table}"])
    opened = CampaignFolder(folder)
    opened.begin(campaign, build_model(campaign))
    if not opened.targets.exists():
        write_targets(read_table(campaign), opened.targets)


def test_a_table_that_has_changed_is_refused(tmp_path: Path) -> None:
    """What the folder has was searched for with the old one."""
    folder, table = tmp_path / "run", tmp_path / "table.json"
    folder.mkdir()
    text = (LIBRARY_FOLDER / "targets" / "rat_s1_cNAC.json").read_text(encoding="utf-8")
    table.write_text(text, encoding="utf-8")
    _begin(folder, table)
    _begin(folder, table)
    moved = table.rename(tmp_path / "moved.json")
    _begin(folder, moved)
    moved.write_text(text.replace('"mean": ', '"mean": 1', 1), encoding="utf-8")
    with pytest.raises(CampaignError, match=r"the table of targets has changed \(`rheobase rescore` holds what"):
        _begin(folder, moved)
    moved.unlink()
    _begin(folder, moved)  # the folder has what it said


def test_folders_of_earlier_versions_do_not_know_their_table(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    table = LIBRARY_FOLDER / "targets" / "rat_s1_cNAC.json"
    _begin(folder, table)
    opened = CampaignFolder(folder)
    state = opened.read_state()["campaign"]
    del state["targets_content"]
    opened.write_state(campaign=state)
    _begin(folder, table)
    assert "targets_content" in opened.read_state()["campaign"]
