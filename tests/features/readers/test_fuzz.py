"""Files that are damaged or say what cannot be true: a clear error or the right numbers, in every format.

A bit that changes within samples that have no checksum cannot be noticed; everything else must be.
"""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rheobase.features.errors import RecordingError
from rheobase.features.layout import RecordingFolder, read_recordings
from rheobase.features.readers import read_sweeps
from tests.features.readers.any_format import (
    ONE_SWEEP,
    PATTERN,
    SAMPLES,
    WITH_NAN,
    WRITERS,
    Signals,
    good_signals,
)
from tests.shared_data import shared

FORMATS = list(WRITERS)
# What the helpers that make up a file raise when it cannot hold something.
UNWRITABLE = (ValueError, TypeError, StopIteration, IndexError, ZeroDivisionError, OverflowError, struct.error)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Content of the files of each format by their names."""
    contents = {}
    for name, write in WRITERS.items():
        folder = tmp_path_factory.mktemp("whole")
        write(folder, signals_for(name))
        contents[name] = {path.name: path.read_bytes() for path in folder.iterdir()}
    return contents


def signals_for(name: str) -> Signals:
    return good_signals(1 if name in ONE_SWEEP else 2)


def read(folder: Path):
    return list(read_recordings(RecordingFolder(folder, PATTERN)))


def written(tmp_path: Path, name: str, signals: Signals) -> Path:
    WRITERS[name](tmp_path, signals)
    return tmp_path


def written_if_possible(tmp_path: Path, name: str, signals: Signals) -> Path:
    try:
        return written(tmp_path, name, signals)
    except UNWRITABLE:
        pytest.skip("such a file cannot be made up")


def assert_right(recordings, signals: Signals) -> None:
    """All numbers are those that were written, to the 16 bits of some formats."""
    assert len(recordings) == len(signals.voltage)
    for recording, voltage, current in zip(recordings, signals.voltage, signals.current, strict=True):
        assert recording.time_step_ms == signals.step_ms
        np.testing.assert_allclose(recording.voltage_mV, voltage, atol=0.05)
        np.testing.assert_allclose(recording.current_nA, 1e-3 * current, atol=5e-5)


@pytest.mark.parametrize("name", FORMATS)
def test_whole_files_have_the_right_numbers(tmp_path, name):
    signals = signals_for(name)
    assert_right(read(written(tmp_path, name, signals)), signals)


@pytest.mark.parametrize("name", FORMATS)
def test_truncated_files(tmp_path, whole_files, name):
    file_name, content = next(iter(whole_files[name].items()))
    path = tmp_path / file_name
    random = np.random.default_rng(FORMATS.index(name))
    ends = {0, 1, 2, len(content) - 1, len(content) - 2, *random.integers(3, len(content), size=40).tolist()}
    for end in ends:
        # A table that ends between two lines is a table.
        path.write_bytes(content[:end].rstrip(b"\n") if name == "csv" else content[:end])
        with pytest.raises(RecordingError, match=re.escape(str(path))):
            list(read_sweeps(path))


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_changed_bytes(tmp_path_factory, whole_files, name, data):
    file_name, content = next(iter(whole_files[name].items()))
    path = tmp_path_factory.getbasetemp() / file_name
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        # Half of them near the start, where headers are.
        position = data.draw(st.one_of(st.integers(0, min(2500, len(content)) - 1), st.integers(0, len(content) - 1)))
        changed[position] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(changed))
    assert_error_or_plausible(path)


def assert_error_or_plausible(path: Path) -> None:
    try:
        sweeps = list(read_sweeps(path))
    except RecordingError as error:
        assert str(path) in str(error)  # noqa: PT017
        return
    for channel in (channel for sweep in sweeps for channel in sweep.channels):
        assert np.isfinite(channel.values).all()
        assert 0.0005 <= channel.time_step_ms <= 2.0


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_bytes_removed_or_put_in(tmp_path_factory, whole_files, name, data):
    file_name, content = next(iter(whole_files[name].items()))
    path = tmp_path_factory.getbasetemp() / file_name
    start = data.draw(st.integers(0, len(content) - 1))
    stop = data.draw(st.integers(start, min(len(content), start + 600)))
    path.write_bytes(content[:start] + data.draw(st.binary(max_size=64)) + content[stop:])
    if path.stat().st_size:
        assert_error_or_plausible(path)


@pytest.mark.parametrize("name", FORMATS)
@given(garbage=st.binary(min_size=1, max_size=3000))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_garbage_behind_the_right_start(tmp_path_factory, whole_files, name, garbage):
    file_name, content = next(iter(whole_files[name].items()))
    path = tmp_path_factory.getbasetemp() / file_name
    path.write_bytes(content[:8] + garbage)
    with pytest.raises(RecordingError, match=re.escape(str(path))):
        list(read_sweeps(path))


def with_voltage(signals: Signals, values) -> Signals:
    return Signals(np.array(values, dtype=np.float64), signals.current, signals.step_ms, signals.voltage_unit)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("extreme", [1e9, -1e9, 1500.0])
def test_voltages_that_no_cell_has(tmp_path, name, extreme):
    signals = signals_for(name)
    voltage = signals.voltage.copy()
    voltage[0, 100] = extreme
    with pytest.raises(RecordingError, match=rf"{re.escape(str(tmp_path))}.*a voltage of .* is beyond 1 V"):
        read(written_if_possible(tmp_path, name, with_voltage(signals, voltage)))


@pytest.mark.parametrize("name", [name for name in FORMATS if name in WITH_NAN])
def test_samples_that_are_no_numbers(tmp_path, name):
    signals = signals_for(name)
    voltage = signals.voltage.copy()
    voltage[0, 100:103] = np.nan
    with pytest.raises(RecordingError, match=rf"{re.escape(str(tmp_path))}.*3 samples are not numbers, .* sample 100"):
        read(written(tmp_path, name, with_voltage(signals, voltage)))


@pytest.mark.parametrize("name", [name for name in FORMATS if name in WITH_NAN and "igor" not in name])
def test_padding_at_the_end(tmp_path, name):
    signals = signals_for(name)
    voltage = signals.voltage.copy()
    voltage[:, 200:] = np.nan
    written(tmp_path, name, with_voltage(signals, voltage))
    problems: list[str] = []
    recordings = list(read_recordings(RecordingFolder(tmp_path, PATTERN), problems))
    assert_right(recordings, Signals(signals.voltage[:, :200], signals.current[:, :200]))
    assert len(problems) == len(recordings)
    assert all("the last 56 of 256 samples are padding and were cut off" in problem for problem in problems)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("step_ms", [1e-7, 5000.0])
def test_sampling_that_no_amplifier_has(tmp_path, name, step_ms):
    signals = signals_for(name)
    with pytest.raises(RecordingError, match=re.escape(str(tmp_path))):
        read(written_if_possible(tmp_path, name, Signals(signals.voltage, signals.current, step_ms)))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("unit", ["nS", "xV", ""])
def test_units_that_are_no_voltage(tmp_path, name, unit):
    if name == "nwb" and not unit:
        pytest.skip("NWB fixes the unit, so it need not be stated")
    signals = signals_for(name)
    with pytest.raises(RecordingError, match=re.escape(str(tmp_path))):
        read(written_if_possible(tmp_path, name, Signals(signals.voltage, signals.current, voltage_unit=unit)))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shape", [(0, SAMPLES), (1, 0), (0, 0)])
def test_no_sweeps_and_no_samples(tmp_path, name, shape):
    empty = np.zeros(shape)
    written_if_possible(tmp_path, name, Signals(empty, empty))
    with pytest.raises(RecordingError, match=re.escape(str(tmp_path))):
        read(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_file_twice(tmp_path, name):
    signals = signals_for(name)
    written(tmp_path, name, signals)
    for path in list(tmp_path.iterdir()):
        path.with_stem(f"{path.stem}_again").write_bytes(path.read_bytes())
    with pytest.raises(RecordingError, match=r"is there 2 times|expected one voltage channel, got 2"):
        read(tmp_path)


def real_waves() -> list[Path]:
    return sorted(shared("rat_l5_pyramidal").rglob("*.ibw"))[::97] + sorted(shared("igor_waves").rglob("*.ibw"))[::7]


def test_real_waves_cut_anywhere(tmp_path):
    random = np.random.default_rng(1)
    for wave in real_waves():
        content = wave.read_bytes()
        for end in random.integers(0, len(content) - 1100, size=15):
            path = tmp_path / wave.name
            path.write_bytes(content[:end])
            with pytest.raises(RecordingError, match=re.escape(str(path))):
                list(read_sweeps(path))


def test_real_waves_in_the_wrong_byte_order(tmp_path):
    for wave in real_waves():
        path = tmp_path / wave.name
        content = bytearray(wave.read_bytes())
        samples = np.frombuffer(bytes(content[384:]), dtype=np.uint8)
        whole = len(samples) // 4 * 4
        content[384 : 384 + whole] = samples[:whole].reshape(-1, 4)[:, ::-1].tobytes()
        path.write_bytes(bytes(content))
        with pytest.raises(RecordingError, match=rf"{re.escape(str(path))}.*(not numbers|beyond)"):
            list(read_sweeps(path))
        content[:2] = content[1::-1]
        path.write_bytes(bytes(content))
        with pytest.raises(RecordingError, match=rf"{re.escape(str(path))} cannot be read as an Igor wave"):
            list(read_sweeps(path))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.0, 0.1, 0.2, 0.15, 0.3], "times must increase, but sample 3 is at 0.15 after 0.2"),
        ([0.0, 0.1, 0.1, 0.2, 0.3], "times must increase, but sample 2 is at 0.1 after 0.1"),
        ([0.4, 0.3, 0.2, 0.1, 0.0], "times must increase, but sample 1 is at 0.3 after 0.4"),
        ([0.0, 0.1, np.inf, 0.3, 0.4], "the time of sample 2 is not a number"),
        ([0.0, 0.1, 0.2, 0.3, 1e9], "samples must be taken at even intervals"),
    ],
)
def test_times_that_do_not_increase(tmp_path, times, message):
    from scipy.io import savemat

    (tmp_path / "a.csv").write_text("t (ms),V (mV)\n" + "".join(f"{time},-70\n" for time in times))
    savemat(tmp_path / "a.mat", {"t_ms": np.array(times), "V_mV": np.full(5, -70.0)})
    for path in tmp_path.iterdir():
        with pytest.raises(RecordingError, match=rf"{re.escape(str(path))}.*{re.escape(message)}"):
            list(read_sweeps(path))


def test_nothing_but_recording_errors_reaches_the_user_of_a_folder(tmp_path, whole_files):
    """A folder of good and damaged files: the good ones are read, each of the others is named."""
    random = np.random.default_rng(2)
    for number, files in enumerate(whole_files.values()):
        for file_name, content in files.items():
            cell, _, rest = file_name.partition("_")
            (tmp_path / f"{cell}{number}good_{rest}").write_bytes(content)
            if file_name == next(iter(files)):
                cut = content[: int(random.integers(1, len(content) // 2))]
                (tmp_path / f"{cell}{number}bad_{rest}").write_bytes(cut.rstrip(b"\n"))
    problems: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        recordings = list(read_recordings(RecordingFolder(tmp_path, PATTERN, strict=False), problems))
    assert {one.cell for one in recordings} == {f"C1{number}good" for number in range(len(FORMATS))}
    named = {match[0] for problem in problems for match in re.finditer(r"C1\d+(good|bad)", problem)}
    assert named == {f"C1{number}bad" for number in range(len(FORMATS))}
