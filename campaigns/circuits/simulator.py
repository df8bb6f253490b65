"""What a worker builds for a circuit's campaign: the circuit and its targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.fitting.circuits.judging import judge
from rheobase.fitting.circuits.unitary import unitary_potentials
from rheobase.fitting.circuits.unitary_gains import gain_ranges
from rheobase.fitting.tuning.trials import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.campaigns.circuits.subject import Subject
    from rheobase.fitting.circuits.circuit import CircuitResponse, Trial
    from rheobase.fitting.circuits.judging import CircuitTargets
    from rheobase.fitting.circuits.unitary_gains import GainRange


class CircuitSimulator:
    """A circuit that answers trials with measured values, or with all that it did.

    Args:
        subject: The circuit.
        targets: What it should do.
    """

    def __init__(self, subject: Subject, targets: CircuitTargets) -> None:
        self._circuit = subject.build()
        self._blueprint = subject.blueprint
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

    def unitary(self, parameters: Mapping[str, float]) -> dict[str, float | None]:
        """Mean unitary potential of each projection (mV); of somebody else's circuit none."""
        if self._blueprint is None:
            return {}
        found = unitary_potentials(self._blueprint, parameters)
        return {one.projection: one.mean_mV for one in found}

    def gain_ranges(self, limits_mV: Mapping[str, tuple[float, float]]) -> dict[str, GainRange | None]:
        """Gains at which unitary potentials reach their limits; of somebody else's circuit none."""
        return {} if self._blueprint is None else gain_ranges(self._blueprint, limits_mV)
