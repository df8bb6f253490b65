from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from rheobase.features.errors import RecordingError
from rheobase.features.layout import RecordingFolder, read_recordings
from rheobase.features.readers import cells_in, read_sweeps
from rheobase.features.readers.matlab import MatlabReader
from tests.contracts.reader import ReaderContract
from tests.features.readers.matlab_files import write_matlab_73

SAMPLES = 300
CURRENT = np.where((np.arange(SAMPLES) > 100) & (np.arange(SAMPLES) < 200), 0.1, 0.0) * np.array([[1.0], [2.0], [3.0]])
VOLTAGE = -70.0 + 50.0 * CURRENT
PLAIN = {"voltage_mV": VOLTAGE.T, "current_nA": CURRENT.T, "sampling_Hz": 20000.0, "protocol": "IV", "cell": "C7"}
VERSIONS = ["4", "5", "7.3"]


def write(path: Path, variables: dict[str, Any], version: str = "5") -> Path:
    if version == "7.3":
        write_matlab_73(path, variables)
    else:
        in_scipy = {name: _objects(value) for name, value in variables.items()}
        savemat(path, in_scipy, format=version, do_compression=version == "5", oned_as="column")
    return path


def _objects(value: Any) -> Any:
    """Cell and struct arrays as scipy writes them."""
    if isinstance(value, list):
        cells = np.empty(len(value), dtype=object)
        for index, item in enumerate(value):
            cells[index] = item
        if isinstance(value[0], dict):
            return np.array([tuple(item.values()) for item in value], dtype=[(name, object) for name in value[0]])
        return cells
    return value


class TestMatlabReader(ReaderContract):
    reader = MatlabReader()

    @pytest.fixture(params=VERSIONS)
    def recording_file(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        return write(tmp_path / "cell.mat", PLAIN, request.param)


def assert_is_the_recording(sweeps, names=("1", "2", "3"), protocol="IV", cell="C7"):
    assert [(one.cell, one.protocol, one.sweep) for one in sweeps] == [(cell, protocol, name) for name in names]
    for number, sweep in enumerate(sweeps):
        voltage, current = sweep.channels
        assert voltage.time_step_ms == current.time_step_ms == 0.05
        assert (voltage.unit, current.unit) == ("mV", "nA")
        np.testing.assert_allclose(voltage.values, VOLTAGE[number])
        np.testing.assert_allclose(current.values, CURRENT[number])


@pytest.mark.parametrize("version", VERSIONS)
def test_arrays_of_samples_by_sweeps(tmp_path, version):
    path = write(tmp_path / "a.mat", PLAIN, version)
    assert_is_the_recording(list(read_sweeps(path)))
    assert cells_in(path) == {"C7"}


STRUCT = {"voltage_mV": VOLTAGE.T, "current_nA": CURRENT.T, "dt_ms": 0.05, "protocol": "IV"}
ELEMENTS = [
    {"Vm": VOLTAGE[k], "I": CURRENT[k], "Vm_unit": "mV", "I_units": "nA", "protocol": "IV", "sweep": f"s{k}"}
    for k in range(3)
]


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"recording": STRUCT, "cell": "C7"}, ("1", "2", "3")),
        ({"data": {"cell_info": {"age": 3.0}, "recording": STRUCT}, "cell": "C7"}, ("1", "2", "3")),
        ({"sweeps": ELEMENTS, "fs": 20000.0, "cell": "C7"}, ("s0", "s1", "s2")),
        ({"data": {"fs_kHz": 20.0, "sweeps": ELEMENTS}, "cell": "C7"}, ("s0", "s1", "s2")),
        (
            {
                "V_mV": [VOLTAGE[0], VOLTAGE[1], VOLTAGE[2]],
                "I_nA": [CURRENT[0], CURRENT[1], CURRENT[2]],
                "time_s": np.arange(SAMPLES) * 5e-5,
                "sweep_number": np.array([4.0, 5.0, 7.0]),
                "Protocol": "IV",
                "CELL": "C7",
            },
            ("4", "5", "7"),
        ),
    ],
)
def test_structs_and_cells(tmp_path, version, variables, names):
    assert_is_the_recording(list(read_sweeps(write(tmp_path / "a.mat", variables, version))), names)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("row", [True, False])
def test_one_sweep_may_be_a_row_or_a_column(tmp_path, version, row):
    shape = (1, -1) if row else (-1, 1)
    variables = {**PLAIN, "voltage_mV": VOLTAGE[:1].reshape(shape), "current_nA": CURRENT[:1].reshape(shape)}
    assert_is_the_recording(list(read_sweeps(write(tmp_path / "a.mat", variables, version))), ("1",))


def test_one_stimulus_for_all_sweeps(tmp_path):
    sweeps = list(read_sweeps(write(tmp_path / "a.mat", {**PLAIN, "current_nA": CURRENT[1]})))
    assert len(sweeps) == 3
    for sweep in sweeps:
        np.testing.assert_array_equal(sweep.channels[1].values, CURRENT[1])


def test_a_folder_of_files(tmp_path):
    write(tmp_path / "a.mat", PLAIN)
    write(tmp_path / "b.mat", {**PLAIN, "cell": "C2"}, "7.3")
    write(tmp_path / "C3.mat", {name: value for name, value in PLAIN.items() if name != "cell"})
    recordings = list(read_recordings(RecordingFolder(tmp_path)))
    assert [one.cell for one in recordings[::3]] == ["C2", "C3", "C7"]
    assert recordings[1].current_nA.max() == pytest.approx(0.2)


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"voltage_mV": None, "x": np.zeros((3, 4)), "info": {"a": "b"}},
            r"a\.mat: no variable is known as a voltage .*; the variables are (?=.*current_nA \(300x3\))"
            r"(?=.*sampling_Hz \(a number\))(?=.*protocol \(text\))(?=.*x \(3x4\))(?=.*info \(struct with a\))",
        ),
        ({"voltage_mV": None, "voltage": VOLTAGE.T}, "the voltage 'voltage' has no unit; name it 'voltage_mV'"),
        (
            {"voltage_mV": None, "v": VOLTAGE.T, "v_unit": "pA"},
            "expected a unit like mV for 'v', got 'pA'",
        ),
        ({"sampling_Hz": None}, "no sampling interval; add 'time_step_ms', 'sampling_Hz' or 'time_ms'"),
        ({"dt_ms": 0.1}, "'dt_ms' says 0.1 ms between samples, 'sampling_Hz' 0.05 ms"),
        ({"sampling_Hz": 0.0}, "expected a positive number in 'sampling_Hz'"),
        ({"sampling_Hz": None, "dt": 0.05}, "the time step 'dt' has no unit; name it 'dt_ms'"),
        ({"Vm_mV": VOLTAGE.T}, "both 'voltage_mV' and 'Vm_mV' are a voltage; keep one of them|both 'Vm_mV' and"),
        ({"voltage_mV": VOLTAGE}, "expected samples x sweeps in 'voltage_mV', got 3 rows and 300 columns; transpose"),
        ({"current_nA": CURRENT[:2].T}, "3 sweeps of voltage, but 2 of current"),
        ({"voltage_mV": "high"}, "expected numbers in 'voltage_mV'"),
        ({"sweep_number": np.array([1.0, 2.0])}, "3 sweeps, but 2 names in 'sweep_number'"),
        ({"sampling_Hz": None, "t_ms": np.cumsum(np.arange(SAMPLES))}, "'t_ms': samples must be taken at even int"),
        ({"sampling_Hz": 2e7}, r"a\.mat, sweep 1.*a sampling interval of 5e-05 ms is not between"),
    ],
)
def test_what_is_wrong_and_where(tmp_path, version, change, message):
    variables = {name: value for name, value in {**PLAIN, **change}.items() if value is not None}
    with pytest.raises(RecordingError, match=message):
        list(read_sweeps(write(tmp_path / "a.mat", variables, version)))
