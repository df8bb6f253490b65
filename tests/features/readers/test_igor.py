from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import RecordingError
from rheobase.features.readers import read_sweeps
from rheobase.features.readers.igor import IgorReader
from tests.contracts.reader import ReaderContract
from tests.features.readers.igor_waves import wave_bytes
from tests.shared_data import shared

VOLTAGE = np.linspace(-0.07, 0.03, 600, dtype=np.float32)


class TestIgorReader(ReaderContract):
    reader = IgorReader()

    @pytest.fixture(params=[2, 5])
    def recording_file(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        path = tmp_path / "X_IDrest_ch1_1.ibw"
        path.write_bytes(wave_bytes(VOLTAGE, version=request.param))
        return path


def read_wave(path: Path, content: bytes):
    path.write_bytes(content)
    (sweep,) = read_sweeps(path)
    (channel,) = sweep.channels
    return channel


@pytest.mark.parametrize("version", [2, 5])
@pytest.mark.parametrize(("unit", "step", "time_unit"), [("V", 2.5e-4, "s"), ("mV", 0.25, "ms"), ("pA", 250.0, "us")])
def test_the_header_gives_the_units(tmp_path, version, unit, step, time_unit):
    values = np.array([-70.0, -69.5], dtype=np.float32) * (1e-3 if unit == "V" else 1.0)
    channel = read_wave(tmp_path / "a.ibw", wave_bytes(values.astype(np.float32), unit, step, time_unit, version))
    assert channel.unit == unit
    assert channel.time_step_ms == 0.25
    assert channel.name == "wave0"
    np.testing.assert_array_equal(channel.values, values.astype(np.float32).astype(np.float64))


@pytest.mark.parametrize(("step", "expected_ms"), [(2.5e-4, 0.25), (0.25, 0.25), (1e-5, 0.01), (0.01, 0.01)])
def test_a_time_step_without_unit_is_the_only_plausible_one(tmp_path, step, expected_ms):
    assert read_wave(tmp_path / "a.ibw", wave_bytes(VOLTAGE, step=step, time_unit="")).time_step_ms == expected_ms


@pytest.mark.parametrize("step", [2e-3, 1.0001, 1e-9, 1.0e4])
def test_a_time_step_without_unit_that_could_be_anything(tmp_path, step):
    with pytest.raises(RecordingError, match=r"a\.ibw: .*no unit for it; give it a time unit in Igor \(SetScale/P"):
        read_wave(tmp_path / "a.ibw", wave_bytes(VOLTAGE, step=step, time_unit=""))


def test_no_data_unit(tmp_path):
    with pytest.raises(RecordingError, match=r"a\.ibw: .*no data unit.*SetScale d 0, 0"):
        read_wave(tmp_path / "a.ibw", wave_bytes(VOLTAGE, unit=""))


def test_samples_that_are_not_in_time(tmp_path):
    with pytest.raises(RecordingError, match="expected samples in time, the wave 'wave0' is in 'Hz'"):
        read_wave(tmp_path / "a.ibw", wave_bytes(VOLTAGE, time_unit="Hz"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers(tmp_path, value):
    values = VOLTAGE.copy()
    values[7:9] = value
    with pytest.raises(RecordingError, match=r"a\.ibw.*2 samples are not numbers, the first is sample 7"):
        read_wave(tmp_path / "a.ibw", wave_bytes(values))


def test_a_voltage_that_no_cell_has(tmp_path):
    with pytest.raises(RecordingError, match=r"a voltage of 70 V is beyond 1 V.*correct the unit"):
        read_wave(tmp_path / "a.ibw", wave_bytes(1000 * VOLTAGE))


def test_a_current_that_no_cell_has(tmp_path):
    with pytest.raises(RecordingError, match=r"a current of 200 A is beyond 1 uA.*correct the unit"):
        read_wave(tmp_path / "a.ibw", wave_bytes(np.array([0.0, 200.0], dtype=np.float32), unit="A"))


@pytest.mark.parametrize("version", [2, 5])
def test_no_samples(tmp_path, version):
    with pytest.raises(RecordingError, match=r"a\.ibw"):
        read_wave(tmp_path / "a.ibw", wave_bytes(np.array([], dtype=np.float32), version=version))


def test_no_sampling_interval(tmp_path):
    with pytest.raises(RecordingError, match="the sampling interval is 0"):
        read_wave(tmp_path / "a.ibw", wave_bytes(VOLTAGE, step=0.0))


@pytest.mark.parametrize("version", [2, 5])
def test_every_truncation_is_noticed(tmp_path, version):
    content = wave_bytes(VOLTAGE[:100], version=version)
    for length in range(1, len(content) - (16 if version == 2 else 0)):
        with pytest.raises(RecordingError, match=r"a\.ibw cannot be read as an Igor wave"):
            read_wave(tmp_path / "a.ibw", content[:length])


@pytest.mark.parametrize("version", [2, 5])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_flipped_bit_of_the_header_is_noticed(tmp_path_factory, version, data):
    content = bytearray(wave_bytes(VOLTAGE[:100], version=version))
    position = data.draw(st.integers(0, (126 if version == 2 else 384) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(RecordingError, match=re.escape("cannot be read as an Igor wave")):
        read_wave(tmp_path_factory.getbasetemp() / "flipped.ibw", bytes(content))


@pytest.mark.parametrize(
    ("parts", "unit", "step_ms", "samples"),
    [
        (("rat_l5_pyramidal", "C060114A5-SR-C1", "X_IDrest_ch0_328.ibw"), "A", 0.25, 12000),
        (("rat_l5_pyramidal", "C060114A5-SR-C1", "X_APWaveform_ch1_295.ibw"), "V", 0.01, 5999),
        (("igor_waves", "B6", "B6_Ch3_IDRest_181.ibw"), "mV", 0.25, 12000),
        (("igor_waves", "B8", "B8_Ch0_IDRest_145.ibw"), "pA", 0.25, 12000),
    ],
)
def test_real_waves(parts, unit, step_ms, samples):
    (sweep,) = IgorReader().read(shared(*parts))
    (channel,) = sweep.channels
    assert (channel.unit, channel.time_step_ms, len(channel.values)) == (unit, step_ms, samples)
