from __future__ import annotations

from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from tests.contracts.circuits import CircuitContract
from tests.fitting.circuits import toy_circuit


class TestNeuronCircuit(CircuitContract):
    strong = "background:E"

    def build(self) -> NeuronCircuit:
        return NeuronCircuit(toy_circuit.blueprint())
