"""Places of a stage held against its targets, and what of that is noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.tuning.stage import TuningStage
    from rheobase.fitting.tuning.targets import TuningTarget
    from rheobase.fitting.tuning.trials import Place

    Numbers = NDArray[np.float64]

FANO_FACTOR = 1.5  # of the spikes of a population, as far as nothing is known
_PRIOR_RATES, _PRIOR_OTHERS = 4.0, 0.5  # what is expected of noise counts as so many differences between seeds
_LARGEST_DEVIATION = 3.0  # beyond this the loss grows linearly: one target that is far off does not drown the others
_MISSING_DEVIATION = 10.0
_STOPPED = 1000.0


class Judging:
    """What a stage thinks of its places: deviations in tolerances, their noise, one loss.

    Noise is the deviation from seed to seed. At first it is what a Poisson count of the expected spikes has, later
    that between seeds of all places of the stage. Of rates it is relative: it shrinks as the root of the number of
    spikes, so populations of few cells at low rates are the noisy ones.

    Args:
        stage: The stage.
        sizes: Number of cells of each population.
    """

    def __init__(self, stage: TuningStage, sizes: Mapping[str, int]) -> None:
        self.targets = stage.targets
        simulated = stage.simulated
        self._seconds = (simulated.duration_ms - simulated.dropped_ms) / 1000.0
        self._sizes = sizes
        self._prior = np.array([self._expected_noise(target) for target in stage.targets])
        self._squares = np.zeros(len(stage.targets))
        self._degrees = np.zeros(len(stage.targets))
        self._goals = np.array([target.goal for target in stage.targets])
        self._widths = np.array([target.width for target in stage.targets])
        self._tolerances = np.array([target.tolerance for target in stage.targets])
        self._logarithmic = np.array([target.logarithmic for target in stage.targets])
        self._constraints = np.array([target.constraint for target in stage.targets])
        self._known: dict[int, tuple[int, Numbers, Numbers]] = {}

    def _cell_seconds(self, target: TuningTarget) -> float:
        return self._sizes.get(target.population or "", sum(self._sizes.values())) * self._seconds

    def _expected_noise(self, target: TuningTarget) -> float:
        if not target.logarithmic:
            return 0.5 * target.width
        return math.sqrt(FANO_FACTOR / (target.target * self._cell_seconds(target)))

    def floor(self, target: TuningTarget) -> float:
        """Half a spike of the whole population: what stands for a rate of 0 (Hz)."""
        return 0.5 / self._cell_seconds(target)

    def learn_noise(self, places: Iterable[Place]) -> None:
        """Take the noise from the differences between seeds of all places."""
        self._squares[:], self._degrees[:] = 0.0, 0.0
        for place in places:
            if place.repetitions < 2 or place.stopped:
                continue
            for row, target in enumerate(self.targets):
                values = np.array(place.values(target.key))
                if values.size < 2 or (target.logarithmic and values.mean() < self.floor(target)):
                    continue
                spread = float(np.sum((values - values.mean()) ** 2))
                if target.logarithmic:  # relative, and as if the mean were the target: counts vary as their root
                    spread /= values.mean() * target.target
                self._squares[row] += spread
                self._degrees[row] += values.size - 1

    @property
    def noise(self) -> Numbers:
        """Standard deviation of one seed at each target, on the scale of planning, shape (targets,)."""
        weight = np.where(self._logarithmic, _PRIOR_RATES, _PRIOR_OTHERS)
        return np.asarray(np.sqrt((self._prior**2 * weight + self._squares) / (weight + self._degrees)))

    def planned(self, place: Place) -> Numbers:
        """Means over seeds on the scale of planning, NaN for those that are not there, shape (targets,)."""
        return self._means(place)[0]

    def errors(self, place: Place) -> Numbers:
        """Standard errors of these means."""
        return np.asarray(self._noise_at(self.planned(place)) / math.sqrt(max(place.repetitions, 1)))

    def deviations(self, place: Place, first: int = 0) -> Numbers:
        """(mean - target) / tolerance over the repetitions from `first` on, shape (targets,)."""
        if first == 0:
            return self._means(place)[1]
        return np.array([target.judged(place.mean(target.key, first)).deviation for target in self.targets])

    def deviation_errors(self, place: Place) -> Numbers:
        """Standard errors of the deviations, in tolerances."""
        planned = self.planned(place)
        values = np.exp(np.where(self._logarithmic & np.isfinite(planned), planned, 0.0))
        return np.asarray(self.errors(place) * values / self._tolerances)

    def within(self, place: Place, first: int = 0) -> bool:
        """Whether the means are within all tolerances, and nothing was stopped."""
        return not place.stopped and bool(np.all(np.abs(self.deviations(place, first)) <= 1.0))

    def near(self, place: Place) -> bool:
        """Whether it may well be within all tolerances, given the noise."""
        if place.stopped or not place.outcomes:
            return False
        return bool(np.all(np.abs(self.deviations(place)) <= 1.0 + 2.0 * self.deviation_errors(place)))

    def loss(self, place: Place) -> float:
        """Sum over targets of the squared deviation (Huber's, in tolerances on the scale of planning)."""
        return float(self.all_losses([place])[0][0])

    def loss_noise(self, place: Place) -> float:
        """Standard error of the loss."""
        return float(self.all_losses([place])[1][0])

    def all_losses(self, places: Sequence[Place]) -> tuple[Numbers, Numbers]:
        """Losses of places and their standard errors, each of shape (places,)."""
        planned = np.array([self.planned(place) for place in places])
        deviations = self._planned_deviations(planned)
        seeds = np.array([[max(place.repetitions, 1)] for place in places])
        errors = np.minimum(self._noise_at(planned) / np.sqrt(seeds) / self._widths, 1e3)
        stopped = np.array([_STOPPED if place.stopped else 0.0 for place in places])
        slopes = 2.0 * np.minimum(np.abs(deviations), _LARGEST_DEVIATION)
        squares = (slopes * errors) ** 2 + 2.0 * np.minimum(errors, _LARGEST_DEVIATION) ** 4
        return np.sum(_huber(deviations), axis=1) + stopped, np.sqrt(np.sum(squares, axis=1))

    def losses(self, place: Place) -> Numbers:
        """Part of each target in the loss; a constraint costs nothing well within its tolerance."""
        return _huber(self._planned_deviations(self.planned(place)))

    def _noise_at(self, planned: Numbers) -> Numbers:
        """Noise of one seed where means are not at their targets: fewer spikes, more noise."""
        fewer = np.where(self._logarithmic & np.isfinite(planned), self._goals - planned, 0.0)
        return np.asarray(self.noise * np.exp(0.5 * np.clip(fewer, -3.0, 3.0)))

    def _planned_deviations(self, planned: Numbers) -> Numbers:
        deviations = np.where(np.isfinite(planned), (planned - self._goals) / self._widths, _MISSING_DEVIATION)
        inside = np.sign(deviations) * np.maximum(np.abs(deviations) - 0.5, 0.0)
        return np.where(self._constraints, inside, deviations)

    def _means(self, place: Place) -> tuple[Numbers, Numbers]:
        """Means on the scale of planning, and deviations; they change only with the number of outcomes."""
        seen, planned, deviations = self._known.get(place.number, (-1, np.empty(0), np.empty(0)))
        if place.number < 0 or seen != place.repetitions:
            means = [place.mean(target.key) for target in self.targets]
            pairs = list(zip(self.targets, means, strict=True))
            planned = np.array([target.planned(mean, self.floor(target)) for target, mean in pairs])
            deviations = np.array([target.judged(mean).deviation for target, mean in pairs])
            self._known[place.number] = (place.repetitions, planned, deviations)
        return planned, deviations

    def too_noisy(self, seeds: int) -> list[str]:
        """Sentences about targets whose tolerance is smaller than the noise of a mean over so many seeds."""
        sentences = []
        for target, noise in zip(self.targets, self.noise, strict=True):
            error = noise / math.sqrt(seeds)
            if error > target.width:
                unit = f" {target.unit}" if target.unit else ""
                size = error * (target.target if target.logarithmic else 1.0)
                sentences.append(
                    f"the tolerance of {target.key}, {target.tolerance:.3g}{unit}, is smaller than the "
                    f"standard error of a mean over {seeds} seeds, {size:.3g}{unit}: longer trials or more "
                    "seeds are needed to tell whether it is met"
                )
        return sentences


def _huber(deviations: Numbers) -> Numbers:
    size = np.abs(deviations)
    return np.where(size <= _LARGEST_DEVIATION, size**2, _LARGEST_DEVIATION * (2.0 * size - _LARGEST_DEVIATION))


def best_place(judging: Judging, places: Sequence[Place]) -> Place | None:
    """The place of the smallest loss among those with a result, where a loss known less well counts as larger."""
    known = [place for place in places if place.outcomes]
    if not known:
        return None
    losses, noise = judging.all_losses(known)
    return known[int(np.argmin(losses + noise))]
