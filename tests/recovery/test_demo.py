"""The embedded demo, run as a newcomer runs it: the hidden parameters are found again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rheobase.campaigns.building import build_model
from rheobase.campaigns.status import open_folder
from rheobase.fitting.ensembles.ensemble import Ensemble, read_ensemble

# Stated bounds of the recovery, as fractions of the search bounds (on the parameter's own scale).
WIDEST_RANGE = 0.6
MEAN_RANGE = 0.35


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    command = [sys.executable, "-m", "rheobase.campaigns.cli", "run", "demo", "--out", str(folder), "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / ".dev")}
    run = subprocess.run(command, capture_output=True, text=True, timeout=1200, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture(scope="module")
def ensemble(demo: Path) -> Ensemble:
    return read_ensemble(demo / "ensemble.json")


def test_every_hidden_parameter_lies_inside_the_ensembles_range(demo: Path, ensemble: Ensemble) -> None:
    cells = json.loads((demo / "recordings" / "hidden_parameters.json").read_text())
    assert len(cells) == 5
    for name in ensemble.members[0].parameters:
        values = [member.parameters[name] for member in ensemble.members]
        for cell, hidden in cells.items():
            assert min(values) <= hidden[name] <= max(values), (name, cell, hidden[name], min(values), max(values))


def test_the_ensembles_ranges_are_much_narrower_than_the_bounds(demo: Path, ensemble: Ensemble) -> None:
    campaign, _ = open_folder(demo)
    widths = {}
    for parameter in build_model(campaign).free_parameters:
        dimension = parameter.dimension
        positions = [dimension.position(member.parameters[parameter.name]) for member in ensemble.members]
        widths[parameter.name] = max(positions) - min(positions)
    assert max(widths.values()) <= WIDEST_RANGE, widths
    assert sum(widths.values()) / len(widths) <= MEAN_RANGE, widths


def test_the_ensemble_is_accepted(ensemble: Ensemble) -> None:
    assert len(ensemble.members) == 30
    assert all(member.accepted and member.worst <= ensemble.largest_score for member in ensemble.members)


def test_the_report_says_that_the_recordings_are_surrogates(demo: Path) -> None:
    page = (demo / "report.html").read_text(encoding="utf-8")
    assert "surrogate" in page.lower()
    assert (demo / "report.png").stat().st_size > 10_000
