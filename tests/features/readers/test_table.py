from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rheobase.features.errors import RecordingError
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
    (sweep,) = TableReader().read(path)
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
        ("t (s),t (ms),voltage (mV)\n0,0,1\n1,1,1\n", "expected one column of times, .*, got 2"),
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
