from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from pynwb import NWBHDF5IO, NWBFile

from rheobase.features.activity.measuring import rate_activity, rate_rows
from rheobase.features.activity.nwb_units import UnitColumns, read_nwb_rates, read_nwb_spike_trains
from rheobase.features.activity.unit_measures import mean_rate
from rheobase.features.errors import RecordingError
from tests.features.activity.trains import DURATION_MS, many_trains

LAYER_AND_TYPE = UnitColumns(("layer", "cell_type"))


def nwb_file() -> NWBFile:
    return NWBFile(session_description="test", identifier="test", session_start_time=datetime(2020, 1, 1, tzinfo=UTC))


def write(path: Path, content: NWBFile) -> Path:
    with NWBHDF5IO(str(path), mode="w") as io:
        io.write(content)
    return path


def write_units(
    path: Path,
    spikes_s: Sequence[Sequence[float]],
    observed_s: Sequence[Sequence[Sequence[float]]] | None = None,
    **columns: Sequence[Any],
) -> Path:
    """An NWB file with a units table; times and intervals in seconds, as the format has them."""
    content = nwb_file()
    for name in columns:
        content.add_unit_column(name, f"the {name}")
    for unit, times in enumerate(spikes_s):
        more: dict[str, Any] = {name: values[unit] for name, values in columns.items()}
        if observed_s is not None:
            more["obs_intervals"] = np.array(observed_s[unit], dtype=float).reshape(-1, 2)
        content.add_unit(spike_times=np.array(times, dtype=float), id=100 + unit, **more)
    return write(path, content)


def example(path: Path) -> Path:
    """Four units: three good ones of L4, two of them excitatory, and one of noise."""
    return write_units(
        path / "session.nwb",
        [[1.0, 2.0, 11.0], [], [3.0, 12.0, 12.5, 13.0], [1.5]],
        [[[0.0, 10.0]], [[0.0, 8.0], [10.0, 12.0]], [[0.0, 20.0]], [[0.0, 20.0]]],
        layer=["L4", "L4", "L4", ""],
        cell_type=["Exc", "Exc", "PV", ""],
        quality=["good", "good", "good", "noise"],
    )


GOOD = UnitColumns(("layer", "cell_type"), {"quality": ["good"]})


def test_the_longest_interval_that_all_units_share(tmp_path):
    trains = read_nwb_spike_trains(example(tmp_path), GOOD)
    assert (trains.start_ms, trains.stop_ms) == (0.0, 8000.0)
    assert trains.units.populations == ("L4 Exc", "L4 PV")
    assert trains.units.names == ("100", "101", "102")
    assert [trains.train(unit).tolist() for unit in range(3)] == [[1000.0, 2000.0], [], [3000.0]]
    assert not trains.units.silent_included
    assert trains.source == "session.nwb"


def test_the_longest_of_several_shared_intervals(tmp_path):
    path = write_units(
        tmp_path / "a.nwb",
        [[7.0], [6.0]],
        [[[0.0, 1.0], [2.0, 9.0], [10.0, 11.0]], [[0.0, 3.0], [5.0, 20.0]]],
        area=["V1", "V1"],
    )
    trains = read_nwb_spike_trains(path, UnitColumns(("area",)))
    assert (trains.start_ms, trains.stop_ms) == (5000.0, 9000.0)


def test_a_part_of_the_session(tmp_path):
    trains = read_nwb_spike_trains(example(tmp_path), GOOD, (500.0, 2500.0))
    assert mean_rate(trains).values.tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(RecordingError, match=r"unit 101: .* from 7000 to 9000 ms without a gap; the longest .*8000"):
        read_nwb_spike_trains(example(tmp_path), GOOD, (7000.0, 9000.0))
    with pytest.raises(RecordingError, match="a start before its end, got 10 to 5 ms"):
        read_nwb_spike_trains(example(tmp_path), GOOD, (10.0, 5.0))


def test_rates_over_all_that_each_unit_was_observed(tmp_path):
    path = write_units(
        tmp_path / "session.nwb",
        [[1.0, 2.0, 9.0], [1.0, 11.0], []],
        [[[0.0, 10.0]], [[0.0, 2.0], [10.0, 13.0]], [[0.0, 20.0]]],
        area=["V1", "V1", "V1"],
    )
    rates = read_nwb_rates(path, UnitColumns(("area",)))
    np.testing.assert_allclose(rates.values, [0.3, 0.4, 0.0])
    assert rates.source == "session.nwb, units.spike_times over obs_intervals, populations by area"
    (row,) = rate_rows(rate_activity(rates))
    assert (row.population, row.units, row.fraction_silent) == ("V1", 3, None)


def test_spikes_where_a_unit_was_not_observed(tmp_path):
    path = write_units(tmp_path / "a.nwb", [[1.0, 5.0, 6.0]], [[[0.0, 4.0], [5.5, 8.0]]], area=["V1"])
    with pytest.raises(
        RecordingError, match=r"unit 100: 1 of 3 spikes lie outside its obs_intervals, the first at 5 s"
    ):
        read_nwb_rates(path, UnitColumns(("area",)))


def test_spikes_on_the_edges_of_what_was_observed(tmp_path):
    path = write_units(tmp_path / "a.nwb", [[0.0, 4.0, 5.5, 8.0]], [[[0.0, 4.0], [5.5, 8.0]]], area=["V1"])
    assert read_nwb_rates(path, UnitColumns(("area",))).values[0] == pytest.approx(4.0 / 6.5)


def test_a_file_that_does_not_say_what_was_observed(tmp_path):
    path = write_units(tmp_path / "a.nwb", [[1.0, 5.0]], area=["V1"])
    area = UnitColumns(("area",))
    assert mean_rate(read_nwb_spike_trains(path, area, (0.0, 4000.0))).values.tolist() == [0.25]
    with pytest.raises(RecordingError, match="no obs_intervals; state interval_ms"):
        read_nwb_spike_trains(path, area)
    with pytest.raises(RecordingError, match=r"no obs_intervals, so their rates are not known; .* interval_ms"):
        read_nwb_rates(path, area)


def test_units_that_were_never_observed_together(tmp_path):
    path = write_units(tmp_path / "a.nwb", [[1.0], [5.0]], [[[0.0, 2.0]], [[4.0, 6.0]]], area=["V1", "V1"])
    with pytest.raises(RecordingError, match=r"no interval is shared by all units; choose units .* read_nwb_rates"):
        read_nwb_spike_trains(path, UnitColumns(("area",)))
    assert read_nwb_rates(path, UnitColumns(("area",))).values.tolist() == [0.5, 0.5]


def test_populations_by_where_the_electrodes_are(tmp_path):
    content = nwb_file()
    device = content.create_device(name="probe")
    group = content.create_electrode_group(name="A", description="shank", location="VISp", device=device)
    content.add_electrode_column("layer", "the layer")
    for layer in ("L4", "L5", "L5"):
        content.add_electrode(location="VISp", group=group, layer=layer)
    for electrodes in ([0], [1, 2], [0, 1]):
        content.add_unit(spike_times=[1.0], obs_intervals=[[0.0, 2.0]], electrodes=electrodes, electrode_group=group)
    path = write(tmp_path / "a.nwb", content)
    assert read_nwb_rates(path, UnitColumns(("electrodes.location",))).units.populations == ("VISp",)
    assert read_nwb_rates(path, UnitColumns(("electrode_group.name",))).units.populations == ("A",)
    with pytest.raises(RecordingError, match="unit 2: expected one 'layer' for all its electrodes, got L4, L5"):
        read_nwb_rates(path, UnitColumns(("electrodes.layer",)))
    with pytest.raises(RecordingError, match=r"its electrodes have no column 'depth'; there are .*location"):
        read_nwb_rates(path, UnitColumns(("electrodes.depth",)))
    with pytest.raises(RecordingError, match="'electrode_group' refers to nothing that has 'layer'"):
        read_nwb_rates(path, UnitColumns(("electrode_group.layer",)))
    with pytest.raises(RecordingError, match="the column 'electrodes' holds neither text nor numbers"):
        read_nwb_rates(path, UnitColumns(("electrodes",)))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            UnitColumns(("area",)),
            r"session\.nwb: its units have no column 'area'; there are .*layer, cell_type, quality",
        ),
        (UnitColumns(("layer",), {"snr": ["1"]}), "its units have no column 'snr'"),
        (UnitColumns(("layer",), {"quality": ["best"]}), "none of its 4 units has quality of best"),
        (UnitColumns(()), "expected a column that names the populations; there are"),
        (LAYER_AND_TYPE, "1 of 4 units have nothing in the column 'layer', the first is unit 103; .* `where`"),
        (UnitColumns(("obs_intervals",)), "the column 'obs_intervals' holds neither text nor numbers"),
    ],
)
def test_columns_that_are_not_there(tmp_path, columns, message):
    with pytest.raises(RecordingError, match=message):
        read_nwb_spike_trains(example(tmp_path), columns)


@pytest.mark.parametrize(
    ("spikes_s", "observed_s", "message"),
    [
        ([2.0, 1.0], [[0.0, 4.0]], r"unit 100: spike times must be ascending, but spike 1 is at 1 s after 2 s"),
        ([1.0, np.nan], [[0.0, 4.0]], "unit 100: 1 spike times are not numbers"),
        ([1.0], [[4.0, 0.0]], "unit 100: expected obs_intervals with a start before their end"),
        ([1.0], [[0.0, np.nan]], "unit 100: expected obs_intervals with a start before their end"),
        ([1.0], [], "unit 100: expected obs_intervals"),
        ([1.0], [[0.0, 4.0], [3.0, 6.0]], "unit 100: its obs_intervals overlap or are not ascending"),
    ],
)
@pytest.mark.filterwarnings("ignore:Shape of data")
def test_units_that_cannot_be_true(tmp_path, spikes_s, observed_s, message):
    path = write_units(tmp_path / "a.nwb", [spikes_s], [observed_s], area=["V1"])
    with pytest.raises(RecordingError, match=message):
        read_nwb_spike_trains(path, UnitColumns(("area",)))


def test_units_without_spike_times(tmp_path):
    content = nwb_file()
    content.add_unit_column("area", "the area")
    content.add_unit(area="V1")
    with pytest.raises(RecordingError, match="its units have no column 'spike_times'; there are area"):
        read_nwb_spike_trains(write(tmp_path / "a.nwb", content), UnitColumns(("area",)))


def test_files_without_units(tmp_path):
    with pytest.raises(RecordingError, match=r"a\.nwb: there is no table of units in it"):
        read_nwb_rates(write(tmp_path / "a.nwb", nwb_file()), LAYER_AND_TYPE)
    with pytest.raises(RecordingError, match="there is no such file"):
        read_nwb_rates(tmp_path / "none.nwb", LAYER_AND_TYPE)
    path = example(tmp_path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(RecordingError, match=r"session\.nwb cannot be read as an NWB file"):
        read_nwb_rates(path, GOOD)


@settings(max_examples=10, deadline=None)
@given(trains=many_trains())
def test_written_units_come_back(tmp_path_factory, trains):
    path = write_units(
        tmp_path_factory.mktemp("nwb") / "a.nwb",
        [[time / 1024.0 for time in train] for train in trains],  # exact in binary
        [[[0.0, DURATION_MS / 1024.0]]] * len(trains),
        area=["V1"] * len(trains),
    )
    read = read_nwb_spike_trains(path, UnitColumns(("area",)))
    for unit, train in enumerate(trains):
        np.testing.assert_allclose(read.train(unit), np.array(train) * 1000.0 / 1024.0, rtol=1e-12)
