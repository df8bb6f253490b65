"""A stage whose places come from steps by slopes, and from samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.tuning.judging import Judging, best_place
from rheobase.fitting.tuning.response import expected_slopes
from rheobase.fitting.tuning.sampling import Sampling
from rheobase.fitting.tuning.stage import JACOBIAN, PROBE, SAMPLED
from rheobase.fitting.tuning.stage_tuning import REFERENCE, WEAKENED, News
from rheobase.fitting.tuning.steps import Box, JacobianSteps
from rheobase.fitting.tuning.trials import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.tuning.response import Response
    from rheobase.fitting.tuning.stage import TuningStage

_LONGEST = 2  # a place is left after so many times the seeds that it takes to accept it
_ENOUGH = 2  # stopped places in a row, after which no further step is tried
_WEAKER = (0.5, 0.25)  # couplings of the restarts
_ELSEWHERE = 0.3  # a restart is this far, in some logarithm of a factor, from where it began before
_BEGINNING = 3  # best places that a sampler begins with


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
