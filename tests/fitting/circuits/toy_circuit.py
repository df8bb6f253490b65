"""A circuit of two small populations of Hodgkin-Huxley cells, with all that circuits can have, quick to simulate."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

from rheobase.fitting.cells.model import CellModel
from rheobase.fitting.cells.morphology import Morphology
from rheobase.fitting.cells.parameters import ParameterText, build_parameters
from rheobase.fitting.circuits.blueprint import (
    Background,
    CellVariant,
    CircuitBlueprint,
    FluctuatingConductance,
    PoissonInput,
    Population,
    Projection,
    SpikeVolleys,
    TonicInhibition,
)
from rheobase.fitting.circuits.circuit import Trial
from rheobase.fitting.circuits.synapses import Receptor, ShortTermPlasticity, SynapseKind

PYRAMID = """\
1 1 0 0 0 8 -1
2 1 0 8 0 8 1
3 1 0 -8 0 8 1
4 3 8 -8 0 1 1
5 3 60 -60 0 1 4
6 4 0 8 0 1.5 1
7 4 0 210 0 1 6
8 4 0 210 0 0.8 7
9 4 -50 300 0 0.5 8
10 4 0 210 0 0.8 7
11 4 50 300 0 0.5 10
"""
INTERNEURON = """\
1 1 0 0 0 6 -1
2 1 0 6 0 6 1
3 1 0 -6 0 6 1
4 3 6 0 0 0.8 1
5 3 90 0 0 0.6 4
6 3 -6 0 0 0.8 1
7 3 -90 0 0 0.6 6
"""
TEXTS = {
    "cm.all": "1 uF/cm2",
    "Ra.all": "100 ohm cm",
    "g_pas.all": "1e-5 to 1e-3 S/cm2",
    "e_pas.all": "-65 mV",
    "gnabar_hh.somatic": "0.05 to 0.3 S/cm2",
    "gkbar_hh.somatic": "0.036 S/cm2",
    "gl_hh.somatic": "3e-5 S/cm2",
}
EXCITING = SynapseKind(
    "exciting", (Receptor("AMPA", 0.3, 3.0, 0.0), Receptor("NMDA", 2.0, 65.0, 0.0, 0.5)),
    ShortTermPlasticity(0.5, 200.0, 20.0), release_sites=2,
)  # fmt: skip
INHIBITING = SynapseKind("inhibiting", (Receptor("GABA_A", 1.0, 8.0, -75.0),))
OUTSIDE = SynapseKind("outside", (Receptor("AMPA", 0.3, 3.0, 0.0),))
PARAMETERS = (
    "weight:E->E", "weight:E->I", "weight:I->E", "weight:I->I", "weight:thalamus->E",
    "background:E", "background:E:trains", "background:I", "background:I:tonic", "modulation:E:trains",
)  # fmt: skip


@functools.cache
def model(kind: str = "pyramid") -> CellModel:
    entries = {name: ParameterText(text) for name, text in TEXTS.items()}
    content = PYRAMID if kind == "pyramid" else INTERNEURON
    return CellModel(
        name=kind,
        morphology=Morphology(f"{kind}.swc", content.encode()),
        mechanisms=(),
        parameters=build_parameters(entries, (), {}),
        replace_axon=kind == "pyramid",
        temperature_degC=16.0,
        segment_length_um=120.0,
    )


def variants(kind: str = "pyramid") -> tuple[CellVariant, ...]:
    return tuple(
        CellVariant(model(kind), {"g_pas.all": 1e-4, "gnabar_hh.somatic": sodium}, f"{kind} {sodium:g}")
        for sodium in (0.12, 0.15, 0.18)
    )


def blueprint(**changes: Any) -> CircuitBlueprint:
    made = CircuitBlueprint(
        name="toy",
        populations=(
            Population("E", "L1", 8, variants(), (200.0, 400.0)),
            Population("I", "L1", 4, variants("interneuron"), (200.0, 400.0), upright=False),
        ),
        projections=(
            Projection(
                "E", "E", EXCITING, 0.3, probability=0.4, contacts=2, sections=("basal", "apical"), falloff_um=90.0
            ),
            Projection("E", "I", EXCITING, 0.3, in_degree=5, contacts=2, conductance_cv=0.5),
            Projection("I", "E", INHIBITING, 0.5, in_degree=3, contacts=3, sections=("somatic", "basal")),
            Projection("I", "I", INHIBITING, 0.5, probability=0.5),
            Projection("thalamus", "E", OUTSIDE, 0.5, in_degree=4, sections=("basal",)),
        ),
        backgrounds=(
            Background("E", FluctuatingConductance(5.0, 0.4, 2.7, sections=("somatic", "basal"))),
            Background("E", PoissonInput(OUTSIDE, 0.4, 10, 20.0, ("apical",), 10.0, 0.5), "trains"),
            Background("I", PoissonInput(EXCITING, 1.5, 10, 30.0)),
            Background("I", TonicInhibition(2e-5), "tonic"),
        ),
        stimuli=(SpikeVolleys("thalamus", 6, (30.0, 60.0), 2.0, (0.8,)),),
        radius_um=100.0,
        temperature_degC=16.0,
        initial_voltage_mV=-65.0,
        time_step_ms=0.1,
    )
    return replace(made, **changes)


def trial(**changes: Any) -> Trial:
    return replace(Trial({}, seed=1, duration_ms=120.0, dropped_ms=20.0), **changes)
