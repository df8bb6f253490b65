"""What a worker builds for a circuit's campaign: the circuit and its targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.fitting.circuits.judging import judge
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from rheobase.fitting.tuning.trials import Outcome

if TYPE_CHECKING:
    from rheobase.fitting.circuits.blueprint import CircuitBlueprint
    from rheobase.fitting.circuits.circuit import CircuitResponse, Trial
    from rheobase.fitting.circuits.judging import CircuitTargets


class CircuitSimulator:
    """A circuit that answers trials with measured values, or with all that it did.

    Args:
        blueprint: The circuit.
        targets: What it should do.
    """

    def __init__(self, blueprint: CircuitBlueprint, targets: CircuitTargets) -> None:
        self._circuit = NeuronCircuit(blueprint)
        self._targets = targets

    def measure(self, trial: Trial) -> Outcome:
        """Simulate a trial and measure what the targets of its populations name."""
        response = self.respond(trial)
        populations = response.spikes.units.populations
        judged = judge(response, self._targets.of(populations, with_spectrum=trial.signals))
        values = {one.key: one.value for one in judged}
        return Outcome(values, response.stopped, response.simulated_ms, response.cpu_seconds)

    def respond(self, trial: Trial) -> CircuitResponse:
        """Simulate a trial; everything that it did."""
        return self._circuit.simulate(trial)
