"""Every search that comes with rheobase keeps the contract, asynchronously and in generations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pytest

from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.interface import Search
from rheobase.fitting.search.restarting import Restarts
from rheobase.fitting.search.space import Dimension
from tests.contracts.search import SearchContract
from tests.contracts.search_driving import DIMENSIONS, OBJECTIVES


class ByName(SearchContract):
    name = ""
    evaluations = 80
    population = 20
    restarts = Restarts()
    options: Mapping[str, object] = MappingProxyType({})

    def search(
        self,
        seed: int = 1,
        dimensions: Sequence[Dimension] = DIMENSIONS,
        objectives: Sequence[str] = OBJECTIVES,
        start: Sequence[Sequence[float]] = (),
    ) -> Search:
        settings = SearchSettings(self.population, self.deterministic, restarts=self.restarts, options=self.options)
        return make_search(self.name, dimensions, objectives, settings, seed, start=start)


class TestIbea(ByName):
    name = "ibea"
    limits_founders = True


class TestIbeaDeterministic(TestIbea):
    deterministic = True


class TestNsga2(ByName):
    name = "nsga2"
    limits_founders = True


class TestNsga2Deterministic(TestNsga2):
    deterministic = True


class TestNsga3(ByName):
    name = "nsga3"
    limits_founders = True


class TestNsga3Deterministic(TestNsga3):
    deterministic = True


class TestCmaEs(ByName):
    name = "cma_es"
    population = 10


class TestCmaEsDeterministic(TestCmaEs):
    deterministic = True
    ends_early = False


class TestSeparableCmaEs(TestCmaEs):
    options = MappingProxyType({"separable": True})


class TestMoCmaEs(ByName):
    name = "mo_cma_es"
    population = 10
    evaluations = 120
    nearer = 0.6


class TestMoCmaEsDeterministic(TestMoCmaEs):
    deterministic = True


class TestDifferentialEvolution(ByName):
    name = "differential_evolution"
    evaluations = 120


class TestDifferentialEvolutionDeterministic(TestDifferentialEvolution):
    deterministic = True


class TestBayesian(ByName):
    name = "bayesian"
    limits_founders = True
    hopeful = 0.1
    evaluations = 40
    population = 10
    many = 400
    larger = 3.0  # it knows 200 places at most


class TestBayesianDeterministic(TestBayesian):
    deterministic = True
    beyond = 0.85  # whole generations fall to one side


class TestRestarting(ByName):
    """Restarts every now and then, with more and more candidates in a generation."""

    name = "ibea"
    limits_founders = True
    rounds_after_failures = 4  # after three it has just begun anew
    population = 10
    restarts = Restarts(after=60, growth=2.0)
    larger = 16.0
    nearer = 0.9


class TestRestartingDeterministic(TestRestarting):
    deterministic = True


class OptunaContract(ByName):
    evaluations = 40
    population = 10
    ends_early = False
    many = 600
    options = MappingProxyType({"remembered": 50})


class TestOptunaTpe(OptunaContract):
    name = "optuna_tpe"
    evaluations = 60
    nearer = 0.6
    precision = 0.5


class TestOptunaTpeDeterministic(TestOptunaTpe):
    deterministic = True


class TestOptunaCmaEs(OptunaContract):
    name = "optuna_cma_es"
    evaluations = 60
    nearer = 0.5


class TestOptunaCmaEsDeterministic(TestOptunaCmaEs):
    deterministic = True


class TestOptunaNsga2(OptunaContract):
    name = "optuna_nsga2"
    evaluations = 80
    nearer = 0.9
    precision = 1.0


class TestOptunaNsga2Deterministic(TestOptunaNsga2):
    deterministic = True


class TestOptunaNsga3(OptunaContract):
    name = "optuna_nsga3"
    evaluations = 80
    nearer = 0.9
    precision = 1.0


class TestOptunaNsga3Deterministic(TestOptunaNsga3):
    deterministic = True


@pytest.mark.slow
class TestOptunaGaussianProcess(OptunaContract):
    name = "optuna_gp"
    evaluations = 12
    population = 6
    many = 60
    nearer = 0.9
    precision = 0.5
    options = MappingProxyType({"remembered": 15})

    @pytest.fixture(autouse=True)
    def _torch(self) -> None:
        pytest.importorskip("torch", reason="torch is not installed: pip install 'rheobase[gp]'")
