"""Optuna's samplers (Akiba et al. 2019), asked and told on a study in memory that forgets."""

from __future__ import annotations

import contextlib
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import CampaignError
from rheobase.fitting.search.algorithm import Proposal
from rheobase.fitting.search.options import check_range
from rheobase.fitting.search.positions import first_positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rheobase.fitting.search.algorithm import Outcome, Setup

SAMPLERS = ("tpe", "cma_es", "gp", "nsga2", "nsga3")
_MULTI_OBJECTIVE = ("nsga2", "nsga3")
_REMEMBERED = {"tpe": 500, "cma_es": 500, "gp": 100, "nsga2": 500, "nsga3": 500}
_BEST_AMONG_REMEMBERED = 0.1  # the part that TPE holds for good, so that its picture of the rest stays as it was
_GENERATION = ":generation"  # end of the attribute that holds a trial's generation


@dataclass(frozen=True)
class OptunaOptions:
    """How much a study holds.

    Attributes:
        remembered: A study of twice as many trials is replaced by one with so many of them; 500, or 100 for Gaussian
            processes, unless given. Time and memory for each candidate grow with it.
    """

    remembered: int | None = None

    def __post_init__(self) -> None:
        check_range("remembered", 2 if self.remembered is None else self.remembered, 2)


@dataclass(frozen=True)
class Suggestion(Proposal):
    """A trial of a study.

    Attributes:
        study: Which of the studies, from 0.
        trial: Optuna's running trial.
    """

    study: int = 0
    trial: Any = None


class OptunaSampler:
    """A sampler of Optuna in the unit cube.

    "tpe" (Bergstra et al. 2011, multivariate and with the constant liar for trials that are running), "cma_es" and
    "gp" (Gaussian process) see the sum of all scores; "nsga2" and "nsga3" see the groups. It begins with a Latin
    hypercube, or the places given.

    Optuna's time and memory for each trial grow with their number: here a study is replaced by a fresh one with a part
    of its trials when it holds twice as many as are remembered: for "tpe" and "gp" the best tenth and an even choice of
    the others, for "cma_es" the newest, which hold its state, for "nsga2" and "nsga3" the last generation and its
    parents.
    With 500 remembered "tpe" takes about 15 ms for each candidate, the others 1 to 5 ms; "gp" takes about one second
    with 100.

    Asynchronous as Optuna is. Whoever failed violates a constraint for "nsga2" and "nsga3"; for the others it is as
    bad as the worst that did not fail, at least. Evaluations are never ended early: samplers learn from all values.

    Args:
        setup: What it works on; the population is 50, or the number of random trials to begin with, which is 10 or
            twice the dimensions if that is more, unless given.
        options: How much a study holds.
        sampler: One of `SAMPLERS`.

    Raises:
        CampaignError: "gp" without torch.
    """

    def __init__(self, setup: Setup, options: OptunaOptions, sampler: str) -> None:
        from optuna.distributions import FloatDistribution

        self._sampler = sampler
        self._setup = setup
        multi = sampler in _MULTI_OBJECTIVE
        self._population = max(2, setup.population or (50 if multi else max(10, 2 * setup.dimensions)))
        self._remembered = max(options.remembered or _REMEMBERED[sampler], 2 * self._population)
        self._distributions: dict[str, Any] = {f"x{n:04}": FloatDistribution(0.0, 1.0) for n in range(setup.dimensions)}
        self._values = setup.groups if multi else 1
        self._waiting = first_positions(setup, self._population, np.random.default_rng(setup.seed))
        self._studies = 0
        self._finished = 0
        self._worst = -math.inf
        self._study = self._new_study()

    @property
    def generation_size(self) -> int:
        """The population."""
        return self._population

    @property
    def exhausted(self) -> bool:
        """Never said by Optuna."""
        return False

    def propose(self) -> Suggestion:
        """What the sampler suggests."""
        if self._waiting:
            self._study.enqueue_trial(dict(zip(self._distributions, self._waiting.pop(0), strict=True)))
        with _quiet():
            trial = self._study.ask(self._distributions)
        position = tuple(float(trial.params[name]) for name in self._distributions)
        return Suggestion(position, math.inf, self._studies, trial)

    def learn(self, proposal: Suggestion, outcome: Outcome) -> None:
        """Tell the study; one that is full is replaced."""
        values = list(outcome.groups) if self._sampler in _MULTI_OBJECTIVE else [self._value(outcome)]
        violation = float(outcome.failed)
        with _quiet():
            if proposal.study == self._studies:
                if self._sampler in _MULTI_OBJECTIVE:
                    proposal.trial.set_constraint("failed", violation)
                self._study.tell(proposal.trial, values)
            else:
                self._add_finished(proposal, values, violation)
            self._finished += 1
            if self._finished >= 2 * self._remembered:
                self._forget()

    def _value(self, outcome: Outcome) -> float:
        value = math.log1p(outcome.total)  # order is all that matters, except to a Gaussian process
        if outcome.failed:
            return max(value, self._worst)
        self._worst = max(value, self._worst)
        return value

    def _add_finished(self, proposal: Suggestion, values: list[float], violation: float) -> None:
        """A trial that was begun in an earlier study."""
        from optuna.trial import create_trial

        self._study.add_trial(
            create_trial(
                values=values,
                params=dict(zip(self._distributions, proposal.position, strict=True)),
                distributions=self._distributions,
                constraints={"failed": violation} if self._sampler in _MULTI_OBJECTIVE else None,
            )
        )

    def _forget(self) -> None:
        kept = self._worth_keeping()
        self._studies += 1
        self._study = self._new_study()
        for trial in kept:
            self._study.add_trial(trial)
        self._finished = len(kept)

    def _worth_keeping(self) -> list[Any]:
        """What the next study begins with, in the order of the trials."""
        from optuna.trial import TrialState

        if self._sampler in _MULTI_OBJECTIVE:
            return _last_generation(self._study)
        finished: list[Any] = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if self._sampler == "cma_es":
            return finished[-self._remembered :]
        ranked = sorted(finished, key=lambda trial: (trial.value, trial.number))
        best = round(_BEST_AMONG_REMEMBERED * self._remembered)
        rest = sorted(ranked[best:], key=lambda trial: trial.number)
        chosen = np.linspace(0, len(rest) - 1, self._remembered - best).round().astype(int)
        kept = [*ranked[:best], *(rest[place] for place in chosen)]
        return sorted(kept, key=lambda trial: trial.number)

    def _new_study(self) -> Any:
        import optuna

        seed = int(np.random.SeedSequence([self._setup.seed, self._studies]).generate_state(1)[0])
        with _quiet():
            return optuna.create_study(
                directions=["minimize"] * self._values,
                sampler=_make_sampler(self._sampler, seed, self._population),
            )


def _make_sampler(name: str, seed: int, population: int) -> Any:
    from optuna import samplers

    if name == "tpe":
        return samplers.TPESampler(
            seed=seed,
            multivariate=True,
            constant_liar=True,
            n_startup_trials=population,
            n_ei_candidates=100,
            gamma=_number_of_good,
        )
    if name == "cma_es":
        return samplers.CmaEsSampler(seed=seed, n_startup_trials=population, warn_independent_sampling=False)
    if name in _MULTI_OBJECTIVE:
        # Optuna's defaults, uniform crossover and mutation to anywhere, are for categories: they never get near.
        kind = samplers.NSGAIISampler if name == "nsga2" else samplers.NSGAIIISampler
        crossover, mutation = samplers.nsgaii.SBXCrossover(eta=10.0), samplers.nsgaii.PolynomialMutation(eta=10.0)
        return kind(seed=seed, population_size=population, crossover=crossover, mutation=mutation, mutation_prob=0.25)
    try:
        import torch  # noqa: F401 - Optuna says so only at the first suggestion
    except ImportError:
        raise CampaignError("the search 'optuna_gp' needs torch; pip install 'rheobase[gp]'") from None
    return samplers.GPSampler(seed=seed, n_startup_trials=population, deterministic_objective=True)


def _number_of_good(trials: int) -> int:
    """How many of the trials TPE takes for the good ones.

    Kernels are never narrower than their number allows; with Optuna's 25 at most they are 1/26 of the range, and
    whether the Hodgkin-Huxley conductances of known_answers.py are found within 2 % is left to chance.
    """
    return min(math.ceil(0.1 * trials), 100)


def _last_generation(study: Any) -> list[Any]:
    """Trials of the newest generation and its parents, to be the first generation of a new study."""
    from optuna.trial import TrialState, create_trial

    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    key = next(name for trial in finished for name in trial.system_attrs if name.endswith(_GENERATION))
    newest = max(trial.system_attrs.get(key, -1) for trial in finished)
    parents = {trial.number for trial in study.sampler.get_parent_population(study, newest)}
    return [
        create_trial(
            values=trial.values,
            params=trial.params,
            distributions=trial.distributions,
            constraints=trial.constraints,
            system_attrs={key: 0},
        )
        for trial in finished
        if trial.number in parents or trial.system_attrs.get(key, -1) == newest
    ]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Neither Optuna's log of every study and trial, nor its warnings about what is experimental or will be gone."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", category=FutureWarning)  # TPE's gamma, until Optuna 6
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
