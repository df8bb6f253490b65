"""`rheobase extract`: targets and page from a folder."""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.image import imread

from rheobase.campaigns import cli
from rheobase.campaigns.extract_command import Outputs
from rheobase.campaigns.loading import load_measurement
from rheobase.features.errors import CampaignError
from rheobase.features.folder_extraction import extract_folder
from rheobase.features.layout import RecordingFolder
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.requests import ExtractionPlan, Level, ProtocolRequest, plain
from rheobase.features.targets_file import read_targets
from tests.campaigns.report.reading import Page
from tests.features.recorded import made_up
from tests.shared_data import shared

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.features.recording import Recording

PATTERN = "{cell}-SR-C1/X_{protocol}_ch{channel}_{sweep}.ibw"
REAL = {"C060109A3": (325, 328, 330, 271, 265, 269), "C060114A5": (328, 331, 333, 265, 269)}


def write_csv(recording: Recording, folder: Path, name: str = "") -> None:
    """A recording as the table that our reader knows."""
    times_ms = np.arange(len(recording.voltage_mV)) * recording.time_step_ms
    facts = f"# cell: {recording.cell}\n# protocol: {recording.protocol}\n# sweep: {recording.sweep}\n"
    columns = np.column_stack((times_ms, recording.voltage_mV, recording.current_nA))
    text = io.StringIO()
    np.savetxt(text, columns, fmt="%.4f", delimiter=",")
    path = folder / f"{name or recording.source}.csv"
    path.write_text(f"{facts}time (ms),voltage (mV),current (nA)\n{text.getvalue()}", encoding="utf-8")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Two cells of 0.1 and 0.15 nA rheobase, and a sweep without a stimulus; names that HTML would take for tags."""
    folder = tmp_path / "made up <b>"
    folder.mkdir()
    for cell, gain in (("a & <i>b", 1.0), ("two", 1.5)):
        for place, (amplitude_nA, spikes) in enumerate(((-0.1, 0), (0.05, 0), (0.1, 1), (0.15, 4), (0.2, 8))):
            write_csv(made_up(gain * amplitude_nA, spikes, cell, sweep=str(place)), folder, f"{gain}_{place}")
    write_csv(made_up(0.0, 0, "two", sweep="silent"), folder, "silent")
    return folder


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Some sweeps of two real cells."""
    folder = tmp_path / "real"
    for cell, sweeps in REAL.items():
        (folder / f"{cell}-SR-C1").mkdir(parents=True)
        for sweep in sweeps:
            found = [*shared("rat_l5_pyramidal").glob(f"{cell}-SR-C1/X_I*_ch?_{sweep}.ibw")]
            assert len(found) == 2
            for path in found:
                shutil.copy(path, folder / f"{cell}-SR-C1")
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Exit code of `rheobase extract WORDS`."""
    monkeypatch.setattr(sys, "argv", ["rheobase", "extract", *map(str, words), "--workers", "1"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_real_recordings(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--files", PATTERN, "--junction-potential", "14 mV", "--set", "features.spike_threshold='-30 mV'")
    out = tmp_path / "targets.json"
    assert run(monkeypatch, real, *words, "--out", out, "--cells") == 0
    assert "2 cells" in capsys.readouterr().out

    plan = ExtractionPlan(settings=MeasurementSettings(-30.0), junction_potential_mV=14.0)
    expected = extract_folder(RecordingFolder(real, PATTERN, 14.0), plan)
    assert read_targets(out) == expected.targets
    assert {target.feature for target in expected.targets.protocols[0].features} >= {"mean_frequency", "ISI_CV"}
    for cell, targets in expected.cells.items():
        assert read_targets(tmp_path / "targets_cells" / f"targets_{cell}.json") == targets

    html = (tmp_path / "targets.html").read_text(encoding="utf-8")
    page = Page(html)
    assert not page.problems
    assert "11 sweeps of 2 cells" in page.text
    assert "1 sweep was left out. A liquid-junction potential of 14 mV was subtracted." in page.text
    assert "C060109A3 IV 271 no step above the noise" in page.text
    pictures = [values["src"] or "" for tag, values in page.tags if tag == "img"]
    assert len(pictures) == 2 * 2 + 2  # two of each cell, one of each protocol
    for picture in pictures:
        assert imread(io.BytesIO(base64.b64decode(picture.partition("base64,")[2]))).std() > 0.05


def test_several_folders(real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell in a folder of its own gives what both give in one."""
    folders = [tmp_path / cell for cell in REAL]
    for cell, folder in zip(REAL, folders, strict=True):
        folder.mkdir()
        (real / f"{cell}-SR-C1").rename(folder / f"{cell}-SR-C1")
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert run(monkeypatch, *folders, "--files", PATTERN, "--out", two) == 0
    for cell, folder in zip(REAL, folders, strict=True):
        (folder / f"{cell}-SR-C1").rename(real / f"{cell}-SR-C1")
    assert run(monkeypatch, real, "--files", PATTERN, "--out", one, "--no-page") == 0
    assert read_targets(two) == read_targets(one)
    page = Page(two.with_suffix(".html").read_text(encoding="utf-8"))
    assert "C060109A3, C060114A5" in page.text


def test_page_of_tables(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page_path = tmp_path / "seen.html"
    assert run(monkeypatch, tables, "--out", tmp_path / "t.json", "--page", page_path) == 0
    assert read_targets(tmp_path / "t.json") == extract_folder(RecordingFolder(tables), ExtractionPlan()).targets
    html = page_path.read_text(encoding="utf-8")
    page = Page(html)
    assert not page.problems
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "b", "i", "iframe", "object", "link"}
    assert "made up <b>" in page.text
    assert "a & <i>b" in page.text
    assert "Rheobase 0.1 nA" in page.text
    assert "Rheobase 0.15 nA" in page.text
    assert "two IDrest silent no step above the noise" in page.text
    for target in ("IDrest_150 mean_frequency", "IDrest_-100 sag_ratio1", "cell input_resistance 100"):
        assert target in page.text
    seen = [values.get("alt") for tag, values in page.tags if tag == "img"]
    assert seen == [
        "f-I and I-V curves of a & <i>b",
        "All sweeps of a & <i>b",
        "f-I and I-V curves of two",
        "All sweeps of two",
        "Features of IDrest against amplitude",
    ]
    assert not any("http" in (value or "") for _, values in page.tags for value in values.values())


def test_no_page(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, tables, "--out", tmp_path / "t.json", "--no-page") == 0
    assert {path.name for path in tmp_path.iterdir()} == {tables.name, "t.json"}


def test_what_was_left_out_is_told(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = "features.protocols.IDrest.levels=[{}]".format(", ".join(f"{level} %" for level in range(900, 908)))
    words = ("--set", levels, "--set", "features.protocols.IDrest.features=[Spikecount]")
    assert run(monkeypatch, tables, "--out", tmp_path / "t.json", "--no-page", *words) == 0
    said = capsys.readouterr().out
    assert "Left out or uncertain:\n  two IDrest silent: no step above the noise" in said
    assert "\n  IDrest_900 left out: no sweep within 10 % has its features\n" in said
    assert "  and 3 more, see there" in said  # 8 levels and a sweep


def test_features_of_a_campaign(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text(
        "rheobase: 1\nname: other\nmodel: {morphology: nowhere.swc}\n"
        "recordings: {folder: elsewhere, junction_potential: 10 mV}\n"
        "features:\n  cell: two\n  protocols:\n"
        "    IDrest:\n      levels: [0.15 nA]\n      tolerance: 20 pA\n      features: [Spikecount]\n",
        encoding="utf-8",
    )
    out = tmp_path / "t.json"
    assert run(monkeypatch, tables, "--out", out, "--like", campaign) == 0
    assert "features.cell (two) is for fitting: these are the targets of all" in capsys.readouterr().out
    request = ProtocolRequest("IDrest", (Level(0.15, 0.02, "nA"),), plain(["Spikecount"]), name="IDrest")
    plan = ExtractionPlan((request,), junction_potential_mV=10.0)
    expected = extract_folder(RecordingFolder(tables, junction_potential_mV=10.0), plan).targets
    assert read_targets(out) == expected
    assert expected.objectives["IDrest_0.15.soma.v.Spikecount"].mean == 2.5  # 4 and 1 spikes


def test_unreadable_files_are_named(
    tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tables / "broken.csv"
    broken.write_text("time (ms),voltage (mV)\n0,zero\n", encoding="utf-8")
    assert run(monkeypatch, tables, "--out", tmp_path / "t.json") == 2
    said = capsys.readouterr().err
    assert "broken.csv" in said
    assert "leave out what cannot be read, with recordings.skip_unreadable: true" in said
    assert not (tmp_path / "t.json").exists()
    words = ("--out", tmp_path / "t.json", "--set", "recordings.skip_unreadable=true")
    assert run(monkeypatch, tables, *words) == 0
    assert any("broken.csv" in note for note in read_targets(tmp_path / "t.json").notes)
    assert "broken.csv" in Page((tmp_path / "t.html").read_text(encoding="utf-8")).text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "features.spike_treshold='-30 mV'"), "features.spike_treshold: unknown key; did you mean"),
        (("--set", "features.spike_threshold='-30 nA'"), "--set features.spike_threshold: "),
        (("--set", "recordings=3"), "--set recordings: "),
        (("--set", "nonsense"), "expected KEY=VALUE"),
        (("--junction-potential", "14 pA"), "recordings.junction_potential"),
        (("--files", "{cell}/nothing_{sweep}.ibw"), "expected files like"),
        (("--like", "no_such_campaign"), "there is no campaign file 'no_such_campaign'"),
        (("--page", "nowhere/page.html"), "there is no folder nowhere"),
        (("--set", "recordings.protocols=[Sin]"), "the protocols there are IDrest"),
    ],
)
def test_bad_options(
    words: tuple[str, ...],
    said: str,
    tables: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    assert run(monkeypatch, tables, "--out", tmp_path / "t.json", *words) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert not printed.out
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("exists", [True, False])
def test_nothing_to_read(
    exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "recordings"
    if exists:
        folder.mkdir()
    assert run(monkeypatch, folder, "--out", tmp_path / "t.json") == 2
    assert ("found no file at all" if exists else "does not exist") in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["recordings"] * exists


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"--out .*is a folder; give the name of a file"):
        Outputs(tmp_path)
    with pytest.raises(CampaignError, match="the targets and the page would both be"):
        Outputs.beside(tmp_path / "both.html", None, no_page=False, cells=False)
    found = Outputs.beside(tmp_path / "t.json", None, no_page=True, cells=True)
    assert found == Outputs(tmp_path / "t.json", None, tmp_path / "t_cells")


def test_broken_recordings_section_of_a_campaign(tmp_path: Path) -> None:
    campaign = tmp_path / "campaign.yaml"
    campaign.write_text("recordings: 3\n", encoding="utf-8")
    with pytest.raises(CampaignError, match=r"campaign\.yaml, line 1, recordings: "):
        load_measurement([tmp_path], campaign)
    campaign.write_text("recordings:\nfeatures: {spike_threshold: -35 mV}\n", encoding="utf-8")
    assert load_measurement([tmp_path], campaign).features.spike_threshold == -35.0


def test_no_bare_nan(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, tables, "--out", tmp_path / "t.json", "--no-page") == 0
    text = (tmp_path / "t.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} in the targets"))
