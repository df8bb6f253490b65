from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rheobase.features.activity.measuring import rate_activity, rate_rows
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.activity.tables import RateColumns, SpikeColumns, read_rate_table, read_spike_table
from rheobase.features.activity.unit_values import UnitValues
from rheobase.features.errors import RecordingError, RheobaseError
from tests.shared_data import shared

COLUMNS = RateColumns("rate (Hz)", ("layer", "type"), "unit")
TABLE = "unit,layer,type,rate (Hz)\nu1,L4,Exc,3.5\nu2,L2/3,PV,8\nu3,L4,Exc,0\n"
SPIKE_COLUMNS = SpikeColumns("time (ms)", "unit", ("population",))
SPIKES = "time (ms),unit,population\n30,a,E\n10,a,E\n20,a,I\n5,b,E\n"


def read_rates(tmp_path: Path, text: str, columns: RateColumns = COLUMNS, **how: bool) -> UnitValues:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    return read_rate_table(path, columns, **how)


def read_spikes(
    tmp_path: Path, text: str, columns: SpikeColumns = SPIKE_COLUMNS, sizes: dict[str, int] | None = None
) -> SpikeTrains:
    path = tmp_path / "spikes.csv"
    path.write_text(text)
    return read_spike_table(path, columns, (0.0, 100.0), sizes)


def test_spontaneous_rates_of_mouse_v1():
    """Means and standard deviations as PROVENANCE.md and the issue state them, medians as those of the successor of
    Billeh et al. 2020 (background targets, AllenInstitute/biorealistic-v1-model; L5 PV there 8.94)."""
    path = shared("mouse_v1_rates", "OSI_DSI_neuropixels_v4.csv")
    rates = read_rate_table(path, RateColumns("Spont_Rate(Hz)", ("cell_type",), "ecephys_unit_id"))
    activity = rate_activity(rates, minimum_units=6)
    assert activity.source == "OSI_DSI_neuropixels_v4.csv, column 'Spont_Rate(Hz)', populations by cell_type"
    assert len(rates.values) == 3156
    rows = {row.population: row for row in rate_rows(activity)}
    expected = {
        "L1 Htr3a": (17, 4.61, 4.57, 2.21),
        "L2/3 Exc": (503, 1.53, 2.81, 0.63),
        "L2/3 PV": (133, 7.93, 5.62, 7.35),
        "L2/3 SST": (18, 5.27, 5.03, 3.82),
        "L4 Exc": (629, 3.57, 4.00, 2.12),
        "L4 PV": (179, 10.47, 8.49, 8.86),
        "L4 SST": (9, 3.85, 3.45, 3.82),
        "L5 Exc": (975, 5.71, 5.09, 4.05),
        "L5 PV": (200, 11.96, 11.06, 8.94),
        "L5 SST": (27, 7.59, 8.15, 3.92),
        "L6 Exc": (344, 3.09, 3.38, 1.86),
        "L6 PV": (90, 12.29, 10.39, 9.76),
        "L6 SST": (16, 12.25, 8.80, 10.28),
    }
    assert rows.keys() == expected.keys()
    for population, (units, mean, std, median) in expected.items():
        row = rows[population]
        assert (row.units, row.fraction_silent) == (units, None)
        assert row.std_Hz is not None
        assert (row.mean_Hz, row.std_Hz, row.median_Hz) == pytest.approx((mean, std, median), abs=0.0061)
    assert [note.split(":")[0] for note in activity.notes] == ["L2/3 VIP", "L4 VIP", "L5 VIP", "L6 VIP"]


def test_interneurons_of_mouse_v1_as_one_population():
    path = shared("mouse_v1_rates", "OSI_DSI_neuropixels_v4.csv")
    rates = read_rate_table(path, RateColumns("Spont_Rate(Hz)", ("cell_type",), "ecephys_unit_id"))
    (row,) = rate_rows(rate_activity(rates.regrouped({"L5I": ["L5 PV", "L5 SST", "L5 VIP"]})))
    assert (row.population, row.units) == ("L5I", 232)


def test_what_the_table_says(tmp_path):
    rates = read_rates(tmp_path, TABLE)
    assert rates.units.populations == ("L2/3 PV", "L4 Exc")
    assert (rates.of("L4 Exc").tolist(), rates.of("L2/3 PV").tolist()) == ([3.5, 0.0], [8.0])
    assert rates.units.names == ("u1", "u2", "u3")
    assert read_rates(tmp_path, TABLE + "\n\n").values.tolist() == rates.values.tolist()
    assert rates.source == "rates.csv, column 'rate (Hz)', populations by layer x type"
    assert not rates.units.silent_included
    (excitatory,) = (row for row in rate_rows(rate_activity(rates)) if row.population == "L4 Exc")
    assert excitatory.fraction_silent is None
    assert read_rates(tmp_path, TABLE, silent_included=True).units.silent_included


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_separators_quotes_comments_and_windows_line_ends(tmp_path, separator):
    text = '# units of one mouse\n"unit","type","rate"\n1,"L2/3 Exc",1.5\n2,"L4 Exc",2.5\n'.replace(",", separator)
    path = tmp_path / "rates.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    rates = read_rate_table(path, RateColumns("rate", ("type",)))
    assert rates.units.populations == ("L2/3 Exc", "L4 Exc")
    assert rates.values.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(("head", "factor"), [("rate (kHz)", 1000.0), ("rate [1/s]", 1.0), ("rate", 1.0)])
def test_the_unit_of_the_rates(tmp_path, head, factor):
    rates = read_rates(tmp_path, f"type,{head}\nE,2\n", RateColumns(head, ("type",)))
    assert rates.values.tolist() == [2.0 * factor]


def test_rows_that_lack_something_are_left_out_only_when_told_to(tmp_path):
    text = TABLE + "u4,L4,,2\nu5,,Exc,2\nu6,L4,Exc,\nu7,L4,Exc,NaN\n"
    with pytest.raises(RecordingError, match=r"rates\.csv, line 5: 4 of 7 rows lack a value in rate .* or layer or ty"):
        read_rates(tmp_path, text)
    rates = read_rates(tmp_path, text, leave_out_missing=True)
    assert rates.units.names == ("u1", "u2", "u3")
    assert rates.notes == ("rates.csv: 4 of 7 rows without a rate or a population left out",)
    assert rate_activity(rates).notes == rates.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE.replace("rate (Hz)", "rate"), r"expected one column 'rate \(Hz\)'; there are unit, layer, type, rate$"),
        (TABLE.replace("rate (Hz)", "type"), r"expected one column 'rate \(Hz\)', 'type'; there are"),
        (TABLE.replace("8", "-8"), r"rates\.csv, line 3: a rate is 0 Hz or more, got -8"),
        (TABLE.replace("8", "high"), r"rates\.csv, line 3: expected a number in 'rate \(Hz\)', got 'high'"),
        (TABLE.replace("8", "inf"), r"line 3: expected a number in 'rate \(Hz\)', got 'inf'"),
        (TABLE.replace("8", "nan"), r"line 3: 1 of 3 rows lack a value"),
        (TABLE.replace("u3", "u1"), r"expected each unit once, 'u1' of 'L4 Exc' is there again"),
        (TABLE + "u4,L4,Exc,3,5\n", r"rates\.csv cannot be read as a table: .*Expected 4 fields in line 5, saw 5"),
        (TABLE.replace("5\n", "5,1\n").replace("8\n", "8,1\n").replace("0\n", "0,1\n"), "cannot be read as a table"),
        (TABLE + "\nu4,L4,Exc,3\n", "line 5: 1 of 5 rows lack a value"),
        (TABLE.rstrip("\n"), "its last line has no end, so its last value may be cut off"),
        ("# nothing\n\n", "expected a line of column heads"),
        ("unit,layer,type,rate (Hz)\n", "there are no rows below the column heads"),
        ("", "the file is empty"),
    ],
)
def test_what_is_wrong_with_rates_and_where(tmp_path, text, message):
    with pytest.raises(RecordingError, match=message):
        read_rates(tmp_path, text)


def test_columns_that_make_no_sense(tmp_path):
    with pytest.raises(RecordingError, match=r"column 'rate \(mV\)': expected a unit like Hz, got 'mV'"):
        read_rates(tmp_path, "type,rate (mV)\nE,2\n", RateColumns("rate (mV)", ("type",)))
    with pytest.raises(RecordingError, match="expected a column that names the populations"):
        read_rates(tmp_path, TABLE, RateColumns("rate (Hz)", ()))
    with pytest.raises(RecordingError, match="none of its 1 rows has a rate and a population"):
        read_rates(tmp_path, "unit,layer,type,rate (Hz)\nu1,L4,Exc,\n", leave_out_missing=True)
    with pytest.raises(RecordingError, match=r"there is no such file"):
        read_rate_table(tmp_path / "none.csv", COLUMNS)


def test_a_table_of_spikes(tmp_path):
    trains = read_spikes(tmp_path, SPIKES)
    assert trains.units.populations == ("E", "I")
    assert [trains.train(unit).tolist() for unit in range(3)] == [[10.0, 30.0], [5.0], [20.0]]
    assert (trains.start_ms, trains.stop_ms, trains.source) == (0.0, 100.0, "spikes.csv")
    assert not trains.units.silent_included


def test_silent_units_of_a_table_of_spikes(tmp_path):
    trains = read_spikes(tmp_path, SPIKES, sizes={"E": 4, "I": 1, "VIP": 2})
    assert trains.units.silent_included
    assert dict(zip(trains.units.populations, trains.units.sizes.tolist(), strict=True)) == {"E": 4, "I": 1, "VIP": 2}
    assert sorted(trains.of("E").counts.tolist()) == [0, 0, 1, 2]
    with pytest.raises(RecordingError, match=r"2 units of 'E' fire, but its stated size is 1; .* those of E, I"):
        read_spikes(tmp_path, SPIKES, sizes={"E": 1, "I": 1})
    with pytest.raises(RecordingError, match="1 units of 'I' fire, but its stated size is 0"):
        read_spikes(tmp_path, SPIKES, sizes={"E": 2})


def test_the_unit_of_times(tmp_path):
    columns = SpikeColumns("timestamps", "node_ids", time_unit="s")
    trains = read_spikes(tmp_path, "timestamps node_ids\n0.05 7\n0.01 7\n", columns)
    assert trains.times_ms.tolist() == [10.0, 50.0]
    assert trains.units.populations == ("all",)
    in_head = read_spikes(tmp_path, "t (s),unit\n0.05,7\n", SpikeColumns("t (s)", "unit"))
    assert in_head.times_ms.tolist() == [50.0]
    with pytest.raises(RecordingError, match=r"the column 'timestamps' has no unit in its head, .*\(time_unit\)"):
        read_spikes(tmp_path, "timestamps node_ids\n0.05 7\n", SpikeColumns("timestamps", "node_ids"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SPIKES.replace("20,", "200,"), r"spikes\.csv: 1 of 4 spikes lie outside .* 0 to 100 ms, the first at 200 ms"),
        (SPIKES.replace("20,", "-20,"), "lie outside the observation"),
        (SPIKES.replace("20,", "nan,"), r"spikes\.csv, line 4: expected a number in 'time \(ms\)', got 'nan'"),
        (SPIKES.replace("20,a", "20,"), r"line 4: a spike without a value in unit or population"),
        (SPIKES.replace("unit", "cell"), r"expected one column 'unit'; there are time \(ms\), cell, population"),
    ],
)
def test_what_is_wrong_with_spikes_and_where(tmp_path, text, message):
    with pytest.raises(RecordingError, match=message):
        read_spikes(tmp_path, text)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, len(TABLE)), replacement=st.binary(max_size=6))
def test_damaged_tables_are_read_or_refused(tmp_path, place, replacement):
    path = tmp_path / "rates.csv"
    content = TABLE.encode()
    path.write_bytes(content[:place] + replacement + content[place + len(replacement) :])
    with contextlib.suppress(RheobaseError):
        assert (read_rate_table(path, COLUMNS).values >= 0).all()
