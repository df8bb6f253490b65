"""Core seconds until all rates are in tolerance: stage by stage, and by one search over all gains.

    python tests/benchmarks/circuit_search.py [--quick] [--seeds N]

Ours is the standard recipe. The other is what published models did: Optuna's TPE over all gains and backgrounds of the
full circuit at once, on the bounds of the recipe, the loss being the sum of squared deviations in tolerances. Both
begin with the circuit as described, and both are looked at alike: whenever a simulation of the full circuit has all
rates within their tolerances, its parameters are simulated with five seeds that the search has not seen; where the
means over these are within all tolerances it is done. These five are not counted, nor is building the network, which
the published models did anew for every trial. TPE is given up at six times what ours took.

Prints circuit_search.core_seconds_ratio: CPU seconds of TPE's simulations over those of ours, the median over seeds.
Where TPE was given up its time so far counts, so the ratio is a lower bound; where ours did not get there it is 0.
--quick: one layer by itself, one seed.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rheobase.fitting.circuits.circuit import Trial
from rheobase.fitting.tuning.trials import Asked
from tests.benchmarks.circuits import AT_ONCE, Bench, Workers, one_layer_bench, run_recipe, small_bench
from tests.benchmarks.reporting import print_metric, write_results

BOUNDS = {"weight": (0.2, 5.0), "background": (0.1, 10.0)}  # those of the recipe
GIVEN_UP_AFTER = 6.0  # times what ours took


class Goal:
    """Whether parameters bring all rates into tolerance, with seeds that no search has seen."""

    def __init__(self, bench: Bench, workers: Workers) -> None:
        self._bench, self._workers = bench, workers
        tuning = bench.campaign.tuning
        self.duration_ms = tuning.transient + tuning.duration
        self.worst = math.inf

    def deviations(self, values: Mapping[str, float | None]) -> list[float]:
        """How far each rate is from its target, in tolerances."""
        keys = self._bench.campaign.targets
        return [
            abs(float(values[f"rate:{name}"] or 0.0) - rate.mean) / keys.tolerance_Hz(name)
            for name, rate in keys.rates.items()
        ]

    def reached(self, parameters: Mapping[str, float], values: Mapping[str, float | None]) -> bool:
        """Whether a simulation that has all rates in tolerance has them with the unseen seeds too."""
        if max(self.deviations(values)) > 1.0:
            return False
        responses = self._workers.on_unseen_seeds(self._bench, parameters, self.duration_ms)
        self.worst = min(self.worst, max(self.deviations(self._bench.measured_over_seeds(responses))))
        return self.worst <= 1.0


def ours(bench: Bench, workers: Workers, seed: int) -> dict[str, Any]:
    """The recipe, rates alone."""
    goal = Goal(bench, workers)

    def enough(asked: Asked, values: Mapping[str, float | None]) -> bool:
        full = asked.trial.connected and not asked.trial.replayed
        return full and goal.reached(asked.trial.parameters, values)

    return _spent(workers, goal, lambda: run_recipe(bench, workers, bench.stages(), seed, enough))


def theirs(bench: Bench, workers: Workers, seed: int, cpu_limit_s: float) -> dict[str, Any]:
    """One TPE search over all gains of the full circuit."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(dict.fromkeys(bench.factors, 1.0))
    goal = Goal(bench, workers)
    dropped_ms = bench.campaign.tuning.transient
    limit_s = workers.cpu_seconds + cpu_limit_s

    def search() -> None:
        while workers.cpu_seconds < limit_s:
            asked = [study.ask() for _ in range(AT_ONCE)]
            trials = []
            for one in asked:
                values = {n: one.suggest_float(n, *BOUNDS[n.partition(":")[0]], log=True) for n in bench.factors}
                trials.append(Trial(values, 1000 + one.number, goal.duration_ms, dropped_ms))
            done = False
            for one, trial, response in zip(asked, trials, workers.simulate(trials), strict=True):
                rates = bench.measured(response, False)
                study.tell(one, sum(min(d, 10.0) ** 2 for d in goal.deviations(rates)))
                done = done or goal.reached(trial.parameters, rates)
            if done:
                return

    return _spent(workers, goal, search)


def _spent(workers: Workers, goal: Goal, search: Any) -> dict[str, Any]:
    trials, cpu_s = workers.trials, workers.cpu_seconds
    search()
    return {
        "trials": workers.trials - trials, "cpu_s": workers.cpu_seconds - cpu_s, "in_tolerance": goal.worst <= 1.0,
        "worst_deviation": goal.worst if math.isfinite(goal.worst) else None,
    }  # fmt: skip


def main() -> None:
    """Both, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one layer, one seed")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if options.quick:
        bench = one_layer_bench()
    else:
        bench = small_bench("targets.spectrum=", "tuning.duration=2 s", "tuning.transient=500 ms", "tuning.wall_time=")
    print("seed  ours: trials  CPU s  in tolerance  TPE: trials  CPU s  in tolerance   ratio")
    rows: list[dict[str, Any]] = []
    with Workers(bench) as workers:
        for seed in range(1, 2) if options.quick else range(1, 1 + options.seeds):
            one = ours(bench, workers, seed)
            other = theirs(bench, workers, seed, GIVEN_UP_AFTER * one["cpu_s"])
            ratio = other["cpu_s"] / one["cpu_s"] if one["in_tolerance"] else 0.0
            rows.append({"seed": seed, "ours": one, "tpe": other, "ratio": ratio})
            print(
                f"{seed:4d}  {one['trials']:12d}  {one['cpu_s']:5.0f}  {_word(one):>12}  {other['trials']:11d}  "
                f"{other['cpu_s']:5.0f}  {_word(other):>12}  {'' if other['in_tolerance'] else '>'}{ratio:6.2f}",
                flush=True,
            )
    ratio = statistics.median(row["ratio"] for row in rows)
    print_metric("circuit_search.core_seconds_ratio", round(ratio, 2))
    if not options.quick:
        print(write_results("circuit_search", {"core_seconds_ratio": ratio, "runs": rows}))


def _word(spent: Mapping[str, Any]) -> str:
    return "yes" if spent["in_tolerance"] else "no"


if __name__ == "__main__":
    main()
