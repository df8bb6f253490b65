from __future__ import annotations

import re
import tracemalloc
import weakref
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rheobase.features import layout, recording_files
from rheobase.features.cell_files import FilesByCell
from rheobase.features.errors import RecordingError
from rheobase.features.layout import RecordingFolder, read_cells, read_recordings
from rheobase.features.naming import natural_key, path_pattern
from rheobase.features.reading_report import ReadingReport
from tests.features.provenance import stated
from tests.features.readers.igor_waves import wave_bytes
from tests.shared_data import shared

RAT = "{cell}-SR-C1/X_{protocol}_ch{channel}_{sweep}.ibw"
PATTERN = "{cell}/{protocol}_ch{channel}_{sweep}.ibw"
SAMPLES = 200


def write_channel(path: Path, value: float, unit: str, samples: int = SAMPLES, step: float = 1e-4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wave_bytes(np.full(samples, value, dtype=np.float32), unit, step))


def write_sweep(folder: Path, cell: str, protocol: str, sweep: str, samples: int = SAMPLES) -> None:
    write_channel(folder / cell / f"{protocol}_ch0_{sweep}.ibw", 100.0, "pA", samples)
    write_channel(folder / cell / f"{protocol}_ch1_{sweep}.ibw", -0.07, "V", samples)


def write_table(path: Path, head: str = "", samples: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{0.1 * k:.1f},-70,0.1\n" for k in range(samples))
    path.write_text(f"{head}time (ms),voltage (mV),current (nA)\n{lines}")


@pytest.fixture
def folder(tmp_path: Path) -> RecordingFolder:
    for cell in ("C10", "C2"):
        for protocol in ("IV", "IDrest"):
            for sweep in ("10", "9"):
                write_sweep(tmp_path, cell, protocol, sweep)
    return RecordingFolder(tmp_path, PATTERN)


def cells_of(folder: RecordingFolder) -> tuple[str, ...]:
    return FilesByCell(folder, ReadingReport()).cells


def names(folder: RecordingFolder) -> list[tuple[str, str, str]]:
    return [(one.cell, one.protocol, one.sweep) for one in read_recordings(folder)]


def test_channels_are_joined_and_sorted_as_people_number(folder):
    one_cell = [("IDrest", "9"), ("IDrest", "10"), ("IV", "9"), ("IV", "10")]
    assert names(folder) == [("C2", *rest) for rest in one_cell] + [("C10", *rest) for rest in one_cell]


def test_units_and_junction_potential(folder):
    recording = next(read_recordings(replace(folder, junction_potential_mV=14.0)))
    np.testing.assert_allclose(recording.voltage_mV, -84.0, atol=1e-5)
    np.testing.assert_array_equal(recording.current_nA, 0.1)
    assert recording.time_step_ms == 0.1
    assert recording.duration_ms == pytest.approx(20.0)
    assert "IDrest_ch0_9.ibw" in recording.source
    assert "IDrest_ch1_9.ibw" in recording.source


def test_cells_and_protocols_are_chosen(folder):
    chosen = replace(folder, cells=("C10",), protocols=("idREST",))
    assert names(chosen) == [("C10", "IDrest", "9"), ("C10", "IDrest", "10")]
    assert cells_of(chosen) == ("C10",)


def test_cells_are_listed_without_opening_files(folder, monkeypatch):
    monkeypatch.setattr(layout, "sweeps_and_problems", None)
    assert cells_of(folder) == ("C2", "C10")


def test_one_cell_is_read_at_a_time(folder, monkeypatch):
    opened = []
    read = layout.sweeps_and_problems
    monkeypatch.setattr(layout, "sweeps_and_problems", lambda path: (opened.append(path.parent.name), read(path))[1])
    cells = read_cells(folder)
    assert [recording.cell for recording in next(cells)] == ["C2"] * 4
    assert set(opened) == {"C2"}  # whoever has all sweeps of a cell does not have any of the next
    assert [recording.cell for recording in next(cells)] == ["C10"] * 4
    assert next(cells, None) is None


def test_sweeps_are_let_go_as_they_are_taken(folder):
    """The samples of the file are gone when the recording made of them is."""
    kept = [weakref.ref(recording.voltage_mV) for recording in read_recordings(folder)]
    assert [one() for one in kept] == [None] * 8


def test_several_folders_are_one(tmp_path):
    days = (tmp_path / "day 1", tmp_path / "day 2")
    for day, cell in zip(days, ("C10", "C2"), strict=True):
        write_sweep(day, cell, "IV", "1")
    together = RecordingFolder(days, PATTERN)
    assert names(together) == [("C2", "IV", "1"), ("C10", "IV", "1")]
    assert names(replace(together, cells=("C10",))) == [("C10", "IV", "1")]
    with pytest.raises(RecordingError, match=r"day 1, .*day 2: no cell 'C3'; the cells there are C2, C10"):
        names(replace(together, cells=("C3",)))
    with pytest.raises(RecordingError, match=r"the folder of recordings .*day 1 is given twice; leave it out once"):
        names(RecordingFolder((*days, tmp_path / "day 2" / ".." / "day 1"), PATTERN))
    with pytest.raises(RecordingError, match=r"the folder of recordings .*day 3 does not exist"):
        names(RecordingFolder((*days, tmp_path / "day 3"), PATTERN))


@pytest.mark.parametrize("pattern", [PATTERN, None])
def test_a_cell_in_two_folders_is_not_guessed_at(tmp_path, pattern):
    days = (tmp_path / "day1", tmp_path / "day2")
    for place, day in enumerate(days):
        if pattern is None:
            write_table(day / f"{place}.csv", "# cell: C1\n# protocol: IV\n")
        else:
            write_sweep(day, "C1", "IV", str(place))
    said = r"the cell 'C1' is in .*day1 and in .*day2: it may be one cell, or two of one name; .*recordings\.files"
    with pytest.raises(RecordingError, match=said):
        names(RecordingFolder(days, pattern))
    if pattern is not None:
        assert names(RecordingFolder(tmp_path, "*/" + PATTERN)) == [("C1", "IV", "0"), ("C1", "IV", "1")]


def test_cells_without_recordings_are_left_out(folder):
    write_sweep(folder.folder, "C3", "Ramp", "1")
    found = [[one.protocol for one in cell] for cell in read_cells(replace(folder, protocols=("IV",)))]
    assert found == [["IV", "IV"], ["IV", "IV"]]


def test_files_of_other_protocols_are_not_opened(folder):
    broken = folder.folder / "C2" / "Ramp_ch0_1.ibw"
    broken.write_bytes(b"broken")
    assert len(names(replace(folder, protocols=("IV",)))) == 4
    with pytest.raises(RecordingError, match=r"Ramp_ch0_1\.ibw cannot be read as an Igor wave"):
        names(folder)


def test_stars_and_repeated_placeholders(tmp_path):
    write_channel(tmp_path / "day1" / "B6" / "B6_Ch0_IDRest_5.ibw", 100.0, "pA")
    write_channel(tmp_path / "day1" / "B6" / "B6_Ch3_IDRest_5.ibw", -70.0, "mV")
    write_channel(tmp_path / "day1" / "B6" / "B7_Ch3_IDRest_5.ibw", -70.0, "mV")
    assert names(RecordingFolder(tmp_path, "*/{cell}/{cell}_Ch*_{protocol}_{sweep}.ibw")) == [("B6", "IDRest", "5")]


def test_characters_that_mean_something_to_globs(tmp_path):
    write_sweep(tmp_path, "C[1]", "IV", "1")
    assert names(RecordingFolder(tmp_path, "C[1]/{protocol}_ch{channel}_{sweep}.ibw".replace("C[1]", "{cell}"))) == [
        ("C[1]", "IV", "1")
    ]
    fixed = RecordingFolder(tmp_path, "C[1]/{cell}_ch{channel}_{sweep}.ibw", protocols=None)
    assert cells_of(fixed) == ("IV",)


def test_without_pattern_the_file_tells_cell_protocol_and_sweep(tmp_path):
    write_table(tmp_path / "b" / "x.csv", "# cell: C2\n# protocol: IV\n# sweep: 4\n")
    write_table(tmp_path / "a" / "y.csv", "# cell: C10\n# protocol: IV\n")
    write_table(tmp_path / "a" / "z.csv", "# cell: C2\n# protocol: IDrest\n# sweep: 4\n")
    write_table(tmp_path / "w.csv", "# protocol: IV\n")
    (tmp_path / "notes.txt").write_text("not a recording")
    assert names(RecordingFolder(tmp_path)) == [
        ("C2", "IDrest", "4"),
        ("C2", "IV", "4"),
        ("C10", "IV", "y"),
        ("w", "IV", "w"),
    ]
    assert cells_of(RecordingFolder(tmp_path)) == ("C2", "C10", "w")


def test_a_name_in_the_pattern_comes_before_what_the_file_says(tmp_path):
    write_table(tmp_path / "C1" / "IV_7.csv", "# cell: other\n# protocol: other\n")
    assert names(RecordingFolder(tmp_path, "{cell}/{protocol}_{sweep}.csv")) == [("C1", "IV", "7")]


def test_sweeps_of_two_files_of_a_cell_are_kept_apart_by_the_pattern():
    folder = RecordingFolder(shared("axon_abf"), "2019_07_{cell}_{sweep}_fsi.abf")
    assert names(folder)[:2] == [("24", "0113 AP gain [-100 to 300]", f"0055.{k}") for k in (0, 1)]


def test_a_file_of_several_sweeps_names_them_all_alike(tmp_path):
    write_sweeps(tmp_path / "C1_IV_1.csv", ("0", "1", "2"))
    sweeps = [sweep for _, _, sweep in names(RecordingFolder(tmp_path, "{cell}_{protocol}_{sweep}.csv"))]
    assert sweeps == ["1.0", "1.1", "1.2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folder": Path("/nowhere/data")}, "the folder of recordings /nowhere/data does not exist"),
        ({"folder": Path(__file__)}, r"test_layout\.py is a file, not a folder"),
        ({"pattern": "{cell}/Y_{protocol}.ibw"}, r"expected files like '\{cell\}/Y_.*found 16 files such as 'C10/"),
        ({"pattern": "{cell}/{prot}.ibw"}, r"'\{prot\}' is not one of \{cell\}, \{protocol\}"),
        ({"pattern": "{cell/{protocol}.ibw"}, "a brace is open or closed without its other half"),
        ({"cells": ("C2", "C3")}, "no cell 'C3'; the cells there are C2, C10"),
        ({"protocols": ("Ramp", "sAHP")}, "no recordings of Ramp, sAHP; the protocols there are IDrest, IV"),
        ({"pattern": "{cell}/{protocol}_ch0_{sweep}.ibw"}, "there is no voltage channel .*'wave0' in pA"),
        ({"pattern": "{cell}/{protocol}_ch1_{sweep}.ibw"}, "there is no current channel .*'wave0' in V"),
        ({"pattern": "{cell}/{protocol}_ch{channel}_*.ibw"}, "there is no"),
        ({"pattern": "{cell}/*_ch{channel}_{sweep}.ibw"}, r"neither the file nor its name tells the protocol; put"),
        ({"pattern": "*/{cell}_ch{channel}_{sweep}.ibw", "protocols": None}, "neither the file nor its name"),
    ],
)
def test_what_is_wrong_and_where(folder, change, message):
    with pytest.raises(RecordingError, match=message):
        names(replace(folder, **change))


def test_an_empty_folder(tmp_path):
    with pytest.raises(RecordingError, match=r"expected files ending in \.abf.*found no file at all"):
        names(RecordingFolder(tmp_path))


def test_a_suffix_that_no_reader_knows(tmp_path):
    (tmp_path / "C1_IV.xyz").write_bytes(b"1")
    with pytest.raises(RecordingError, match=r"C1_IV\.xyz: no reader for files ending in '\.xyz'.*\.abf, .*\.csv"):
        names(RecordingFolder(tmp_path, "{cell}_{protocol}.xyz"))


def test_two_voltages(folder):
    write_channel(folder.folder / "C2" / "IV_ch2_9.ibw", -0.07, "V")
    with pytest.raises(RecordingError, match="IV, cell C2: expected one voltage channel, got 2"):
        names(folder)


def test_a_sweep_that_is_there_twice(tmp_path):
    for name in ("a", "b"):
        write_table(tmp_path / f"{name}.csv", "# cell: C1\n# protocol: IV\n# sweep: 1\n")
    with pytest.raises(RecordingError, match=r"a\.csv, .*b\.csv: sweep 1 of protocol IV, cell C1 is there 2 times"):
        names(RecordingFolder(tmp_path))


def test_different_lengths(folder):
    write_channel(folder.folder / "C2" / "IV_ch1_9.ibw", -0.07, "V", samples=199)
    with pytest.raises(RecordingError, match="cell C2: the voltage has 199 samples, the current 200"):
        names(folder)


def test_different_sampling(folder):
    write_channel(folder.folder / "C2" / "IV_ch1_9.ibw", -0.07, "V", step=2e-4)
    with pytest.raises(RecordingError, match=r"the voltage is sampled every 0\.2 ms, the current every 0\.1 ms"):
        names(folder)


def test_what_cannot_be_read_is_left_out_and_reported(folder):
    (folder.folder / "C2" / "IV_ch0_9.ibw").write_bytes(b"broken")
    (folder.folder / "C2" / "IV_ch1_10.ibw").unlink()
    problems: list[str] = []
    kept = list(read_recordings(replace(folder, strict=False), problems))
    assert len(kept) == 6
    assert [re.sub(r".*/C2/", "", problem)[:20] for problem in problems] == [
        "IV_ch0_9.ibw cannot ",
        "IV_ch1_9.ibw: sweep ",
        "IV_ch0_10.ibw: sweep",
    ]
    with pytest.warns(UserWarning, match="left out: .*/C2/IV_ch"):
        list(read_recordings(replace(folder, strict=False)))


def test_nothing_is_left(tmp_path):
    write_channel(tmp_path / "C1" / "IV_ch0_1.ibw", 100.0, "pA")
    with pytest.raises(RecordingError, match=r"no recording could be read; the first problem was: .*no voltage"):
        list(read_recordings(RecordingFolder(tmp_path, PATTERN, strict=False), []))


def index(folder: Path, text: str, name: str = "index.csv") -> RecordingFolder:
    (folder / name).write_text(text)
    return RecordingFolder(folder, table=name)


def test_files_from_a_table(tmp_path):
    for number in (1, 2, 3, 4):
        unit, value = ("pA", 100.0) if number % 2 else ("V", -0.07)
        write_channel(tmp_path / "raw" / f"{number:04d}.ibw", value, unit)
    write_table(tmp_path / "x.csv", "# cell: C9\n# protocol: IV\n# sweep: 4\n")
    text = "# our notebook\nFile , cell,Protocol,sweep,comment\n\nraw/0001.ibw,C10,IDrest,1,good\n"
    text += 'raw/0002.ibw,C10,IDrest,1,\nraw/0003.ibw,C2,IDrest,"1",\nx.csv,,,,\n'
    text += f"{tmp_path / 'raw' / '0004.ibw'},C2,IDrest,1,\n"
    folder = index(tmp_path, text)
    assert names(folder) == [("C2", "IDrest", "1"), ("C9", "IV", "4"), ("C10", "IDrest", "1")]
    assert cells_of(folder) == ("C2", "C9", "C10")
    assert names(index(tmp_path, text.replace(",", "\t"), "index.tsv")) == names(folder)
    assert names(replace(folder, protocols=("iv",))) == [("C9", "IV", "4")]


def write_sweeps(path: Path, sweeps: tuple[str, ...]) -> None:
    lines = "".join(f"{sweep},{0.1 * k:.1f},-70,0.1\n" for sweep in sweeps for k in range(20))
    path.write_text(f"sweep,time (ms),voltage (mV),current (nA)\n{lines}")


def test_sweeps_of_a_file_from_a_table(tmp_path):
    write_sweeps(tmp_path / "a.csv", ("0", "1", "2", "3"))
    folder = index(tmp_path, "file,protocol,sweep\na.csv,IV,0\na.csv,IDrest,\na.csv,IV,3\n")
    assert names(folder) == [("a", "IDrest", "1"), ("a", "IDrest", "2"), ("a", "IV", "0"), ("a", "IV", "3")]
    assert len(names(index(tmp_path, "file,protocol,sweep\na.csv,IV,0\n"))) == 1


def test_a_line_names_the_only_sweep_of_its_file(tmp_path):
    write_table(tmp_path / "a.csv", "# sweep: 7\n")
    assert names(index(tmp_path, "file,cell,protocol,sweep\na.csv,C1,IV,x\n")) == [("C1", "IV", "x")]


def test_files_of_other_protocols_in_a_table_are_not_opened(tmp_path):
    write_table(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("broken")
    folder = index(tmp_path, "file,protocol\na.csv,IV\nb.csv,IDrest\n")
    assert names(replace(folder, protocols=("IV",))) == [("a", "IV", "a")]
    with pytest.raises(RecordingError, match=r"b\.csv"):
        names(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"index\.csv: expected a line of column heads: file, cell, protocol, sweep"),
        ("file,cell\n", "there are no lines below the column heads"),
        ("cell,protocol\nC1,IV\n", r"index\.csv, line 1: there is no column 'file' \(columns: cell, protocol\)"),
        ("file,protocl\na.csv,IV\n", "line 1: the column 'protocl' is not known; is it 'protocol'?"),
        ("file,cell,cell\na.csv,C1,C1\n", "line 1: two columns are called 'cell'"),
        ("# x\nfile,protocol\na.csv,IV\nb.csv,IV\n", r"index\.csv, line 4: there is no file .*/b\.csv"),
        ("file,protocol\na.csv\n", "line 2: 1 fields under 2 column heads"),
        ("file,protocol\n,IV\n", "line 2: the column 'file' is empty"),
        ("file,protocol\na.csv,IV\na.csv,IV\n", r"line 3: .*/a\.csv is there already: .*index\.csv, line 2"),
        ("file,protocol,sweep\na.csv,IV,1\na.csv,IV,1\n", r"line 3: sweep 1 of .*a\.csv is there already"),
        ("file,protocol,sweep\na.csv,IV,1\na.csv,IV,8\n", r"line 3: there is no sweep '8' in .*\(sweeps: 0, 1\)"),
        ("file,cell\na.csv,C1\n", r"index\.csv, line 2: neither it nor the file .*a\.csv tells the protocol"),
        ("file,cell,sweep\na.csv,C1,0\na.csv,C2,\n", "line 3: other lines give .*a.csv to other cells, so it needs a"),
    ],
)
def test_what_is_wrong_with_a_table(tmp_path, text, message):
    write_sweeps(tmp_path / "a.csv", ("0", "1"))
    with pytest.raises(RecordingError, match=message):
        names(index(tmp_path, text))


def test_tables_that_cannot_be_used(tmp_path):
    with pytest.raises(RecordingError, match=r"the table of recordings .*/x\.csv cannot be read: No such file"):
        names(RecordingFolder(tmp_path, table="x.csv"))
    with pytest.raises(RecordingError, match=r"x\.xls: expected a table of recordings in \.csv or \.tsv"):
        names(RecordingFolder(tmp_path, table="x.xls"))
    (tmp_path / "x.csv").write_bytes(b"file\n\xff\n")
    with pytest.raises(RecordingError, match=r"x\.csv: expected text in UTF-8"):
        names(RecordingFolder(tmp_path, table="x.csv"))
    with pytest.raises(
        RecordingError, match=r"either the pattern of files '\{cell\}\.csv' or the table x\.csv, not both"
    ):
        names(RecordingFolder(tmp_path, "{cell}.csv", table="x.csv"))


def test_a_listed_sweep_that_is_not_there_is_left_out(tmp_path):
    write_sweeps(tmp_path / "a.csv", ("0", "1"))
    folder = index(tmp_path, "file,protocol,sweep\na.csv,IV,1\na.csv,IV,8\n")
    problems: list[str] = []
    (kept,) = read_recordings(replace(folder, strict=False), problems)
    assert kept.sweep == "1"
    assert len(problems) == 1
    assert "index.csv, line 3: there is no sweep '8' in" in problems[0]


def test_a_file_is_read_once(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write_table(tmp_path / f"{name}.csv", f"# cell: C{name}\n# protocol: IV\n")
    read = []
    found = layout.sweeps_and_problems
    monkeypatch.setattr(layout, "sweeps_and_problems", lambda path: (read.append(path.name), found(path))[1])
    monkeypatch.setattr(recording_files, "cells_in", _without_samples(recording_files.cells_in, monkeypatch))
    assert [cell for cell, _, _ in names(RecordingFolder(tmp_path))] == ["Ca", "Cb"]
    assert read == ["a.csv", "b.csv"]


def _without_samples(cells_in, monkeypatch):
    def checked(path: Path) -> set[str | None]:
        with monkeypatch.context() as context:
            context.setattr(np, "loadtxt", None)
            return cells_in(path)

    return checked


def test_memory_does_not_grow_with_the_number_of_cells(tmp_path):
    def peak(cells: int) -> int:
        for cell in range(cells):
            write_sweep(tmp_path / str(cells), f"C{cell}", "IV", "1", samples=40000)
        tracemalloc.start()
        for _ in read_recordings(RecordingFolder(tmp_path / str(cells), PATTERN)):
            pass
        return tracemalloc.get_traced_memory()[1]

    try:
        few = peak(2)
        tracemalloc.clear_traces()
        assert peak(20) < 1.2 * few
    finally:
        tracemalloc.stop()


def test_natural_order_and_patterns():
    assert sorted(["s10", "s9", "S1", "a", "10", "9"], key=natural_key) == ["9", "10", "a", "S1", "s9", "s10"]
    match = path_pattern("{cell}-SR-C1/X_{protocol}_ch{channel}_{sweep}.ibw").fullmatch("C1-SR-C1/X_ID_rest_ch0_7.ibw")
    assert match is not None
    assert match.groupdict() == {"cell": "C1", "protocol": "ID_rest", "channel": "0", "sweep": "7"}
    assert path_pattern("{cell}.ibw").fullmatch("a/b.ibw") is None
    assert path_pattern("*.ibw").fullmatch("a/b.ibw") is None


def spike_count(voltage_mV: np.ndarray, threshold_mV: float) -> int:
    above = voltage_mV > threshold_mV
    return int(np.count_nonzero(above[1:] & ~above[:-1]))


def test_real_cells_have_the_spikes_of_their_provenance():
    root = shared("rat_l5_pyramidal")
    expected = stated(root / "PROVENANCE.md")
    spikes = defaultdict(list)
    rates = {}
    for recording in read_recordings(RecordingFolder(root, RAT, junction_potential_mV=14.0)):
        key = recording.cell, recording.protocol
        spikes[key].append(spike_count(recording.voltage_mV, -20.0 - 14.0))
        rates[key] = round(1000.0 / recording.time_step_ms)
    assert len(spikes) == 30
    for key, counted in spikes.items():
        assert len(counted) == expected[key].sweeps
        assert rates[key] == expected[key].rate_Hz
        if expected[key].spikes:
            assert tuple(counted) == expected[key].spikes, key


def test_channels_in_another_order_are_told_by_their_units():
    root = shared("rat_l5_pyramidal")
    expected = stated(root / "PROVENANCE.md")
    swapped = RecordingFolder(
        root / "units_in_other_channel_order", "{cell}-SR-C1/exp_{protocol}_ch{channel}_{sweep}.ibw"
    )
    spikes = defaultdict(list)
    for recording in read_recordings(swapped):
        assert -75.0 < np.median(recording.voltage_mV[:75]) < -65.0
        assert -0.3 < np.median(recording.current_nA[:75]) < -0.25
        spikes[recording.protocol].append(spike_count(recording.voltage_mV, -20.0))
    for protocol, counted in spikes.items():
        assert tuple(counted) == expected["units_in_other_channel_order/C080501A5", protocol].spikes


def test_waves_in_other_units():
    folder = RecordingFolder(shared("igor_waves"), "{cell}/{cell}_Ch{channel}_{protocol}_{sweep}.ibw")
    spikes = defaultdict(list)
    for recording in read_recordings(folder):
        spikes[recording.cell].append(spike_count(recording.voltage_mV, -20.0))
    assert spikes == {"B6": [26, 50, 68, 82, 89], "B8": [20, 44, 62, 75, 81], "B95": [9]}
