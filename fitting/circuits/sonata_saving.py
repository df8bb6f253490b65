"""A tuned circuit in SONATA files: nodes, edges, and the spikes of a trial.

The format: Dai et al. 2020, PLoS Comput Biol 16:e1007696. Each population of the circuit is a population of nodes, each
stimulus one of virtual nodes, and each projection a population of edges, one edge a contact. Beside them lie the models
of the cells as hoc templates, their morphologies, and all mechanisms.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.activity.sonata import write_sonata_spikes
from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.mechanisms import circuit_mechanisms
from rheobase.fitting.circuits.templates import HocTemplate
from rheobase.fitting.ensembles.hoc import hoc_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.fitting.cells.morphology import Morphology
    from rheobase.fitting.circuits.blueprint import CircuitBlueprint, Projection
    from rheobase.fitting.circuits.connecting import Contacts
    from rheobase.fitting.circuits.network import CircuitPlan
    from rheobase.fitting.circuits.placing import PlacedCell

_MODELS, _MORPHOLOGIES, _MECHANISMS = "models", "morphologies", "mechanisms"


@dataclass(frozen=True)
class SonataCircuit:
    """Files of a circuit.

    Attributes:
        config: The circuit's configuration, which names the others (JSON).
        nodes: Nodes, the cells (HDF5).
        node_types: Types of nodes, one for each model of each population (CSV, separated by spaces).
        virtual_nodes: Fibres of stimuli; None without stimuli.
        virtual_node_types: Their types; None likewise.
        edges: Edges (HDF5); None without projections.
        edge_types: Types of edges, one for each projection; None likewise.
        spikes: Spikes; None if not given.
    """

    config: Path
    nodes: Path
    node_types: Path
    virtual_nodes: Path | None
    virtual_node_types: Path | None
    edges: Path | None
    edge_types: Path | None
    spikes: Path | None


def save_sonata(
    plan: CircuitPlan, parameters: Mapping[str, float], folder: Path, spikes: SpikeTrains | None = None
) -> SonataCircuit:
    """Write a circuit with its tuned weights.

    Args:
        plan: The circuit.
        parameters: Its parameters; those that are not given are 1.
        folder: Where to write, made if it is not there.
        spikes: Spikes of a trial, if wanted.

    Raises:
        ModelError: a name with a slash, which SONATA cannot have, or an unknown parameter.
    """
    blueprint = plan.blueprint
    _check(blueprint, parameters)
    folder.mkdir(parents=True, exist_ok=True)
    has_fibres, has_edges = bool(blueprint.stimuli), bool(blueprint.projections)
    files = SonataCircuit(
        folder / "circuit_config.json",
        folder / "nodes.h5",
        folder / "node_types.csv",
        folder / "virtual_nodes.h5" if has_fibres else None,
        folder / "virtual_node_types.csv" if has_fibres else None,
        folder / "edges.h5" if has_edges else None,
        folder / "edge_types.csv" if has_edges else None,
        folder / "spikes.h5" if spikes is not None else None,
    )
    _write_models(blueprint, folder)
    _write_nodes(plan, files.nodes, files.node_types)
    if files.virtual_nodes is not None and files.virtual_node_types is not None:
        _write_virtual_nodes(blueprint, files.virtual_nodes, files.virtual_node_types)
    if files.edges is not None and files.edge_types is not None:
        _write_edges(plan, parameters, files.edges)
        _write_table(files.edge_types, _edge_types(blueprint))
    if files.spikes is not None and spikes is not None:
        write_sonata_spikes(spikes, files.spikes)
    _write_config(blueprint, files)
    return files


def _check(blueprint: CircuitBlueprint, parameters: Mapping[str, float]) -> None:
    names = [*(one.name for one in blueprint.populations), *(one.name for one in blueprint.stimuli)]
    wrong = next((name for name in names if "/" in name or name in ("", ".")), None)
    if wrong is not None:
        raise ModelError(f"the name of a SONATA population has no slash, got '{wrong}'; rename the population")
    unknown = next((name for name in parameters if name not in blueprint.parameters), None)
    if unknown is not None:
        raise ModelError(f"the circuit has no parameter '{unknown}'; it has {', '.join(blueprint.parameters)}")


def _write_nodes(plan: CircuitPlan, path: Path, types_path: Path) -> None:
    import h5py

    names, files = _template_names(plan.blueprint), _morphology_files(plan.blueprint)
    rows: list[dict[str, Any]] = []
    with h5py.File(path, "w") as file:
        _sign(file)
        for population in plan.blueprint.populations:
            first = 100 + len(rows)
            rows += [
                {
                    "node_type_id": first + number,
                    "population": population.name,
                    "layer": population.layer,
                    "model_type": "biophysical",
                    "model_template": f"hoc:{names[id(variant)]}",
                    "morphology": Path(files[variant.model.morphology]).stem,
                }
                for number, variant in enumerate(population.variants)
            ]
            cells = plan.placed[population.name]
            numbers = {id(variant): first + number for number, variant in enumerate(population.variants)}
            types = np.array([numbers[id(cell.variant)] for cell in cells])
            _write_node_population(file, population.name, types, cells)
    _write_table(types_path, rows)


def _template_names(blueprint: CircuitBlueprint) -> dict[int, str]:
    """A name for each model, by its identity; letters, digits and underscores, no two models alike."""
    found: dict[int, str] = {}
    for population in blueprint.populations:
        for variant in population.variants:
            if isinstance(variant.model, HocTemplate):
                found[id(variant)] = variant.model.name
            else:
                name = re.sub(r"\W", "_", variant.name)
                found.setdefault(id(variant), f"{name}_{len(found)}")
    return found


def _morphology_files(blueprint: CircuitBlueprint) -> dict[Morphology, str]:
    """A file name for each morphology: its own, or with a number where another one has that."""
    found: dict[Morphology, str] = {}
    for population in blueprint.populations:
        for variant in population.variants:
            morphology = variant.model.morphology
            if morphology not in found:
                own = Path(morphology.name)
                numbered = (f"{own.stem}_{number}{own.suffix}" for number in itertools.count(2))
                names = itertools.chain((own.name,), numbered)
                found[morphology] = next(name for name in names if name not in found.values())
    return found


def _write_models(blueprint: CircuitBlueprint, folder: Path) -> None:
    for name in (_MODELS, _MORPHOLOGIES, _MECHANISMS):
        (folder / name).mkdir(exist_ok=True)
    names, files = _template_names(blueprint), _morphology_files(blueprint)
    variants = {id(variant): variant for population in blueprint.populations for variant in population.variants}
    for key, variant in variants.items():
        model = variant.model
        text = model.text if isinstance(model, HocTemplate) else hoc_template(model, variant.parameters, names[key])
        (folder / _MODELS / f"{names[key]}.hoc").write_text(text, encoding="utf-8")
        (folder / _MORPHOLOGIES / files[model.morphology]).write_bytes(model.morphology.content)
        for mechanism in (*model.mechanisms, *circuit_mechanisms()):
            (folder / _MECHANISMS / f"{mechanism.name}.mod").write_text(mechanism.text, encoding="utf-8")


def _write_virtual_nodes(blueprint: CircuitBlueprint, path: Path, types_path: Path) -> None:
    import h5py

    rows = [
        {"node_type_id": number, "population": stimulus.name, "model_type": "virtual"}
        for number, stimulus in enumerate(blueprint.stimuli, 100)
    ]
    with h5py.File(path, "w") as file:
        _sign(file)
        for number, stimulus in enumerate(blueprint.stimuli, 100):
            _write_node_population(file, stimulus.name, np.full(stimulus.fibres, number), ())
    _write_table(types_path, rows)


def _write_node_population(file: Any, name: str, types: NDArray[np.intp], cells: Sequence[PlacedCell]) -> None:
    from scipy.spatial.transform import Rotation

    group = file.create_group(f"nodes/{name}")
    group["node_id"] = np.arange(len(types), dtype=np.uint64)
    group["node_type_id"] = types.astype(np.int64)
    group["node_group_id"] = np.zeros(len(types), dtype=np.uint32)
    group["node_group_index"] = np.arange(len(types), dtype=np.uint64)
    properties = group.create_group("0")
    if not cells:
        return
    for axis, values in zip("xyz", np.array([cell.position_um for cell in cells]).T, strict=True):
        properties[axis] = values
    turns = Rotation.from_matrix(np.array([cell.rotation for cell in cells])).as_quat()
    for axis, values in zip("xyzw", turns.T, strict=True):
        properties[f"orientation_{axis}"] = values


def _write_edges(plan: CircuitPlan, parameters: Mapping[str, float], path: Path) -> None:
    import h5py

    sizes = {population.name: population.size for population in plan.blueprint.populations}
    sizes |= {stimulus.name: stimulus.fibres for stimulus in plan.blueprint.stimuli}
    with h5py.File(path, "w") as file:
        _sign(file)
        for number, (name, contacts) in enumerate(plan.contacts.items()):
            projection = contacts.projection
            group = file.create_group(f"edges/{_edge_population(projection)}")
            for side, of_contact in (("source", contacts.source), ("target", contacts.target)):
                ids = group.create_dataset(f"{side}_node_id", data=of_contact.astype(np.uint64))
                ids.attrs["node_population"] = getattr(projection, side)
            group["edge_type_id"] = np.full(len(contacts), 100 + number, dtype=np.int64)
            group["edge_group_id"] = np.zeros(len(contacts), dtype=np.uint32)
            group["edge_group_index"] = np.arange(len(contacts), dtype=np.uint64)
            _write_contacts(group.create_group("0"), contacts, parameters.get(f"weight:{name}", 1.0))
            _write_index(group, "source_to_target", contacts.source, sizes[projection.source])
            _write_index(group, "target_to_source", contacts.target, sizes[projection.target])


def _write_contacts(group: Any, contacts: Contacts, gain: float) -> None:
    group["syn_weight"] = 1e-3 * gain * contacts.conductance_nS  # uS, as BMTK has it
    group["delay"] = contacts.delay_ms
    group["afferent_section_id"] = contacts.section.astype(np.uint32)
    group["afferent_section_pos"] = contacts.position


def _write_index(group: Any, name: str, nodes: NDArray[np.intp], count: int) -> None:
    """Ranges of edges of each node, by which readers find them."""
    # A range begins where the node changes, in the order of the file.
    begins = np.flatnonzero(np.diff(nodes, prepend=-1) != 0) if len(nodes) else np.empty(0, dtype=np.intp)
    ends = np.append(begins[1:], len(nodes)) if len(nodes) else begins
    node_of_range = nodes[begins]
    order = np.argsort(node_of_range, kind="stable")
    ranges = np.stack([begins, ends], axis=1)[order]
    last = np.cumsum(np.bincount(node_of_range, minlength=count))
    index = group.require_group("indices").create_group(name)
    index["node_id_to_ranges"] = np.stack([np.append(0, last[:-1]), last], axis=1).astype(np.uint64)
    index["range_to_edge_id"] = ranges.astype(np.uint64)


def _edge_types(blueprint: CircuitBlueprint) -> list[dict[str, Any]]:
    rows = []
    for number, projection in enumerate(blueprint.projections):
        kind = projection.synapse
        plasticity = kind.plasticity
        receptors = ";".join(
            f"{one.name}:rise={one.rise_ms:g}:decay={one.decay_ms:g}:reversal={one.reversal_mV:g}:share={one.share:g}"
            for one in kind.receptors
        )
        rows.append(
            {
                "edge_type_id": 100 + number,
                "synapse": kind.name.replace(" ", "_"),
                "receptors": receptors,
                "use": "NULL" if plasticity is None else plasticity.use,
                "recovery_ms": "NULL" if plasticity is None else plasticity.recovery_ms,
                "facilitation_ms": "NULL" if plasticity is None else plasticity.facilitation_ms,
                "release_sites": kind.release_sites,
            }
        )
    return rows


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=" ")
        writer.writeheader()
        writer.writerows(rows)


def _write_config(blueprint: CircuitBlueprint, files: SonataCircuit) -> None:
    models = {
        "type": "biophysical",
        "morphologies_dir": f"$BASE_DIR/{_MORPHOLOGIES}",
        "biophysical_neuron_models_dir": f"$BASE_DIR/{_MODELS}",
    }
    cells = {population.name: models for population in blueprint.populations}
    fibres = {stimulus.name: {"type": "virtual"} for stimulus in blueprint.stimuli}
    projections = {_edge_population(one): {"type": "chemical"} for one in blueprint.projections}
    networks = {
        "nodes": _listed("node", (files.nodes, files.node_types, cells))
        + _listed("node", (files.virtual_nodes, files.virtual_node_types, fibres)),
        "edges": _listed("edge", (files.edges, files.edge_types, projections)),
    }
    content = {"manifest": {"$BASE_DIR": "."}, "networks": networks}
    files.config.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _listed(kind: str, files: tuple[Path | None, Path | None, dict[str, dict[str, str]]]) -> list[dict[str, Any]]:
    path, types, populations = files
    if path is None or types is None:
        return []
    return [
        {
            f"{kind}s_file": f"$BASE_DIR/{path.name}",
            f"{kind}_types_file": f"$BASE_DIR/{types.name}",
            "populations": populations,
        }
    ]


def _edge_population(projection: Projection) -> str:
    return f"{projection.source}_to_{projection.target}"


def _sign(file: Any) -> None:
    file.attrs["magic"] = np.uint32(0x0A7A)
    file.attrs["version"] = np.array([0, 1], dtype=np.uint32)
