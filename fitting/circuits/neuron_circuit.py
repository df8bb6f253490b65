"""NEURON's circuit: answers trials, and keeps what it has built for the next one."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import load_for_coreneuron
from rheobase.fitting.circuits.network import CircuitPlan, Network, NetworkParts, blueprint_mechanisms, plan_circuit
from rheobase.fitting.circuits.simulating import run
from rheobase.fitting.circuits.spike_record import total
from rheobase.fitting.circuits.trial_checks import check_trial, simulated_populations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.circuits.blueprint import CircuitBlueprint
    from rheobase.fitting.circuits.circuit import CircuitResponse, Trial


class NeuronCircuit:
    """A circuit simulated by NEURON in this process, or in all processes of an MPI run.

    The populations that a trial simulates are built, and kept for further trials of the same populations; their
    parameters are set in place. NEURON integrates all that it has, so a trial of other populations builds anew: for 300
    cells that costs a fifth of a simulated second, much less than cells that are not wanted would.

    With MPI all processes make the same circuit and simulate the same trials, after `h.nrnmpi_init()`; each gets the
    whole response.

    Args:
        blueprint: The circuit.
        coreneuron: Whether CoreNEURON computes trials without signals, in one process: the same spikes in about four
            fifths of the time. Signals are read every half a millisecond, which would take longer that way.

    Raises:
        ModelError: the mechanisms of the circuit do not compile for CoreNEURON, or the process has others already.
    """

    def __init__(self, blueprint: CircuitBlueprint, *, coreneuron: bool = False) -> None:
        self.blueprint = blueprint
        self._coreneuron = coreneuron
        if coreneuron:
            load_for_coreneuron(blueprint_mechanisms(blueprint))
        self._plan: CircuitPlan | None = None
        self._network: Network | None = None

    @property
    def populations(self) -> Mapping[str, int]:
        """Number of cells of each population."""
        return {population.name: population.size for population in self.blueprint.populations}

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters that a trial may set."""
        return self.blueprint.parameters

    @property
    def plan(self) -> CircuitPlan:
        """Positions and connections of all cells.

        Raises:
            ModelError: a cell that cannot be built, or connections that cannot be made.
        """
        if self._plan is None:
            self._plan = plan_circuit(self.blueprint)
        return self._plan

    def simulate(self, trial: Trial) -> CircuitResponse:
        """Simulate a trial.

        Raises:
            ModelError: an unknown parameter or population, a value that cannot be, a cell that cannot be built.
        """
        self._check(trial)
        begin = time.process_time()
        network = self._built(self._parts(trial))
        response = run(network, trial, coreneuron=self._coreneuron)
        seconds = total(network.context, np.array([time.process_time() - begin]))
        return replace(response, cpu_seconds=float(seconds[0]))

    def close(self) -> None:
        """Remove the circuit from NEURON; the next trial builds it again."""
        if self._network is not None:
            self._network.close()
            self._network = None

    def _built(self, parts: NetworkParts) -> Network:
        if self._network is None or self._network.parts != parts or not self._network.is_open:
            plan = self.plan
            self.close()
            self._network = Network(plan, parts)
        return self._network

    def _parts(self, trial: Trial) -> NetworkParts:
        """What the trial needs, in the order of the blueprint, and no source that would send to nobody."""
        simulated = simulated_populations(trial, self.populations)
        sending = {projection.source for projection in self.blueprint.projections if projection.target in simulated}
        played = {*trial.replayed, *trial.recorded, *(stimulus.name for stimulus in self.blueprint.stimuli)}
        sources = tuple(sorted(sending & played)) if trial.connected else ()
        return NetworkParts(simulated, sources, trial.connected)

    def _check(self, trial: Trial) -> None:
        check_trial(trial, self.populations, self.parameters)
        for name, value in trial.parameters.items():
            if value < 0.0:
                raise ModelError(f"the parameter '{name}' is a factor, which must not be negative; got {value:g}")
        step_ms = self.blueprint.time_step_ms
        if round(trial.duration_ms / step_ms) < 1:
            raise ModelError(f"a trial lasts a time step of {step_ms:g} ms or longer, got {trial.duration_ms:g} ms")
        limits = trial.limits
        for name in (*limits.largest_Hz, *limits.expected_Hz) if limits else ():
            if name not in self.populations:
                raise ModelError(f"a limit is for '{name}', but the populations are {', '.join(self.populations)}")
        for name, trains in trial.recorded.items():
            units = len(trains.of(name).units)
            if units != self.populations[name]:
                raise ModelError(
                    f"the recorded spikes of '{name}' are of {units} units, but it has {self.populations[name]} cells; "
                    "record as many, or replay it at a rate"
                )
