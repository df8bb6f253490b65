from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.blueprint import CircuitBlueprint, FluctuatingConductance, Population, Projection
from rheobase.fitting.circuits.scaling import mean_falloff, mean_release, scale_circuit
from rheobase.fitting.circuits.synapses import Receptor, ShortTermPlasticity, SynapseKind
from tests.fitting.circuits import toy_circuit

AMPA = Receptor("AMPA", 0.3, 3.0, 0.0)
PLAIN = SynapseKind("plain", (AMPA,))
RATES = {"E": 3.0, "I": 9.0}


def circuit(kind: SynapseKind = PLAIN) -> CircuitBlueprint:
    populations = tuple(
        Population(name, "L", size, toy_circuit.variants(), (100.0, 300.0)) for name, size in (("E", 400), ("I", 100))
    )
    projections = (
        Projection("E", "E", kind, 0.2, probability=0.2, contacts=3),
        Projection("E", "I", kind, 0.3, in_degree=40),
        Projection("I", "E", toy_circuit.INHIBITING, 0.5, in_degree=50, sections=("somatic",)),
    )
    return CircuitBlueprint("full", populations, projections)


def in_degree(blueprint: CircuitBlueprint, projection: Projection) -> float:
    if projection.in_degree is not None:
        return projection.in_degree
    size = blueprint.population(projection.source).size - (projection.source == projection.target)
    return (projection.probability or 0.0) * size


def added_nS(blueprint: CircuitBlueprint, projection: Projection, receptor: str = "AMPA") -> float:
    name = f"lost {projection.source} {receptor}"
    (found,) = (one for one in blueprint.backgrounds if (one.population, one.name) == (projection.target, name))
    assert isinstance(found.source, FluctuatingConductance)
    assert found.source.std_ratio == 0.0
    return found.source.mean_nS


def area_ms(receptor: Receptor) -> float:
    """By numerical integration."""
    times = np.linspace(0.0, 100.0, 1_000_001)
    shape = np.exp(-times / receptor.decay_ms) - np.exp(-times / receptor.rise_ms)
    return float(np.trapezoid(shape, times) / shape.max())


class TestScaled:
    @settings(max_examples=30, deadline=None)
    @given(factor=st.floats(0.05, 1.0))
    def test_mean_and_variance_of_the_input(self, factor: float) -> None:
        full = circuit()
        small = scale_circuit(full, factor, RATES)
        for before, after in zip(full.projections[:2], small.projections[:2], strict=True):
            many, few = in_degree(full, before), in_degree(small, after)
            assert few * after.conductance_nS**2 == pytest.approx(many * before.conductance_nS**2, rel=1e-9)
            events = before.contacts * RATES["E"] / 1000.0 * area_ms(AMPA)
            lost = added_nS(small, after) if few < many else 0.0
            mean = few * after.conductance_nS * events + lost
            assert mean == pytest.approx(many * before.conductance_nS * events, rel=1e-6)

    def test_sizes(self) -> None:
        small = scale_circuit(circuit(), 0.1, RATES)
        assert [population.size for population in small.populations] == [40, 10]
        assert (small.projections[0].probability, small.projections[1].in_degree) == (0.2, 4)
        assert small.name == "full_scaled_0.1"

    def test_reversal_and_place_of_what_is_added(self) -> None:
        small = scale_circuit(circuit(), 0.5, RATES)
        (inhibition,) = (one.source for one in small.backgrounds if one.name == "lost I GABA_A")
        assert isinstance(inhibition, FluctuatingConductance)
        assert (inhibition.reversal_mV, inhibition.sections) == (-75.0, ("somatic",))

    def test_nothing_to_do(self) -> None:
        full = circuit()
        assert replace(scale_circuit(full, 1.0, {}), name="full") == full

    def test_fibres_from_outside_stay(self) -> None:
        full = toy_circuit.blueprint()
        small = scale_circuit(full, 0.8, RATES)
        assert small.projections[-1] == full.projections[-1]
        assert small.stimuli == full.stimuli


def disc_pairs_um(radius_um: float) -> np.ndarray:
    """Distances of pairs of random cells of a column."""
    generator = np.random.default_rng(1)
    radii, angles = radius_um * np.sqrt(generator.random((2, 200_000))), 2 * np.pi * generator.random((2, 200_000))
    return np.abs(np.diff(radii * np.exp(1j * angles), axis=0)[0])


class TestFalloff:
    @pytest.mark.parametrize("falloff_um", [3.0, 50.0, 100.0, 1000.0])
    def test_mean_over_pairs(self, falloff_um: float) -> None:
        """Of a falloff far below the radius the mean is that of a plane: 2 (falloff / radius)^2."""
        expected = float(np.exp(-0.5 * (disc_pairs_um(100.0) / falloff_um) ** 2).mean())
        assert mean_falloff(falloff_um, 100.0) == pytest.approx(expected, rel=0.05 if falloff_um < 10.0 else 0.005)
        if falloff_um < 10.0:
            assert mean_falloff(falloff_um, 100.0) == pytest.approx(2 * (falloff_um / 100.0) ** 2, rel=0.04)

    def test_none(self) -> None:
        assert mean_falloff(None, 100.0) == 1.0
        assert mean_falloff(1e6, 100.0) == pytest.approx(1.0)

    def test_less_is_lost_where_fewer_are_connected(self) -> None:
        full = circuit()
        near = replace(full, projections=(replace(full.projections[0], falloff_um=80.0), *full.projections[1:]))
        plain, falling = (added_nS(scale_circuit(one, 0.5, RATES), full.projections[0]) for one in (full, near))
        assert falling == pytest.approx(mean_falloff(80.0, full.radius_um) * plain)

    def test_too_few_are_told(self) -> None:
        full = circuit()
        near = replace(full, projections=(replace(full.projections[0], falloff_um=20.0), *full.projections[1:]))
        with pytest.raises(ModelError, match=r"E->E: 2\.\d+ presynaptic cells for each would become 0\.\d+, too few"):
            scale_circuit(near, 0.3, RATES)


class TestPlasticity:
    @pytest.mark.parametrize("rate_Hz", [1.0, 10.0, 50.0])
    @pytest.mark.parametrize(
        ("plasticity", "tolerance"),
        [(ShortTermPlasticity(0.5, 300.0), 0.02), (ShortTermPlasticity(0.1, 100.0, 500.0), 0.12), (None, 1e-12)],
    )
    def test_mean_release(self, rate_Hz: float, plasticity: ShortTermPlasticity | None, tolerance: float) -> None:
        kind = SynapseKind("kind", (AMPA,), plasticity)
        assert mean_release(kind, rate_Hz) == pytest.approx(simulated_release(plasticity, rate_Hz), rel=tolerance)

    def test_less_is_lost_where_synapses_are_depressed(self) -> None:
        depressing = SynapseKind("depressing", (AMPA,), ShortTermPlasticity(0.5, 800.0))
        plain, depressed = (
            added_nS(scale_circuit(circuit(kind), 0.5, RATES), circuit().projections[0]) for kind in (PLAIN, depressing)
        )
        assert depressed == pytest.approx(plain * mean_release(depressing, 3.0))
        assert depressed < 0.3 * plain


def simulated_release(plasticity: ShortTermPlasticity | None, rate_Hz: float) -> float:
    """Of a long Poisson train, spike by spike."""
    if plasticity is None:
        return 1.0
    used, available, total = 0.0, 1.0, 0.0
    gaps = np.random.default_rng(1).exponential(1000.0 / rate_Hz, 40_000)
    for gap in gaps.tolist():
        kept = math.exp(-gap / plasticity.facilitation_ms) if plasticity.facilitation_ms else 0.0
        used = used * kept
        used += plasticity.use * (1.0 - used)
        available = 1.0 - (1.0 - available) * math.exp(-gap / plasticity.recovery_ms)
        total += used * available
        available -= used * available
    return total / len(gaps)


class TestWhatCannotBeKept:
    def test_correlations(self) -> None:
        (note,) = scale_circuit(circuit(), 0.5, RATES).notes
        assert note.startswith("scaled to 50 % of the cells: mean and variance of the input are kept")

    def test_magnesium_block(self) -> None:
        notes = scale_circuit(circuit(toy_circuit.EXCITING), 0.5, RATES).notes
        assert "the lost input through NMDA receptors is a conductance without block, as at -60 mV" in notes

    def test_strong_connections(self) -> None:
        notes = scale_circuit(circuit(), 0.05, RATES).notes
        assert notes[1].startswith(
            "3 projections are more than 3 times as strong as in the full circuit, I->E 5.0 times"
        )

    @pytest.mark.parametrize("factor", [0.0, -1.0, 1.5, float("nan")])
    def test_factor(self, factor: float) -> None:
        with pytest.raises(ModelError, match="scaled by a factor above 0 and up to 1"):
            scale_circuit(circuit(), factor, RATES)

    def test_too_few_cells(self) -> None:
        with pytest.raises(
            ModelError, match=r"E->E: 79\.8 presynaptic cells for each would become 0\.6, .* at least 0\.013"
        ):
            scale_circuit(circuit(), 0.01, RATES)

    def test_unknown_rate(self) -> None:
        with pytest.raises(ModelError, match="needs the rate of 'E' in the full circuit"):
            scale_circuit(circuit(), 0.5, {})
