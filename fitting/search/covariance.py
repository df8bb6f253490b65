"""Single-objective covariance matrix adaptation (CMA-ES) by the library `cmaes`, on the sum of all scores."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.search.algorithm import Proposal
from rheobase.fitting.search.options import check_range
from rheobase.fitting.search.positions import first_positions

if TYPE_CHECKING:
    from cmaes import CMA, SepCMA

    from rheobase.fitting.search.algorithm import Outcome, Setup

_CONVERGED_WIDTH = 1e-7  # of the unit cube; no conductance is known as well as that
_SMALLEST_START_STEP = 0.05


@dataclass(frozen=True)
class CovarianceOptions:
    """How the distribution is set up.

    Attributes:
        initial_step: Standard deviation in each parameter to begin with, in parts of its range. When places to start
            from are given it is their distance from the best of them, if that is less.
        separable: Whether only variances are learnt, without correlations (Ros & Hansen 2008): for many parameters, as
            it takes fewer evaluations by about their number.
    """

    initial_step: float = 0.25
    separable: bool = False

    def __post_init__(self) -> None:
        check_range("initial_step", self.initial_step, 0.0, 1.0, above=True)


@dataclass(frozen=True, order=True)
class _Arrival:
    """What came of a sample; the best comes first.

    Attributes:
        failed: Whether it failed; True as well when it was rejected.
        total: Sum of its scores; infinite when it was rejected.
        place: How many of its generation had arrived before.
        position: Where it lies.
    """

    failed: bool
    total: float
    place: int
    position: tuple[float, ...]


@dataclass
class _Generation:
    """What came of samples since the last update; `worst_parent` is known when the next one is made."""

    arrivals: list[_Arrival] = field(default_factory=list)
    worst_parent: _Arrival | None = None


@dataclass(frozen=True)
class Sample(Proposal):
    """A draw from the distribution, with the generation that it was drawn for."""

    generation: _Generation = field(default_factory=_Generation)


class CovarianceAdaptation:
    """CMA-ES (Hansen & Ostermeier 2001) in the unit cube, with the active update of Jastrebski & Arnold (2006).

    The first generation is a Latin hypercube (or the places given); the distribution begins around its best.

    Asynchronous: samples are drawn from the current distribution whenever they are asked for, and it is updated as soon
    as a generation's number of outcomes is in. Late outcomes, of samples drawn before the last update, take part in the
    next update only when they are as good as the better half of the generation they were drawn with; the others are
    forgotten. (Taking them all, the search fails when there are several times more workers than samples in a
    generation; forgetting them all, it takes up to half as long again.) The population should not be much smaller than
    the number of workers.

    Early end: the update gives weights by rank to the better half of a generation. As soon as half of a generation is
    in, a total above the worst of that half cannot get into it any more, and told late it would be forgotten. The worse
    half has negative weights, which only shape the covariance: where evaluations may end early its order is not known,
    and it is taken in the order of arrival. Whoever failed ranks last. A deterministic search learns nothing before a
    generation is over, so its evaluations are never ended early.

    Args:
        setup: What it works on; the population (samples in a generation) is 4 + 3 log(dimensions) unless given.
        options: How the distribution is set up.
    """

    def __init__(self, setup: Setup, options: CovarianceOptions) -> None:
        self._setup = setup
        self._options = options
        self._population = max(4, setup.population or 4 + math.floor(3 * math.log(setup.dimensions)))
        self._parents = self._population // 2
        self._ends_early = setup.early_end and not setup.deterministic
        self._generator = np.random.default_rng(setup.seed)
        self._waiting = first_positions(setup, self._population, self._generator)
        self._distribution: CMA | SepCMA | None = None
        self._generation = _Generation()
        self._limit = math.inf
        self._width = 1.0

    @property
    def generation_size(self) -> int:
        """Samples between two updates."""
        return self._population

    @property
    def exhausted(self) -> bool:
        """Whether the distribution has shrunk to a point, or degenerated."""
        return self._distribution is not None and (
            self._width < _CONVERGED_WIDTH or bool(self._distribution.should_stop())
        )

    def propose(self) -> Sample:
        """A draw from the distribution; from the whole cube as long as there is none."""
        if self._waiting:
            position = self._waiting.pop(0)
        elif self._distribution is None:
            position = tuple(self._generator.random(self._setup.dimensions).tolist())
        else:
            position = tuple(self._distribution.ask().tolist())
        return Sample(position, self._limit, self._generation)

    def learn(self, proposal: Sample, outcome: Outcome) -> None:
        """Collect outcomes; update the distribution when a generation of them is in."""
        arrivals = self._generation.arrivals
        failed = outcome.failed or outcome.rejected
        arrival = _Arrival(failed, outcome.total, len(arrivals), proposal.position)
        if proposal.generation is not self._generation:
            worst = proposal.generation.worst_parent
            if worst is None or (failed, outcome.total) > (worst.failed, worst.total):
                return
        arrivals.append(arrival)
        if len(arrivals) == self._population:
            self._update()
        elif self._ends_early:
            totals = sorted(arrival.total for arrival in arrivals if not arrival.failed)
            self._limit = totals[self._parents - 1] if len(totals) >= self._parents else math.inf

    def _update(self) -> None:
        ranked = sorted(self._generation.arrivals)
        parents, others = ranked[: self._parents], ranked[self._parents :]
        if self._ends_early:
            others.sort(key=lambda arrival: arrival.place)
        places = [np.array(arrival.position) for arrival in parents + others]
        if self._distribution is None:
            self._begin(places)
        else:
            self._distribution.tell([(place, float(rank)) for rank, place in enumerate(places)])
            self._generation.worst_parent = parents[-1]
        self._width = float(np.ptp(places, axis=0).max())
        self._generation = _Generation()
        self._limit = math.inf

    def _begin(self, places: list[np.ndarray]) -> None:
        """The distribution around the best of the first generation, of which late outcomes are forgotten."""
        from cmaes import CMA, SepCMA

        step = self._options.initial_step
        if self._setup.start:
            spread = float(np.sqrt(np.square(np.array(places[: self._parents]) - places[0]).mean()))
            step = min(step, max(spread, _SMALLEST_START_STEP))
        dimensions = self._setup.dimensions
        kind = SepCMA if self._options.separable and dimensions > 1 else CMA
        self._distribution = kind(
            mean=places[0],
            sigma=step,
            bounds=np.array([[0.0, 1.0]] * dimensions),
            n_max_resampling=10 * dimensions,
            seed=int(self._generator.integers(2**32)),
            population_size=self._population,
        )
