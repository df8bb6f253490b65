"""What one evaluation costs, part by part: the same cell, stimuli, targets and candidates in BluePyOpt and in ours.

    python tests/benchmarks/evaluation.py [--quick]

Prints evaluation.cpu_ratio_full: BluePyOpt's CPU time over ours, at the same discretisation and integrator (CVODE), the
median over the best models that a search of ours came upon, which do what the stimuli ask for: each was the best so far
when it was found; evaluation.largest_score_difference between the two of any of their scores, in standard deviations,
and evaluation.converged_score_difference, the same where both integrate a thousand times as precisely: what remains is
not CVODE's;
and evaluation.cpu_ratio_search: BluePyOpt's mean CPU time for candidates that this search asked for, an even choice
from first to last, over what the search took for each of its own, with its coarser discretisation, early end, driver,
and its five best evaluated again at full fidelity. --quick takes a small cell instead of the layer 5 pyramidal cell.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rheobase.fitting.cells import evaluator as our_evaluator
from rheobase.fitting.cells.evaluator import CellEvaluator
from rheobase.fitting.cells.simulation import SomaClamp
from tests.benchmarks.bluepyopt_peer import alone
from tests.benchmarks.our_side import full_total, run_ours
from tests.benchmarks.peer_costs import Parts, peer_costs, peer_parts, peer_scores
from tests.benchmarks.problems import Problem, l5_problem, small_problem
from tests.benchmarks.reporting import print_metric, write_results


@dataclass(frozen=True)
class Case:
    """How much is done.

    Attributes:
        models: Models that both evaluate, of those that were the best so far.
        candidates: Candidates of the whole search that BluePyOpt evaluates.
        search_cpu_s: CPU time of our search (s).
        segment_length_um: Longest segment of our search (um).
        absolute_tolerance: Of the variable time step of our search.
    """

    models: int
    candidates: int
    search_cpu_s: float
    segment_length_um: float
    absolute_tolerance: float


_ELITES = 5  # evaluated again at full fidelity
_TOLERANCE, _PRECISE = 1e-3, 1e-6  # of CVODE: NEURON's own, and one at which spikes near threshold converge

QUICK = Case(3, 3, 6.0, 100.0, 1e-3)
FULL = Case(6, 8, 300.0, 100.0, 1e-2)


def our_costs(problem: Problem, candidates: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Each candidate by us: total, parts and scores; building the cell is shared by all.

    Models whose axon fires by itself are evaluated to their end, as BluePyOpt does.
    """
    parts = Parts()
    for method in ("settle", "inject"):
        parts.wrap(SomaClamp, method, "integrate")
    parts.wrap(our_evaluator, "measure_protocol", "features")
    begin = time.process_time()
    settings = replace(problem.settings, ectopic_limit=math.inf)
    evaluator = CellEvaluator(problem.model, problem.targets, settings)
    built = time.process_time() - begin
    parts.wrap(evaluator._instance, "set_parameters", "instantiate")
    rows = []
    for candidate in candidates:
        begin = time.process_time()
        evaluation = evaluator.evaluate(candidate)
        total = time.process_time() - begin
        rows.append({"cpu_s": total, **parts.taken(), "scores": evaluation.scores, "built_s": built})
    return rows


def score_differences(problem: Problem, models: Sequence[Mapping[str, float]], tolerance: float) -> list[float]:
    """The largest difference of a score between BluePyOpt and us, of each model (standard deviations)."""
    settings = replace(problem.settings, ectopic_limit=math.inf, absolute_tolerance=tolerance)
    theirs = alone(peer_scores, problem, models, tolerance)
    evaluator = CellEvaluator(problem.model, problem.targets, settings)
    ours = [evaluator.evaluate(model).scores for model in models]
    return [max(abs(peer[name] - score) for name, score in own.items()) for peer, own in zip(theirs, ours, strict=True)]


def main() -> None:
    """Search, evaluate alike, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small cell, in seconds")
    options = parser.parse_args()
    case, problem = (QUICK, small_problem()) if options.quick else (FULL, l5_problem())

    coarse = case.segment_length_um, case.absolute_tolerance
    search = run_ours(problem, 1, case.search_cpu_s, 0.0, *coarse, "ibea")
    evaluator = CellEvaluator(problem.model, problem.targets, problem.settings)
    begin = time.process_time()
    for holder in search.holders[-_ELITES:]:
        full_total(evaluator, holder.parameters)
    again_s = time.process_time() - begin
    per_evaluation_s = (search.cpu_seconds + again_s) / search.evaluations
    models = [holder.parameters for holder in search.holders[-case.models :]]
    stride = max(1, len(search.candidates) // case.candidates)
    candidates = list(search.candidates[::stride][: case.candidates])

    costs, scores = alone(peer_costs, problem, models), alone(peer_scores, problem, models, _TOLERANCE)
    theirs: list[dict[str, Any]] = [
        {"cpu_s": seconds, "scores": one} for seconds, one in zip(costs, scores, strict=True)
    ]
    parts = alone(peer_parts, problem, models[-1])
    ours = our_costs(problem, models)
    converged = score_differences(problem, models, _PRECISE)
    of_the_search_s = alone(peer_costs, problem, candidates)
    print("model      BluePyOpt CPU s  ours CPU s  ratio  largest difference of a score (converged)")
    rows = []
    for number, (peer, own, precise) in enumerate(zip(theirs, ours, converged, strict=True)):
        difference = max(abs(peer["scores"][name] - score) for name, score in own["scores"].items())
        rows.append(
            {"bluepyopt_cpu_s": peer["cpu_s"], "cpu_s": own["cpu_s"], "largest_score_difference": float(difference),
             "converged_score_difference": float(precise),
             "bluepyopt_sum": float(sum(peer["scores"].values())), "sum": float(sum(own["scores"].values()))}
        )  # fmt: skip
        print(
            f"{number:9d}  {peer['cpu_s']:15.2f}  {own['cpu_s']:10.2f}  {peer['cpu_s'] / own['cpu_s']:5.2f}  "
            f"{difference:.3g} ({precise:.3g})  (sums {rows[-1]['bluepyopt_sum']:.2f}, {rows[-1]['sum']:.2f})"
        )
    print("part          BluePyOpt CPU s  ours CPU s   (last model; BluePyOpt's parts without isolation)")
    last = ours[-1]
    for part in ("instantiate", "integrate", "features"):
        print(f"{part:12s}  {parts.get(part, 0.0):15.2f}  {last.get(part, 0.0):10.2f}")
    transport = theirs[-1]["cpu_s"] - parts["cpu_s"]
    print(f"{'isolation':12s}  {transport:15.2f}  {0.0:10.2f}")
    print(f"search: {search.evaluations} evaluations, {search.excluded} excluded, {per_evaluation_s:.2f} CPU s each")
    listed = ", ".join(f"{seconds:.1f}" for seconds in of_the_search_s)
    print(f"BluePyOpt, CPU s of {len(candidates)} candidates of the search: {listed}")

    full = statistics.median(row["bluepyopt_cpu_s"] / row["cpu_s"] for row in rows)
    whole = statistics.fmean(of_the_search_s) / per_evaluation_s
    difference = max(row["largest_score_difference"] for row in rows)
    print_metric("evaluation.cpu_ratio_full", round(full, 3))
    print_metric("evaluation.largest_score_difference", round(difference, 3))
    print_metric("evaluation.converged_score_difference", round(max(converged), 4))
    print_metric("evaluation.cpu_ratio_search", round(whole, 3))
    if not options.quick:
        content = {
            "cpu_ratio_full": full,
            "cpu_ratio_search": whole,
            "largest_score_difference": difference,
            "converged_score_difference": max(converged),
            "models": rows,
            "bluepyopt_cpu_s_of_candidates": of_the_search_s,
            "bluepyopt_parts": {**parts, "isolation": transport},
            "parts": {key: value for key, value in last.items() if key != "scores"},
            "search": {
                "evaluations": search.evaluations, "excluded": search.excluded, "cpu_s": search.cpu_seconds,
                "again_at_full_fidelity_cpu_s": again_s, "segment_length_um": case.segment_length_um,
                "absolute_tolerance": case.absolute_tolerance,
            },
        }  # fmt: skip
        print(write_results("evaluation", content))


if __name__ == "__main__":
    main()
