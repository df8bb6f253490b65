"""One stage while it runs: which place is simulated next, with which seed, and when it ends."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rheobase.fitting.tuning.judging import Judging, best_place
from rheobase.fitting.tuning.progress import OriginGain
from rheobase.fitting.tuning.response import expected_slopes
from rheobase.fitting.tuning.root_finding import RootFinding
from rheobase.fitting.tuning.sampling import Sampling
from rheobase.fitting.tuning.stage import JACOBIAN, PROBE, ROOT, SAMPLED
from rheobase.fitting.tuning.steps import Box, JacobianSteps
from rheobase.fitting.tuning.trials import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.tuning.response import Response
    from rheobase.fitting.tuning.stage import TuningStage
    from rheobase.fitting.tuning.trials import Outcome

REFERENCE, WEAKENED = "reference", "weakened"
_LONGEST = 2  # a place is left after so many times the seeds that it takes to accept it
_ENOUGH = 2  # stopped places in a row, after which no further step is tried
_WEAKER = (0.5, 0.25)  # couplings of the restarts
_ELSEWHERE = 0.3  # a restart is this far, in some logarithm of a factor, from where it began before
_BEGINNING = 3  # best places that a sampler begins with


@dataclass(frozen=True)
class News:
    """What a new result is beside the best place before it.

    Attributes:
        improved: Better by more than the noise, or the first of all.
        worsened: Worse by more than the noise, where the best was not stopped.
    """

    improved: bool
    worsened: bool


class StageTuning(Protocol):
    """A stage while it runs. The same calls give the same places."""

    stage: TuningStage
    judging: Judging
    places: list[Place]

    @property
    def current_places(self) -> list[Place]:
        """Those that a new place is held against: all, or all since a restart."""

    @property
    def open(self) -> bool:
        """Whether there is anything more to simulate, as far as it is known."""

    def propose(self) -> Place:
        """The place to simulate next, with a seed that it was not simulated with; while it is open."""

    def learn(self, place: Place, news: News) -> None:
        """What a place turned out to be, after each of its simulations."""

    @property
    def met(self) -> bool:
        """Whether it is accepted."""

    @property
    def given_up(self) -> bool:
        """Whether nothing more will come of it."""

    def best(self) -> Place | None:
        """The accepted place, or the best so far."""

    def response(self) -> Response | None:
        """How targets respond to knobs about the best place; None where there is nothing to say."""


class PlaceTuning:
    """A stage whose places come from steps by slopes, and from samplers, in turn.

    Args:
        stage: The stage.
        sizes: Number of cells of each population.
        seed: Of everything drawn, and of the samplers.
        measured: Slopes measured in earlier stages, by key of the target and name of the knob.
    """

    def __init__(
        self, stage: TuningStage, sizes: Mapping[str, int], seed: int, measured: Mapping[tuple[str, str], float]
    ) -> None:
        self.stage = stage
        self.judging = Judging(stage, sizes)
        self.places: list[Place] = []
        bounds = np.array([knob.log_bounds for knob in stage.free])
        self.box = Box(bounds[:, 0], bounds[:, 1])
        self._seed = seed
        self._rng = np.random.default_rng([seed, 1])
        slopes = expected_slopes(stage.targets, stage.free, measured)
        self._steps = JacobianSteps(self.judging, self.box, slopes, self._rng)
        self._samplers: dict[str, Sampling] = {}
        self._needed = stage.seeds + stage.confirming_seeds
        known_noise = all(target.logarithmic for target in stage.targets)  # Poisson's
        self._first_seeds = min(2 if known_noise else 4, self._needed)
        self._turn = 0
        self._results_at_step = -1
        self._without_progress = 0
        self._stopped_in_a_row = 0
        self._first = 0
        self._restarts = self._weakened()

    @property
    def current_places(self) -> list[Place]:
        """Places since the last restart."""
        return self.places[self._first :]

    @property
    def open(self) -> bool:
        """Whether the budget is not spent."""
        return sum(place.asked for place in self.places) < self.stage.budget

    def propose(self) -> Place:
        """A place that looks good with a further seed, else a new one."""
        hopeful = [place for place in self.places if place.asked < self._wanted(place)]
        if hopeful:
            return min(hopeful, key=lambda place: (self.judging.loss(place), place.number))
        origin, position = self._new_position()
        self.places.append(Place(len(self.places), position, origin))
        return self.places[-1]

    def learn(self, place: Place, news: News) -> None:
        """Trust region, patience and samplers, once for each place."""
        if place.repetitions > 1:
            return
        self._stopped_in_a_row = self._stopped_in_a_row + 1 if place.stopped else 0
        self._without_progress = 0 if news.improved else self._without_progress + 1
        if place.origin in (JACOBIAN, SAMPLED):
            self._steps.learn(place, news.improved, news.worsened)
        if place.origin in self._samplers:
            self._samplers[place.origin].learn(place)

    @property
    def met(self) -> bool:
        """Whether a place is accepted."""
        return self._accepted() is not None

    @property
    def given_up(self) -> bool:
        """Whether the budget is spent, or there was no progress for too long and the best is not even near."""
        if not self.open:
            return all(place.asked == place.repetitions for place in self.places)
        return not self._restarts and self._stagnant

    def best(self) -> Place | None:
        """The accepted place, or the one with the smallest loss."""
        return self._accepted() or best_place(self.judging, self.places)

    def response(self) -> Response | None:
        """Slopes about the best place."""
        best = self.best()
        return None if best is None else self._steps.response(self.places, best.position)

    @property
    def _stagnant(self) -> bool:
        best = best_place(self.judging, self.current_places)
        if best is None or self.judging.near(best):
            return False
        return self._without_progress >= self.stage.patience_places

    def _accepted(self) -> Place | None:
        for place in self.places:
            confirmed = place.repetitions >= self._needed and self.judging.within(place)
            if confirmed and (not self.stage.confirming_seeds or self.judging.within(place, self.stage.seeds)):
                return place
        return None

    def _wanted(self, place: Place) -> int:
        """Seeds that a place deserves as far as it is known: cheap first, more where the noise leaves it open."""
        if place.number == 0 and not place.stopped and place.repetitions < self._first_seeds:
            return self._first_seeds
        if place.repetitions >= _LONGEST * self._needed or not self.judging.near(place):
            return 0
        response = self._steps.response(self.places, place.position)
        widths = np.array([target.width for target in self.stage.targets])
        goals = np.array([target.goal for target in self.stage.targets])
        if np.any(np.abs(response.level - goals) > widths + response.level_errors):
            return 0  # its neighbours say that its seeds were lucky
        if place.repetitions < self.stage.seeds:
            return self.stage.seeds
        return max(self._needed, place.repetitions + 1)

    def _new_position(self) -> tuple[str, tuple[float, ...]]:
        if not self.places:
            return REFERENCE, self.box.clipped(np.zeros(len(self.stage.free)))
        if self._restarts and self._stagnant:
            return self._restart()
        results = sum(place.repetitions for place in self.places)
        kind = self.stage.proposals[self._turn % len(self.stage.proposals)]
        self._turn += 1
        best = best_place(self.judging, self.current_places)
        if kind not in (JACOBIAN, SAMPLED, PROBE):
            return kind, self._sampler(kind).propose(len(self.places))
        if best is None:
            return PROBE, self.box.clipped(self._rng.normal(0.0, 0.2, len(self.stage.free)))
        if kind == JACOBIAN and self._results_at_step == results:  # it would be the same step once more
            kind = SAMPLED
        if self._stopped_in_a_row >= _ENOUGH and not best.stopped:  # slopes mislead: measure them
            kind = PROBE
        self._results_at_step = results if kind == JACOBIAN else self._results_at_step
        return kind, self._steps.propose(kind, self.places, best)

    def _restart(self) -> tuple[str, tuple[float, ...]]:
        self._first = len(self.places)
        self._without_progress = self._stopped_in_a_row = 0
        self._steps.restart()
        return WEAKENED, self._restarts.pop(0)

    def _weakened(self) -> list[tuple[float, ...]]:
        """Couplings lowered: a circuit that its background drives is steady, where a strongly coupled one jumps."""
        coupling = np.array([knob.coupling for knob in self.stage.free])
        found = [np.zeros(len(coupling))]
        for factor in _WEAKER:
            position = np.array(self.box.clipped(np.where(coupling, np.log(factor), 0.0)))
            if np.max(np.abs(position - found[-1])) > _ELSEWHERE:
                found.append(position)
        return [tuple(position.tolist()) for position in found[1:]]

    def _sampler(self, name: str) -> Sampling:
        if name not in self._samplers:
            known = sorted((place for place in self.places if place.outcomes), key=self.judging.loss)
            seed = int(np.random.SeedSequence([self._seed, 2]).generate_state(1)[0])
            self._samplers[name] = Sampling(name, self.stage, self.box, self.judging, seed, known[:_BEGINNING])
        return self._samplers[name]


class RootTuning:
    """A stage in which each knob moves one target alone, and all roots are found in the same simulations.

    Args:
        stage: The stage.
        sizes: Number of cells of each population.
    """

    def __init__(self, stage: TuningStage, sizes: Mapping[str, int]) -> None:
        self.stage = stage
        self.judging = Judging(stage, sizes)
        self.places: list[Place] = []
        self._roots = RootFinding(stage, self.judging)

    @property
    def current_places(self) -> list[Place]:
        """All places."""
        return self.places

    @property
    def open(self) -> bool:
        """Whether the budget is not spent."""
        return len(self.places) < self.stage.budget

    def propose(self) -> Place:
        """The next factors of all knobs."""
        awaited = sum(not place.outcomes for place in self.places)
        self.places.append(Place(len(self.places), self._roots.propose(self.places, awaited), ROOT))
        return self.places[-1]

    def learn(self, place: Place, news: News) -> None:
        """Nothing is kept beside the places."""

    @property
    def met(self) -> bool:
        """Whether every knob has its factor, with all seeds."""
        return self._roots.settled(self.places) and not self._roots.stuck(self.places)

    @property
    def given_up(self) -> bool:
        """Whether some targets lie beyond the bounds and the others are met, or the budget is spent."""
        spent = not self.open and all(place.outcomes for place in self.places)
        return spent or self._roots.settled(self.places)

    def best(self) -> Place | None:
        """Every knob at its best, each with the outcomes of its own simulations there."""
        known = [place for place in self.places if place.outcomes]
        return self._roots.best(known) if known else None

    def response(self) -> Response | None:
        """None: each knob moves one target."""
        return None


class Rescoring:
    """A stage without knobs: what was reached, simulated with fresh seeds.

    Args:
        stage: The stage.
        sizes: Number of cells of each population.
    """

    def __init__(self, stage: TuningStage, sizes: Mapping[str, int]) -> None:
        self.stage = stage
        self.judging = Judging(stage, sizes)
        self.places: list[Place] = [Place(0, (), REFERENCE)]
        self._needed = stage.seeds + stage.confirming_seeds

    @property
    def current_places(self) -> list[Place]:
        """All places."""
        return self.places

    @property
    def open(self) -> bool:
        """Whether seeds are left."""
        return self.places[0].asked < self._needed

    def propose(self) -> Place:
        """The same place with the next seed."""
        return self.places[0]

    def learn(self, place: Place, news: News) -> None:
        """There is nothing to learn."""

    @property
    def met(self) -> bool:
        """Whether all means are within the tolerances."""
        return self.given_up and self.judging.within(self.places[0])

    @property
    def given_up(self) -> bool:
        """Whether all seeds were told."""
        return self.places[0].repetitions >= self._needed

    def best(self) -> Place | None:
        """The only place."""
        return self.places[0] if self.places[0].outcomes else None

    def response(self) -> Response | None:
        """None: there are no knobs."""
        return None


def begin(
    stage: TuningStage, sizes: Mapping[str, int], seed: int, measured: Mapping[tuple[str, str], float]
) -> StageTuning:
    """A stage at its beginning."""
    if not stage.free:
        return Rescoring(stage, sizes)
    if ROOT in stage.proposals:
        return RootTuning(stage, sizes)
    return PlaceTuning(stage, sizes, seed, measured)


class Convergence:
    """The smallest loss after each simulation, and what each kind of proposal was good for."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.origins: dict[str, OriginGain] = defaultdict(OriginGain)

    def learn(self, tuning: StageTuning, place: Place, repetition: int, outcome: Outcome) -> None:
        """Give a place its outcome, and all who want to know the news."""
        judging = tuning.judging
        best = best_place(judging, tuning.current_places)
        before = None if best is None else judging.loss(best)
        noise_before = 0.0 if best is None else judging.loss_noise(best)
        place.outcomes[repetition] = outcome
        judging.learn_noise(tuning.places)
        loss = judging.loss(place)
        noise = float(np.hypot(judging.loss_noise(place), noise_before))
        improved = before is None or loss + noise < before
        worsened = best is not None and not best.stopped and before is not None and loss - noise > before
        if place.repetitions == 1:
            gain = 0.0 if before is None or not improved else float(np.log1p(before) - np.log1p(loss))
            known = self.origins[place.origin]
            better = known.improvements + (improved and before is not None)
            self.origins[place.origin] = OriginGain(known.places + 1, better, known.gain + gain)
        tuning.learn(place, News(improved, worsened))
        self.losses.append(min(loss, self.losses[-1]) if self.losses else loss)
