from __future__ import annotations

import json
from pathlib import Path

import pytest

from rheobase.campaigns.extracting import make_targets
from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.loading import load_campaign
from rheobase.campaigns.schema import Campaign
from rheobase.features.errors import CampaignError, FeatureError
from rheobase.features.nwb_writer import write_nwb
from rheobase.features.targets_file import read_targets
from tests.features.recorded import made_up

TEXT = """\
rheobase: 1
name: extracting
recordings: {folder: recordings}
features:
  rheobase_protocols: [IDrest]
  protocols:
    IDrest: {levels: [200 %], features: [Spikecount]}
model:
  morphology: cell.swc
  parameters: {g_pas.all: 1e-5 to 1e-4 S/cm2}
"""


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    (tmp_path / "recordings").mkdir()
    for name, spikes in (("one", 4), ("two", 8)):
        sweeps = [
            made_up(0.05, 0, name, sweep="0"),
            made_up(0.1, 1, name, sweep="1"),
            made_up(0.2, spikes, name, sweep="2"),
        ]
        write_nwb(tmp_path / "recordings" / f"{name}.nwb", name, sweeps, "made up")
    return written(tmp_path)


def written(place: Path, *changes: str) -> Campaign:
    path = place / "campaign.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return load_campaign(path, changes)


def folder(place: Path) -> CampaignFolder:
    made = CampaignFolder(place / "out")
    made.path.mkdir()
    return made


def test_of_all_cells_and_of_each(campaign: Campaign, tmp_path: Path) -> None:
    out, said = folder(tmp_path), []
    targets = make_targets(campaign, out, 1, said.append)
    assert targets.objectives["IDrest_200.soma.v.Spikecount"].mean == 6.0
    assert read_targets(out.targets) == targets
    own = {path.name: read_targets(path) for path in out.cell_targets.iterdir()}
    assert {name: cell.objectives["IDrest_200.soma.v.Spikecount"].mean for name, cell in own.items()} == {
        "targets_one.json": 4.0,
        "targets_two.json": 8.0,
    }
    assert said == [f"Targets: 4 features of 1 protocols, 2 cells ({out.targets})"]
    out.targets.write_text(out.targets.read_text().replace('"mean": 6.0', '"mean": 7.0'))
    again = make_targets(campaign, out, 1, said.append)
    assert again.objectives["IDrest_200.soma.v.Spikecount"].mean == 7.0  # not extracted twice


def test_of_one_cell(campaign: Campaign, tmp_path: Path) -> None:
    out = folder(tmp_path)
    targets = make_targets(written(tmp_path, "features.cell=two"), out, 1, lambda _: None)
    target = targets.objectives["IDrest_200.soma.v.Spikecount"]
    assert (target.mean, target.std) == (8.0, pytest.approx(2.0**0.5 * 2.0))  # between both cells
    sweeps = json.loads(out.sweeps.read_text())["sweeps"]
    assert [sweep["cell"] for sweep in sweeps["IDrest_200"]] == ["two"]


def test_of_a_cell_that_is_not_there(campaign: Campaign, tmp_path: Path) -> None:
    message = r"features.cell: there are no targets of a cell 'three'; there are some of one, two"
    with pytest.raises(CampaignError, match=message):
        make_targets(written(tmp_path, "features.cell=three"), folder(tmp_path), 1, lambda _: None)


def test_nothing_to_measure(campaign: Campaign, tmp_path: Path) -> None:
    changed = written(tmp_path, "features.protocols.IDrest.levels=[900 %]", "features.intrinsic=[]")
    with pytest.raises(FeatureError, match=r"features: no feature could be measured: .*IDrest_900 left out"):
        make_targets(changed, folder(tmp_path), 1, lambda _: None)
