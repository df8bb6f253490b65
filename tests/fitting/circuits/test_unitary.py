from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.mechanisms import bundled_mechanisms
from rheobase.fitting.cells.model import CellModel
from rheobase.fitting.cells.morphology import Morphology
from rheobase.fitting.cells.parameters import ParameterText, build_parameters
from rheobase.fitting.circuits.blueprint import CellVariant, CircuitBlueprint, Population, Projection
from rheobase.fitting.circuits.synapses import Receptor, ShortTermPlasticity, SynapseKind
from rheobase.fitting.circuits.unitary import PairedRecording, UnitaryPotential, unitary_potentials
from tests.fitting.cells.small_cell import HIDDEN, model

RADIUS_UM = 10.0
AREA_CM2 = 4.0 * math.pi * (RADIUS_UM * 1e-4) ** 2
LEAK_uS = 1e6 * 5e-5 * AREA_CM2
CAPACITANCE_nF = 1e3 * AREA_CM2
REST_MV = -75.0

AMPA = SynapseKind("ampa", (Receptor("AMPA", 0.3, 3.0, 0.0),))
GABA = SynapseKind("gaba", (Receptor("GABA_A", 1.0, 10.0, -80.0),))
RECORDING = PairedRecording(settle_ms=100.0, after_ms=60.0, variants=2, places=2)


def ball(leak_S_per_cm2: float = 5e-5) -> CellVariant:
    """A passive sphere: one segment."""
    swc = f"1 1 0 0 0 {RADIUS_UM} -1\n2 1 0 {-RADIUS_UM} 0 {RADIUS_UM} 1\n3 1 0 {RADIUS_UM} 0 {RADIUS_UM} 1\n"
    texts = {
        "cm.all": "1 uF/cm2", "Ra.all": "100 ohm cm", "e_pas.all": f"{REST_MV} mV",
        "g_pas.all": f"{leak_S_per_cm2} S/cm2",
    }  # fmt: skip
    parameters = build_parameters({name: ParameterText(text) for name, text in texts.items()}, (), bundled_mechanisms())
    return CellVariant(CellModel("ball", Morphology("ball.swc", swc.encode()), (), parameters, (), False), {}, "ball")


def blueprint(variants: tuple[CellVariant, ...], *projections: Projection) -> CircuitBlueprint:
    populations = tuple(Population(name, "L4", 2, variants, (100.0, 200.0)) for name in ("E", "I"))
    return CircuitBlueprint("pair", populations, projections, time_step_ms=0.025)


def projection(source: str, target: str, synapse: SynapseKind, **others: object) -> Projection:
    plain = Projection(source, target, synapse, 0.05, probability=1.0, contacts=3, sections=("somatic",))
    return replace(plain, **others)


def expected_mV(conductance_uS: float, receptor: Receptor, holding_mV: float) -> float:
    """Peak for the ball, from the equation of its membrane: C v' = I - g_leak (v - rest) - g(t) (v - reversal)."""
    rise, decay = receptor.rise_ms, receptor.decay_ms
    peak_ms = rise * decay / (decay - rise) * math.log(decay / rise)
    scale = 1.0 / (math.exp(-peak_ms / decay) - math.exp(-peak_ms / rise))
    current_nA = LEAK_uS * (holding_mV - REST_MV)

    def slope(t: float, v: np.ndarray) -> np.ndarray:
        g = conductance_uS * scale * (math.exp(-t / decay) - math.exp(-t / rise))
        return (current_nA - LEAK_uS * (v - REST_MV) - g * (v - receptor.reversal_mV)) / CAPACITANCE_nF

    voltage = solve_ivp(slope, (0.0, 60.0), [holding_mV], max_step=0.05, rtol=1e-8).y[0] - holding_mV
    return float(voltage[np.argmax(np.abs(voltage))])


def test_potentials_of_a_passive_cell_are_those_of_its_equation() -> None:
    found = unitary_potentials(
        blueprint((ball(),), projection("E", "I", AMPA), projection("I", "E", GABA)), {"weight:E->I": 2.0}, RECORDING
    )
    excitatory, inhibitory = found
    assert [one.projection for one in found] == ["E->I", "I->E"]
    assert (excitatory.holding_mV, inhibitory.holding_mV) == (-70.0, -60.0)
    assert excitatory.amplitudes_mV == pytest.approx([expected_mV(3e-4, AMPA.receptors[0], -70.0)] * 2, rel=0.01)
    assert inhibitory.amplitudes_mV == pytest.approx([expected_mV(1.5e-4, GABA.receptors[0], -60.0)] * 2, rel=0.01)
    assert excitatory.mean_mV is not None
    assert excitatory.mean_mV > 0.5
    assert inhibitory.median_mV is not None
    assert inhibitory.median_mV < -0.5


def test_release_is_its_mean_after_a_long_silence() -> None:
    stochastic = replace(AMPA, plasticity=ShortTermPlasticity(0.4, 500.0), release_sites=3)
    (found,) = unitary_potentials(blueprint((ball(),), projection("E", "I", stochastic)), {}, RECORDING)
    assert found.amplitudes_mV == pytest.approx([expected_mV(0.4 * 1.5e-4, AMPA.receptors[0], -70.0)] * 2, rel=0.01)


def test_pairs_differ_in_model_and_place_and_come_out_the_same_again() -> None:
    variant = CellVariant(model(), HIDDEN, "small")
    circuit = blueprint(
        (variant, CellVariant(model(), {**HIDDEN, "g_pas.all": 2e-4}, "leaky"), variant),
        projection("E", "I", AMPA, sections=("apical", "basal"), conductance_nS=1.0),
    )
    circuit = replace(circuit, time_step_ms=0.1, initial_voltage_mV=-80.0)
    (found,) = unitary_potentials(circuit, {}, RECORDING)
    assert len(found.amplitudes_mV) == 4  # two of three models, two places each
    assert len(set(found.amplitudes_mV)) == 4
    assert all(0.05 < amplitude < 10.0 for amplitude in found.amplitudes_mV)
    assert np.mean(found.amplitudes_mV[2:]) < np.mean(found.amplitudes_mV[:2])
    (again,) = unitary_potentials(circuit, {}, RECORDING)
    assert again == found


def test_a_cell_that_fires_has_no_unitary_potential() -> None:
    variant = CellVariant(model(), HIDDEN, "small")
    strong = projection("E", "I", AMPA, sections=("basal",), conductance_nS=500.0)
    (found,) = unitary_potentials(replace(blueprint((variant,), strong), time_step_ms=0.1), {}, RECORDING)
    assert found == UnitaryPotential("E->I", (), 2, -70.0)
    assert found.mean_mV is found.median_mV is found.std_mV is None


def test_a_cell_that_cannot_be_held_has_none_either() -> None:
    variant = CellVariant(model(), HIDDEN, "small")
    circuit = replace(blueprint((variant,), projection("I", "E", GABA)), time_step_ms=0.1)
    held = replace(RECORDING, inhibitory_holding_mV=-40.0)
    (found,) = unitary_potentials(circuit, {}, held)
    assert found.amplitudes_mV == ()
    assert found.left_out == 2
    assert unitary_potentials(circuit, {}, RECORDING)[0].left_out == 0


def test_refuses_what_cannot_be_measured() -> None:
    with pytest.raises(ModelError, match="E->I: ball has no apical section"):
        unitary_potentials(blueprint((ball(),), projection("E", "I", AMPA, sections=("apical",))), {}, RECORDING)
    with pytest.raises(ModelError, match="at least one model"):
        PairedRecording(variants=0)
