"""Searches by name, those of other packages included."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import CampaignError
from rheobase.fitting.search.algorithm import Setup
from rheobase.fitting.search.bayesian import BayesianOptimisation, BayesianOptions
from rheobase.fitting.search.covariance import CovarianceAdaptation, CovarianceOptions
from rheobase.fitting.search.differential_evolution import DifferentialEvolution, DifferentialOptions
from rheobase.fitting.search.evolution import Evolution, EvolutionOptions
from rheobase.fitting.search.multi_covariance import MultiCovarianceAdaptation, MultiCovarianceOptions
from rheobase.fitting.search.optuna_sampler import SAMPLERS, OptunaOptions, OptunaSampler
from rheobase.fitting.search.restarting import RestartingAlgorithm, Restarts
from rheobase.fitting.search.unit_cube import UnitCubeSearch, group_members
from rheobase.fitting.search.weighting import WeightedSearch, Weighting
from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rheobase.fitting.search.algorithm import Algorithm
    from rheobase.fitting.search.interface import Search
    from rheobase.fitting.search.space import Dimension

ENTRY_POINTS = "rheobase.searches"


@dataclass(frozen=True)
class AlgorithmKind:
    """An algorithm that can be asked for by name; what an entry point of the group `rheobase.searches` leads to.

    Attributes:
        options: Frozen dataclass of its own settings, plain numbers, booleans or texts, all of them with defaults.
        make: Makes the algorithm from a `Setup` and those options.
        has_population: Whether the size of a population means anything to it.
    """

    options: type[Any]
    make: Callable[[Setup, Any], Algorithm[Any]]
    has_population: bool = True


@dataclass(frozen=True)
class SearchSettings:
    """What all searches have in common.

    Attributes:
        population: Size of the population; None: what suits the algorithm.
        deterministic: Whether whole generations are awaited, so that the result does not depend on the order in
            which evaluations end. Otherwise there is a new candidate whenever one is asked for.
        early_end: Whether the search gives bounds with which evaluations may end early.
        restarts: When to begin anew.
        largest_score: What a score is above this (standard deviations) counts five times.
        options: Settings of the algorithm's own, by name.
    """

    population: int | None = None
    deterministic: bool = False
    early_end: bool = True
    restarts: Restarts = Restarts()
    largest_score: float = math.inf
    options: Mapping[str, object] = field(default_factory=dict)


BUILT_IN: dict[str, AlgorithmKind] = {
    **{
        name: AlgorithmKind(EvolutionOptions, partial(Evolution, selection=name)) for name in ("ibea", "nsga2", "nsga3")
    },
    "cma_es": AlgorithmKind(CovarianceOptions, CovarianceAdaptation),
    "mo_cma_es": AlgorithmKind(MultiCovarianceOptions, MultiCovarianceAdaptation),
    "differential_evolution": AlgorithmKind(DifferentialOptions, DifferentialEvolution),
    "bayesian": AlgorithmKind(BayesianOptions, BayesianOptimisation, has_population=False),
    **{f"optuna_{name}": AlgorithmKind(OptunaOptions, partial(OptunaSampler, sampler=name)) for name in SAMPLERS},
}


def search_names() -> list[str]:
    """Names of all searches, those of installed packages behind our own."""
    return [*BUILT_IN, *sorted(entry_points(group=ENTRY_POINTS).names - BUILT_IN.keys())]


def has_population(name: str) -> bool:
    """Whether a search of this name is given the size of a population.

    Raises:
        CampaignError: an unknown name, or a package that is not installed.
    """
    return _find(name).has_population


def make_search(
    name: str,
    dimensions: Sequence[Dimension],
    objectives: Sequence[str],
    settings: SearchSettings,
    seed: int,
    groups: Mapping[str, str] | None = None,
    start: Sequence[Sequence[float]] = (),
    weights: Mapping[str, float] | None = None,
) -> Search:
    """A fresh search.

    Args:
        name: One of `search_names`.
        dimensions: The free parameters; frozen ones are simply absent.
        objectives: Names of all objectives, to be minimised.
        settings: What all searches have in common, and the algorithm's own.
        seed: Seed of everything random, zero or more.
        groups: Group of each objective, by name; None: every objective is its own group.
        start: Places to begin at, best first, each with a position between 0 and 1 for every dimension.
        weights: How much it cares for each objective (`Weighting`), by name; None: for all of them alike.

    Raises:
        CampaignError: an unknown name or option; settings or places that cannot be; a package that is not installed.
    """
    _check(dimensions, objectives, settings, start)
    kind = _find(name)
    options = _options(name, kind, settings.options)
    weighting = Weighting(weights or dict.fromkeys(objectives, 1.0), settings.largest_score)
    setup = Setup(
        dimensions=len(dimensions),
        groups=len(group_members(objectives, groups)),
        seed=seed,
        population=settings.population,
        start=tuple(tuple(float(place) for place in position) for position in start),
        early_end=settings.early_end,
        deterministic=settings.deterministic,
        failure_scores=tuple(weighting.score(name, FAILURE_SCORE) for name in objectives),
        limits=tuple(weighting.limit(name) for name in objectives),
    )
    algorithm = RestartingAlgorithm(lambda setup: kind.make(setup, options), setup, settings.restarts)
    search = UnitCubeSearch(dimensions, objectives, algorithm, settings.deterministic, groups)
    return search if weighting.is_plain else WeightedSearch(search, weighting)


def _find(name: str) -> AlgorithmKind:
    if name in BUILT_IN:
        return BUILT_IN[name]
    found = entry_points(group=ENTRY_POINTS, name=name)
    if not found:
        raise CampaignError(f"expected one of the searches {', '.join(search_names())}, got '{name}'")
    kind = next(iter(found)).load()
    if not isinstance(kind, AlgorithmKind):
        raise CampaignError(
            f"the entry point '{name}' of the group {ENTRY_POINTS} must lead to an AlgorithmKind, got {kind!r}"
        )
    return kind


def _options(name: str, kind: AlgorithmKind, given: Mapping[str, object]) -> Any:
    """The algorithm's own options, each of the type of its default."""
    known = {option.name: option for option in fields(kind.options)}
    for key, value in given.items():
        if key not in known:
            raise CampaignError(f"the search '{name}' has the options {', '.join(known) or '(none)'}, got '{key}'")
        default = known[key].default
        expected: tuple[type, ...] = (int,) if default is None else (type(default),)
        if default is None or isinstance(default, float):
            expected += (int,)
        if isinstance(value, bool) != isinstance(default, bool) or not isinstance(value, expected):
            raise CampaignError(
                f"the option '{key}' of the search '{name}' is like {default!r} by default, got {value!r}"
            )
    return kind.options(**given)


def _check(
    dimensions: Sequence[Dimension],
    objectives: Sequence[str],
    settings: SearchSettings,
    start: Sequence[Sequence[float]],
) -> None:
    if not dimensions or not objectives:
        raise CampaignError(
            "a search needs a free parameter and an objective at least, "
            f"got {len(dimensions)} free parameters and {len(objectives)} objectives"
        )
    if settings.population is not None and settings.population < 4:
        raise CampaignError(f"the population must be 4 or more, got {settings.population}")
    if not settings.largest_score > 0.0:
        raise CampaignError(f"the largest score must be above 0, got {settings.largest_score:g}")
    restarts = settings.restarts
    if restarts.after is not None and restarts.after < 1:
        raise CampaignError(f"restarts come after one evaluation or more without improvement, got {restarts.after}")
    if not 0.0 <= restarts.improvement < 1.0 or not restarts.growth >= 1.0:
        raise CampaignError(
            "restarts: the improvement lies between 0 and 1 and the growth is 1 or more, "
            f"got {restarts.improvement:g} and {restarts.growth:g}"
        )
    for number, position in enumerate(start):
        if len(position) != len(dimensions) or not all(0.0 <= place <= 1.0 for place in position):
            raise CampaignError(
                f"place {number} to start from: expected {len(dimensions)} positions between 0 and 1, "
                f"got {', '.join(format(place, 'g') for place in position)}"
            )
