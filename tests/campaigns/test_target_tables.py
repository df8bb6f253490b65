"""Campaigns on tables of targets instead of recordings: the ready ones, and what can be wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rheobase.campaigns.building import build_model
from rheobase.campaigns.extracting import read_table
from rheobase.campaigns.loading import library, load_campaign
from rheobase.features.errors import FeatureError
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
