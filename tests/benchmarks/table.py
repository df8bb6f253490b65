"""The table of the README, from the files in results/: python tests/benchmarks/table.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.reporting import RESULTS

# Name of the benchmark, key in its file, what it is, what is aimed at.
ROWS = (
    ("extraction", "cpu_ratio", "CPU time of BluePyEfe over ours, same features", "5"),
    ("extraction", "memory_kB_per_cell", "growth of peak memory for each cell more (kB)", "15 or less"),
    ("evaluation", "cpu_ratio_full", "CPU time of BluePyOpt over ours, same evaluations", "1.3"),
    ("evaluation", "cpu_ratio_search", "the same, averaged over a search of ours", "5"),
    ("evaluation", "converged_score_difference", "scores apart at a fine tolerance (standard deviations)", "0"),
    ("search", "small/cpu_ratio", "CPU time to the same score, small cell", "10"),
    ("search", "l5/cpu_ratio", "CPU time to the same score, layer 5 pyramidal cell", "10"),
    ("utilisation", "fraction", "workers at work, evaluations varying threefold", "0.97"),
    (
        "driver",
        "ms_per_evaluation",
        "driver's CPU time for an evaluation (ms) after 1,000,000",
        "constant",
    ),
    ("driver", "growth", "that over what it was at the beginning", "1"),
    ("integrators", "l5/coreneuron_0.1/cpu_ratio", "CoreNEURON, steps of 0.1 ms, over the variable step, layer 5", "-"),
    ("integrators", "circuit/cpu_ratio", "CoreNEURON over NEURON, a circuit's trial, same spikes", "1 or less"),
    ("known_answers", "hh_worst_error", "hidden Hodgkin-Huxley conductances, worst search", "0.02 or less"),
    ("known_answers", "hypervolume_ratio_min", "hypervolume over that of DEAP's NSGA-II, worst search", "0.95"),
    ("circuit_recovery", "seeds_recovered", "hidden circuits found again, of 5", "5"),
    ("circuit_search", "core_seconds_ratio", "CPU time of one-stage TPE over ours, until all rates fit", "5"),
)


def lines() -> list[str]:
    """Rows of the benchmarks that were run in full."""
    found = ["| benchmark | what | measured | aim | date |", "|---|---|---|---|---|"]
    for name, key, what, aim in ROWS:
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        date, value = content["date"], content
        for part in key.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found.append(f"| `{name}.py` | {what} | {value:.3g} | {aim} | {date} |")
    return found


if __name__ == "__main__":
    print("\n".join(lines()))
