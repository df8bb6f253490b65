from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.blueprint import Population, Projection, SpikeVolleys
from rheobase.fitting.circuits.connecting import Contacts, connect
from rheobase.fitting.circuits.placing import place_cells
from tests.fitting.circuits import toy_circuit
from tests.fitting.circuits.shapes_of_numbers import BASAL_UM, TRUNK_UM, blueprint, shape_of

KIND = toy_circuit.OUTSIDE


def connected(projection: Projection, sizes: dict[str, int] | None = None, **changes: Any) -> Contacts:
    circuit = blueprint(projection, sizes, **changes)
    return connect(circuit, place_cells(circuit, shape_of))[projection.name]


projections = st.builds(
    lambda source, how, contacts, falloff, cv: Projection(
        source, "B", KIND, 0.5, contacts=contacts, falloff_um=falloff, conductance_cv=cv, sections=("basal", "apical"),
        **how,
    ),
    st.sampled_from(["A", "B"]),
    st.one_of(
        st.builds(lambda p: {"probability": p}, st.floats(0.0, 1.0)),
        st.builds(lambda n: {"in_degree": n}, st.integers(0, 9)),
    ),
    st.integers(1, 5),
    st.one_of(st.none(), st.floats(1.0, 500.0)),
    st.sampled_from([0.0, 0.7]),
)  # fmt: skip


class TestAnyProjection:
    @settings(max_examples=60, deadline=None)
    @given(projection=projections, seed=st.integers(0, 100))
    def test_holds(self, projection: Projection, seed: int) -> None:
        contacts = connected(projection, {"A": 12, "B": 10}, seed=seed)
        pairs = np.stack([contacts.source, contacts.target], axis=1)
        unique, counts = np.unique(pairs, axis=0, return_counts=True)
        assert set(counts.tolist()) <= {projection.contacts}
        assert contacts.connections == len(unique)
        assert np.all(np.diff(contacts.target) >= 0)
        if projection.source == "B":
            assert np.all(contacts.source != contacts.target)
        if projection.in_degree is not None:
            degrees = np.bincount(unique[:, 1].astype(int), minlength=10) if len(unique) else np.zeros(10, dtype=int)
            assert set(degrees.tolist()) == {projection.in_degree}
        assert set(contacts.section.tolist()) <= {1, 2}
        assert np.all((contacts.position >= 0.0) & (contacts.position <= 1.0))
        assert np.all(contacts.delay_ms >= projection.delay_ms)
        assert np.all(contacts.conductance_nS > 0.0)

    @settings(max_examples=20, deadline=None)
    @given(projection=projections)
    def test_does_not_change_with_what_else_there_is(self, projection: Projection) -> None:
        alone = blueprint(projection, {"A": 12, "B": 10})
        first = Population("Z", "L", 5, toy_circuit.variants(), (0.0, 50.0))
        others = (Projection("Z", "B", KIND, 0.5, probability=0.5), projection)
        more = replace(alone, populations=(first, *alone.populations), projections=others)
        found = [connect(circuit, place_cells(circuit, shape_of))[projection.name] for circuit in (alone, more)]
        for name in ("source", "target", "section", "position", "delay_ms", "conductance_nS"):
            assert getattr(found[0], name).tobytes() == getattr(found[1], name).tobytes(), name


class TestChances:
    def test_probability(self) -> None:
        contacts = connected(Projection("A", "B", KIND, 0.5, probability=0.2), {"A": 150, "B": 100})
        assert contacts.connections == pytest.approx(0.2 * 150 * 100, abs=4.0 * np.sqrt(3000 * 0.8))

    def test_probability_falls_with_horizontal_distance(self) -> None:
        projection = Projection("A", "B", KIND, 0.5, probability=0.8, falloff_um=100.0)
        circuit = blueprint(projection, {"A": 200, "B": 150}, radius_um=250.0)
        placed = place_cells(circuit, shape_of)
        contacts = connect(circuit, placed)[projection.name]
        somata = {name: np.array([cell.position_um[:2] for cell in cells]) for name, cells in placed.items()}
        distances = np.linalg.norm(somata["A"][:, None] - somata["B"][None], axis=2)
        made = np.zeros(distances.shape, dtype=bool)
        made[contacts.source, contacts.target] = True
        for near, far in ((0.0, 50.0), (80.0, 100.0), (150.0, 180.0), (250.0, 300.0)):
            inside = (distances >= near) & (distances < far)
            expected = np.mean(0.8 * np.exp(-(distances[inside] ** 2) / 2e4))
            error = np.sqrt(expected * (1.0 - expected) / inside.sum())
            assert np.mean(made[inside]) == pytest.approx(expected, abs=4.0 * error)

    def test_in_degree_prefers_the_near(self) -> None:
        projection = Projection("A", "B", KIND, 0.5, in_degree=10, falloff_um=60.0)
        circuit = blueprint(projection, {"A": 100, "B": 100})
        placed = place_cells(circuit, shape_of)
        contacts = connect(circuit, placed)[projection.name]
        somata = {name: np.array([cell.position_um[:2] for cell in cells]) for name, cells in placed.items()}
        made = np.linalg.norm(somata["A"][contacts.source] - somata["B"][contacts.target], axis=1)
        everyone = np.linalg.norm(somata["A"][:, None] - somata["B"][None], axis=2)
        assert made.mean() < 0.7 * everyone.mean()

    def test_seed(self) -> None:
        projection = Projection("A", "B", KIND, 0.5, probability=0.2)
        first, again, other = (connected(projection, seed=seed) for seed in (1, 1, 2))
        assert first.source.tobytes() == again.source.tobytes()
        assert first.source.tobytes() != other.source.tobytes()

    def test_in_degree_larger_than_the_population(self) -> None:
        with pytest.raises(ModelError, match="B->B: an in-degree of 30 needs as many presynaptic cells, there are 29"):
            connected(Projection("B", "B", KIND, 0.5, in_degree=30))


class TestPlaces:
    def test_in_proportion_to_length(self) -> None:
        contacts = connected(Projection("A", "B", KIND, 0.5, probability=1.0, contacts=5, sections=("basal", "apical")))
        part = BASAL_UM / (BASAL_UM + TRUNK_UM)
        assert np.mean(contacts.section == 1) == pytest.approx(part, abs=4.0 * np.sqrt(part / len(contacts)))
        trunk = contacts.position[contacts.section == 2]
        np.testing.assert_allclose(np.histogram(trunk, 4, (0.0, 1.0))[0] / len(trunk), 0.25, atol=0.04)

    def test_within_distances(self) -> None:
        projection = Projection(
            "A", "B", KIND, 0.5, probability=0.5, sections=("basal", "apical"), distances_um=(80.0, 160.0)
        )
        contacts = connected(projection)
        basal, trunk = (contacts.position[contacts.section == place] for place in (1, 2))
        assert basal.min() >= 0.8
        # The trunk begins 10 um from the middle of the soma.
        assert 70.0 / TRUNK_UM <= trunk.min() < trunk.max() <= 150.0 / TRUNK_UM
        assert len(basal) / len(contacts) == pytest.approx(0.2, abs=0.08)

    def test_soma(self) -> None:
        contacts = connected(Projection("A", "B", KIND, 0.5, probability=0.5, sections=("somatic",)))
        assert set(contacts.section.tolist()) == {0}

    def test_nowhere(self) -> None:
        projection = Projection("A", "B", KIND, 0.5, probability=1.0, sections=("axonal",))
        with pytest.raises(ModelError, match=r"A->B: pyramid .* has no axonal section from 0 to inf um"):
            connected(projection)


class TestDelaysAndConductances:
    def test_delay_grows_with_distance(self) -> None:
        projection = Projection("A", "B", KIND, 0.5, probability=0.5, delay_ms=0.7, velocity_um_per_ms=250.0)
        circuit = blueprint(projection)
        placed = place_cells(circuit, shape_of)
        contacts = connect(circuit, placed)[projection.name]
        for n in range(0, len(contacts), 37):
            source, target = placed["A"][contacts.source[n]], placed["B"][contacts.target[n]]
            distance = np.linalg.norm(source.position_um - target.position_um)
            assert contacts.delay_ms[n] == pytest.approx(0.7 + distance / 250.0)
        assert len(np.unique(contacts.delay_ms)) == contacts.connections

    def test_log_normal(self) -> None:
        projection = Projection("A", "B", KIND, 2.0, probability=1.0, contacts=2, conductance_cv=0.5)
        contacts = connected(projection, {"A": 100, "B": 100})
        values = contacts.conductance_nS[::2]
        np.testing.assert_array_equal(values, contacts.conductance_nS[1::2])  # one for each connection
        assert values.mean() == pytest.approx(2.0, rel=0.02)
        assert values.std() / values.mean() == pytest.approx(0.5, rel=0.05)
        assert np.log(values).std() == pytest.approx(np.sqrt(np.log(1.25)), rel=0.04)

    def test_fibres_from_outside(self) -> None:
        projection = Projection("fibres", "B", KIND, 0.5, in_degree=4, delay_ms=1.5, falloff_um=10.0)
        contacts = connected(projection, stimuli=(SpikeVolleys("fibres", 9, (10.0,)),))
        assert contacts.source.max() == 8
        assert set(contacts.delay_ms.tolist()) == {1.5}
