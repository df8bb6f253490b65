"""What README shows works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared_data import shared

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SMALL_SURROGATES = [
    "search.evaluations=2",
    "recordings.surrogates.cells=2",
    "recordings.surrogates.protocols={IV: {levels: [-100 %, -40 %, 40 %], duration: 200 ms},"
    " IDrest: {levels: [90 %, 110 %, 150 %, 200 %, 300 %], duration: 200 ms}}",
    "features.protocols={IDrest: {levels: [150 %], features: [mean_frequency]}}",
    "features.rheobase_protocols=[IDrest]",
    "features.statistics.minimum_cells=1",
]


def block(language: str, holding: str = "") -> str:
    found = [str(text) for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if holding in text]
    assert len(found) == 1, f"README should show one {language} block with '{holding}', it shows {len(found)}"
    return found[0]


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / ".dev"), "NEURON_MODULE_OPTIONS": "-nogui"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture(scope="module")
def users_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: recordings (surrogates here), a morphology, and README's campaign."""
    folder = tmp_path_factory.mktemp("user")
    overrides = [word for override in SMALL_SURROGATES for word in ("--set", override)]
    made = run(["-m", "rheobase.campaigns.cli", "run", "demo", "--out", "made", *overrides], folder)
    assert made.returncode == 0, made.stderr
    (folder / "made" / "recordings").rename(folder / "recordings")
    small = REPOSITORY / "campaigns" / "library" / "morphologies" / "small_pyramid.swc"
    (folder / "cell.swc").write_bytes(small.read_bytes())
    campaign = block("yaml", "name: my_cells").replace("cell.asc", "cell.swc")
    (folder / "my_cells.yaml").write_text(campaign, encoding="utf-8")
    return folder


def test_the_ten_line_campaign_has_ten_lines() -> None:
    assert len(block("yaml", "name: my_cells").strip().splitlines()) == 10


def test_the_ten_line_campaign_runs(users_folder: Path) -> None:
    words = ["run", "my_cells.yaml", "--out", "out", "--set", "search.evaluations=4"]
    result = run(["-m", "rheobase.campaigns.cli", *words], users_folder)
    assert result.returncode == 0, result.stderr
    assert (users_folder / "out" / "report.html").exists()


def test_the_python_lines_run(users_folder: Path) -> None:
    script = block("python", "search.ask()").replace("range(100)", "range(3)")
    result = run(["-c", script], users_folder)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.strip().splitlines()) == 3


def test_the_lines_on_rates_and_eeg_run(tmp_path: Path) -> None:
    for names in (("mouse_v1_rates", "OSI_DSI_neuropixels_v4.csv"), ("eeg_meg", "eeglab_data.set")):
        (tmp_path / names[1]).symlink_to(shared(*names))
    (tmp_path / "eeglab_data.fdt").symlink_to(shared("eeg_meg", "eeglab_data.fdt"))
    result = run(["-c", block("python", "rate_rows")], tmp_path)
    assert result.returncode == 0, result.stderr
    assert "L4 Exc 629 3.57" in result.stdout
    assert "SpectralPeak" in result.stdout


def test_every_command_of_readme_exists() -> None:
    helped = run(["-m", "rheobase.campaigns.cli", "--help"], REPOSITORY).stdout
    for command in set(re.findall(r"^ {4}rheobase (\w+)", README, re.MULTILINE)):
        assert re.search(rf"^ {{2}}{command}\b", helped, re.MULTILINE), command


def test_every_mechanism_that_readme_names_is_there() -> None:
    named = set(re.findall(r"`(\w+)`", README[README.index("Mechanisms that come with") :])) - {"model"}
    files = {path.stem for path in (REPOSITORY / "fitting" / "cells" / "mod").glob("*.mod")}
    assert files <= named, files - named
