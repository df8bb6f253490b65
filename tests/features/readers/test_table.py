from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import RecordingError
from rheobase.features.readers import read_sweeps
from rheobase.features.readers.table import TableReader
from tests.contracts.reader import ReaderContract

TABLE = "# cell: C1\n# Protocol: IDrest\n# sweep: 7\n# amplifier: any\ntime (ms),voltage [mV],current (pA)\n" + "".join(
    f"{0.1 * sample:.1f},{-70.0 + 0.01 * sample:.3f},{50 if 100 <= sample < 200 else 0}\n" for sample in range(300)
)


class TestTableReader(ReaderContract):
    reader = TableReader()

    @pytest.fixture(params=[".csv", ".tsv"])
    def recording_file(self, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        path = tmp_path / f"cell{request.param}"
        path.write_text(TABLE if request.param == ".csv" else TABLE.replace(",", "\t"))
        return path

    def truncated(self, content: bytes, share: float) -> bytes:
        # Between two lines a table ends as it would if it were whole.
        return super().truncated(content, share).rstrip(b"\n")


def read_table(tmp_path: Path, text: str):
    path = tmp_path / "a.csv"
    path.write_text(text)
    (sweep,) = read_sweeps(path)
    return sweep


def test_what_the_table_says(tmp_path):
    sweep = read_table(tmp_path, TABLE)
    assert (sweep.cell, sweep.protocol, sweep.sweep) == ("C1", "IDrest", "7")
    voltage, current = sweep.channels
    assert (voltage.unit, voltage.name, current.unit) == ("mV", "voltage", "pA")
    assert voltage.time_step_ms == current.time_step_ms == 0.1
    assert voltage.values[3] == -69.97
    assert current.values[[99, 100, 199, 200]].tolist() == [0.0, 50.0, 50.0, 0.0]


def test_columns_in_any_order_and_other_columns_are_passed_over(tmp_path):
    text = "temperature (degC),I (nA),t (s),V (V)\n" + "".join(f"34,0.1,{k * 5e-5},-0.07\n" for k in range(20))
    sweep = read_table(tmp_path, text)
    assert [channel.unit for channel in sweep.channels] == ["nA", "V"]
    assert sweep.channels[0].time_step_ms == 0.05
    assert (sweep.cell, sweep.protocol, sweep.sweep) == (None, None, None)


def test_times_rounded_to_fewer_digits_than_the_interval_has(tmp_path):
    text = "t (ms),V (mV)\n" + "".join(f"{0.25 * k:.1f},-70\n" for k in range(4001))
    assert read_table(tmp_path, text).channels[0].time_step_ms == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,voltage (mV)\n0,1\n1,1\n", r"a\.csv: the column head 'time' has no unit; write it like"),
        ("x (m),voltage (mV)\n0,1\n1,1\n", "expected one column of times, such as 'time .ms.', got 0"),
        ("t (s),t (ms),voltage (mV)\n0,0,1\n1,1,1\n", "expected one column of times, .*, got 2, or one line"),
        ("t (ms),V (mV)\n0,-70\n0.1,-70\n0.1,-70\n", "times must increase, but sample 2 is at 0.1 after 0.1"),
        ("t (ms),V (mV)\n0,-70\n0.1,-70\n0.2,-70\n0.5,-70\n", "even intervals, but sample 3 comes 0.3 after"),
        ("t (ms),V (mV)\n0,-70\nnan,-70\n0.2,-70\n", "the time of sample 1 is not a number"),
        ("t (ms),V (mV)\n0,-70\n", "at least two samples, got 1"),
        ("t (ms),V (mV)\n0,-70\n0.1,-70,3\n", r"a\.csv, from line 2 on: .*columns"),
        ("t (ms),V (mV)\n0,-70,1\n0.1,-70,1\n", "2 column heads, but 3 columns of samples"),
        ("t (ms),V (mV)\n0,-70\n0.1,high\n", "from line 2 on: could not convert string 'high'"),
        ("t (ms),V (mV)\n0,-70\n0.1,nan\n", "1 samples are not numbers, the first is sample 1"),
        ("# sweep: 4\nt (ms),V (mV)\n0,-70\n0.1,-7000\n", r"a\.csv, sweep 4.*a voltage of 7000 mV is beyond 1 V"),
        ("t (ms),V (mV)\n0,-70\n0.1,-7", "its last line has no end.*add a line break"),
        ("t (ms),V (mV)\n", "there are no samples below"),
        ("# cell: C1\n", "expected a line of column heads"),
    ],
)
def test_what_is_wrong_and_where(tmp_path, text, message):
    with pytest.raises(RecordingError, match=message):
        read_table(tmp_path, text)


def test_a_missing_sample_is_noticed(tmp_path):
    times = np.delete(np.arange(5000) * 0.1, 2500)
    text = "t (ms),V (mV)\n" + "".join(f"{time:.1f},-70\n" for time in times)
    with pytest.raises(RecordingError, match=r"even intervals, but sample 2500 comes 0.2 after"):
        read_table(tmp_path, text)


def rows(*columns: list[float]) -> str:
    return "".join(",".join(str(value) for value in row) + "\n" for row in zip(*columns, strict=True))


VOLTAGES, CURRENTS = [-70.0, -69.0, -68.0], [0.0, 0.1, 0.0]


@pytest.mark.parametrize(
    "line", ["# sampling: 20 kHz", "# Sampling : 20000 Hz", "# time step: 0.05 ms", "# time step: 50 us"]
)
def test_a_sampling_interval_in_place_of_times(tmp_path, line):
    sweep = read_table(tmp_path, f"{line}\nV (mV),I (nA)\n{rows(VOLTAGES, CURRENTS)}")
    assert sweep.channels[0].time_step_ms == 0.05
    assert sweep.channels[1].values.tolist() == CURRENTS


def test_sweeps_side_by_side(tmp_path):
    heads = "time (ms),voltage 1 (mV),current 1 (nA),voltage 12 (mV),current 12 (nA)"
    text = f"# cell: C1\n{heads}\n{rows([0.0, 0.1, 0.2], VOLTAGES, CURRENTS, [-60.0] * 3, [0.3] * 3)}"
    (tmp_path / "a.csv").write_text(text)
    first, second = read_sweeps(tmp_path / "a.csv")
    assert (first.cell, first.sweep, second.sweep) == ("C1", "1", "12")
    assert [channel.name for channel in second.channels] == ["voltage 12", "current 12"]
    assert first.channels[0].values.tolist() == VOLTAGES
    assert second.channels[1].values.tolist() == [0.3] * 3
    assert second.channels[0].time_step_ms == 0.1


def test_sweeps_one_below_the_other(tmp_path):
    text = "sweep,t (ms),V (mV),I (nA)\n"
    for name, shift in (("first", 0.0), ("second", 5.0)):
        text += "".join(f"{name},{0.1 * k:.1f},{-70.0 + shift},{shift}\n" for k in range(4))
    (tmp_path / "a.csv").write_text(text)
    sweeps = list(read_sweeps(tmp_path / "a.csv"))
    assert [sweep.sweep for sweep in sweeps] == ["first", "second"]
    assert [channel.values.tolist() for channel in sweeps[1].channels] == [[-65.0] * 4, [5.0] * 4]
    assert {channel.time_step_ms for sweep in sweeps for channel in sweep.channels} == {0.1}


def test_padding_is_cut_off(tmp_path):
    sweep = read_table(tmp_path, "t (ms),V (mV),I (nA)\n0.0,-70,0\n0.1,-70,0\n0.2,nan,0\n")
    assert [len(channel.values) for channel in sweep.channels] == [2, 2]
    assert sweep.note == "the last 1 of 3 samples are padding and were cut off"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# sampling: 20\nV (mV)\n-70\n-70\n", r"'# sampling: 20': '20' has no unit"),
        ("# sampling: 20 mV\nV (mV)\n-70\n-70\n", r"a\.csv, '# sampling: 20 mV': expected a unit like Hz"),
        ("# time step: 0 ms\nV (mV)\n-70\n-70\n", "expected more than zero, got '# time step: 0 ms'"),
        ("# sampling: 20 kHz\nt (ms),V (mV)\n0,-70\n0.05,-70\n", "got 1, or one line .*, got 1"),
        ("# sampling: 20 kHz\n# time step: 0.05 ms\nV (mV)\n-70\n-70\n", "got 0, or one line .*, got 2"),
        ("# sampling: 20 MHz\nV (mV)\n-70\n-70\n", "a sampling interval of 5e-05 ms is not between 0.0005 and 2"),
        ("t (s),V (mV)\n0,-70\n50,-70\n", "a sampling interval of 50000 ms is not between"),
        ("t (ms);V (mV)\n0,0;-70,1\n0,1;-70,1\n", r"its columns are separated by ';'; save it with ','.*and '\.'"),
        ("t (ms),V (mV)\n0,0,-70,1\n0,1,-70,1\n", r"2 column heads, but 4 columns of samples; write '\.' and not ','"),
        ("t (ms),V (mV),V 2 (mV)\n0,1,1\n1,1,1\n", "'V' does not end in the number of its sweep; write them like"),
        ("sweep,sweep,V (mV)\n0,1,1\n1,1,1\n", "2 columns are called 'sweep'"),
        ("sweep,t (ms),V (mV)\na,0,1,5\na,1,1,5\n", "3 column heads, but 4 columns of samples"),
        ("sweep,t (ms),V (mV)\na,0,1\na,1,x\n", "from line 2 on: could not convert string 'x'"),
        ("sweep,t (ms),V (mV)\na,0,1\nb,0,1\na,0.1,1\n", "at least two samples, got 1"),
    ],
)
def test_what_is_wrong_with_sampling_and_sweeps(tmp_path, text, message):
    with pytest.raises(RecordingError, match=message):
        read_table(tmp_path, text)


def test_decimal_commas_in_a_tsv_file(tmp_path):
    (tmp_path / "a.tsv").write_text("t (ms)\tV (mV)\n0,0\t-70,1\n0,1\t-70,1\n")
    with pytest.raises(RecordingError, match=r"a\.tsv, from line 2 on: could not convert .*; write '\.' and not ','"):
        list(read_sweeps(tmp_path / "a.tsv"))
