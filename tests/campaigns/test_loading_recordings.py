"""Recordings that are missing, unreadable or not those that were named."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from rheobase.campaigns.folder import check_same
from rheobase.campaigns.loading import (
    load_campaign,
)
from rheobase.features.errors import CampaignError
from rheobase.features.nwb_writer import write_nwb
from rheobase.features.recording import Recording
from tests.campaigns.refusals import refused
from tests.campaigns.tiny import TINY, write_tiny


def _recording(**changes: object) -> Recording:
    time = np.arange(4000) * 0.1
    current = np.where((time > 100) & (time < 300), 0.1, 0.0)
    values = {
        "cell": "c1", "protocol": "IV", "sweep": "0", "time_step_ms": 0.1, "voltage_mV": -70.0 + 10 * current,
        "current_nA": current, "source": "test",
    }  # fmt: skip
    return Recording(**{**values, **changes})  # type: ignore[arg-type]


def _on_recordings(tmp_path: Path, folder: Path, pattern: str = "") -> Path:
    text = re.sub(r"(?m)^  surrogates:\n(?:    .*\n)*", f"  folder: {folder}\n{pattern}", TINY)
    path = write_tiny(tmp_path)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("kind", "pattern", "message"),
    [
        ("no folder", "", r"the folder of recordings .*/recorded does not exist"),
        ("file", "", r"the folder of recordings .*/recorded is a file, not a folder"),
        ("empty", "", r"/recorded: expected files ending in .*, found no file at all"),
        ("nwb", '  files: "{cell}/{protocol}.abf"\n', r"expected files like '{cell}/{protocol}\.abf', found .*c1\.nwb"),
        ("no current", '  files: "{cell}_{protocol}.csv"\n', r"c1_IDrest\.csv.*current"),
        ("unreadable", "", r"c1\.nwb"),
        ("nwb", "  cells: [c2]\n", r"no cell 'c2'; the cells there are c1"),
        ("nwb", "  protocols: [Ramp]\n", r"no recordings of Ramp; the protocols there are IV"),
    ],
)  # fmt: skip
def test_bad_recordings(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    pattern: str,
    message: str,
    command: str,
) -> None:
    folder = tmp_path / "recorded"
    if kind == "file":
        folder.write_text("x", encoding="utf-8")
    elif kind != "no folder":
        folder.mkdir()
    if kind == "nwb":
        write_nwb(folder / "c1.nwb", "c1", [_recording()], "test")
    elif kind == "unreadable":
        (folder / "c1.nwb").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    elif kind == "no current":
        rows = "\n".join(f"{0.1 * n:.1f},{-70.0}" for n in range(4000))
        (folder / "c1_IDrest.csv").write_text(f"time (ms),voltage (mV)\n{rows}\n", encoding="utf-8")
    path = _on_recordings(tmp_path, folder, pattern)
    said = refused(capsys, monkeypatch, command, path, *(["--out", tmp_path / "run"] if command == "run" else []))
    assert re.match(rf"{re.escape(str(path))}, line 4, recordings: ", said), said
    assert re.search(message, said), said


def test_what_was_refused_for_its_recordings_runs_on_in_the_same_folder_once_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    write_nwb(folder / "c1.nwb", "c1", [_recording()], "test")
    path = _on_recordings(tmp_path, folder, "  protocols: [Ramp]\n")
    assert "no recordings of Ramp" in refused(capsys, monkeypatch, "run", path, "--out", tmp_path / "run")
    path = _on_recordings(tmp_path, folder, "  protocols: [Ramps]\n")
    assert "no recordings of Ramps" in refused(capsys, monkeypatch, "run", path, "--out", tmp_path / "run")


def test_several_folders_of_recordings(tmp_path: Path) -> None:
    """They are made absolute one by one; they may move, but another one more is another campaign."""
    source = ("  surrogates:", "  folder: [day1, day2]\n  surrogates:")
    path = write_tiny(tmp_path, source)
    text = path.read_text()
    begin, end = text.index("  surrogates:"), text.index("features:")
    path.write_text(text[:begin] + text[end:])
    several = load_campaign(path)
    assert several.recordings is not None
    assert several.recordings.folder == (tmp_path / "day1", tmp_path / "day2")
    path.write_text(path.read_text().replace("[day1, day2]", "day1"))
    one = load_campaign(path)
    path.write_text(path.read_text().replace("folder: day1", "folder: elsewhere"))
    check_same(tmp_path, one.essence(), load_campaign(path).essence())
    assert "folders" not in one.essence()["recordings"]
    with pytest.raises(CampaignError, match=r"recordings\.folders was None, now 2"):
        check_same(tmp_path, one.essence(), several.essence())
