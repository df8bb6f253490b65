from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from rheobase.features.activity.sonata import read_sonata_spikes
from rheobase.features.activity.sonata_nodes import SonataNodes
from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from rheobase.fitting.circuits.sonata_saving import SonataCircuit, save_sonata
from tests.fitting.circuits.toy_circuit import blueprint, trial

PARAMETERS = {"weight:I->E": 1.5}
FILES_OF_CELLS = {"nodes.h5", "node_types.csv", "circuit_config.json", "models", "morphologies", "mechanisms"}


@pytest.fixture(scope="module")
def circuit() -> Iterator[NeuronCircuit]:
    made = NeuronCircuit(blueprint())
    yield made
    made.close()


@pytest.fixture(scope="module")
def files(circuit: NeuronCircuit, tmp_path_factory: pytest.TempPathFactory) -> SonataCircuit:
    spikes = circuit.simulate(trial(parameters=PARAMETERS)).spikes
    return save_sonata(circuit.plan, PARAMETERS, tmp_path_factory.mktemp("sonata") / "circuit", spikes)


class TestOurReader:
    def test_spikes(self, circuit: NeuronCircuit, files: SonataCircuit) -> None:
        expected = circuit.simulate(trial(parameters=PARAMETERS)).spikes
        assert files.spikes is not None
        nodes = [SonataNodes(files.nodes, files.node_types)]
        found = read_sonata_spikes(files.spikes, (20.0, 120.0), nodes)
        for population in ("E", "I"):
            assert found.of(population).times_ms.tobytes() == expected.of(population).times_ms.tobytes()
            assert found.of(population).counts.tolist() == expected.of(population).counts.tolist()

    def test_layers(self, files: SonataCircuit) -> None:
        assert files.spikes is not None
        nodes = [SonataNodes(files.nodes, files.node_types, ("layer",))]
        found = read_sonata_spikes(files.spikes, (20.0, 120.0), nodes)
        assert set(found.units.populations) == {"E L1", "I L1"}


class TestLibsonata:
    def test_nodes(self, circuit: NeuronCircuit, files: SonataCircuit) -> None:
        libsonata = pytest.importorskip("libsonata")
        storage = libsonata.NodeStorage(str(files.nodes))
        assert storage.population_names == {"E", "I"}
        assert libsonata.NodeStorage(str(files.virtual_nodes)).open_population("thalamus").size == 6
        nodes = storage.open_population("I")
        assert nodes.size == 4
        depths = nodes.get_attribute("z", libsonata.Selection([(0, 4)]))
        np.testing.assert_array_equal(depths, [cell.position_um[2] for cell in circuit.plan.placed["I"]])

    def test_edges(self, circuit: NeuronCircuit, files: SonataCircuit) -> None:
        libsonata = pytest.importorskip("libsonata")
        storage = libsonata.EdgeStorage(str(files.edges))
        assert storage.population_names == {"E_to_E", "E_to_I", "I_to_E", "I_to_I", "thalamus_to_E"}
        edges, contacts = storage.open_population("I_to_E"), circuit.plan.contacts["I->E"]
        assert (edges.source, edges.target, edges.size) == ("I", "E", len(contacts))
        for target in range(8):
            selected = edges.afferent_edges([target])
            chosen = contacts.target == target
            np.testing.assert_array_equal(edges.source_nodes(selected), contacts.source[chosen])
            np.testing.assert_allclose(
                edges.get_attribute("syn_weight", selected), 1.5e-3 * contacts.conductance_nS[chosen], rtol=1e-12
            )
        for source in range(4):
            selected = edges.efferent_edges([source])
            assert sorted(edges.target_nodes(selected)) == sorted(contacts.target[contacts.source == source])

    def test_config(self, files: SonataCircuit) -> None:
        libsonata = pytest.importorskip("libsonata")
        config = libsonata.CircuitConfig.from_file(str(files.config))
        assert config.node_populations == {"E", "I", "thalamus"}
        assert config.edge_population("E_to_I").size > 0


class TestFiles:
    def test_types(self, files: SonataCircuit) -> None:
        assert files.edge_types is not None
        assert files.edges is not None
        rows = files.edge_types.read_text().splitlines()
        assert rows[0] == "edge_type_id synapse receptors use recovery_ms facilitation_ms release_sites"
        assert rows[3].split()[:2] == ["102", "inhibiting"]
        with h5py.File(files.edges) as file:
            assert set(file["edges/I_to_E/edge_type_id"][:].tolist()) == {102}
        assert sum("biophysical" in line for line in files.node_types.read_text().splitlines()) == 6

    def test_models(self, files: SonataCircuit) -> None:
        folder = files.config.parent
        models = sorted(path.name for path in (folder / "models").iterdir())
        assert len(models) == 6
        text = (folder / "models" / models[0]).read_text()
        assert f"begintemplate {models[0].removesuffix('.hoc')}" in text
        assert "gnabar_hh = 0.12" in text
        assert {path.name for path in (folder / "morphologies").iterdir()} == {"pyramid.swc", "interneuron.swc"}
        assert (folder / "mechanisms" / "ExcitatoryReceptors.mod").is_file()

    def test_without_projections_and_spikes(self, tmp_path: Path) -> None:
        plan = NeuronCircuit(blueprint(projections=(), stimuli=())).plan
        files = save_sonata(plan, {}, tmp_path)
        assert files.edges is files.edge_types is files.spikes is None
        assert {path.name for path in tmp_path.iterdir()} == FILES_OF_CELLS

    def test_slash(self, tmp_path: Path) -> None:
        changed = tuple(replace(one, name=one.name.replace("I", "L2/3")) for one in blueprint().populations)
        plan = NeuronCircuit(blueprint(populations=changed, projections=(), backgrounds=())).plan
        with pytest.raises(ModelError, match="SONATA population has no slash, got 'L2/3'"):
            save_sonata(plan, {}, tmp_path)

    def test_unknown_parameter(self, circuit: NeuronCircuit, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no parameter 'weight:X'"):
            save_sonata(circuit.plan, {"weight:X": 1.0}, tmp_path)
