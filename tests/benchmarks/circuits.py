"""The small circuit of the benchmarks, in this process."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rheobase.campaigns.circuits.building import build_targets
from rheobase.campaigns.circuits.schema import CircuitCampaign
from rheobase.campaigns.circuits.stages import build_stages
from rheobase.campaigns.circuits.subject import Subject, make_subject
from rheobase.campaigns.loading import library, load_any_campaign
from rheobase.fitting.circuits.circuit import CircuitResponse, Trial
from rheobase.fitting.circuits.judging import CircuitTargets, judge, judge_seeds
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from rheobase.fitting.tuning.stage import TuningStage


@dataclass(frozen=True)
class Bench:
    """What a benchmark works with."""

    campaign: CircuitCampaign
    subject: Subject
    targets: CircuitTargets

    def stages(self) -> tuple[TuningStage, ...]:
        """The stages of the standard recipe."""
        return build_stages(self.campaign, self.subject, self.targets)


def small_bench(*overrides: str) -> Bench:
    """The circuit of the demo with overrides of its file."""
    campaign = load_any_campaign(library()["demo_circuit"], overrides)
    assert isinstance(campaign, CircuitCampaign)
    return Bench(campaign, make_subject(campaign), build_targets(campaign))


class Displaced:
    """A circuit whose parameters are all multiplied by something: a place to start from.

    Counts what is simulated.
    """

    def __init__(self, circuit: NeuronCircuit, factors: Mapping[str, float]) -> None:
        self._circuit, self.factors = circuit, dict(factors)
        self.trials, self.simulated_ms, self.cpu_seconds = 0, 0.0, 0.0

    @property
    def populations(self) -> Mapping[str, int]:
        """Number of cells of each population."""
        return self._circuit.populations

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return self._circuit.parameters

    def absolute(self, parameters: Mapping[str, float]) -> dict[str, float]:
        """Parameters of the circuit itself."""
        return {name: parameters.get(name, 1.0) * self.factors.get(name, 1.0) for name in self.parameters}

    def simulate(self, trial: Trial) -> CircuitResponse:
        """Simulate a trial whose parameters are relative to the factors."""
        response = self._circuit.simulate(dataclasses.replace(trial, parameters=self.absolute(trial.parameters)))
        self.trials += 1
        self.simulated_ms += response.simulated_ms
        self.cpu_seconds += response.cpu_seconds
        return response


def measured(bench: Bench, response: CircuitResponse, with_signals: bool) -> dict[str, float | None]:
    """Values of all targets that a response has."""
    populations = response.spikes.units.populations
    return {one.key: one.value for one in judge(response, bench.targets.of(populations, with_spectrum=with_signals))}


def over_seeds(
    bench: Bench, circuit: Displaced, parameters: Mapping[str, float], seeds: range, duration_ms: float
) -> dict[str, float | None]:
    """Values of all targets as means over seeds, the spectrum as that of the mean power."""
    responses = [
        circuit.simulate(Trial(parameters, seed, duration_ms, 500.0, signals=bench.targets.spectrum is not None))
        for seed in seeds
    ]
    return {one.judged.key: one.judged.value for one in judge_seeds(responses, bench.targets)}
