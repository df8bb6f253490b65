"""Spikes of SONATA networks: spikes.h5, with nodes.h5 and node_types.csv for the neurons that did not fire.

The format: Dai et al. 2020, PLoS Comput Biol 16:e1007696. Read through h5py, since libsonata refuses the files of
BMTK, whose `sorting` is text, and those of before node populations (`/spikes/gids`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.activity.files import spike_trains_of_file
from rheobase.features.activity.populations import Units
from rheobase.features.activity.sonata_nodes import NodePopulation, SonataNodes, read_node_populations
from rheobase.features.errors import RecordingError, UnitError
from rheobase.features.readers.signals import reading
from rheobase.features.units import factor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from rheobase.features.activity.spike_trains import SpikeTrains

# Name of the population of a file that knows none.
ONE_POPULATION = "all"


@dataclass(frozen=True, eq=False)
class _Spikes:
    """Spikes of one group of the file."""

    population: str | None
    times_ms: NDArray[np.float64]
    node_ids: NDArray[np.int64]


def read_sonata_spikes(path: Path, observed_ms: tuple[float, float], nodes: Sequence[SonataNodes] = ()) -> SpikeTrains:
    """Spikes of a SONATA network.

    Args:
        path: The file of spikes.
        observed_ms: Start and end of what was simulated (ms), which the file does not say: 0 and `tstop`.
        nodes: Files of the nodes of every population in it, so that silent neurons count. A population of nodes that
            has no spikes in the file is silent. Without them the neurons are those that fired.

    Raises:
        RecordingError: Not such a file, spikes of a population or node that is not in `nodes`, an order other than
            the file states, or spikes beyond the observation.
    """
    spikes = _read_spikes(path)
    known = [population for one in nodes for population in read_node_populations(one)]
    if not nodes:
        known = [_of_spiking_nodes(one) for one in spikes]
    spikes = _with_names(spikes, known, path)
    by_name = {population.name: place for place, population in enumerate(known)}
    first_unit = np.cumsum([0] + [len(population.ids) for population in known])
    unit_of_spike = [
        first_unit[by_name[str(one.population)]] + _places(one, known[by_name[str(one.population)]], path)
        for one in spikes
    ]
    units = Units.from_labels(
        [label for population in known for label in population.labels],
        [str(node) for population in known for node in population.ids],
        silent_included=bool(nodes),
    )
    return spike_trains_of_file(
        path,
        np.concatenate([one.times_ms for one in spikes]),
        np.concatenate(unit_of_spike).astype(np.intp),
        units,
        observed_ms,
    )


def write_sonata_spikes(trains: SpikeTrains, path: Path) -> None:
    """Write spikes as a SONATA file, one group a population, sorted by time; the names of units are the node ids.

    Args:
        trains: The spikes.
        path: File to write, replaced if it is there.

    Raises:
        RecordingError: A name of a population with a slash, or of a unit that is not a node id.
    """
    import h5py

    node_ids = _node_ids(trains.units, path)
    sorting = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, basetype="u1")
    population_of_spike = trains.units.population_of[trains.unit_of_spike]
    with h5py.File(path, "w") as file:
        file.attrs["magic"] = np.uint32(0x0A7A)
        file.attrs["version"] = np.array([0, 1], dtype=np.uint32)
        for place, population in enumerate(trains.units.populations):
            own = np.flatnonzero(population_of_spike == place)
            own = own[np.argsort(trains.times_ms[own], kind="stable")]
            group = file.create_group(f"spikes/{population}")
            group.attrs.create("sorting", 2, dtype=sorting)
            # The checksum lets a reader notice a damaged file; HDF5 has none for nothing.
            checked = True if len(own) else None
            times = group.create_dataset("timestamps", data=trains.times_ms[own], fletcher32=checked)
            times.attrs["units"] = "ms"
            group.create_dataset("node_ids", data=node_ids[trains.unit_of_spike[own]], fletcher32=checked)


def _read_spikes(path: Path) -> list[_Spikes]:
    import h5py

    with reading(path, "a SONATA file of spikes"), h5py.File(path, "r") as file:
        if "spikes" not in file:
            raise RecordingError(f"{path}: expected a group 'spikes', there is {', '.join(file) or 'nothing'}")
        root = file["spikes"]
        if "timestamps" in root:
            return [_read_group(root, None, path)]
        found = [_read_group(root[name], name, path) for name in sorted(root)]
        if not found:
            raise RecordingError(f"{path}: the group 'spikes' has no population in it")
        return found


def _read_group(group: Any, population: str | None, path: Path) -> _Spikes:
    where = f"{path}, {group.name}"
    node_key = next((key for key in ("node_ids", "gids") if key in group), None)
    if "timestamps" not in group or node_key is None:
        raise RecordingError(f"{where}: expected 'timestamps' and 'node_ids', there is {', '.join(group) or 'nothing'}")
    raw, ids = np.asarray(group["timestamps"][:]), np.asarray(group[node_key][:])
    if raw.shape != ids.shape or raw.ndim != 1:
        raise RecordingError(f"{where}: expected one node a spike, got {raw.shape} times and {ids.shape} nodes")
    if ids.size and not np.issubdtype(ids.dtype, np.integer):
        raise RecordingError(f"{where}: expected whole numbers in '{node_key}', got {ids.dtype}")
    unit = _text(group["timestamps"].attrs.get("units", "ms"))  # the format's own unit
    try:
        times = raw.astype(np.float64) * factor(unit, "ms")
    except UnitError as error:
        raise RecordingError(f"{where}/timestamps, units: {error}") from None
    _check_order(times, ids, _sorting(group), where)
    return _Spikes(population, times, ids.astype(np.int64))


def _sorting(group: Any) -> str:
    """The order that the file states: an enumeration, or text in files of BMTK."""
    import h5py

    if "sorting" not in group.attrs:
        return "none"
    value = group.attrs["sorting"]
    names = h5py.check_enum_dtype(group.attrs.get_id("sorting").dtype)
    if names is not None:
        return next((str(name) for name, number in names.items() if number == value), "none")
    return _text(value)


def _check_order(times: NDArray[np.float64], ids: NDArray[Any], sorting: str, where: str) -> None:
    values: NDArray[Any] | None = {"by_time": times, "by_id": ids, "by_gid": ids}.get(sorting)
    if values is not None and np.any(values[1:] < values[:-1]):
        first = int(np.argmax(values[1:] < values[:-1])) + 1
        raise RecordingError(
            f"{where}: it says that its spikes are sorted {sorting}, but spike {first} ({values[first]}) comes after "
            f"{values[first - 1]}; the file is damaged or its 'sorting' is wrong"
        )


def _of_spiking_nodes(spikes: _Spikes) -> NodePopulation:
    ids = np.unique(spikes.node_ids)
    name = spikes.population or ONE_POPULATION
    return NodePopulation(name, ids, (name,) * len(ids))


def _with_names(spikes: list[_Spikes], known: Sequence[NodePopulation], path: Path) -> list[_Spikes]:
    """The spikes with the population they belong to, which must be one that is known."""
    names = [population.name for population in known]
    if len(set(names)) < len(names):
        raise RecordingError(f"{path}: two of the files of nodes have the same population: {', '.join(names)}")
    if spikes[0].population is None:
        if len(names) != 1:
            raise RecordingError(
                f"{path}: its spikes have no population, so nodes of one population were expected, got "
                f"{', '.join(names)}"
            )
        return [_Spikes(names[0], spikes[0].times_ms, spikes[0].node_ids)]
    for one in spikes:
        if one.population not in names and len(one.node_ids):
            raise RecordingError(
                f"{path}: it has spikes of the population '{one.population}', but the nodes given are of "
                f"{', '.join(names)}; add the file of its nodes"
            )
    return [one for one in spikes if one.population in names]


def _places(spikes: _Spikes, population: NodePopulation, path: Path) -> NDArray[np.intp]:
    """Place of the node of each spike among the nodes of its population."""
    order = np.argsort(population.ids, kind="stable")
    place = np.searchsorted(population.ids, spikes.node_ids, sorter=order)
    found = order[np.minimum(place, len(order) - 1)]
    unknown = population.ids[found] != spikes.node_ids
    if np.any(unknown):
        raise RecordingError(
            f"{path}: node {spikes.node_ids[np.argmax(unknown)]} of '{population.name}' has spikes, but is not among "
            f"the {len(order)} nodes of its file"
        )
    return found


def _node_ids(units: Units, path: Path) -> NDArray[np.uint64]:
    for population in units.populations:
        if "/" in population or population in ("", "."):
            raise RecordingError(
                f"{path}: the name of a SONATA population has no slash, got '{population}'; rename it with "
                "SpikeTrains.regrouped"
            )
    wrong = next((name for name in units.names if not (name.isascii() and name.isdigit())), None)
    if wrong is not None:
        raise RecordingError(f"{path}: the units of a SONATA file are numbers of nodes, got a unit named '{wrong}'")
    return np.array([int(name) for name in units.names], dtype=np.uint64)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
