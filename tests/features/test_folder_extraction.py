from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import NothingFoundError, RecordingError
from rheobase.features.extraction import extract
from rheobase.features.folder_extraction import extract_folder
from rheobase.features.layout import RecordingFolder
from rheobase.features.recording import Recording
from rheobase.features.requests import ExtractionPlan, Level, ProtocolRequest, plain
from rheobase.features.rheobase import RheobaseSettings
from tests.features.recorded import made_up

PLAN = ExtractionPlan(
    (ProtocolRequest("IDrest", (Level(150.0, 20.0),), plain(["Spikecount", "mean_frequency"])),),
    RheobaseSettings(("IDrest",)),
)

CELLS = 16


def cell(name: str, gain: float) -> list[Recording]:
    steps = ((0.05, 0), (0.1, 1), (0.15, 4))
    return [
        made_up(gain * amplitude, spikes, name, sweep=str(place)) for place, (amplitude, spikes) in enumerate(steps)
    ]


def write_table(folder: Path, recordings: list[Recording]) -> None:
    for item in recordings:
        time_ms = np.arange(len(item.voltage_mV)) * item.time_step_ms
        path = folder / item.cell / f"{item.protocol}_{item.sweep}.csv"
        path.parent.mkdir(exist_ok=True)
        np.savetxt(
            path, np.column_stack((time_ms, item.voltage_mV, item.current_nA)), "%.6f", ",",
            header="time (ms),voltage (mV),current (nA)", comments="",
        )  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventeen cells in tables, one of which never spikes: enough for two processes."""
    folder = tmp_path_factory.mktemp("tables")
    for place in range(CELLS):
        write_table(folder, cell(f"c{place + 1}", 1.0 + 0.05 * place))
    write_table(folder, [made_up(0.1, 0, "c17")])
    return folder


def layout(folder: Path, **change: object) -> RecordingFolder:
    return dataclasses.replace(RecordingFolder(folder, "{cell}/{protocol}_{sweep}.csv"), **change)  # type: ignore[arg-type]


def test_as_from_recordings_in_memory(tables: Path) -> None:
    everything = [item for place in range(CELLS) for item in cell(f"c{place + 1}", 1.0 + 0.05 * place)]
    expected = extract([*everything, made_up(0.1, 0, "c17")], PLAN).targets
    seen: list[tuple[str, int]] = []
    found = extract_folder(layout(tables), PLAN, progress=lambda *cell: seen.append(cell)).targets
    for name, target in found.objectives.items():
        assert target.mean == pytest.approx(expected.objectives[name].mean, rel=1e-4), name
    assert found.notes == expected.notes
    assert seen == [*((f"c{place}", 3) for place in range(1, CELLS + 1)), ("c17", 1)]


def test_processes_change_nothing(tables: Path) -> None:
    one = extract_folder(layout(tables), PLAN)
    two = extract_folder(layout(tables), PLAN, processes=2)
    assert two.targets == one.targets  # to the last bit
    assert two.cells == one.cells
    assert two.sweeps == one.sweeps
    assert [item.cell for item in two.measurements] == [f"c{place}" for place in range(1, CELLS + 2)]


def test_files_that_name_their_cells(tables: Path, tmp_path: Path) -> None:
    for place in range(CELLS):
        for path in (tables / f"c{place + 1}").iterdir():
            facts = f"# cell: cell{place}\n# protocol: IDrest\n# sweep: {path.stem}\n"
            (tmp_path / f"file{place}_{path.stem}.csv").write_text(facts + path.read_text())
    folder = RecordingFolder(tmp_path)
    one, two = extract_folder(folder, PLAN), extract_folder(folder, PLAN, processes=2)
    assert [summary.name for summary in one.targets.cells] == [f"cell{place}" for place in range(CELLS)]
    assert two.targets == one.targets


def test_what_is_unreadable_is_noted_or_an_error(tables: Path, tmp_path: Path) -> None:
    for place in range(1, CELLS + 1):
        (tmp_path / f"c{place}").symlink_to(tables / f"c{place}")
    (tmp_path / "c18").mkdir()
    (tmp_path / "c18" / "IDrest_0.csv").write_text("nonsense")
    for processes in (1, 2):
        with pytest.raises(RecordingError, match=r"IDrest_0\.csv"):
            extract_folder(layout(tmp_path), PLAN, processes)
        found = extract_folder(layout(tmp_path, strict=False), PLAN, processes)
        assert len(found.targets.cells) == CELLS
        assert any("c18/IDrest_0.csv" in note for note in found.targets.notes)


def test_protocols_that_only_some_cells_have(tables: Path, tmp_path: Path) -> None:
    for place in range(1, CELLS + 1):
        (tmp_path / f"c{place}").symlink_to(tables / f"c{place}")
    write_table(tmp_path, [made_up(0.1, 1, "c0", "IV"), *cell("c19", 1.0)])
    folder = layout(tmp_path, protocols=("IV",))
    plan = dataclasses.replace(PLAN, protocols=(), rheobase=RheobaseSettings(("IV",)))
    for processes in (1, 2):
        assert [summary.name for summary in extract_folder(folder, plan, processes).targets.cells] == ["c0"]
        with pytest.raises(NothingFoundError, match="no recordings of ramp; the protocols there are"):
            extract_folder(dataclasses.replace(folder, protocols=("ramp",)), plan, processes)


def test_missing_folder(tmp_path: Path) -> None:
    for processes in (1, 2):
        with pytest.raises(RecordingError, match="none does not exist"):
            extract_folder(layout(tmp_path / "none"), PLAN, processes)
