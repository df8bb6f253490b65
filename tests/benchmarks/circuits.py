"""The small circuits of the benchmarks, on two processes."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

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
from rheobase.fitting.tuning.trials import Asked, Outcome
from rheobase.fitting.tuning.tuner import Tuner

if TYPE_CHECKING:
    from types import TracebackType

    from rheobase.fitting.circuits.blueprint import CircuitBlueprint

AT_ONCE = 2
_UNSEEN = range(7000, 7005)  # seeds that no tuning has
_in_process: dict[str, NeuronCircuit] = {}


@dataclass(frozen=True)
class Bench:
    """What a benchmark works with."""

    campaign: CircuitCampaign
    subject: Subject
    targets: CircuitTargets

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the parameters that are searched: weights by projection, backgrounds by population."""
        kinds = ("weight:", "background:")
        return tuple(n for n in self.subject.parameters if n.startswith(kinds) and n.count(":") == 1)

    @property
    def with_signals(self) -> bool:
        """Whether there is a spectrum among the targets."""
        return self.targets.spectrum is not None

    def stages(self) -> tuple[TuningStage, ...]:
        """The stages of the standard recipe."""
        return build_stages(self.campaign, self.subject, self.targets)

    def measured(self, response: CircuitResponse, with_signals: bool) -> dict[str, float | None]:
        """Values of all targets that a response has."""
        wanted = self.targets.of(response.spikes.units.populations, with_spectrum=with_signals)
        return {one.key: one.value for one in judge(response, wanted)}

    def measured_over_seeds(self, responses: Sequence[CircuitResponse]) -> dict[str, float | None]:
        """Values of all targets as means over seeds, the spectrum as that of the mean power."""
        return {one.judged.key: one.judged.value for one in judge_seeds(responses, self.targets)}


def small_bench(*overrides: str) -> Bench:
    """The circuit of the demo (56 cells of two layers) with overrides of its file."""
    return _bench(library()["demo_circuit"], overrides)


def one_layer_bench(*overrides: str) -> Bench:
    """One of its layers by itself, with overrides."""
    return _bench(Path(__file__).parent / "one_layer.yaml", overrides)


def _bench(path: Path, overrides: Sequence[str]) -> Bench:
    campaign = load_any_campaign(path, overrides)
    assert isinstance(campaign, CircuitCampaign)
    return Bench(campaign, make_subject(campaign), build_targets(campaign))


class Workers:
    """A circuit in two processes, whose parameters are all multiplied by something: a place to start from.

    Counts what is simulated, as long as it is asked to.
    """

    def __init__(self, bench: Bench) -> None:
        context = multiprocessing.get_context("spawn")
        blueprint: CircuitBlueprint = bench.subject.blueprint  # type: ignore[assignment]
        self._pool = ProcessPoolExecutor(AT_ONCE, context, _build, (blueprint,))
        self.factors: dict[str, float] = {}
        self.trials, self.cpu_seconds = 0, 0.0

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def simulate(self, trials: Sequence[Trial], counted: bool = True) -> list[CircuitResponse]:
        """Simulate trials whose parameters are relative to the factors."""
        responses = list(self._pool.map(_simulate, [self._absolute(trial) for trial in trials]))
        if counted:
            self.trials += len(responses)
            self.cpu_seconds += sum(response.cpu_seconds for response in responses)
        return responses

    def on_unseen_seeds(
        self, bench: Bench, parameters: Mapping[str, float], duration_ms: float, seeds: Iterable[int] = _UNSEEN
    ) -> list[CircuitResponse]:
        """Responses with seeds that no tuning has seen; not counted."""
        trials = [Trial(parameters, seed, duration_ms, 500.0, signals=bench.with_signals) for seed in seeds]
        return self.simulate(trials, counted=False)

    def _absolute(self, trial: Trial) -> Trial:
        names = {*trial.parameters, *self.factors}
        values = {name: trial.parameters.get(name, 1.0) * self.factors.get(name, 1.0) for name in names}
        return replace(trial, parameters=values)


def _build(blueprint: CircuitBlueprint) -> None:
    _in_process["circuit"] = NeuronCircuit(blueprint)


def _simulate(trial: Trial) -> CircuitResponse:
    return _in_process["circuit"].simulate(trial)


def run_recipe(
    bench: Bench,
    workers: Workers,
    stages: Sequence[TuningStage],
    seed: int,
    enough: Callable[[Asked, Mapping[str, float | None]], bool] = lambda *_: False,
) -> Tuner:
    """The tuner, asked and told until it has finished or something has been enough.

    Args:
        bench: The circuit and its targets.
        workers: Where it is simulated.
        stages: What is tuned.
        seed: Of everything random.
        enough: Called with every simulation and what it measured.
    """
    tuner = Tuner(bench.subject.populations, bench.subject.parameters, stages, seed, AT_ONCE)
    signals = {stage.name: stage.simulated.signals for stage in stages}
    done = False
    while not tuner.finished and not done:
        asked = []
        while (one := tuner.ask()) is not None:
            asked.append(one)
        responses = workers.simulate([one.trial for one in asked])
        for one, response in zip(asked, responses, strict=True):
            values = bench.measured(response, signals[one.stage])
            tuner.tell(one.number, Outcome(values, response.stopped, response.simulated_ms, response.cpu_seconds))
            done = done or enough(one, values)
    return tuner
