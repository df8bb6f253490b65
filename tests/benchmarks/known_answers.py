"""Problems with known answers: does every search find them, and how soon?

    python tests/benchmarks/known_answers.py [--quick]

Each search looks for the three conductances of the Hodgkin-Huxley surrogate (tests/benchmarks/hodgkin_huxley.py) within
a box of a decade to either side of each, with its default settings, asynchronously, evaluations ended early where its
bound allows, and 2000 evaluations (those that model the objectives: 200). The error is that of the best model by the
sum of its scores: the largest relative deviation of its conductances. The multi-objective searches are also compared
with DEAP's own NSGA-II loop: hypervolume of all that was found after equally many evaluations. With --quick one seed,
ended as soon as its best model is within 2 %, and one problem with fewer evaluations.

Prints a table, and
  known_answers.hh_worst_error           largest error of any search and seed
  known_answers.hh_worst_error.SEARCH    of each search
  known_answers.hypervolume_ratio_min    smallest ratio to DEAP's hypervolume, of medians over seeds
In full it writes results/known_answers.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import multiprocessing
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rheobase.fitting.search.factory import BUILT_IN, SearchSettings, make_search
from rheobase.fitting.search.space import Dimension
from tests.benchmarks.hodgkin_huxley import DIMENSIONS, GROUPS, TRUE, HodgkinHuxley
from tests.benchmarks.pareto_problems import PROBLEMS, deap_nsga2, hypervolume
from tests.benchmarks.reporting import print_metric, write_results

TOLERANCE = 0.02
EVALUATIONS = 2000
GAUSSIAN_PROCESS = "optuna_gp"  # a second for each candidate
MODELLING = ("bayesian", GAUSSIAN_PROCESS)
MODELLING_EVALUATIONS = 200
MULTI_OBJECTIVE = ("ibea", "nsga2", "nsga3", "mo_cma_es", "optuna_nsga2", "optuna_nsga3")
PARETO_EVALUATIONS = 3000
PARETO_POPULATION = 52


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        error: Largest relative deviation of the best model's conductances from the true ones.
        total: Sum of its scores.
        evaluations: How many there were.
        needed: After how many the best model was within the tolerance for good; None: never.
        ended_early: Part of the evaluations that the bounds ended early.
        measured: Part of the objectives that were measured.
    """

    error: float
    total: float
    evaluations: int
    needed: int | None
    ended_early: float
    measured: float


@cache
def _cell() -> HodgkinHuxley:
    return HodgkinHuxley()


def find_conductances(name: str, seed: int, evaluations: int, whole: bool) -> Found:
    """Run a search on the Hodgkin-Huxley surrogate; unless the whole, until its best model is within the tolerance."""
    search = make_search(name, DIMENSIONS, tuple(GROUPS), SearchSettings(), seed, GROUPS)
    best, error, needed, ended, measured, place = math.inf, math.inf, None, 0, 0, 0
    while place < evaluations and (whole or needed is None):
        candidate = search.ask()
        assert candidate is not None
        scores, deviations, excluded = _cell().scores(candidate.parameters, search.bound(candidate.number))
        search.tell(candidate.number, scores, excluded=excluded, deviations=deviations)
        ended += excluded
        measured += len(scores)
        place += 1
        total = sum(scores.values())
        if not excluded and total < best:
            best = total
            error = max(abs(candidate.parameters[key] / value - 1.0) for key, value in TRUE.items())
            if error > TOLERANCE:
                needed = None
            elif needed is None:
                needed = place
    return Found(error, best, place, needed, ended / place, measured / place / len(GROUPS))


def hypervolume_ratio(name: str, problem_name: str, seed: int, evaluations: int) -> float:
    """Hypervolume of all that a search found, in parts of that of DEAP's loop."""
    problem = PROBLEMS[problem_name]
    objectives = [f"f{place}" for place in range(len(problem.reference))]
    dimensions = [Dimension(f"x{place}", 0.0, 1.0) for place in range(problem.parameters)]
    population = None if name == "mo_cma_es" else PARETO_POPULATION  # its members learn too slowly in large ones
    search = make_search(name, dimensions, objectives, SearchSettings(population), seed)
    found = []
    for _ in range(evaluations):
        candidate = search.ask()
        assert candidate is not None
        found.append(problem.function(np.array(list(candidate.parameters.values()))))
        search.tell(candidate.number, dict(zip(objectives, found[-1].tolist(), strict=True)))
    theirs = deap_nsga2(problem, evaluations, seed, PARETO_POPULATION)
    return hypervolume(np.array(found), problem.reference) / hypervolume(theirs, problem.reference)


def searches() -> list[str]:
    """Names of those that can run here."""
    with_torch = importlib.util.find_spec("torch") is not None
    return [name for name in BUILT_IN if name != GAUSSIAN_PROCESS or with_torch]


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed until it is found; nothing is written")
    quick = parser.parse_args().quick
    names, seeds = searches(), [1] if quick else [1, 2, 3]
    if quick and GAUSSIAN_PROCESS in names:
        names.remove(GAUSSIAN_PROCESS)
    budgets = {name: MODELLING_EVALUATIONS if name in MODELLING else EVALUATIONS for name in names}
    problems = ["ZDT1"] if quick else list(PROBLEMS)
    pareto_evaluations = 1000 if quick else PARETO_EVALUATIONS
    with ProcessPoolExecutor(max_workers=2, mp_context=multiprocessing.get_context("spawn")) as pool:
        finding = {
            name: [pool.submit(find_conductances, name, seed, budgets[name], not quick) for seed in seeds]
            for name in sorted(names, reverse=True)  # those of Optuna, which take longest, first
        }
        dominating = {
            (name, problem): [pool.submit(hypervolume_ratio, name, problem, seed, pareto_evaluations) for seed in seeds]
            for name in MULTI_OBJECTIVE
            for problem in problems
        }
        found = {name: [future.result() for future in futures] for name, futures in finding.items()}
        ratios = {pair: statistics.median(value.result() for value in values) for pair, values in dominating.items()}
    print("search                  seed  within 2 % after   error %  ended early %")
    for name in names:
        for seed, one in zip(seeds, found[name], strict=True):
            needed = one.needed or "never"
            print(f"{name:24}{seed:4d}{needed:>18}{100.0 * one.error:10.2f}{100.0 * one.ended_early:15.0f}")
    worst = {name: max(one.error for one in found[name]) for name in names}
    for name, error in worst.items():
        print_metric(f"known_answers.hh_worst_error.{name}", error)
    for (name, problem), ratio in ratios.items():
        print_metric(f"known_answers.hypervolume_ratio.{name}.{problem}", ratio)
    print_metric("known_answers.hh_worst_error", max(worst.values()))
    print_metric("known_answers.hypervolume_ratio_min", min(ratios.values()))
    if not quick:
        write_results(
            "known_answers",
            {
                "hh_worst_error": max(worst.values()),
                "hypervolume_ratio_min": min(ratios.values()),
                "hodgkin_huxley": {name: [vars(one) for one in ones] for name, ones in found.items()},
                "hypervolume_ratio": {f"{name}.{problem}": ratio for (name, problem), ratio in ratios.items()},
                "pareto_evaluations": pareto_evaluations,
            },
        )


if __name__ == "__main__":
    main()
