from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from rheobase.features.errors import CampaignError
from rheobase.fitting.search import factory
from rheobase.fitting.search.algorithm import Outcome, Proposal, Setup
from rheobase.fitting.search.factory import AlgorithmKind, SearchSettings, make_search, search_names
from rheobase.fitting.search.interface import SearchError
from rheobase.fitting.search.restarting import Restarts
from tests.contracts.search_driving import DIMENSIONS, OBJECTIVES, ask_batch


@dataclass(frozen=True)
class ChanceOptions:
    power: float = 1.0
    bold: bool = False


class Chance:
    """Random search, as another package may bring it."""

    exhausted = False
    generation_size = 4

    def __init__(self, setup: Setup, options: ChanceOptions) -> None:
        self._setup, self._options = setup, options
        self._generator = np.random.default_rng(setup.seed)

    def propose(self) -> Proposal:
        return Proposal(tuple(self._generator.random(self._setup.dimensions) ** self._options.power))

    def learn(self, proposal: Proposal, outcome: Outcome) -> None:
        pass


CHANCE = AlgorithmKind(ChanceOptions, Chance)


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("chance", f"{__name__}:CHANCE", factory.ENTRY_POINTS),
        EntryPoint("odd", f"{__name__}:Chance", factory.ENTRY_POINTS),
        EntryPoint("other", "nowhere:at_all", "another.group"),
    ]
    monkeypatch.setattr(factory, "entry_points", EntryPoints(points).select)


@pytest.mark.parametrize(
    ("algorithm", "options", "expected"),
    [
        ("bayesian", {"founders": 1}, "'founders' is at least 2, got 1"),
        ("cma_es", {"initial_step": 0}, "'initial_step' is above 0 and at most 1, got 0"),
        ("cma_es", {"initial_step": -1.0}, "'initial_step' is above 0"),
        ("mo_cma_es", {"initial_step": 1.5}, "'initial_step' is above 0 and at most 1, got 1.5"),
        ("mo_cma_es", {"admission_ratio": 0.5}, "'admission_ratio' is at least 1, got 0.5"),
        ("differential_evolution", {"memory": 0}, "'memory' is at least 1, got 0"),
        ("ibea", {"crossover_eta": -1.0}, "'crossover_eta' is at least 0, got -1"),
        ("ibea", {"mutation_eta": float("nan")}, "'mutation_eta' is at least 0, got nan"),
        ("nsga2", {"mutation_probability": 1.1}, "'mutation_probability' is at least 0 and at most 1, got 1.1"),
        ("nsga3", {"admission_ratio": 0.0}, "'admission_ratio' is at least 1, got 0"),
        ("ibea", {"founder_part": 0.0}, "'founder_part' is above 0, got 0"),
        ("optuna_tpe", {"remembered": 0}, "'remembered' is at least 2, got 0"),
    ],
)
def test_options_beyond_their_range(algorithm: str, options: dict[str, float], expected: str) -> None:
    with pytest.raises(CampaignError, match=f"the option {expected}"):
        make_search(algorithm, DIMENSIONS, OBJECTIVES, SearchSettings(options=options), 1)


@pytest.mark.usefixtures("_elsewhere")
def test_searches_of_other_packages() -> None:
    assert search_names()[-2:] == ["chance", "odd"]
    settings = SearchSettings(deterministic=True, options={"power": 3})
    search = make_search("chance", DIMENSIONS, OBJECTIVES, settings, 1)
    assert len(ask_batch(search, 10)) == 4
    with pytest.raises(CampaignError, match=r"entry point 'odd' of the group rheobase.searches must lead to an Algor"):
        make_search("odd", DIMENSIONS, OBJECTIVES, SearchSettings(), 1)


@pytest.mark.usefixtures("_elsewhere")
def test_an_unknown_search() -> None:
    with pytest.raises(CampaignError, match=r"one of the searches ibea, .*optuna_gp.*, chance, odd, got 'spea'"):
        make_search("spea", DIMENSIONS, OBJECTIVES, SearchSettings(), 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 3.0}, r"'ibea' has the options crossover_eta, .*admission_ratio, founder_part, got 'eta'"),
        ({"crossover_eta": "high"}, r"'crossover_eta' of the search 'ibea' is like 10.0 by default, got 'high'"),
        ({"crossover_eta": True}, "is like 10.0 by default, got True"),
    ],
)
def test_unknown_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(options=options), 1)


def test_options_of_other_types() -> None:
    make_search("optuna_tpe", DIMENSIONS, OBJECTIVES, SearchSettings(options={"remembered": 60}), 1)
    make_search("cma_es", DIMENSIONS, OBJECTIVES, SearchSettings(options={"separable": True, "initial_step": 1}), 1)
    with pytest.raises(CampaignError, match=r"is like None by default, got 60\.5"):
        make_search("optuna_tpe", DIMENSIONS, OBJECTIVES, SearchSettings(options={"remembered": 60.5}), 1)
    with pytest.raises(CampaignError, match="is like False by default, got 1"):
        make_search("cma_es", DIMENSIONS, OBJECTIVES, SearchSettings(options={"separable": 1}), 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SearchSettings(population=3), "population must be 4 or more, got 3"),
        (SearchSettings(restarts=Restarts(after=0)), "after one evaluation or more without improvement, got 0"),
        (SearchSettings(restarts=Restarts(improvement=1.0)), "improvement lies between 0 and 1.*got 1 and 1"),
        (SearchSettings(restarts=Restarts(growth=0.5)), "growth is 1 or more, got 0.01 and 0.5"),
    ],
)
def test_settings_that_cannot_be(settings: SearchSettings, message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        make_search("ibea", DIMENSIONS, OBJECTIVES, settings, 1)


@pytest.mark.parametrize("place", [(0.5, 0.5), (0.5, 0.5, 1.5), (0.5, 0.5, float("nan"))])
def test_places_that_cannot_be(place: tuple[float, ...]) -> None:
    with pytest.raises(
        CampaignError, match=r"place 1 to start from: expected 3 positions between 0 and 1, got 0\.5, 0\.5"
    ):
        make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(), 1, start=[(0.1, 0.2, 0.3), place])


def test_nothing_to_search() -> None:
    with pytest.raises(CampaignError, match="got 0 free parameters and 2 objectives"):
        make_search("ibea", [], OBJECTIVES, SearchSettings(), 1)


def test_an_objective_without_a_group() -> None:
    with pytest.raises(SearchError, match=f"the objective '{OBJECTIVES[1]}' belongs to no group"):
        make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(), 1, {OBJECTIVES[0]: "one"})


def test_frozen_parameters_are_simply_absent() -> None:
    search = make_search("ibea", DIMENSIONS[:2], OBJECTIVES, SearchSettings(), 1, start=[(0.5, 0.5)])
    (candidate,) = ask_batch(search, 1)
    assert list(candidate.parameters) == [dimension.name for dimension in DIMENSIONS[:2]]
