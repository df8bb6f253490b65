from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings

from rheobase.features.activity.activity import Activity
from rheobase.features.activity.measuring import measure_activity
from rheobase.features.activity.populations import Units
from rheobase.features.activity.sonata import read_sonata_spikes, write_sonata_spikes
from rheobase.features.activity.sonata_nodes import SonataNodes
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import RecordingError
from tests.features.activity.trains import many_trains, trains_of
from tests.shared_data import shared

INTERVAL_MS = (0.0, 3000.0)


def network(*parts: str) -> Path:
    return shared("sonata_networks", *parts)


def visual_cortex(*columns: str) -> SonataNodes:
    folder = network("300_intfire", "network")
    return SonataNodes(folder / "v1_nodes.h5", folder / "v1_node_types.csv", columns)


@pytest.mark.parametrize(
    ("name", "nodes", "interval_ms", "spikes", "neurons", "silent"),
    [
        ("9_cells", "cortex_nodes.h5", INTERVAL_MS, 78, 9, 1),
        ("5_cells_iclamp", "biophysical_nodes.h5", (0.0, 4000.0), 124, 5, 0),
        ("300_intfire", "v1_nodes.h5", INTERVAL_MS, 4322, 300, 27),
    ],
)
def test_published_networks(name, nodes, interval_ms, spikes, neurons, silent):
    files = [SonataNodes(network(name, "network", nodes))]
    trains = read_sonata_spikes(network(name, "output", "spikes.h5"), interval_ms, files)
    assert (len(trains.times_ms), len(trains.units), int(np.sum(trains.counts == 0))) == (spikes, neurons, silent)
    assert trains.units.silent_included
    without_nodes = read_sonata_spikes(network(name, "output", "spikes.h5"), interval_ms)
    assert (len(without_nodes.times_ms), len(without_nodes.units)) == (spikes, neurons - silent)
    assert not without_nodes.units.silent_included


def only(activity: Activity, measure: str) -> float:
    (population,) = activity.populations
    found = population.distribution(measure)
    assert found is not None
    return found.mean


def test_a_published_network_as_elephant_measures_it():
    """Elephant 1.2.1 on the 300 trains: cv and lv of those with 5 spikes or more, fanofactor of 30 windows of 100 ms
    (times 30/29, since it divides by their number), correlation_coefficient of bins of 20 ms of the 273 that fire."""
    trains = read_sonata_spikes(network("300_intfire", "output", "spikes.h5"), INTERVAL_MS, [visual_cortex()])
    activity = measure_activity(trains)
    assert only(activity, "rate") == pytest.approx(4.8022222222222215, rel=1e-12)
    assert only(activity, "cv_isi") == pytest.approx(0.9618561138935259, rel=1e-12)
    assert only(activity, "local_variation") == pytest.approx(0.8562142893821746, rel=1e-12)
    assert only(activity, "fano_factor") == pytest.approx(1.3981954006584547, rel=1e-9)
    assert activity.populations[0].value("pairwise_correlation") == pytest.approx(0.7364486932367988, rel=1e-9)
    assert activity.populations[0].value("fraction_silent") == pytest.approx(27 / 300)


def test_populations_divided_by_columns_of_the_node_types():
    spikes = network("300_intfire", "output", "spikes.h5")
    trains = read_sonata_spikes(spikes, INTERVAL_MS, [visual_cortex("location", "ei")])
    assert trains.units.populations == ("v1 VisL4 e", "v1 VisL4 i")
    assert trains.units.sizes.tolist() == [240, 60]
    assert len(trains.times_ms) == 4322
    renamed = trains.regrouped({"L4E": ["v1 VisL4 e"], "L4I": ["v1 VisL4 i"]})
    assert renamed.units.names[:2] == ("0", "1")


@pytest.mark.parametrize(("name", "spikes", "neurons"), [("lgn", 2738, 90), ("tw", 295, 30)])
def test_files_of_before_populations(name, spikes, neurons):
    path = network("300_intfire", "inputs", f"{name}_spikes.h5")
    nodes = SonataNodes(network("300_intfire", "network", f"{name}_nodes.h5"))
    trains = read_sonata_spikes(path, INTERVAL_MS, [nodes])
    assert trains.units.populations == (name,)
    assert (len(trains.times_ms), len(trains.units)) == (spikes, neurons)
    assert read_sonata_spikes(path, INTERVAL_MS).units.populations == ("all",)
    with pytest.raises(RecordingError, match=r"its spikes have no population, .*nodes of one .*, got lgn, v1"):
        read_sonata_spikes(
            path, INTERVAL_MS, [SonataNodes(network("300_intfire", "network", "lgn_nodes.h5")), visual_cortex()]
        )


def test_a_population_of_nodes_without_spikes_in_the_file_is_silent():
    nodes = [visual_cortex(), SonataNodes(network("300_intfire", "network", "tw_nodes.h5"))]
    trains = read_sonata_spikes(network("300_intfire", "output", "spikes.h5"), INTERVAL_MS, nodes)
    assert trains.of("tw").counts.tolist() == [0] * 30


def test_nodes_of_another_network():
    spikes = network("300_intfire", "output", "spikes.h5")
    nodes = SonataNodes(network("9_cells", "network", "cortex_nodes.h5"))
    with pytest.raises(RecordingError, match="spikes of the population 'v1', but the nodes given are of cortex"):
        read_sonata_spikes(spikes, INTERVAL_MS, [nodes])
    with pytest.raises(RecordingError, match="two of the files of nodes have the same population: v1, v1"):
        read_sonata_spikes(spikes, INTERVAL_MS, [visual_cortex(), visual_cortex()])
    with pytest.raises(RecordingError, match=r"300 of 300 nodes have no 'layer'; their columns are .*ei.*location"):
        read_sonata_spikes(spikes, INTERVAL_MS, [visual_cortex("layer")])
    without_types = SonataNodes(visual_cortex().nodes, columns=("ei",))
    with pytest.raises(RecordingError, match=r"300 of 300 nodes have no 'ei'; .* give node_types, too"):
        read_sonata_spikes(spikes, INTERVAL_MS, [without_types])


@settings(max_examples=20, deadline=None)
@given(trains=many_trains())
def test_written_spikes_come_back(tmp_path_factory, trains):
    folder = tmp_path_factory.mktemp("sonata")
    whole = trains_of(trains, sizes={"E": len(trains) - 2, "L23 I": 2})
    write_sonata_spikes(whole, folder / "spikes.h5")
    for population, size in zip(whole.units.populations, whole.units.sizes.tolist(), strict=True):
        write_nodes(folder / f"{population}.h5", population, size)
    read = read_sonata_spikes(
        folder / "spikes.h5", (0.0, 256.0), [SonataNodes(folder / "E.h5"), SonataNodes(folder / "L23 I.h5")]
    )
    np.testing.assert_array_equal(read.times_ms, whole.times_ms)
    np.testing.assert_array_equal(read.unit_of_spike, whole.unit_of_spike)
    assert (read.units.populations, read.units.names) == (whole.units.populations, whole.units.names)


def test_the_file_follows_the_format(tmp_path):
    """The layout that libsonata 0.2.2 reads (its `sorting` is an enumeration of one byte)."""
    path = tmp_path / "spikes.h5"
    write_sonata_spikes(trains_of([[9.0, 1.0], [5.0]]), path)
    with h5py.File(path) as file:
        group = file["spikes/E"]
        assert h5py.check_enum_dtype(group.attrs.get_id("sorting").dtype) == {"none": 0, "by_id": 1, "by_time": 2}
        assert group.attrs["sorting"] == 2
        assert group["timestamps"][:].tolist() == [1.0, 5.0, 9.0]
        assert group["timestamps"].attrs["units"] == "ms"
        assert group["node_ids"].dtype == np.uint64
        assert group["node_ids"][:].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("populations", "names", "message"),
    [
        (("L2/3 Exc",), ("0",), "the name of a SONATA population has no slash, got 'L2/3 Exc'; .*regrouped"),
        (("E",), ("A17",), "the units of a SONATA file are numbers of nodes, got a unit named 'A17'"),
    ],
)
def test_what_cannot_be_written(tmp_path, populations, names, message):
    units = Units(populations, np.array([0]), names)
    with pytest.raises(RecordingError, match=message):
        write_sonata_spikes(SpikeTrains(np.array([1.0]), np.array([0]), units, 0.0, 2.0), tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()


def write_spikes(path: Path, times, nodes, sorting: str | None = None, unit: str | None = "ms") -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("spikes/E")
        if sorting is not None:
            group.attrs["sorting"] = sorting
        group["timestamps"], group["node_ids"] = np.array(times), np.array(nodes)
        if unit is not None:
            group["timestamps"].attrs["units"] = unit
    return path


def write_nodes(path: Path, population: str, size: int) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group(f"nodes/{population}")
        group["node_type_id"] = np.zeros(size, dtype=np.int64)
        group["node_group_id"], group["node_group_index"] = np.zeros(size, dtype=int), np.arange(size)
        group.create_group("0")


def test_a_network_that_did_not_fire(tmp_path):
    path = tmp_path / "spikes.h5"
    write_sonata_spikes(trains_of([[], []]), path)
    write_nodes(tmp_path / "nodes.h5", "E", 2)
    silent = read_sonata_spikes(path, INTERVAL_MS, [SonataNodes(tmp_path / "nodes.h5")])
    assert measure_activity(silent).populations[0].value("fraction_silent") == 1.0
    assert measure_activity(read_sonata_spikes(path, INTERVAL_MS)).populations == ()


@pytest.mark.parametrize(("unit", "expected"), [("s", 2000.0), ("ms", 2.0), (None, 2.0)])
def test_the_unit_of_times(tmp_path, unit, expected):
    path = write_spikes(tmp_path / "a.h5", [2.0], [0], unit=unit)
    assert read_sonata_spikes(path, INTERVAL_MS).times_ms.tolist() == [expected]


def test_properties_of_single_nodes_and_their_library(tmp_path):
    write_nodes(tmp_path / "nodes.h5", "E", 3)
    with h5py.File(tmp_path / "nodes.h5", "a") as file:
        file["nodes/E/node_id"] = [7, 3, 5]
        file["nodes/E/0/layer"] = [4, 5, 5]
        file["nodes/E/0/mtype"] = [1, 0, 1]
        file["nodes/E/0/@library/mtype"] = ["PV", "PC"]
    spikes = write_spikes(tmp_path / "spikes.h5", [3.0, 1.0, 2.0, 4.0], [5, 7, 7, 3])
    trains = read_sonata_spikes(spikes, INTERVAL_MS, [SonataNodes(tmp_path / "nodes.h5", columns=("layer", "mtype"))])
    found = {
        (trains.units.populations[trains.units.population_of[unit]], trains.units.names[unit]): trains.train(
            unit
        ).tolist()
        for unit in range(3)
    }
    assert found == {("E 4 PC", "7"): [1.0, 2.0], ("E 5 PV", "3"): [4.0], ("E 5 PC", "5"): [3.0]}


@pytest.mark.parametrize(
    ("times", "nodes", "how", "message"),
    [
        ([1.0, 2.0], [0], {}, r"one node a spike, got \(2,\) times and \(1,\) nodes"),
        ([1.0], [0.5], {}, "expected whole numbers in 'node_ids', got float64"),
        ([2.0, 1.0], [0, 1], {"sorting": "by_time"}, r"sorted by_time, but spike 1 \(1\.0\) comes after 2\.0"),
        ([1.0, 2.0, 3.0], [0, 2, 1], {"sorting": "by_id"}, r"sorted by_id, but spike 2 \(1\) comes after 2"),
        ([1.0], [0], {"unit": "mV"}, r"a\.h5, /spikes/E/timestamps, units: expected a unit like ms, got 'mV'"),
        ([1.0, 3001.0], [0, 0], {}, r"a\.h5: 1 of 2 spikes lie outside .*0 to 3000 ms, the first at 3001 ms"),
        ([np.nan], [0], {}, "1 of 1 spikes lie outside the observation"),
        ([1.0], [9], {}, "node 9 of 'E' has spikes, but is not among the 3 nodes of its file"),
    ],
)
def test_what_is_wrong_with_a_file_and_where(tmp_path, times, nodes, how, message):
    write_nodes(tmp_path / "nodes.h5", "E", 3)
    path = write_spikes(tmp_path / "a.h5", times, nodes, **how)
    with pytest.raises(RecordingError, match=message) as caught:
        read_sonata_spikes(path, INTERVAL_MS, [SonataNodes(tmp_path / "nodes.h5")])
    assert "a.h5" in str(caught.value)


def test_what_is_no_file_of_spikes(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["nodes/E"] = 1
    with pytest.raises(RecordingError, match=r"a\.h5: expected a group 'spikes', there is nodes"):
        read_sonata_spikes(tmp_path / "a.h5", INTERVAL_MS)
    with pytest.raises(RecordingError, match=r"a\.h5, /nodes|a\.h5 cannot be read as a SONATA file of nodes"):
        read_sonata_spikes(write_spikes(tmp_path / "b.h5", [1.0], [0]), INTERVAL_MS, [SonataNodes(tmp_path / "a.h5")])
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_group("spikes/E")["timestamps"] = [1.0]
    with pytest.raises(RecordingError, match="expected 'timestamps' and 'node_ids', there is timestamps"):
        read_sonata_spikes(tmp_path / "c.h5", INTERVAL_MS)
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.create_group("spikes")
    with pytest.raises(RecordingError, match="the group 'spikes' has no population in it"):
        read_sonata_spikes(tmp_path / "d.h5", INTERVAL_MS)
    with pytest.raises(RecordingError, match="there is no such file"):
        read_sonata_spikes(tmp_path / "none.h5", INTERVAL_MS)


@pytest.mark.parametrize("dataset", ["timestamps", "node_ids"])
def test_damaged_spikes_are_noticed(tmp_path, dataset):
    path = tmp_path / "spikes.h5"
    write_sonata_spikes(trains_of([np.arange(0.0, 200.0, 0.5)] * 3), path)
    with h5py.File(path) as file:
        chunk = file[f"spikes/E/{dataset}"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + 100] ^= 4
    path.write_bytes(bytes(content))
    with pytest.raises(RecordingError, match=r"spikes\.h5 cannot be read as a SONATA file of spikes"):
        read_sonata_spikes(path, INTERVAL_MS)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_truncated_files(tmp_path, share):
    path = tmp_path / "spikes.h5"
    write_sonata_spikes(trains_of([np.arange(0.0, 200.0, 0.5)] * 3), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(RecordingError, match=r"spikes\.h5 cannot be read as a SONATA file of spikes"):
        read_sonata_spikes(path, INTERVAL_MS)
