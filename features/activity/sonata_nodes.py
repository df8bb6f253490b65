"""Nodes of SONATA networks: which neurons there are, and which population each is counted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.activity.files import has_no_text
from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import reading

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class SonataNodes:
    """Files of the nodes of some populations.

    Attributes:
        nodes: The file of nodes (HDF5).
        node_types: The table of their types (CSV, separated by spaces); needed for columns that are only there.
        columns: Properties that divide a population further, for example ("ei",): the nodes of "v1" are then counted
            in "v1 e" and "v1 i".
    """

    nodes: Path
    node_types: Path | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class NodePopulation:
    """Nodes of one population.

    Attributes:
        name: Its name in the file.
        ids: Node ids, shape (nodes,), all different.
        labels: Name of the population that each node is counted in.
    """

    name: str
    ids: NDArray[np.int64]
    labels: tuple[str, ...]


def read_node_populations(files: SonataNodes) -> list[NodePopulation]:
    """Populations of a file of nodes, sorted by name.

    Raises:
        RecordingError: Not such a file, ids that are there twice, or a column that nodes lack.
    """
    import h5py

    types = _read_types(files.node_types) if files.node_types is not None else {}
    with reading(files.nodes, "a SONATA file of nodes"), h5py.File(files.nodes, "r") as file:
        if "nodes" not in file or not len(file["nodes"]):
            raise RecordingError(f"{files.nodes}: expected populations in a group 'nodes', there is {', '.join(file)}")
        return [_population(file["nodes"][name], name, types, files) for name in sorted(file["nodes"])]


def _read_types(path: Path) -> dict[str, dict[int, str]]:
    """Each column of a table of node types, by node type id."""
    import pandas

    with reading(path, "a SONATA table of node types"):
        table = pandas.read_csv(path, sep=" ", dtype=str, keep_default_na=False)
        if "node_type_id" not in table.columns:
            raise RecordingError(f"{path}: expected a column node_type_id, there are {', '.join(table.columns)}")
        ids = [int(number) for number in table["node_type_id"]]
        return {str(column): dict(zip(ids, table[column], strict=True)) for column in table.columns}


def _population(group: Any, name: str, types: dict[str, dict[int, str]], files: SonataNodes) -> NodePopulation:
    type_ids = np.asarray(group["node_type_id"][:], dtype=np.int64)
    # Without ids the nodes are numbered in order.
    ids = np.asarray(group["node_id"][:], dtype=np.int64) if "node_id" in group else np.arange(len(type_ids))
    if ids.shape != type_ids.shape or len(np.unique(ids)) != len(ids):
        raise RecordingError(f"{files.nodes}, {group.name}: expected {len(type_ids)} different node ids, one a node")
    if not len(ids):
        raise RecordingError(f"{files.nodes}, {group.name}: there are no nodes in it")
    if not files.columns:
        return NodePopulation(name, ids, (name,) * len(ids))
    values = [_column(group, column, type_ids, types, files) for column in files.columns]
    return NodePopulation(name, ids, tuple(" ".join((name, *row)) for row in zip(*values, strict=True)))


def _column(
    group: Any, column: str, type_ids: NDArray[np.int64], types: dict[str, dict[int, str]], files: SonataNodes
) -> list[str]:
    """Property of every node: its own where its group has it, else that of its type."""
    of_type = types.get(column, {})
    values = [of_type.get(type_id, "") for type_id in type_ids.tolist()]
    group_ids, places = np.asarray(group["node_group_id"][:]), np.asarray(group["node_group_index"][:])
    for number in np.unique(group_ids).tolist():
        own = group.get(str(number), {})
        if column in own:
            texts = _texts(own, column)
            for node in np.flatnonzero(group_ids == number).tolist():
                values[node] = texts[places[node]]
    missing = sum(has_no_text(value) for value in values)
    if missing:
        known = sorted(
            {*types, *(key for number in np.unique(group_ids).tolist() for key in group.get(str(number), {}))}
        )
        raise RecordingError(
            f"{files.nodes}, {group.name}: {missing} of {len(values)} nodes have no '{column}'; their columns are "
            f"{', '.join(known) or 'none'}" + ("" if types else "; give node_types, too")
        )
    return values


def _texts(group: Any, column: str) -> list[str]:
    """A property as text, looked up in the library of the group where it is numbered."""
    raw = np.asarray(group[column][:])
    if "@library" in group and column in group["@library"]:
        raw = np.asarray(group["@library"][column][:])[raw]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in raw.tolist()]
