from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import RecordingError
from rheobase.features.readers.abf import AbfReader
from rheobase.features.readers.signals import in_unit
from tests.contracts.reader import ReaderContract
from tests.features.readers.abf_files import write_abf
from tests.shared_data import shared

VOLTAGE = np.linspace(-70.0, 30.0, 900).reshape(3, 300)
CURRENT = np.where((np.arange(300) > 100) & (np.arange(300) < 200), 50.0, 0.0) * np.ones((3, 1))


class TestAbfReaderWithRecordedCurrent(ReaderContract):
    reader = AbfReader()

    @pytest.fixture
    def recording_file(self, tmp_path: Path) -> Path:
        path = tmp_path / "cell.abf"
        write_abf(path, {"mV": VOLTAGE, "pA": CURRENT}, interval_us=100.0)
        return path


class TestAbfReaderWithEpochTable(ReaderContract):
    reader = AbfReader()

    @pytest.fixture
    def recording_file(self, tmp_path: Path) -> Path:
        return Path(shutil.copy(shared("axon_abf", "18711001.abf"), tmp_path / "18711001.abf"))


def test_recorded_channels_and_their_sampling(tmp_path):
    path = tmp_path / "a.abf"
    write_abf(path, {"mV": VOLTAGE, "pA": CURRENT}, interval_us=30.0)
    sweeps = list(AbfReader().read(path))
    assert [sweep.sweep for sweep in sweeps] == ["0", "1", "2"]
    for number, sweep in enumerate(sweeps):
        voltage, current = sweep.channels
        assert (voltage.unit, current.unit) == ("mV", "pA")
        # Not 0.0300003 ms, which a sampling rate in whole Hz would make of it.
        assert voltage.time_step_ms == current.time_step_ms == 0.03
        np.testing.assert_allclose(voltage.values, VOLTAGE[number], atol=0.05)
        np.testing.assert_allclose(current.values, CURRENT[number], atol=0.05)


def test_voltage_clamp_is_refused(tmp_path):
    write_abf(tmp_path / "a.abf", {"pA": CURRENT}, interval_us=100.0, dac_unit="mV")
    with pytest.raises(RecordingError, match=r"a\.abf: no voltage channel, so not current clamp"):
        list(AbfReader().read(tmp_path / "a.abf"))


def test_no_current_anywhere(tmp_path):
    write_abf(tmp_path / "a.abf", {"mV": VOLTAGE}, interval_us=100.0, dac_unit="mV")
    with pytest.raises(RecordingError, match=r"a\.abf: no current was recorded and no DAC commands one"):
        list(AbfReader().read(tmp_path / "a.abf"))


@pytest.mark.parametrize(
    ("name", "protocol", "sweeps", "samples", "edges"),
    [
        # The first 1/64 of an Axon sweep is at the holding level, which shifts the epochs: 23.4 ms of 1.5 s.
        ("18711001", "FICurve_Hyperpolarizing_KL", 30, 30000, {468: -100.0, 6468: 0.0, 16468: 50.0, 26468: 0.0}),
        (
            "171116sh_0018",
            "0113 steps dual -100 to 300 step 25",
            17,
            60000,
            {2937: 25.0, 12937: 0.0, 22937: -100.0, 32937: 25.0, 42937: 0.0},
        ),
    ],
)
def test_the_epoch_table_gives_the_current(name, protocol, sweeps, samples, edges):
    read = list(AbfReader().read(shared("axon_abf", f"{name}.abf")))
    assert len(read) == sweeps
    sweep = read[5]
    assert (sweep.cell, sweep.protocol, sweep.sweep) == (None, protocol, "5")
    voltage, current = sweep.channels
    assert (voltage.unit, current.unit, voltage.time_step_ms) == ("mV", "pA", 0.05)
    assert len(voltage.values) == len(current.values) == samples
    changes = np.flatnonzero(np.diff(current.values)) + 1
    assert {int(change): float(current.values[change]) for change in changes} == edges


def test_spikes_of_a_real_file_are_those_of_its_provenance():
    expected = [0, 0, 0, 0, 0, 0, 2, 3, 6, 8, 10, 12, 12, 14, 16, 16, 18]
    counted = []
    for sweep in AbfReader().read(shared("axon_abf", "171116sh_0018.abf")):
        above = in_unit(sweep.channels[0].values, sweep.channels[0].unit, "mV") > -20.0
        counted.append(int(np.count_nonzero(above[1:] & ~above[:-1])))
    assert counted == expected


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_header_raises_nothing_but_recording_errors(tmp_path, seed):
    random = np.random.default_rng(seed)
    content = bytearray(shared("axon_abf", "18711001.abf").read_bytes())
    content[int(random.integers(6000))] ^= 1 << int(random.integers(8))
    (tmp_path / "a.abf").write_bytes(bytes(content))
    with contextlib.suppress(RecordingError):
        assert list(AbfReader().read(tmp_path / "a.abf"))
