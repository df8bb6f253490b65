from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO, validate
from pynwb.icephys import (
    CurrentClampSeries,
    CurrentClampStimulusSeries,
    IZeroClampSeries,
    VoltageClampSeries,
)

from rheobase.features.errors import RecordingError
from rheobase.features.layout import RecordingFolder, read_recordings
from rheobase.features.nwb_writer import write_nwb
from rheobase.features.readers.nwb import NwbReader
from rheobase.features.recording import Recording
from tests.contracts.reader import ReaderContract
from tests.features.readers.nwb_files import CURRENT, VOLTAGE, File
from tests.shared_data import shared


def recording(sweep: str = "1", protocol: str = "IDrest", time_step_ms: float = 0.25, seed: int = 0) -> Recording:
    random = np.random.default_rng(seed)
    current = np.zeros(400)
    current[100:300] = 0.2
    return Recording("C1", protocol, sweep, time_step_ms, -70.0 + random.normal(0, 1, 400), current, "made up")


class TestNwbReader(ReaderContract):
    reader = NwbReader()

    @pytest.fixture
    def recording_file(self, tmp_path: Path) -> Path:
        path = tmp_path / "C1.nwb"
        write_nwb(path, "C1", [recording("1"), recording("2", seed=1)], "made up")
        return path


def assert_paired(sweeps, expected: dict[str, float]):
    """Each sweep has the current with the given value in nA."""
    assert {sweep.sweep: round(float(sweep.channels[1].values[0]) * 1e9, 6) for sweep in sweeps} == expected


def test_written_recordings_come_back(tmp_path):
    written = [
        recording("10", "IDrest", 0.25),
        recording("9", "IDrest", 0.01, seed=1),
        recording("9", "IV", 0.03, seed=2),
        recording("first", "sAHP", 1 / 3, seed=3),
    ]
    write_nwb(tmp_path / "C1.nwb", "C1", written, "made up")
    assert not validate(path=str(tmp_path / "C1.nwb"))
    read = list(read_recordings(RecordingFolder(tmp_path, "*.nwb")))
    assert [(one.protocol, one.sweep) for one in read] == [
        ("IDrest", "9"),
        ("IDrest", "10"),
        ("IV", "9"),
        ("sAHP", "first"),
    ]
    by_name = {(one.protocol, one.sweep): one for one in written}
    for one in read:
        original = by_name[one.protocol, one.sweep]
        assert one.cell == "C1"
        assert one.time_step_ms == pytest.approx(original.time_step_ms, rel=1e-12)
        np.testing.assert_allclose(one.voltage_mV, original.voltage_mV, rtol=1e-14)
        np.testing.assert_allclose(one.current_nA, original.current_nA, rtol=1e-14)


def test_the_identifier_depends_on_the_content_only(tmp_path):
    def identifier(recordings: list[Recording]) -> str:
        write_nwb(tmp_path / "a.nwb", "C1", recordings, "made up")
        with NWBHDF5IO(str(tmp_path / "a.nwb"), mode="r") as io:
            return str(io.read().identifier)

    assert identifier([recording()]) == identifier([recording()])
    assert identifier([recording()]) != identifier([recording(seed=1)])


@pytest.mark.parametrize("seed", range(10))
def test_damaged_samples_are_noticed(tmp_path, seed):
    path = tmp_path / "a.nwb"
    write_nwb(path, "C1", [recording()], "made up")
    with h5py.File(path) as file:
        chunk = file["acquisition/voltage_0000/data"].id.get_chunk_info(0)
    random = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + int(random.integers(chunk.size))] ^= 1 << int(random.integers(8))
    path.write_bytes(bytes(content))
    with pytest.raises(RecordingError, match=r"a\.nwb cannot be read as an NWB file"):
        list(NwbReader().read(path))


def test_what_cannot_be_written(tmp_path):
    path = tmp_path / "a.nwb"
    with pytest.raises(RecordingError, match="there are no recordings to write"):
        write_nwb(path, "C1", [], "")
    with pytest.raises(RecordingError, match="expected recordings of cell C1, got one of C2"):
        write_nwb(path, "C1", [replace(recording(), cell="C2")], "")
    with pytest.raises(RecordingError, match="sweep 1 of protocol IDrest is there twice"):
        write_nwb(path, "C1", [recording(), recording()], "")


def test_a_real_cell_survives_the_way_through_nwb(tmp_path):
    folder = shared("rat_l5_pyramidal")
    pattern = "{cell}-SR-C1/X_{protocol}_ch{channel}_{sweep}.ibw"
    original = list(
        read_recordings(RecordingFolder(folder, pattern, 14.0, cells=("C060114A5",), protocols=("IV", "APWaveform")))
    )
    write_nwb(tmp_path / "C060114A5.nwb", "C060114A5", original, "junction potential of 14 mV subtracted")
    assert not validate(path=str(tmp_path / "C060114A5.nwb"))
    for one, other in zip(original, read_recordings(RecordingFolder(tmp_path, "{cell}.nwb")), strict=True):
        assert (one.cell, one.protocol, one.sweep) == (other.cell, other.protocol, other.sweep)
        assert one.time_step_ms == other.time_step_ms
        np.testing.assert_allclose(one.voltage_mV, other.voltage_mV, rtol=1e-14)
        np.testing.assert_allclose(one.current_nA, other.current_nA, rtol=1e-14)


def test_pairing_by_sweep_number_and_electrode(tmp_path):
    file = File()
    second = file.add_electrode("second")
    file.add(CurrentClampSeries, "a", VOLTAGE, sweep_number=np.uint32(3))
    file.add(CurrentClampSeries, "b", VOLTAGE, sweep_number=np.uint32(4))
    file.add(CurrentClampStimulusSeries, "x", 2 * CURRENT, sweep_number=np.uint32(4))
    file.add(CurrentClampStimulusSeries, "y", CURRENT, sweep_number=np.uint32(3))
    file.add(CurrentClampStimulusSeries, "z", 3 * CURRENT, sweep_number=np.uint32(3), electrode=second)
    assert_paired(file.read(tmp_path / "a.nwb"), {"3": 0.1, "4": 0.2})


def test_pairing_by_start_time(tmp_path):
    file = File()
    file.add(CurrentClampSeries, "a", VOLTAGE, starting_time=0.0)
    file.add(CurrentClampSeries, "b", VOLTAGE, starting_time=5.0)
    file.add(CurrentClampStimulusSeries, "x", 2 * CURRENT, starting_time=5.0)
    file.add(CurrentClampStimulusSeries, "y", CURRENT, starting_time=0.0)
    assert_paired(file.read(tmp_path / "a.nwb"), {"a": 0.1, "b": 0.2})


def test_pairing_by_the_number_in_the_name(tmp_path):
    file = File()
    for number in (0, 1, 2):
        file.add(CurrentClampSeries, f"response_{number:03d}", VOLTAGE)
        file.add(CurrentClampStimulusSeries, f"stimulus_{number:03d}", (number + 1) * CURRENT)
    expected = {"response_000": 0.1, "response_001": 0.2, "response_002": 0.3}
    assert_paired(file.read(tmp_path / "a.nwb"), expected)


def test_pairing_by_the_table_comes_first(tmp_path):
    file = File()
    voltage = file.add(CurrentClampSeries, "a", VOLTAGE, sweep_number=np.uint32(1))
    file.add(CurrentClampStimulusSeries, "x", CURRENT, sweep_number=np.uint32(1))
    other = file.add(CurrentClampStimulusSeries, "y", 2 * CURRENT, sweep_number=np.uint32(2))
    file.content.add_intracellular_recording(electrode=file.electrode, stimulus=other, response=voltage)
    assert_paired(file.read(tmp_path / "a.nwb"), {"1": 0.2})


def test_the_table_may_point_to_a_part_of_a_series(tmp_path):
    file = File()
    voltage = file.add(CurrentClampSeries, "a", VOLTAGE)
    current = file.add(CurrentClampStimulusSeries, "x", np.arange(50) * 1e-12)
    file.content.add_intracellular_recording(
        electrode=file.electrode,
        stimulus=current, stimulus_start_index=10, stimulus_index_count=5,
        response=voltage, response_start_index=10, response_index_count=5,
    )  # fmt: skip
    (sweep,) = file.read(tmp_path / "a.nwb")
    np.testing.assert_allclose(sweep.channels[0].values, VOLTAGE[10:15])
    np.testing.assert_allclose(sweep.channels[1].values, np.arange(10, 15) * 1e-12)


def test_a_voltage_with_several_currents(tmp_path):
    file = File()
    file.add(CurrentClampSeries, "a", VOLTAGE, sweep_number=np.uint32(1))
    file.add(CurrentClampStimulusSeries, "x", CURRENT, sweep_number=np.uint32(1))
    file.add(CurrentClampStimulusSeries, "y", CURRENT, sweep_number=np.uint32(1))
    with pytest.raises(RecordingError, match="the voltage 'a' could belong to several currents: x, y"):
        file.read(tmp_path / "a.nwb")


def test_a_voltage_without_current_is_refused_when_it_should_become_a_recording(tmp_path):
    file = File()
    file.add(CurrentClampSeries, "a", VOLTAGE, sweep_number=np.uint32(1), stimulus_description="IV")
    assert len(file.read(tmp_path / "a.nwb")[0].channels) == 1
    with pytest.raises(RecordingError, match=r"a\.nwb: sweep 1 of protocol IV.* there is no current channel"):
        list(read_recordings(RecordingFolder(tmp_path)))


def test_conversion_offset_and_unit(tmp_path):
    file = File()
    file.add(CurrentClampSeries, "a", np.array([-700, -650], dtype=np.int16), conversion=1e-4, offset=-0.001)
    file.add(CurrentClampStimulusSeries, "x", np.array([100.0, 200.0]), conversion=1e-12)
    (sweep,) = file.read(tmp_path / "a.nwb")
    voltage, current = sweep.channels
    assert (voltage.unit, current.unit) == ("volts", "amperes")
    np.testing.assert_allclose(voltage.values, [-0.071, -0.066], rtol=1e-6)
    np.testing.assert_allclose(current.values, [1e-10, 2e-10], rtol=1e-6)


def test_timestamps_must_be_even(tmp_path):
    file = File()
    file.add(CurrentClampSeries, "a", VOLTAGE, timestamps=5.0 + np.arange(50) * 5e-5)
    file.add(CurrentClampStimulusSeries, "x", CURRENT, timestamps=5.0 + np.arange(50) * 5e-5)
    (sweep,) = file.read(tmp_path / "a.nwb")
    assert sweep.channels[0].time_step_ms == 0.05
    file = File()
    file.add(CurrentClampSeries, "a", VOLTAGE, timestamps=np.cumsum(np.arange(1, 51)) * 1e-4)
    with pytest.raises(RecordingError, match=r"b\.nwb: the series 'a': samples must be taken at even intervals"):
        file.read(tmp_path / "b.nwb")


def test_a_current_that_starts_later(tmp_path):
    file = File()
    file.add(CurrentClampSeries, "a", VOLTAGE, sweep_number=np.uint32(1))
    file.add(CurrentClampStimulusSeries, "x", CURRENT, sweep_number=np.uint32(1), starting_time=0.5)
    with pytest.raises(RecordingError, match="the current 'x' starts 500 ms after the voltage 'a'"):
        file.read(tmp_path / "a.nwb")


def test_voltage_clamp_and_i_zero_are_passed_over(tmp_path):
    def without_current_clamp() -> File:
        file = File()
        file.add(VoltageClampSeries, "clamp", CURRENT, gain=1.0)
        file.add(IZeroClampSeries, "rest", VOLTAGE, gain=1.0)
        return file

    with pytest.raises(RecordingError, match=r"a\.nwb: there is no CurrentClampSeries in it"):
        without_current_clamp().read(tmp_path / "a.nwb")
    file = without_current_clamp()
    file.add(CurrentClampSeries, "a", VOLTAGE)
    file.add(CurrentClampStimulusSeries, "x", CURRENT)
    used, *left_out = file.read(tmp_path / "b.nwb")
    assert used.sweep == "a"
    assert {(one.sweep, one.left_out) for one in left_out} == {
        ("clamp", "voltage clamp"),
        ("rest", "I=0 clamp, nothing was injected"),
    }


def test_protocol_and_cell(tmp_path):
    file = File()
    file.electrode.cell_id = "C7"
    file.add(CurrentClampSeries, "a", VOLTAGE, stimulus_description="N/A")
    file.add(CurrentClampStimulusSeries, "x", CURRENT, stimulus_description="IDrest")
    (sweep,) = file.read(tmp_path / "a.nwb")
    assert (sweep.cell, sweep.protocol, sweep.sweep) == ("C7", "IDrest", "a")


def test_millivolts_declared_as_volts(tmp_path):
    file = File()
    file.add(CurrentClampSeries, "a", 1000 * VOLTAGE)
    file.add(CurrentClampStimulusSeries, "x", CURRENT)
    with pytest.raises(RecordingError, match=r"a\.nwb.* a voltage of 70 volts is beyond 1 V"):
        file.read(tmp_path / "a.nwb")
