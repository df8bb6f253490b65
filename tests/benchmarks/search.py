"""CPU time until a search is as good as BluePyOpt at the end of its budget: the same cell, stimuli and targets.

    python tests/benchmarks/search.py [--quick] [--case small] [--case l5] [--seed N ...] [--keep DIR]

Both fit the same free parameters between the same bounds, under stimuli in nA with a fixed holding current, to the same
targets. BluePyOpt runs as it comes (its evaluator, IBEA, protocols isolated in processes, processes in parallel), with
NEURON to itself; ours is a campaign's search: IBEA over protocols on the small cell, Bayesian optimisation on the layer
5 cell, whose evaluations take seconds; evaluations end early and are coarser while searching; a best so far that looks
as good as BluePyOpt's is evaluated at full fidelity, and charged for it. The score is the sum over features of
|model - mean| / std, models of both sides scored by the same evaluator at full fidelity (ours have failed when their
axon fires by itself, BluePyOpt's are scored nevertheless). Of BluePyOpt, whose own scores are means of such distances
over spikes, the best of the first three of its hall of fame counts.
--keep DIR keeps BluePyOpt's runs there, and takes those that it finds: they are hours, and the same whatever ours does.
Seeds may be run on different days: with --seed those in results/search.json that had the same budgets stay, each with
its date, and the median is over all of them.

Prints search.cpu_ratio_small and search.cpu_ratio_l5 (the layer 5 pyramidal cell, hours; --quick leaves it out):
BluePyOpt's CPU seconds for its whole budget over ours until that score, the median over seeds. A seed in which ours
does not get there within BluePyOpt's CPU time counts 0.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import statistics
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rheobase.fitting.cells.evaluator import CellEvaluator
from tests.benchmarks.bluepyopt_peer import PeerRun, alone, run_peer
from tests.benchmarks.our_side import full_total, run_ours
from tests.benchmarks.problems import Problem, l5_problem, small_problem
from tests.benchmarks.reporting import RESULTS, print_metric, write_results


@dataclass(frozen=True)
class Budget:
    """What BluePyOpt is given, and how coarsely we search.

    Attributes:
        offspring: Its offspring and population.
        generations: Its generations after the first.
        algorithm: Our search.
        population: Of our search; None: what suits it.
        segment_length_um: Longest segment of our search (um).
        absolute_tolerance: Of the variable time step of our search.
    """

    offspring: int
    generations: int
    algorithm: str
    population: int | None
    segment_length_um: float
    absolute_tolerance: float


SMALL = Budget(50, 20, "ibea", 50, 100.0, 1e-3)
SMALL_QUICK = Budget(10, 4, "ibea", 10, 100.0, 1e-3)
L5 = Budget(20, 7, "bayesian", None, 100.0, 1e-2)
L5_QUICK = Budget(4, 1, "bayesian", None, 100.0, 1e-2)
CASES = {"small": (small_problem, SMALL, SMALL_QUICK), "l5": (l5_problem, L5, L5_QUICK)}
_LOOKED_AT = 3  # best of BluePyOpt's hall of fame, by its own scores


def compare(problem: Problem, budget: Budget, seed: int, keep: Path | None) -> dict[str, Any]:
    """One seed of both."""
    peer = _peer(problem, budget, seed, keep)
    goal = _goal(problem, peer)
    coarse = budget.segment_length_um, budget.absolute_tolerance
    ours = run_ours(problem, seed, peer.cpu_seconds, goal, *coarse, budget.algorithm, budget.population)
    reached = ours.reached
    ratio = 0.0 if reached is None else peer.cpu_seconds / reached.cpu_seconds
    print(
        f"{problem.name:6} {seed:4d} {peer.evaluations:6d} {peer.cpu_seconds:9.1f} {peer.wall_seconds:9.1f} "
        f"{goal:9.2f} "
        f"{ours.evaluations:6d} {ours.excluded:6d} {_text(None if reached is None else reached.cpu_seconds)} "
        f"{_text(None if reached is None else reached.wall_seconds)} {ours.best_total:9.2f} {ratio:7.1f}",
        flush=True,
    )
    return {
        "problem": problem.name,
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "bluepyopt_evaluations": peer.evaluations,
        "bluepyopt_cpu_seconds": peer.cpu_seconds,
        "bluepyopt_wall_seconds": peer.wall_seconds,
        "bluepyopt_best_total": goal,
        "evaluations": ours.evaluations,
        "excluded": ours.excluded,
        "cpu_seconds": reached and reached.cpu_seconds,
        "wall_seconds": reached and reached.wall_seconds,
        "best_total": ours.best_total if math.isfinite(ours.best_total) else None,
        "cpu_ratio": ratio,
    }


def _peer(problem: Problem, budget: Budget, seed: int, keep: Path | None) -> PeerRun:
    kept = None if keep is None else keep / f"{problem.name}_{budget.offspring}_{budget.generations}_{seed}.json"
    if kept is not None and kept.exists():
        return PeerRun(**json.loads(kept.read_text(encoding="utf-8")))
    peer = alone(run_peer, problem, seed, budget.offspring, budget.generations)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(asdict(peer)), encoding="utf-8")
    return peer


def _goal(problem: Problem, peer: PeerRun) -> float:
    settings = replace(problem.settings, ectopic_limit=math.inf)
    evaluator = CellEvaluator(problem.model, problem.targets, settings)
    return min(full_total(evaluator, parameters) for parameters in peer.best[:_LOOKED_AT])


def _text(seconds: float | None) -> str:
    return f"{'never':>9}" if seconds is None else f"{seconds:9.1f}"


def _written() -> dict[str, Any]:
    """Results of earlier runs, of each cell."""
    path = RESULTS / "search.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: content[name] for name in CASES if name in content}


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a budget of seconds")
    parser.add_argument("--case", action="append", choices=("small", "l5"), help="which cell; both unless given")
    parser.add_argument("--seed", action="append", type=int, help="repeatable; 1, 2 and 3 unless given")
    parser.add_argument("--keep", type=Path, help="folder for BluePyOpt's runs, taken from there if they are in it")
    options = parser.parse_args()
    seeds = [1] if options.quick else options.seed or [1, 2, 3]
    print(
        "problem seed BluePyOpt:     CPU s    wall s best sum  ours:excluded  CPU s   wall s   best sum   ratio\n"
        "             evaluations                          evaluations       to BluePyOpt's best sum"
    )
    chosen = options.case or (["small"] if options.quick else ["small", "l5"])
    content = {} if options.quick else _written()
    for name in chosen:
        make, full, quick = CASES[name]
        given = quick if options.quick else full
        budget = asdict(given)
        problem = make()
        written = content.get(name, {})
        rows = {row["seed"]: row for row in written.get("seeds", ()) if written["budget"] == budget and options.seed}
        for seed in seeds:
            rows[seed] = compare(problem, given, seed, options.keep)
        ratio = statistics.median(row["cpu_ratio"] for row in rows.values())
        content[name] = {"budget": budget, "seeds": [rows[seed] for seed in sorted(rows)], "cpu_ratio": ratio}
        print_metric(f"search.cpu_ratio_{name}", round(ratio, 2))
    if not options.quick:
        write_results("search", content)


if __name__ == "__main__":
    main()
