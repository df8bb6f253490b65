"""What one evaluation costs, part by part: the same cell, stimuli, targets and candidates in BluePyOpt and in ours.

    python tests/benchmarks/evaluation.py [--quick]

Prints evaluation.cpu_ratio_full: BluePyOpt's CPU time over ours, at the same discretisation and integrator (CVODE), the
median over candidates; and evaluation.cpu_ratio_search: BluePyOpt's mean CPU time for candidates that a search of ours
asked for, over what that search took for each of its own, with its coarser discretisation, early end, driver, and its
five best evaluated again at full fidelity. --quick takes a small cell instead of the layer 5 pyramidal cell.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rheobase.fitting.cells import evaluator as our_evaluator
from rheobase.fitting.cells.evaluator import CellEvaluator
from rheobase.fitting.cells.simulation import SomaClamp
from tests.benchmarks.bluepyopt_peer import peer_evaluator
from tests.benchmarks.our_side import full_total, run_ours
from tests.benchmarks.problems import Problem, l5_problem, small_problem
from tests.benchmarks.reporting import print_metric, write_results


@dataclass(frozen=True)
class Case:
    """How much is done.

    Attributes:
        candidates: Candidates that both evaluate.
        search_cpu_s: CPU time of our search (s).
        segment_length_um: Longest segment of our search (um).
        absolute_tolerance: Of the variable time step of our search.
    """

    candidates: int
    search_cpu_s: float
    segment_length_um: float
    absolute_tolerance: float


_ELITES = 5  # evaluated again at full fidelity

QUICK = Case(4, 6.0, 100.0, 1e-3)
FULL = Case(6, 300.0, 1000.0, 1e-2)


def cpu_s() -> float:
    """CPU time of this process and of those it has started and seen end (s)."""
    ours, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours.ru_utime + ours.ru_stime + others.ru_utime + others.ru_stime


class Parts:
    """CPU time by part, taken by wrapping functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def wrap(self, owner: Any, name: str, part: str) -> None:
        """Count what a function of a module or class takes."""
        function: Callable[..., Any] = getattr(owner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds[part] += time.process_time() - begin

        setattr(owner, name, counted)

    def taken(self) -> dict[str, float]:
        """What was counted since the last call."""
        taken, self.seconds = dict(self.seconds), defaultdict(float)
        return taken


def our_costs(problem: Problem, candidates: list[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Each candidate by us: total, parts and scores; building the cell is shared by all."""
    parts = Parts()
    for method in ("settle", "inject"):
        parts.wrap(SomaClamp, method, "integrate")
    parts.wrap(our_evaluator, "measure_protocol", "features")
    begin = time.process_time()
    evaluator = CellEvaluator(problem.model, problem.targets, problem.settings)
    built = time.process_time() - begin
    parts.wrap(evaluator._instance, "set_parameters", "instantiate")
    rows = []
    for candidate in candidates:
        begin = time.process_time()
        evaluation = evaluator.evaluate(candidate)
        total = time.process_time() - begin
        rows.append({"cpu_s": total, **parts.taken(), "scores": evaluation.scores, "built_s": built})
    return rows


def peer_costs(problem: Problem, candidates: list[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Each candidate by BluePyOpt as it comes, protocols isolated; parts from a second run in this process."""
    peer = peer_evaluator(problem)
    rows = []
    for candidate in candidates:
        begin = cpu_s()
        scores = peer.evaluate_with_dicts(dict(candidate))
        rows.append({"cpu_s": cpu_s() - begin, "scores": scores})
    return rows


def peer_parts(problem: Problem, candidate: Mapping[str, float]) -> dict[str, float]:
    """Parts of one evaluation by BluePyOpt without isolation."""
    peer = peer_evaluator(problem)
    parts = Parts()
    parts.wrap(peer.cell_model, "instantiate", "instantiate")
    parts.wrap(peer.cell_model, "destroy", "instantiate")
    parts.wrap(peer.sim, "run", "integrate")
    parts.wrap(peer.fitness_calculator, "calculate_scores", "features")
    for _ in range(2):  # the first time loads and compiles what later ones find
        parts.taken()
        begin = time.process_time()
        responses = {}
        for protocol in peer.fitness_protocols.values():
            responses.update(protocol.run(peer.cell_model, dict(candidate), sim=peer.sim, isolate=False))
        peer.fitness_calculator.calculate_scores(responses)
    return {"cpu_s": time.process_time() - begin, **parts.taken()}


def main() -> None:
    """Search, evaluate alike, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small cell, in seconds")
    options = parser.parse_args()
    case, problem = (QUICK, small_problem()) if options.quick else (FULL, l5_problem())

    search = run_ours(problem, 1, case.search_cpu_s, 0.0, case.segment_length_um, case.absolute_tolerance)
    evaluator = CellEvaluator(problem.model, problem.targets, problem.settings)
    begin = time.process_time()
    for holder in search.holders[-_ELITES:]:
        full_total(evaluator, holder.parameters)
    again_s = time.process_time() - begin
    per_evaluation_s = (search.cpu_seconds + again_s) / search.evaluations
    stride = max(1, len(search.candidates) // case.candidates)
    candidates = list(search.candidates[::stride][: case.candidates])

    theirs = peer_costs(problem, candidates)
    parts = peer_parts(problem, candidates[-1])
    ours = our_costs(problem, candidates)
    print("candidate  BluePyOpt CPU s  ours CPU s  ratio  largest difference of a score")
    rows = []
    for number, (peer, own) in enumerate(zip(theirs, ours, strict=True)):
        difference = max(abs(peer["scores"][name] - score) for name, score in own["scores"].items())
        rows.append(
            {"bluepyopt_cpu_s": peer["cpu_s"], "cpu_s": own["cpu_s"], "largest_score_difference": float(difference),
             "bluepyopt_sum": float(sum(peer["scores"].values())), "sum": float(sum(own["scores"].values()))}
        )  # fmt: skip
        print(
            f"{number:9d}  {peer['cpu_s']:15.2f}  {own['cpu_s']:10.2f}  {peer['cpu_s'] / own['cpu_s']:5.2f}  "
            f"{difference:.3g}  (sums {rows[-1]['bluepyopt_sum']:.2f}, {rows[-1]['sum']:.2f})"
        )
    print("part          BluePyOpt CPU s  ours CPU s   (last candidate; BluePyOpt's parts without isolation)")
    last = ours[-1]
    for part in ("instantiate", "integrate", "features"):
        print(f"{part:12s}  {parts.get(part, 0.0):15.2f}  {last.get(part, 0.0):10.2f}")
    transport = theirs[-1]["cpu_s"] - parts["cpu_s"]
    print(f"{'isolation':12s}  {transport:15.2f}  {0.0:10.2f}")
    print(f"search: {search.evaluations} evaluations, {search.excluded} excluded, {per_evaluation_s:.2f} CPU s each")

    full = statistics.median(row["bluepyopt_cpu_s"] / row["cpu_s"] for row in rows)
    whole = statistics.fmean(row["bluepyopt_cpu_s"] for row in rows) / per_evaluation_s
    print_metric("evaluation.cpu_ratio_full", round(full, 3))
    print_metric("evaluation.cpu_ratio_search", round(whole, 3))
    if not options.quick:
        content = {
            "cpu_ratio_full": full,
            "cpu_ratio_search": whole,
            "candidates": rows,
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
