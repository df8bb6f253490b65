"""Populations of hoc templates in a circuit's campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns.circuits.building import build_blueprint, read_variants
from rheobase.campaigns.circuits.folder import CircuitFolder
from rheobase.campaigns.circuits.subject import make_subject
from rheobase.features.errors import CampaignError, ModelError
from rheobase.fitting.circuits.templates import HocTemplate
from rheobase.fitting.ensembles.hoc import write_hoc
from tests.campaigns.circuits.tiny import load_circuit, write_tiny_circuit
from tests.campaigns.processes import Running

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = "template: {file: cell/bac.hoc, morphology: cell/morphology/FILE, mechanisms: cell/mechanisms}"


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """One of the models of an ensemble, as `rheobase export --format hoc` writes it."""
    first = read_variants("etype_bac")[0]
    assert not isinstance(first.model, HocTemplate)
    write_hoc(first.model, first.parameters, "bac", tmp_path / "cell", 0.0, 0.1, 500.0)
    template = TEMPLATE.replace("FILE", first.model.morphology.name)
    return write_tiny_circuit(tmp_path, ("cells: etype_bac", template))


def test_a_campaign_with_a_template_comes_to_its_end(campaign: Path, tmp_path: Path) -> None:
    run = Running("run", campaign, "--out", tmp_path / "run", "--workers", 1)
    assert run.wait(300.0) == 0, run.error
    assert run.left_behind() == []
    assert "L4_A" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "run" / "network" / "models" / "bac.hoc").is_file()


def test_what_it_becomes(campaign: Path) -> None:
    (variant,) = build_blueprint(load_circuit(campaign)).population("L4_A").variants
    assert isinstance(variant.model, HocTemplate)
    ensemble = read_variants("etype_bac")[0]
    assert {one.name for one in variant.model.mechanisms} == {one.name for one in ensemble.model.mechanisms}
    assert variant.model.morphology.content == ensemble.model.morphology.content


def test_files_may_move_but_not_change(campaign: Path, tmp_path: Path) -> None:
    def begin() -> None:
        found = load_circuit(campaign)
        CircuitFolder(tmp_path / "run").begin(found, make_subject(found))

    (tmp_path / "run").mkdir()
    begin()
    (tmp_path / "run" / "trials.jsonl").touch()
    (tmp_path / "cell").rename(tmp_path / "moved")
    text = campaign.read_text()
    campaign.write_text(text.replace("cell/", "moved/"))
    begin()
    hoc = tmp_path / "moved" / "bac.hoc"
    hoc.write_text(hoc.read_text() + "\n// another\n")
    with pytest.raises(CampaignError, match="the ensembles or templates that the cells come from have changed"):
        begin()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("template: {file", "cells: etype_bac, template: {file", "L4_A: give either 'cells', an ensemble, or 'templa"),
        ("cell/bac.hoc", "cell/none.hoc", "populations.L4_A.template: the template .*none.hoc cannot be read"),
        ("cell/bac.hoc", "cell/bac.hoc, name: other", "L4_A.template: .*expected one 'begintemplate NAME'.*'other'"),
        ("cell/mechanisms", "cell/no", "populations.L4_A.template: the mechanisms folder .*cell/no does not exist"),
        ("cell/bac.hoc", "cell/bac.hoc, arguments: [gid]", "populations.L4_A.template.arguments.0: Input should be"),
    ],
)
def test_mistakes_are_told_with_their_place(campaign: Path, before: str, after: str, said: str) -> None:
    campaign.write_text(campaign.read_text().replace(before, after))
    with pytest.raises((CampaignError, ModelError), match=said):
        build_blueprint(load_circuit(campaign))
