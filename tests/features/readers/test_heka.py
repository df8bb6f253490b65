from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import RecordingError
from rheobase.features.layout import RecordingFolder, read_recordings
from rheobase.features.readers import read_sweeps
from rheobase.features.readers.heka import HekaReader
from tests.contracts.reader import ReaderContract
from tests.features.readers.heka_files import Series, write_heka

# Not imported here: the first import makes a folder, and two processes that collect tests would be in each other's way.
if importlib.util.find_spec("myokit") is None:
    pytest.skip("needs myokit: pip install 'rheobase[heka]'", allow_module_level=True)

CURRENT = np.where((np.arange(400) > 100) & (np.arange(400) < 300), 1e-10, -2e-11) * np.array([[1.0], [2.0]])
VOLTAGE = -0.07 + 1e8 * CURRENT
STEPS = Series("IDrest", {"V": VOLTAGE, "A": CURRENT})


class TestHekaReader(ReaderContract):
    reader = HekaReader()

    @pytest.fixture
    def recording_file(self, tmp_path: Path) -> Path:
        write_heka(tmp_path / "cell.dat", {"E-1": [STEPS]})
        return tmp_path / "cell.dat"


def test_series_sweeps_and_units(tmp_path):
    write_heka(tmp_path / "C1.dat", {"E-1": [STEPS, Series("IV", {"V": VOLTAGE[:1], "A": -CURRENT[:1]})]}, 0.02)
    sweeps = list(read_sweeps(tmp_path / "C1.dat"))
    assert [(one.cell, one.protocol, one.sweep) for one in sweeps] == [
        (None, "IDrest", "1_1_1"),
        (None, "IDrest", "1_1_2"),
        (None, "IV", "1_2_1"),
    ]
    for sweep, voltage_V, current_A in zip(sweeps, [*VOLTAGE, VOLTAGE[0]], [*CURRENT, -CURRENT[0]], strict=True):
        voltage, current = sweep.channels
        assert (voltage.unit, current.unit, voltage.name) == ("V", "A", "Vmon")
        assert voltage.time_step_ms == current.time_step_ms == 0.02
        np.testing.assert_allclose(voltage.values, voltage_V, rtol=1e-6)
        np.testing.assert_allclose(current.values, current_A, rtol=1e-6)


def test_groups_are_cells(tmp_path):
    clamp = Series("seal", {"A": CURRENT[:1], "V": VOLTAGE[:1]}, mode=1, stimulus_unit="V")
    write_heka(tmp_path / "day1.dat", {"slice 1": [STEPS, clamp], "slice 2": [STEPS, clamp]})
    problems: list[str] = []
    recordings = list(read_recordings(RecordingFolder(tmp_path), problems))
    assert [problem.partition(": ")[2] for problem in problems] == ["sweep 1_2_1, 2_2_1: voltage clamp"]
    assert [(one.cell, one.protocol, one.sweep) for one in recordings] == [
        ("day1_slice 1", "IDrest", "1_1_1"),
        ("day1_slice 1", "IDrest", "1_1_2"),
        ("day1_slice 2", "IDrest", "2_1_1"),
        ("day1_slice 2", "IDrest", "2_1_2"),
    ]


def test_groups_without_a_name_are_told_apart_by_number(tmp_path):
    write_heka(tmp_path / "day1.dat", {"": [STEPS], "slice 2": [STEPS]})
    assert {one.cell for one in read_sweeps(tmp_path / "day1.dat")} == {"day1_1", "day1_2"}


def test_voltage_clamp_and_what_may_be_it_are_left_out(tmp_path):
    clamp = Series("seal", {"A": CURRENT, "V": VOLTAGE}, mode=1, stimulus_unit="V")
    unknown = Series("test", {"A": CURRENT, "V": VOLTAGE}, mode=0, stimulus_unit="V")
    any_mode = Series("IV", {"V": VOLTAGE, "A": CURRENT}, mode=0)
    write_heka(tmp_path / "C1.dat", {"E-1": [clamp, unknown, any_mode]})
    problems: list[str] = []
    recordings = list(read_recordings(RecordingFolder(tmp_path), problems))
    assert {one.protocol for one in recordings} == {"IV"}
    assert [problem.partition(": ")[2] for problem in problems] == [
        "sweep 1_1_1, 1_1_2: voltage clamp",
        "sweep 1_2_1, 1_2_2: its stimulus names neither current clamp nor a current, so it may be voltage clamp",
    ]


def test_a_sweep_without_samples(tmp_path):
    write_heka(tmp_path / "C1.dat", {"E-1": [Series("IV", {"V": np.zeros((1, 0)), "A": np.zeros((1, 0))})]})
    assert [one.left_out for one in read_sweeps(tmp_path / "C1.dat")] == ["it has no samples"]


def test_the_current_was_not_recorded(tmp_path):
    write_heka(tmp_path / "C1.dat", {"E-1": [Series("IV", {"V": VOLTAGE})]})
    with pytest.raises(RecordingError, match=r"C1\.dat: sweep 1_1_1 of protocol IV.*there is no current channel"):
        list(read_recordings(RecordingFolder(tmp_path)))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"DAT1", "got a PatchMaster file in several parts; in PatchMaster, save it as a bundle"),
        (b"ACQU", r"got no bundle of HEKA PatchMaster; other programs' \.dat files cannot be read"),
    ],
)
def test_other_files(tmp_path, start, message):
    (tmp_path / "C1.dat").write_bytes(start + bytes(600))
    with pytest.raises(RecordingError, match=rf"C1\.dat: expected a bundle of HEKA PatchMaster, {message}"):
        list(read_sweeps(tmp_path / "C1.dat"))


def test_versions_and_byte_orders_that_cannot_be_read(tmp_path):
    path = tmp_path / "C1.dat"
    write_heka(path, {"E-1": [STEPS]}, version="v1000")
    with pytest.raises(RecordingError, match=r"version 'v1000' is not one that can be read.*export the sweeps"):
        list(read_sweeps(path))
    write_heka(path, {"E-1": [STEPS]})
    content = bytearray(path.read_bytes())
    content[52] = 0
    path.write_bytes(bytes(content))
    with pytest.raises(RecordingError, match=r"written on a big-endian computer.*export the sweeps"):
        list(read_sweeps(path))


def test_myokit_is_not_installed(tmp_path, monkeypatch):
    write_heka(tmp_path / "C1.dat", {"E-1": [STEPS]})
    found = importlib.import_module

    def missing(name: str) -> object:
        if name.startswith("myokit"):
            raise ModuleNotFoundError("No module named 'myokit'")
        return found(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(RecordingError, match=r"reading \.dat files needs myokit.*pip install 'rheobase\[heka\]'"):
        list(read_sweeps(tmp_path / "C1.dat"))


def test_another_process_makes_the_folder_of_myokit_at_the_same_moment(tmp_path, monkeypatch):
    write_heka(tmp_path / "C1.dat", {"E-1": [STEPS]})
    found, asked = importlib.import_module, []

    def in_the_way(name: str) -> object:
        asked.append(name)
        if asked == ["myokit.formats.heka"]:
            raise FileExistsError("the folder of myokit")
        return found(name)

    monkeypatch.setattr(importlib, "import_module", in_the_way)
    assert len(list(read_sweeps(tmp_path / "C1.dat"))) == 2
    assert asked.count("myokit.formats.heka") == 2
