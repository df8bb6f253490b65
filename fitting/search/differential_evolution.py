"""Differential evolution with success-history adaptation (SHADE), on the sum of all scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.search.algorithm import Proposal
from rheobase.fitting.search.options import check_range
from rheobase.fitting.search.positions import first_positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.fitting.search.algorithm import Outcome, Setup

    FloatArray = NDArray[np.float64]

_CONVERGED_WIDTH = 1e-7  # of the unit cube; no conductance is known as well as that
_FEWEST_MEMBERS = 4  # a parent, one of the best, and two to take the difference of
_LARGEST_PART_OF_BEST = 0.2  # trials go towards one of the best two to so many, in parts of the population


@dataclass(frozen=True)
class DifferentialOptions:
    """How it adapts.

    Attributes:
        memory: How many generations' successful factors are remembered.
    """

    memory: int = 10

    def __post_init__(self) -> None:
        check_range("memory", self.memory, 1)


@dataclass(frozen=True)
class Trial(Proposal):
    """A trial against a member of the population.

    Attributes:
        member: Place of the member that it would replace.
        factor: Scale of the differences it was made with.
        crossover: Chance of each parameter to be taken from the mutant.
    """

    member: int = 0
    factor: float = 0.0
    crossover: float = 0.0


@dataclass(frozen=True, order=True)
class _Standing:
    """Who failed is behind who did not (Deb 2000); nobody yet is behind everybody."""

    failed: bool = True
    total: float = math.inf


class DifferentialEvolution:
    """SHADE (Tanabe & Fukunaga 2013): current-to-pbest/1/bin with an archive (JADE, Zhang & Sanderson 2009).

    Trials x_i + F (x_pbest - x_i) + F (x_r1 - x_r2), the last from the population or from the archive of those it
    replaced; scale F and crossover rate are drawn around values that succeeded before. A parameter beyond its bound
    is set half way between the bound and its parent.

    Asynchronous: each trial challenges its member when its outcome comes, whatever happened meanwhile (as in steady-
    state differential evolution); a deterministic generation challenges every member once.

    Early end: a trial takes its member's place only with a total at most as large. Members are replaced by better ones
    only, so a total above that of the member at the time the trial was made is too large for good, and a trial that
    loses has no influence at all. A member that failed loses against whoever did not, so there is no bound then.

    Args:
        setup: What it works on; the population is 5 times the dimensions, 20 to 100, unless given.
        options: How it adapts.
    """

    def __init__(self, setup: Setup, options: DifferentialOptions) -> None:
        self._population = max(6, setup.population or min(max(20, 5 * setup.dimensions), 100))
        self._ends_early = setup.early_end
        self._generator = np.random.default_rng(setup.seed)
        self._waiting = first_positions(setup, self._population, self._generator)
        self._positions = np.full((self._population, setup.dimensions), math.nan)
        self._standings = [_Standing()] * self._population
        self._archive: list[FloatArray] = []
        self._next_member = 0
        self._outcomes = 0
        self._history = _History(options.memory)

    @property
    def generation_size(self) -> int:
        """One trial for each member."""
        return self._population

    @property
    def exhausted(self) -> bool:
        """Whether all members lie in one place."""
        return float(np.ptp(self._positions, axis=0).max()) < _CONVERGED_WIDTH  # not while there are NaN

    def propose(self) -> Trial:
        """The first population, then trials against its members in turn."""
        member = self._next_member
        self._next_member = (member + 1) % self._population
        if self._waiting:
            return Trial(self._waiting.pop(0), member=member)
        known = np.flatnonzero(~np.isnan(self._positions[:, 0]))
        if len(known) < _FEWEST_MEMBERS or member not in known:
            return Trial(tuple(self._generator.random(self._positions.shape[1]).tolist()), member=member)
        return self._trial(member, known)

    def learn(self, proposal: Trial, outcome: Outcome) -> None:
        """The trial takes its member's place unless it is worse."""
        member = proposal.member
        before, now = self._standings[member], _Standing(outcome.failed or outcome.rejected, outcome.total)
        if not outcome.rejected and now <= before:
            if now < before and not math.isinf(before.total):
                self._history.succeeded(proposal, abs(before.total - now.total))
                self._keep_replaced(self._positions[member].copy())
            self._positions[member] = proposal.position
            self._standings[member] = now
        self._outcomes += 1
        if self._outcomes % self._population == 0:
            self._history.end_generation()

    def _trial(self, member: int, known: NDArray[np.intp]) -> Trial:
        generator = self._generator
        factor, crossover = self._history.draw(generator)
        ranked = sorted(known.tolist(), key=lambda place: self._standings[place])
        part = generator.uniform(0.0, _LARGEST_PART_OF_BEST)
        best = ranked[int(generator.integers(max(2, round(part * len(ranked)))))]
        first = int(generator.choice(known[known != member]))
        others = [*self._positions[known[(known != member) & (known != first)]], *self._archive]
        second = others[int(generator.integers(len(others)))]
        parent = self._positions[member]
        mutant = parent + factor * (self._positions[best] - parent) + factor * (self._positions[first] - second)
        mutant = np.where(mutant < 0.0, parent / 2.0, np.where(mutant > 1.0, (1.0 + parent) / 2.0, mutant))
        taken = generator.random(len(parent)) < crossover
        taken[int(generator.integers(len(parent)))] = True
        position = tuple(np.where(taken, mutant, parent).tolist())
        standing = self._standings[member]
        limit = standing.total if self._ends_early and not standing.failed else math.inf
        return Trial(position, limit, member, factor, crossover)

    def _keep_replaced(self, position: FloatArray) -> None:
        if len(self._archive) == self._population:
            self._archive.pop(int(self._generator.integers(self._population)))
        self._archive.append(position)


class _History:
    """Scales and crossover rates that succeeded."""

    def __init__(self, length: int) -> None:
        self._factors = [0.5] * length
        self._crossovers = [0.5] * length
        self._oldest = 0
        self._successes: list[tuple[float, float, float]] = []

    def draw(self, generator: np.random.Generator) -> tuple[float, float]:
        """Scale (0 to 1) and crossover rate around remembered ones."""
        place = int(generator.integers(len(self._factors)))
        factor = 0.0
        while factor <= 0.0:
            factor = min(1.0, self._factors[place] + 0.1 * float(generator.standard_cauchy()))
        return factor, min(max(float(generator.normal(self._crossovers[place], 0.1)), 0.0), 1.0)

    def succeeded(self, trial: Trial, gain: float) -> None:
        """A trial that was better than its member by so much."""
        self._successes.append((trial.factor, trial.crossover, gain))

    def end_generation(self) -> None:
        """Remember the generation's successes, weighted by their gain, in place of the oldest ones."""
        if not self._successes:
            return
        factors, crossovers, gains = np.array(self._successes).T
        weights = gains / gains.sum() if gains.sum() > 0.0 else np.full(len(gains), 1.0 / len(gains))
        if (weights @ factors) > 0.0:
            self._factors[self._oldest] = float((weights @ factors**2) / (weights @ factors))
        self._crossovers[self._oldest] = float(weights @ crossovers)
        self._oldest = (self._oldest + 1) % len(self._factors)
        self._successes = []
