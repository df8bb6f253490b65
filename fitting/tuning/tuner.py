"""The tuning of a circuit, stage by stage, asked and told."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.circuit import Trial
from rheobase.fitting.search.interface import SearchError
from rheobase.fitting.tuning.beginning import begin
from rheobase.fitting.tuning.branches import check_branches, predecessors
from rheobase.fitting.tuning.convergence import Convergence
from rheobase.fitting.tuning.gain_limits import GainLimits
from rheobase.fitting.tuning.progress import StageProgress
from rheobase.fitting.tuning.stage import in_order
from rheobase.fitting.tuning.trials import Asked, Told
from rheobase.fitting.tuning.verdicts import scored_targets, sensitivity_of, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rheobase.fitting.tuning.stage import Knob, TuningStage
    from rheobase.fitting.tuning.stage_tuning import StageTuning
    from rheobase.fitting.tuning.trials import Outcome, Place

_SAME = 1e-9  # positions of a record and of its repetition differ by less


class Tuner:
    """Asks for simulations and learns what came of them. It never simulates, stores or waits.

        tuner = Tuner(circuit.populations, circuit.parameters, stages, seed)
        while not tuner.finished:
            asked = tuner.ask()
            ...                                       # None: something awaited has to be told first
            response = circuit.simulate(asked.trial)
            told = tuner.tell(asked.number, Outcome(measured values, response.stopped, ...))
            ...                                       # `told` goes into the record

    The same sequence of calls gives the same simulations. Each line of the record says how many simulations had been
    asked for before it, so `repeat(record)` on a fresh tuner leads to where the record ends, to the last bit.

    Args:
        populations: Number of cells of each population of the circuit.
        parameters: Names of all its parameters.
        stages: The stages, in any order.
        seed: Of everything random, zero or more.
        at_once: Simulations that are asked for together. With `deterministic` their outcomes are learned together too,
            by number, so that nothing depends on the order in which they end, nor on how many workers there are.
        deterministic: Whether the outcomes of all those are awaited before more is asked for. Otherwise every outcome
            is learned when it is told, and there is always more to ask for.
        limits: Smallest and largest value of parameters that data limit, whatever stages try.

    Raises:
        CampaignError: stages or knobs that do not fit the circuit.
    """

    def __init__(
        self,
        populations: Mapping[str, int],
        parameters: Sequence[str],
        stages: Sequence[TuningStage],
        seed: int,
        at_once: int = 2,
        deterministic: bool = True,
        limits: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self._populations = dict(populations)
        self._stages = in_order(stages)
        self._seed = seed
        self._limits = GainLimits(limits or {})
        self._at_once = max(1, at_once)
        self._deterministic = deterministic
        self._matched = {
            (stage.name, knob.name): knob.matches(parameters) for stage in self._stages for knob in stage.free
        }
        for stage in self._stages:
            self._check(stage)
        self._predecessors = predecessors(self._stages)
        check_branches(self._stages, {stage.name: self._moved(stage) for stage in self._stages})
        self._asked: list[Asked] = []
        self._awaited: dict[int, Asked] = {}
        self._learnt_later: dict[int, Outcome] = {}
        self._round: list[int] = []
        self._tunings: list[StageTuning] = []
        self._convergences: list[Convergence] = []
        self._changed: dict[str, dict[str, float]] = {}  # by stage: what its own knobs have moved
        self._ended: dict[str, StageProgress] = {}
        self._slopes: dict[tuple[str, str], float] = {}
        self._left_out: tuple[str, ...] = ()
        self._begin_next()

    @property
    def finished(self) -> bool:
        """Whether all stages have ended."""
        return len(self._ended) + len(self._left_out) == len(self._stages)

    @property
    def met(self) -> bool:
        """Whether the tuning has succeeded: it is finished, and the stages that no other starts from are met."""
        starts = {name for stage in self._stages for name in stage.after}
        last = [stage.name for stage in self._stages if stage.name not in starts]
        return self.finished and all(name in self._ended and self._ended[name].state == "met" for name in last)

    @property
    def awaited(self) -> tuple[Asked, ...]:
        """Simulations asked for and not told yet, by number: after a resume they have to be run again."""
        return tuple(self._awaited.values())

    @property
    def parameters(self) -> dict[str, float]:
        """What the stages have reached so far, at the best place of the one that runs and of those not met."""
        values = self._after(stage.name for stage in self._stages)
        if not self.finished:
            stage, best = self._tunings[-1].stage, self._tunings[-1].best()
            if best is not None:
                values |= self._own(stage, best.position)
        return self._limits.clamped(values)

    def ask(self) -> Asked | None:
        """The next simulation; None when something awaited has to be told first, or when all is finished."""
        if self.finished:
            return None
        if not self._tunings[-1].open or (self._deterministic and len(self._round) == self._at_once):
            return None
        place = self._tunings[-1].propose()
        asked = self._new(place)
        place.asked += 1
        self._asked.append(asked)
        self._awaited[asked.number] = asked
        self._round.append(asked.number)
        return asked

    def tell(self, number: int, outcome: Outcome) -> Told:
        """What came of a simulation that was asked for, once for each.

        Returns:
            The line for the record.

        Raises:
            SearchError: a number that is not awaited, or a value that is not a number.
        """
        if number not in self._awaited:
            raise SearchError(f"simulation {number} is not awaited: it was never asked for, or was told before")
        for key, value in outcome.values.items():
            if value is not None and not math.isfinite(value):
                raise SearchError(f"simulation {number}, {key}: expected a number, or None for no value, got {value}")
        told = Told(number, len(self._asked), self._awaited[number].position, outcome)
        del self._awaited[number]
        self._learnt_later[number] = outcome
        complete = len(self._round) == self._at_once or not self._tunings[-1].open
        if not self._deterministic or (complete and not self._awaited):
            self._learn_round()
        return told

    def repeat(self, record: Sequence[Told]) -> None:
        """Repeat what a record holds, on a fresh tuner of the same arguments.

        Raises:
            CampaignError: the record belongs to other stages, another circuit or another seed.
        """
        for told in record:
            while len(self._asked) < told.asked_before and self.ask() is not None:
                pass
            asked = self._awaited.get(told.number)
            if asked is None or len(self._asked) != told.asked_before or not _same(asked.position, told.position):
                raise CampaignError(
                    f"the record does not belong to this tuning: its simulation {told.number} is another one here; "
                    "stages, circuit, seed and the number of simulations at once must be those it was begun with"
                )
            self.tell(told.number, told.outcome)

    def progress(self) -> tuple[StageProgress, ...]:
        """All stages, in their order."""
        running = self._tunings[-1].stage.name if self._tunings else ""
        states = []
        for stage in self._stages:
            if stage.name in self._ended:
                states.append(self._ended[stage.name])
            elif stage.name in self._left_out:
                states.append(StageProgress(stage.name, "left out"))
            elif stage.name == running:
                states.append(self._progress_of_running("running"))
            else:
                states.append(StageProgress(stage.name, "waiting"))
        return tuple(states)

    def _check(self, stage: TuningStage) -> None:
        named = {*stage.simulated.populations, *stage.simulated.replayed, *stage.simulated.recorded}
        named |= {target.population for target in stage.targets if target.population is not None}
        unknown = sorted(named - self._populations.keys())
        if unknown:
            raise CampaignError(
                f"stage '{stage.name}': the circuit has no population '{unknown[0]}'; it has "
                f"{', '.join(self._populations)}"
            )
        played = {*stage.simulated.replayed, *stage.simulated.recorded}
        both = sorted(set(stage.simulated.populations) & played)
        if both:
            raise CampaignError(f"stage '{stage.name}': '{both[0]}' is either simulated or replayed, not both")

    def _new(self, place: Place) -> Asked:
        stage, index = self._tunings[-1].stage, len(self._tunings) - 1
        simulated = stage.simulated
        sequence = np.random.SeedSequence([self._seed, index, place.number, place.asked])
        trial = Trial(
            parameters=self._parameters_at(stage, place.position),
            seed=int(sequence.generate_state(1)[0]) >> 1,
            duration_ms=simulated.duration_ms,
            dropped_ms=simulated.dropped_ms,
            simulated=simulated.populations,
            replayed=simulated.replayed,
            recorded=simulated.recorded,
            connected=simulated.connected,
            limits=simulated.limits,
            signals=simulated.signals,
        )
        return Asked(len(self._asked), stage.name, place.number, place.position, place.origin, place.asked, trial)

    def _learn_round(self) -> None:
        outcomes, self._learnt_later = self._learnt_later, {}
        self._round = []
        for number, outcome in sorted(outcomes.items()):
            asked = self._asked[number]
            index = next(n for n, tuning in enumerate(self._tunings) if tuning.stage.name == asked.stage)
            tuning = self._tunings[index]
            if asked.stage in self._ended:
                self._ended[asked.stage] = _with_costs(self._ended[asked.stage], outcome)
            else:
                self._convergences[index].learn(tuning, tuning.places[asked.place], asked.repetition, outcome)
        if self._tunings and not self.finished and (self._tunings[-1].met or self._tunings[-1].given_up):
            self._end_stage()

    def _end_stage(self) -> None:
        tuning = self._tunings[-1]
        verdict = verdict_of(tuning)
        progress = self._progress_of_running("met" if verdict.met else "not met")
        self._ended[tuning.stage.name] = replace(progress, verdict=verdict)
        best = tuning.best()
        position = best.position if best is not None else (0.0,) * len(tuning.stage.free)
        self._changed[tuning.stage.name] = self._own(tuning.stage, position)
        if progress.sensitivity is not None:
            sensitivity = progress.sensitivity
            for key, row in zip(sensitivity.targets, sensitivity.slopes, strict=True):
                self._slopes.update({(key, knob): slope for knob, slope in zip(sensitivity.knobs, row, strict=True)})
        if tuning.stage.required and not verdict.met:
            self._leave_out_after(tuning.stage.name)
        self._begin_next()

    def _leave_out_after(self, name: str) -> None:
        out = {name}
        for stage in self._stages:
            if out & set(stage.after):
                out.add(stage.name)
        self._left_out += tuple(s.name for s in self._stages if s.name in out - {name} - set(self._left_out))

    def _begin_next(self) -> None:
        done = {*self._ended, *self._left_out}
        for index, stage in enumerate(self._stages):
            if stage.name not in done:
                seed = int(np.random.SeedSequence([self._seed, index, 2**31]).generate_state(1)[0])
                matched = {knob.name: self._matched[stage.name, knob.name] for knob in stage.free}
                narrowed = self._limits.narrowed(stage, matched, self._limits.clamped(self._reference(stage)))
                self._tunings.append(begin(narrowed, self._populations, seed, self._slopes))
                self._convergences.append(Convergence())
                return

    def _reference(self, stage: TuningStage) -> dict[str, float]:
        """What a stage starts from: everything changed by the stages before it, at any distance."""
        before = self._predecessors[stage.name]
        return self._after(one.name for one in self._stages if one.name in before)

    def _after(self, names: Iterable[str]) -> dict[str, float]:
        """What stages have changed, in their order; a parameter that several have tuned is as the last one left it."""
        values: dict[str, float] = {}
        for name in names:
            values |= self._changed.get(name, {})
        return values

    def _moved(self, stage: TuningStage) -> frozenset[str]:
        """Parameters that a stage's own knobs multiply."""
        return frozenset(name for knob in stage.free for name in self._matched[stage.name, knob.name])

    def _own(self, stage: TuningStage, position: Sequence[float]) -> dict[str, float]:
        """Those parameters at a place."""
        moved = self._moved(stage)
        return {name: value for name, value in self._parameters_at(stage, position).items() if name in moved}

    def _parameters_at(self, stage: TuningStage, position: Sequence[float]) -> dict[str, float]:
        values = self._limits.clamped(self._reference(stage))
        for knob, x in zip(stage.free, position, strict=True):
            for name in self._matched[stage.name, knob.name]:
                values[name] = values.get(name, 1.0) * math.exp(x)
        return self._limits.clamped(values)

    def _progress_of_running(self, state: str) -> StageProgress:
        tuning, convergence = self._tunings[-1], self._convergences[-1]
        best = tuning.best()
        outcomes = [outcome for place in tuning.places for outcome in place.outcomes.values()]
        factors = _factors(tuning.stage.free, best)
        return StageProgress(
            name=tuning.stage.name,
            state=state,
            simulations=len(outcomes),
            places=sum(bool(place.outcomes) for place in tuning.places),
            stopped=sum(outcome.stopped is not None for outcome in outcomes),
            losses=tuple(convergence.losses),
            best=scored_targets(tuning),
            factors=factors,
            parameters={} if best is None else self._parameters_at(tuning.stage, best.position),
            origins=dict(convergence.origins),
            sensitivity=sensitivity_of(tuning),
            simulated_ms=sum(outcome.simulated_ms for outcome in outcomes),
            cpu_seconds=sum(outcome.cpu_seconds for outcome in outcomes),
        )


def _factors(knobs: Sequence[Knob], best: Place | None) -> dict[str, float]:
    if best is None:
        return {}
    return {knob.name: math.exp(x) for knob, x in zip(knobs, best.position, strict=True)}


def _with_costs(progress: StageProgress, outcome: Outcome) -> StageProgress:
    """A stage that has ended, with a simulation that was still under way."""
    return replace(
        progress,
        simulations=progress.simulations + 1,
        simulated_ms=progress.simulated_ms + outcome.simulated_ms,
        cpu_seconds=progress.cpu_seconds + outcome.cpu_seconds,
    )


def _same(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(abs(a - b) <= _SAME for a, b in zip(one, other, strict=True))
