"""Tuning from Python, one simulation after another; campaigns do the same on workers and keep a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.fitting.tuning.trials import Outcome
from rheobase.fitting.tuning.tuner import Tuner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rheobase.fitting.circuits.circuit import Circuit, CircuitResponse
    from rheobase.fitting.tuning.progress import StageProgress
    from rheobase.fitting.tuning.stage import TuningStage
    from rheobase.fitting.tuning.trials import Told

    Measure = Callable[[CircuitResponse, TuningStage], Mapping[str, float | None]]


@dataclass(frozen=True)
class Tuned:
    """What a tuning came to.

    Attributes:
        met: Whether it succeeded; the parameters are the best found, and no solution, if it did not.
        parameters: Parameters of the circuit that differ from 1.
        stages: All stages with their verdicts.
        record: Everything that was simulated.
    """

    met: bool
    parameters: Mapping[str, float]
    stages: tuple[StageProgress, ...]
    record: tuple[Told, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What there is to say about each stage that is not met, or only with reservations."""
        return tuple(f"{s.name}: {line}" for s in self.stages if s.verdict for line in s.verdict.sentences)


def tune(
    circuit: Circuit,
    stages: Sequence[TuningStage],
    seed: int,
    measure: Measure,
    record: Sequence[Told] = (),
    at_once: int = 2,
    limits: Mapping[str, tuple[float, float]] | None = None,
) -> Tuned:
    """Tune a circuit.

    Args:
        circuit: The circuit.
        stages: The stages, for example those of `standard_recipe`.
        seed: Of everything random.
        measure: Values of targets by key ("rate:L4_E"), from a response and the stage that asked for it; of a response
            that was stopped early those that can be measured.
        record: What was simulated before, to go on from there.
        at_once: Simulations that are planned together; the result depends on it, but not on how many run together.
        limits: Smallest and largest value of parameters that data limit.

    Raises:
        CampaignError: stages that do not fit the circuit, or a record that does not belong to them.
    """
    tuner = Tuner(circuit.populations, circuit.parameters, stages, seed, at_once, limits=limits)
    tuner.repeat(record)
    by_name = {stage.name: stage for stage in stages}
    told = list(record)
    waiting = list(tuner.awaited)
    while not tuner.finished:
        asked = waiting.pop(0) if waiting else tuner.ask()
        if asked is None:
            raise AssertionError("nothing is awaited, so there is something to ask for")
        response = circuit.simulate(asked.trial)
        values = measure(response, by_name[asked.stage])
        outcome = Outcome(values, response.stopped, response.simulated_ms, response.cpu_seconds)
        told.append(tuner.tell(asked.number, outcome))
    return Tuned(tuner.met, tuner.parameters, tuner.progress(), tuple(told))
