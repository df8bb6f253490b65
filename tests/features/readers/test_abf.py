from __future__ import annotations

import contextlib
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import RecordingError
from rheobase.features.readers import read_sweeps
from rheobase.features.readers.abf import AbfReader
from rheobase.features.readers.signals import in_unit
from tests.contracts.reader import ReaderContract
from tests.features.readers.abf_files import (
    ADC_SECTION,
    DAC_SECTION,
    EPOCH_SECTION,
    PROTOCOL_SECTION,
    set_epochs,
    set_in_section,
    write_abf,
)
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


def read_command(path: Path):
    return [sweep.channels[1].values for sweep in read_sweeps(path)]


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """Three sweeps of 640 voltages, commanded by DAC 0 in pA."""
    path = tmp_path / "a.abf"
    write_abf(path, {"mV": np.linspace(-70.0, -60.0, 1920).reshape(3, 640)}, interval_us=50.0, dac_unit="pA")
    return path


def test_version_1_has_a_holding_level_of_its_own(version_1):
    # pyabf 2.3.8 takes the first epoch's level, -100 pA, for the holding level.
    set_epochs(version_1, [(1, -100.0, 0.0, 100, 0), (1, 20.0, 50.0, 200, 10)], holding=-15.0)
    for sweep, command in enumerate(read_command(version_1)):
        expected = np.full(640, -15.0)
        expected[10:110] = -100.0
        expected[110 : 310 + 10 * sweep] = 20.0 + 50.0 * sweep
        np.testing.assert_array_equal(command, expected)


def test_version_1_ramps(version_1):
    set_epochs(version_1, [(1, 0.0, 0.0, 100, 0), (2, 300.0, 0.0, 300, 0)], holding=0.0)
    for command in read_command(version_1):
        np.testing.assert_allclose(command[110:410], np.linspace(0.0, 300.0, 300))
        np.testing.assert_array_equal(command[410:], 0.0)


def test_version_1_without_epochs_is_at_holding(version_1):
    set_epochs(version_1, [], holding=-15.0)
    content = bytearray(version_1.read_bytes())
    content[2296] = 0
    # DACs 1 to 3 hold 0 pA: which of the four is the cell's is unknown.
    version_1.write_bytes(bytes(content))
    with pytest.raises(RecordingError, match=r"4 DACs command one; which is unknown"):
        list(read_sweeps(version_1))
    for dac in range(4):
        struct.pack_into("<f", content, 1394 + 4 * dac, -15.0)
    version_1.write_bytes(bytes(content))
    np.testing.assert_array_equal(read_command(version_1), -15.0)


@pytest.mark.parametrize(
    ("offset", "kind", "value", "message"),
    [
        (8, "h", 3, r"it is not episodic \(mode 3\), so its command is not in it; convert"),
        (8, "h", 1, "sweeps of different length in a file of version 1 cannot be read"),
        (3360, "h", 1, "a user list changes its stimulus from sweep to sweep"),
        (2300, "h", 2, "its stimulus came from another file and no current was recorded; convert"),
        (2308, "h", 6, "the command of sweep 0 cannot be made from its epoch table"),
        (2508, "i", 5000, r"a\.abf cannot be read as an Axon binary file"),
        (1394, "f", np.nan, "the holding level in it is no number"),
    ],
)
def test_version_1_whose_command_is_not_in_it(version_1, offset, kind, value, message):
    set_epochs(version_1, [(1, -100.0, 0.0, 100, 0)], holding=0.0)
    content = bytearray(version_1.read_bytes())
    struct.pack_into(f"<{kind}", content, offset, value)
    version_1.write_bytes(bytes(content))
    with pytest.raises(RecordingError, match=message):
        list(read_sweeps(version_1))


def test_two_commands_of_current(version_1):
    for dac in (0, 1):
        set_epochs(version_1, [(1, -100.0, 0.0, 100, 0)], holding=0.0, dac=dac)
    with pytest.raises(
        RecordingError, match=r"a\.abf: no current was recorded and 2 DACs command one; which is unknown"
    ):
        list(read_sweeps(version_1))


def test_a_short_header_of_version_1_has_no_epochs_and_no_telegraphs(tmp_path):
    path = tmp_path / "a.abf"
    voltage, current = np.linspace(-70.0, -60.0, 9000).reshape(3, 3000), np.zeros((3, 3000))
    write_abf(path, {"mV": voltage, "pA": current}, interval_us=50.0)
    content = path.read_bytes()
    short = bytearray(content[:2048] + content[6144:])
    struct.pack_into("<i", short, 40, 4)
    struct.pack_into("<h", short, 4512, 1)  # a sample, which is no flag of a telegraphed gain
    path.write_bytes(bytes(short))
    for sweep, expected in zip(read_sweeps(path), voltage, strict=True):
        assert np.median(np.abs(sweep.channels[0].values - expected)) < 0.01


def test_a_command_agrees_with_myokit(tmp_path):
    axon = pytest.importorskip("myokit.formats.axon", reason="needs myokit: pip install 'rheobase[heka]'")
    source = Path(axon.__file__).parents[2] / "tests" / "data" / "formats" / "abf-v1.abf"
    if not source.exists():
        pytest.skip("this myokit comes without its test files")
    content = bytearray(source.read_bytes())
    struct.pack_into("8s", content, 602, b"mV".ljust(8))  # voltage clamp made current clamp
    struct.pack_into("8s", content, 1346, b"pA".ljust(8))
    struct.pack_into("<h", content, 4512, 0)
    path = tmp_path / "a.abf"
    path.write_bytes(bytes(content))
    for ours, theirs in zip(AbfReader().read(path), axon.AbfFile(str(path)).da(0)[1], strict=True):
        np.testing.assert_allclose(ours.channels[1].values, theirs, rtol=1e-6)


@pytest.fixture
def version_2(tmp_path: Path) -> Path:
    return Path(shutil.copy(shared("axon_abf", "18711001.abf"), tmp_path / "a.abf"))


def test_the_dac_need_not_have_the_number_of_the_recorded_channel(version_2):
    expected = read_command(version_2)
    for entry, enabled in ((0, 0), (1, 1)):
        set_in_section(version_2, DAC_SECTION, entry, 40, "h", enabled)
    unit = struct.unpack_from("<i", version_2.read_bytes(), _dac_entry(version_2, 0) + 28)[0]
    set_in_section(version_2, DAC_SECTION, 1, 28, "i", unit)
    count = struct.unpack_from("<i", version_2.read_bytes(), EPOCH_SECTION + 8)[0]
    for entry in range(count):
        set_in_section(version_2, EPOCH_SECTION, entry, 2, "h", 1)
    np.testing.assert_array_equal(read_command(version_2), expected)


def _dac_entry(path: Path, entry: int) -> int:
    block, entry_bytes = struct.unpack_from("<II", path.read_bytes(), DAC_SECTION)
    return int(block * 512 + entry * entry_bytes)


@pytest.mark.parametrize(
    ("section", "offset", "kind", "value", "message"),
    [
        (ADC_SECTION, 18, "h", 0, r"no voltage channel, so not current clamp .*'IN 0' in mV \(voltage clamp\)"),
        (ADC_SECTION, 18, "h", 2, r"no voltage channel, so not current clamp .*'IN 0' in mV \(I=0, no current\)"),
        (PROTOCOL_SECTION, 182, "h", 1, "its DACs take turns and no current was recorded"),
        (DAC_SECTION, 42, "h", 2, "its stimulus came from another file"),
    ],
)
def test_version_2_that_is_no_current_clamp_or_lacks_its_command(version_2, section, offset, kind, value, message):
    set_in_section(version_2, section, 0, offset, kind, value)
    with pytest.raises(RecordingError, match=message):
        list(read_sweeps(version_2))


def test_voltage_and_current_of_voltage_clamp(tmp_path):
    path = tmp_path / "a.abf"
    write_abf(path, {"mV": VOLTAGE, "pA": CURRENT}, interval_us=100.0, dac_unit="mV")
    assert len(list(read_sweeps(path))) == 3
    set_epochs(path, [(1, -70.0, 10.0, 100, 0)], holding=-70.0)
    with pytest.raises(RecordingError, match=r"a\.abf: its DAC commands a voltage, so it is voltage clamp"):
        list(read_sweeps(path))
