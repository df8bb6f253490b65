from __future__ import annotations

import builtins
import importlib
from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import RecordingError
from rheobase.features.layout import RecordingFolder, read_recordings
from rheobase.features.readers import read_sweeps
from rheobase.features.readers.neo import NeoReader
from tests.contracts.reader import ReaderContract
from tests.features.readers.acquisition_files import write_axograph, write_edr, write_spike2, write_wcp

pytest.importorskip("neo", reason="needs neo: pip install 'rheobase[neo]'")

SAMPLES = 512
CURRENT = np.where((np.arange(SAMPLES) > 100) & (np.arange(SAMPLES) < 300), 50.0, 0.0) + np.zeros((3, 1))
CURRENT *= np.array([[1.0], [2.0], [-1.0]])
VOLTAGE = -70.0 + 0.2 * CURRENT + np.sin(np.arange(SAMPLES) / 20.0)
WRITERS = {".wcp": write_wcp, ".edr": write_edr, ".axgx": write_axograph, ".smr": write_spike2}
SI_UNITS = {".axgx"}


def write(path: Path, step_ms: float = 0.05) -> Path:
    if path.suffix in SI_UNITS:
        WRITERS[path.suffix](path, {"V": VOLTAGE * 1e-3, "A": CURRENT * 1e-12}, step_ms)
    else:
        WRITERS[path.suffix](path, {"mV": VOLTAGE, "pA": CURRENT}, step_ms)
    return path


class TestNeoReader(ReaderContract):
    reader = NeoReader()

    @pytest.fixture(params=list(WRITERS))
    def recording_file(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        return write(tmp_path / f"cell{request.param}")


@pytest.mark.parametrize("suffix", list(WRITERS))
def test_sweeps_channels_and_units(tmp_path, suffix):
    write(tmp_path / f"C1{suffix}")
    sweeps = list(read_sweeps(tmp_path / f"C1{suffix}"))
    if suffix == ".edr":  # gap-free
        expected_voltage, expected_current = VOLTAGE.reshape(1, -1), CURRENT.reshape(1, -1)
    else:
        expected_voltage, expected_current = VOLTAGE, CURRENT
    assert [sweep.sweep for sweep in sweeps] == [str(number) for number in range(len(expected_voltage))]
    for number, sweep in enumerate(sweeps):
        voltage, current = sweep.channels
        factor = 1e3 if suffix in SI_UNITS else 1.0
        assert voltage.time_step_ms == current.time_step_ms == 0.05
        np.testing.assert_allclose(voltage.values * factor, expected_voltage[number], atol=5e-3)
        np.testing.assert_allclose(current.values * factor**4, expected_current[number], atol=5e-3)


def test_real_wcp_files_agree_with_myokit():
    wcp = pytest.importorskip("myokit.formats.wcp", reason="needs myokit: pip install 'rheobase[heka]'")
    path = Path(importlib.import_module("myokit").__file__).parent / "tests" / "data" / "formats" / "wcp-file.wcp"
    if not path.exists():
        pytest.skip("this myokit comes without its test files")
    sweeps = list(read_sweeps(path))
    for sweep, record in zip(sweeps, wcp.WcpFile(str(path)), strict=True):
        assert [channel.unit for channel in sweep.channels] == ["pA", "mV"]
        for channel, values in zip(sweep.channels, record, strict=True):
            assert channel.time_step_ms == 1.0
            np.testing.assert_allclose(channel.values, values, rtol=1e-6)


def test_rejected_records_are_left_out(tmp_path):
    write_wcp(tmp_path / "C1.wcp", {"mV": VOLTAGE, "pA": CURRENT}, 0.1, (b"ACCEPTED", b"REJECTED", b"ACCEPTED"))
    assert [sweep.left_out for sweep in read_sweeps(tmp_path / "C1.wcp")] == [None, "rejected in WinWCP", None]


def test_filling_behind_the_samples_is_not_read(tmp_path):
    write_wcp(tmp_path / "C1.wcp", {"mV": VOLTAGE, "pA": CURRENT}, 0.1, stated_samples=500)
    assert {len(channel.values) for sweep in read_sweeps(tmp_path / "C1.wcp") for channel in sweep.channels} == {500}


def test_records_of_different_scale(tmp_path):
    write_wcp(tmp_path / "C1.wcp", {"mV": VOLTAGE, "pA": CURRENT}, 0.1, ranges_V=(10.0, 10.0, 5.0))
    with pytest.raises(RecordingError, match=r"C1\.wcp: its records differ in sampling interval or in the range"):
        list(read_sweeps(tmp_path / "C1.wcp"))


def test_no_voltage(tmp_path):
    write_wcp(tmp_path / "C1.wcp", {"pA": CURRENT, "degC": VOLTAGE}, 0.1)
    with pytest.raises(RecordingError, match=r"C1\.wcp: no voltage channel, so not current clamp .*'Ch1' in 'degC'"):
        list(read_sweeps(tmp_path / "C1.wcp"))


@pytest.mark.parametrize("cut", [2, 60, 1100])
def test_a_spike2_file_that_ends_in_its_samples(tmp_path, cut):
    path = write(tmp_path / "C1.smr")
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(RecordingError, match=r"C1\.smr cannot be read as a Spike2 file"):
        list(read_sweeps(path))


def test_recordings_of_a_folder(tmp_path):
    write(tmp_path / "C1_IDrest.wcp")
    recordings = list(read_recordings(RecordingFolder(tmp_path, "{cell}_{protocol}.wcp")))
    assert [(one.cell, one.protocol, one.sweep) for one in recordings] == [("C1", "IDrest", str(k)) for k in range(3)]
    np.testing.assert_allclose(recordings[1].current_nA.max(), 0.1, rtol=1e-3)


def test_neo_is_not_installed(tmp_path, monkeypatch):
    path = write(tmp_path / "C1.wcp")
    found = importlib.import_module

    def missing(name: str) -> object:
        if name.startswith("neo"):
            raise ModuleNotFoundError("No module named 'neo'")
        return found(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(RecordingError, match=r"reading \.wcp files needs neo.*pip install 'rheobase\[neo\]'"):
        list(read_sweeps(path))


def test_the_library_for_smrx_is_not_installed(tmp_path, monkeypatch):
    found = builtins.__import__

    def missing(name: str, *more: object, **others: object) -> object:
        if name.startswith("sonpy"):
            raise ModuleNotFoundError("No module named 'sonpy'")
        return found(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", missing)
    (tmp_path / "C1.smrx").write_bytes(b"S64" + bytes(500))
    with pytest.raises(RecordingError, match=r"reading \.smrx files needs sonpy.*pip install sonpy, or export"):
        list(read_sweeps(tmp_path / "C1.smrx"))
