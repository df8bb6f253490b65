"""`rheobase convert`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from rheobase.campaigns.converting import convert, convert_targets
from rheobase.features.errors import FeatureError, UnitError
from rheobase.features.formats.dialects import KINDS
from rheobase.features.target_stimuli import ProtocolStimulus
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from rheobase.features.targets_file import read_targets, write_targets

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    step = ProtocolTargets(
        "Step_150", ProtocolStimulus.step(150.0, 500.0), 0.3, (FeatureTarget("mean_frequency", 12.0, 2.0, "Hz"),)
    )
    path = tmp_path / "targets.json"
    write_targets(FeatureTargets(-80.0, 500.0, (), (step,), notes=("cell 3 left out",)), path)
    return path


def test_there_and_back(own: Path, tmp_path: Path) -> None:
    said = convert_targets((own,), "bluepyefe", tmp_path / "efe")
    assert said.splitlines()[:3] == [
        f"1 targets of 1 protocols written to {tmp_path / 'efe'}",
        "Read with these remarks:",
        "  cell 3 left out",
    ]
    assert "  before_ms (Step_150): None becomes 700.0" in said
    files = (tmp_path / "efe" / "features.json", tmp_path / "efe" / "protocols.json")
    convert_targets(files, "rheobase", tmp_path / "back.json")
    assert read_targets(tmp_path / "back.json").objectives == read_targets(own).objectives


def test_command(own: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(convert, [str(own), "--to", "bluepyemodel", "--out", str(tmp_path / "model.json")])
    assert found.exit_code == 0
    assert "1 targets of 1 protocols written to" in found.output
    assert (tmp_path / "model.json").exists()


def test_command_offers_every_format() -> None:
    option = next(parameter for parameter in convert.params if parameter.name == "kind")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == tuple(KINDS)


def test_too_many_files(own: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(convert, [*[str(own)] * 3, "--to", "rheobase", "--out", str(tmp_path / "x.json")])
    assert found.exit_code == 2
    assert "expected one file, or features and protocols, got 3 files" in found.output


def test_holding_voltage_has_a_unit(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"Step_1": {"soma": [{"feature": "ISI_CV", "val": [1, 1]}]}}', encoding="utf-8")
    step = '{"holding": {"amp": 0}, "step": {"delay": 1, "thresh_perc": 50, "duration": 9, "totduration": 20}}'
    (tmp_path / "p.json").write_text(f'{{"Step_1": {step}}}', encoding="utf-8")
    files = (tmp_path / "f.json", tmp_path / "p.json")
    with pytest.raises(FeatureError, match="does not say at which voltage"):
        convert_targets(files, "rheobase", tmp_path / "out.json")
    with pytest.raises(UnitError, match="has no unit"):
        convert_targets(files, "rheobase", tmp_path / "out.json", "-70")
    convert_targets(files, "rheobase", tmp_path / "out.json", "-70 mV")
    assert read_targets(tmp_path / "out.json").holding_voltage_mV == -70.0
