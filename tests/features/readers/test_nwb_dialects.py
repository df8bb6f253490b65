"""What laboratories write into NWB files: the dialects of MIES, IPFX, Allen and DANDI."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries, VoltageClampSeries

from rheobase.features.errors import RecordingError
from rheobase.features.layout import RecordingFolder, read_recordings
from rheobase.features.readers import cells_in, read_sweeps
from tests.contracts.reader import ReaderContract
from tests.features.readers.nwb_files import CURRENT, VOLTAGE, File, write_nwb_1

MILLIVOLTS = {"conversion": 1e-3}
PICOAMPERES = {"conversion": 1e-12}


def mies_sweep(file: File, number: int, headstage: int, electrode, amplitude_pA: float = 100.0, **voltage) -> None:
    """A sweep as MIES names it: mV and pA as 32-bit floats, gains of the amplifier beside."""
    common = {
        "sweep_number": np.uint64(number),
        "electrode": electrode,
        "starting_time": 10.0 * number,
        "stimulus_description": f"X4PS_SupraThresh_DA_{headstage}",
    }
    values = np.full(50, -70.0 - headstage, dtype=np.float32)
    name = f"data_{number:05d}"
    file.add(
        CurrentClampSeries, f"{name}_AD{headstage}", values, gain=0.01, **common, **MILLIVOLTS, **voltage
    )  # fmt: skip
    stimulus = np.full(50, amplitude_pA, dtype=np.float32)
    file.add(CurrentClampStimulusSeries, f"{name}_DA{headstage}", stimulus, gain=400.0, **common, **PICOAMPERES)


def test_mies(tmp_path):
    file = File()
    for number in (3, 4):
        mies_sweep(file, number, 0, file.electrode, 100.0 * number)
    recordings = list(read_recordings(RecordingFolder(file.write(tmp_path / "a.nwb").parent)))
    assert [(one.cell, one.protocol, one.sweep) for one in recordings] == [
        ("a", "X4PS_SupraThresh", "3"),
        ("a", "X4PS_SupraThresh", "4"),
    ]
    # Gains say how the amplifier was set, and are in the data already.
    np.testing.assert_allclose(recordings[0].voltage_mV, -70.0, rtol=1e-6)
    np.testing.assert_allclose([one.current_nA[0] for one in recordings], [0.3, 0.4], rtol=1e-6)


def test_headstages_are_cells(tmp_path):
    file = File()
    second = file.add_electrode("electrode_1")
    for headstage, electrode in enumerate((file.electrode, second)):
        mies_sweep(file, 7, headstage, electrode, 100.0 * (headstage + 1))
    file.write(tmp_path / "day1.nwb")
    recordings = list(read_recordings(RecordingFolder(tmp_path)))
    assert [(one.cell, one.sweep) for one in recordings] == [("day1_electrode", "7"), ("day1_electrode_1", "7")]
    np.testing.assert_allclose([one.current_nA[0] for one in recordings], [0.1, 0.2], rtol=1e-6)
    np.testing.assert_allclose([one.voltage_mV[0] for one in recordings], [-70.0, -71.0], rtol=1e-6)


def test_cells_are_told_without_reading_samples(tmp_path):
    file = File()
    file.electrode.cell_id = "C7"
    mies_sweep(file, 1, 0, file.electrode)
    second = file.add_electrode("other")  # voltage clamp only, so no cell of ours
    file.add(VoltageClampSeries, "clamp", CURRENT, gain=1.0, electrode=second)
    path = file.write(tmp_path / "a.nwb")
    with h5py.File(path, "a") as content:
        content["acquisition/data_00001_AD0/data"][...] = np.nan
    assert cells_in(path) == {"C7"}


def test_a_bias_current_is_part_of_the_current(tmp_path):
    file = File()
    mies_sweep(file, 1, 0, file.electrode, 100.0, bias_current=-25e-12)
    mies_sweep(file, 2, 0, file.electrode, 100.0, bias_current=np.nan)
    mies_sweep(file, 3, 0, file.electrode, 100.0, bias_current=0.0)
    recordings = list(read_recordings(RecordingFolder(file.write(tmp_path / "a.nwb").parent)))
    np.testing.assert_allclose([one.current_nA[0] for one in recordings], [0.075, 0.1, 0.1], rtol=1e-6)


def test_a_bias_current_in_another_unit(tmp_path):
    file = File()
    mies_sweep(file, 1, 0, file.electrode, 100.0, bias_current=-25.0)
    with pytest.raises(RecordingError, match=r"a\.nwb, sweep 1: a bias current of -25 A; .*NWB has it in amperes"):
        file.read(tmp_path / "a.nwb")


def test_the_test_pulse_of_mies_is_cut_off(tmp_path):
    file = File()
    mies_sweep(file, 1, 0, file.electrode)
    mies_sweep(file, 2, 0, file.electrode)
    stimulus = file.content.stimulus["data_00001_DA0"]
    start_s, step_s = 10.0, 1e-4
    for begin, end, tag in ((0, 12, "Type=Inserted Testpulse"), (3, 6, "Type=Testpulse"), (12, 50, "Type=Stimset")):
        file.content.add_epoch(start_s + begin * step_s, start_s + end * step_s, [tag], [stimulus])
    first, second = file.read(tmp_path / "a.nwb")
    assert [len(channel.values) for channel in first.channels] == [38, 38]
    assert first.note == "the test pulse in its first 12 samples was cut off"
    assert [len(channel.values) for channel in second.channels] == [50, 50]
    assert second.note is None


def test_ipfx_numbers_responses_and_stimuli_apart(tmp_path):
    file = File()
    for cycle, (response, stimulus) in enumerate([("index_02", "index_00"), ("index_00", "index_01")], 100001):
        more = {"sweep_number": np.uint64(cycle), "stimulus_description": "PLACEHOLDER"}
        file.add(CurrentClampSeries, response, VOLTAGE, **more)
        file.add(CurrentClampStimulusSeries, stimulus, CURRENT * (cycle - 100000), **more)
    sweeps = file.read(tmp_path / "a.nwb")
    assert [(one.sweep, one.protocol) for one in sweeps] == [("100001", None), ("100002", None)]
    np.testing.assert_allclose([one.channels[1].values[0] for one in sweeps], [1e-10, 2e-10])


@pytest.mark.parametrize(
    ("description", "protocol"),
    [
        ("LongSquare_DA_0", "LongSquare"),
        ("LongSquare_DA0", "LongSquare"),
        ("C1LSCOARSE150216[3]", "C1LSCOARSE150216"),
        ("C1LS_DA_1[12]", "C1LS"),
        (" IDrest ", "IDrest"),
        ("PANDA_2", "PANDA_2"),
    ],
)
def test_names_of_stimuli(tmp_path, description, protocol):
    file = File()
    file.add(CurrentClampSeries, "a", VOLTAGE, stimulus_description=description)
    file.add(CurrentClampStimulusSeries, "x", CURRENT)
    assert file.read(tmp_path / "a.nwb")[0].protocol == protocol


def test_the_protocol_from_the_table_of_sequential_recordings(tmp_path):
    file = File()
    rows = []
    for number in range(3):
        voltage = file.add(CurrentClampSeries, f"v{number}", VOLTAGE, starting_time=float(number))
        current = file.add(CurrentClampStimulusSeries, f"i{number}", CURRENT, starting_time=float(number))
        rows.append(
            file.content.add_intracellular_recording(electrode=file.electrode, stimulus=current, response=voltage)
        )
    simultaneous = [file.content.add_icephys_simultaneous_recording(recordings=[row]) for row in rows]
    file.content.add_icephys_sequential_recording(simultaneous_recordings=simultaneous[:2], stimulus_type="IV")
    file.content.add_icephys_sequential_recording(simultaneous_recordings=simultaneous[2:], stimulus_type="ramp")
    assert [one.protocol for one in file.read(tmp_path / "a.nwb")] == ["IV", "IV", "ramp"]


def test_the_older_sweep_table_numbers_series_that_do_not(tmp_path):
    file = File()
    for number in (1, 2):
        mies_sweep(file, number, 0, file.electrode, 100.0 * number)
    path = file.write(tmp_path / "a.nwb")
    with h5py.File(path, "a") as content:
        stored = [content[f"{place}/data_0000{k}_{end}"]
                  for k in (2, 1)
                  for place, end in (("acquisition", "AD0"), ("stimulus/presentation", "DA0"))]  # fmt: skip
        for series in stored:
            del series.attrs["sweep_number"]
        _write_sweep_table(content, [series.ref for series in stored], [2, 2, 1, 1])
    sweeps = list(read_sweeps(path))
    assert [one.sweep for one in sweeps] == ["1", "2"]
    np.testing.assert_allclose([one.channels[1].values[0] for one in sweeps], [1e-10, 2e-10], rtol=1e-6)


def _write_sweep_table(content: h5py.File, references: list, numbers: list[int]) -> None:
    table = content.create_group("general/intracellular_ephys/sweep_table")
    table["id"] = np.arange(len(numbers))
    table.create_dataset("series", data=np.array(references, dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
    table["series_index"] = np.arange(1, len(numbers) + 1, dtype=np.uint64)
    table["sweep_number"] = np.array(numbers, dtype=np.uint32)
    kinds = {"": "SweepTable", "id": "ElementIdentifiers", "series": "VectorData", "series_index": "VectorIndex"}
    for name, kind in {**kinds, "sweep_number": "VectorData"}.items():
        item = table[name] if name else table
        item.attrs["namespace"] = "core" if kind == "SweepTable" else "hdmf-common"
        item.attrs["neurodata_type"] = kind
        item.attrs["object_id"] = f"00000000-0000-4000-8000-{zlib.crc32(name.encode()):012d}"
        item.attrs["description"] = "made up"
    table["series_index"].attrs["target"] = table["series"].ref
    table.attrs["colnames"] = ["series", "sweep_number"]


@pytest.mark.parametrize(
    ("unit", "values", "conversion"),
    [("V", VOLTAGE, 1.0), ("Volts", VOLTAGE, 1.0), ("mV", 1e3 * VOLTAGE, 1.0), ("volts", 1e3 * VOLTAGE, 1e-3)],
)
def test_units_as_files_state_them(tmp_path, unit, values, conversion):
    path = write_with_unit(tmp_path, unit, values, conversion)
    (recording,) = read_recordings(RecordingFolder(tmp_path, "{protocol}.nwb"))
    assert path.stem == recording.protocol
    np.testing.assert_allclose(recording.voltage_mV, 1e3 * VOLTAGE, rtol=1e-6)


def write_with_unit(folder: Path, unit: str, values, conversion: float) -> Path:
    file = File()
    file.add(CurrentClampSeries, "a", values, conversion=conversion)
    file.add(CurrentClampStimulusSeries, "x", CURRENT)
    path = file.write(folder / "IV.nwb")
    with h5py.File(path, "a") as content:
        content["acquisition/a/data"].attrs["unit"] = unit
    return path


def test_a_unit_that_contradicts_its_conversion(tmp_path):
    path = write_with_unit(tmp_path, "mV", 1e3 * VOLTAGE, 1e-3)
    with pytest.raises(RecordingError, match=r"IV\.nwb: the series 'a' is in mV with a conversion of 0\.001, which"):
        list(read_sweeps(path))


@pytest.mark.parametrize("filling", [np.nan, 0.0])
def test_what_was_not_recorded_to_the_end_is_cut_off(tmp_path, filling):
    file = File()
    values = np.linspace(-0.07, -0.06, 200)
    values[120:] = filling
    file.add(CurrentClampSeries, "a", values, sweep_number=np.uint32(5), stimulus_description="ramp")
    file.add(CurrentClampStimulusSeries, "x", np.arange(200) * 1e-12, sweep_number=np.uint32(5))
    file.write(tmp_path / "a.nwb")
    problems: list[str] = []
    (recording,) = read_recordings(RecordingFolder(tmp_path), problems)
    assert len(recording.voltage_mV) == len(recording.current_nA) == 120
    assert [re.sub(r".*/", "", problem) for problem in problems] == [
        "a.nwb, sweep 5: the last 80 of 200 samples are padding and were cut off"
    ]


def test_a_voltage_that_passes_zero_is_no_padding(tmp_path):
    file = File()
    values = np.linspace(-0.07, -0.06, 200)
    values[199] = 0.0
    file.add(CurrentClampSeries, "a", values)
    file.add(CurrentClampStimulusSeries, "x", np.arange(200) * 1e-12)
    assert len(file.read(tmp_path / "a.nwb")[0].channels[0].values) == 200


def test_numbers_missing_within_a_sweep(tmp_path):
    file = File()
    values = np.linspace(-0.07, -0.06, 200)
    values[50:60] = values[150:] = np.nan
    file.add(CurrentClampSeries, "a", values)
    file.add(CurrentClampStimulusSeries, "x", np.arange(200) * 1e-12)
    with pytest.raises(RecordingError, match=r"sweep a, channel 'a' .*10 samples are not numbers, the first is .* 50"):
        file.read(tmp_path / "a.nwb")


def test_stimuli_whose_start_is_not_stated(tmp_path):
    file = File()
    for number in (1, 2):
        file.add(CurrentClampSeries, f"v{number}", VOLTAGE, sweep_number=np.uint32(number), starting_time=5.0 * number)
        file.add(CurrentClampStimulusSeries, f"i{number}", CURRENT, sweep_number=np.uint32(number), starting_time=0.0)
    assert [len(one.channels) for one in file.read(tmp_path / "a.nwb")] == [2, 2]


def test_one_bad_sweep_does_not_take_the_others_with_it(tmp_path):
    file = File()
    for number in (1, 2, 3):
        mies_sweep(file, number, 0, file.electrode)
    file.add(VoltageClampSeries, "data_00009_AD0", CURRENT, gain=1.0)
    path = file.write(tmp_path / "a.nwb")
    with h5py.File(path, "a") as content:
        content["acquisition/data_00002_AD0/data"][20] = np.nan
        content["acquisition/data_00003_AD0/data"].attrs["unit"] = "kV"
    problems: list[str] = []
    kept = list(read_recordings(RecordingFolder(tmp_path, strict=False), problems))
    assert [one.sweep for one in kept] == ["1"]
    assert [re.sub(r".*/a\.nwb[,:] ", "", problem)[:40] for problem in problems] == [
        "sweep 2, channel 'data_00002_AD0' (volts"[:40],
        "the series 'data_00003_AD0' is in kV wit"[:40],
        "sweep data_00009_AD0: voltage clamp",
    ]
    with pytest.raises(RecordingError, match=r"sweep 2, channel 'data_00002_AD0'.*1 samples are not numbers"):
        list(read_recordings(RecordingFolder(tmp_path)))


SWEEP_1 = {
    "response": np.linspace(-0.07, -0.06, 100),
    "stimulus": np.arange(100) * 1e-12,
    "experiment": (30, 60),
    "name": "Long Square",
}


class TestAllenNwb1(ReaderContract):
    from rheobase.features.readers.nwb import NwbReader

    reader = NwbReader()

    @pytest.fixture
    def recording_file(self, tmp_path: Path) -> Path:
        write_nwb_1(tmp_path / "464212183.nwb", [SWEEP_1, SWEEP_1])
        return tmp_path / "464212183.nwb"


def test_allen_nwb_1(tmp_path):
    in_mV = {**SWEEP_1, "response": 1e3 * SWEEP_1["response"], "response_conversion": 1e-3}
    in_pA = {**in_mV, "stimulus": 1e12 * SWEEP_1["stimulus"], "stimulus_conversion": 1e-12}
    test_sweep = {name: value for name, value in SWEEP_1.items() if name != "experiment"}
    clamp = {**SWEEP_1, "stimulus_unit": "Volts", "response_unit": "Amps"}
    write_nwb_1(tmp_path / "464212183.nwb", [clamp, in_pA, test_sweep, SWEEP_1])
    problems: list[str] = []
    recordings = list(read_recordings(RecordingFolder(tmp_path), problems))
    assert [(one.cell, one.protocol, one.sweep) for one in recordings] == [
        ("464212183", "Long Square", "1"),
        ("464212183", "Long Square", "3"),
    ]
    for recording in recordings:
        assert recording.time_step_ms == 0.05
        np.testing.assert_allclose(recording.voltage_mV, 1e3 * SWEEP_1["response"][30:90], rtol=1e-6)
        np.testing.assert_allclose(recording.current_nA, np.arange(30, 90) * 1e-3, rtol=1e-6)
    assert [re.sub(r".*nwb: ", "", problem) for problem in problems] == [
        "sweep 0: voltage clamp",
        "sweep 2: a test sweep, without an experiment",
    ]


@pytest.mark.parametrize("version", ["1.0", None])
def test_allens_first_files_are_converted_already(tmp_path, version):
    write_nwb_1(tmp_path / "a.nwb", [{**SWEEP_1, "response_conversion": 1e-3}], version)
    (sweep,) = read_sweeps(tmp_path / "a.nwb")
    np.testing.assert_allclose(sweep.channels[0].values, SWEEP_1["response"][30:90], rtol=1e-6)


def test_allen_nwb_1_that_is_not_whole(tmp_path):
    write_nwb_1(tmp_path / "a.nwb", [{**SWEEP_1, "experiment": (30, 90)}])
    with pytest.raises(RecordingError, match=r"Experiment_0.*has fewer samples than its epoch says"):
        list(read_sweeps(tmp_path / "a.nwb"))
    write_nwb_1(tmp_path / "b.nwb", [])
    with pytest.raises(RecordingError, match=r"b\.nwb: there are no epochs Sweep_N in it"):
        list(read_sweeps(tmp_path / "b.nwb"))
