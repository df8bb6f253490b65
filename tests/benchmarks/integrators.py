"""What the choice of integrator costs, and what it does to the scores.

    python tests/benchmarks/integrators.py [--quick]

The same candidates of the small cell and of the layer 5 pyramidal cell (tests/benchmarks/problems.py; segments of 100
um), evaluated whole with the variable step at the default and at a coarser tolerance, with fixed steps of 0.005 ms,
which say what is right, and with those of 0.025 and 0.1 ms by NEURON and by CoreNEURON. A spike that is there or not is
worth 250 standard deviations for each of its features. Candidates lie around the middle of the bounds (small cell:
around the hidden conductances). Each integrator has a process of its own. With --quick the small cell only, with one
candidate and without the finest and the coarsest steps. In full also a second of the 287 cells of cortical_column
without signals, by NEURON and by CoreNEURON, thrice each.

Prints a table, and for each cell and integrator, e.g. integrators.small.fixed_0.1.cpu_ratio
  integrators.CELL.NAME.cpu_ratio           CPU time over that of the variable step with the default tolerance
  integrators.CELL.NAME.largest_difference  largest change of a score from there (standard deviations)
and in full
  integrators.circuit.coreneuron.cpu_ratio          CPU time over NEURON's
  integrators.circuit.coreneuron.different_spikes   spikes that only one of the two has
In full it writes results/integrators.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rheobase.campaigns.building import build_model
from rheobase.campaigns.circuits.building import build_blueprint
from rheobase.campaigns.circuits.schema import CircuitCampaign
from rheobase.campaigns.loading import library, load_any_campaign, load_campaign
from rheobase.fitting.cells.compilation import load_for_coreneuron
from rheobase.fitting.cells.evaluator import CellEvaluator
from rheobase.fitting.cells.mechanisms import ramp_clamp
from rheobase.fitting.circuits.circuit import Trial
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from tests.benchmarks.problems import Problem, hidden_conductances, l5_problem, small_problem
from tests.benchmarks.reporting import print_metric, write_results

REFERENCE = "variable"
INTEGRATORS: dict[str, dict[str, Any]] = {
    REFERENCE: {},
    "variable_coarse": {"absolute_tolerance": 1e-2},
    "fixed_0.005": {"integrator": "fixed", "time_step_ms": 0.005},
    "fixed_0.025": {"integrator": "fixed", "time_step_ms": 0.025},
    "fixed_0.1": {"integrator": "fixed", "time_step_ms": 0.1},
    "coreneuron_0.025": {"integrator": "coreneuron", "time_step_ms": 0.025},
    "coreneuron_0.1": {"integrator": "coreneuron", "time_step_ms": 0.1},
}
QUICK = (REFERENCE, "variable_coarse", "fixed_0.025", "coreneuron_0.025")
SEGMENT_LENGTH_um = 100.0
SPREAD = 0.05  # of candidates, in parts of each parameter's range


def problem_of(cell: str) -> Problem:
    """The problem, with the discretisation that all integrators have here."""
    problem = small_problem() if cell == "small" else l5_problem()
    return dataclasses.replace(problem, model=dataclasses.replace(problem.model, segment_length_um=SEGMENT_LENGTH_um))


def candidates(problem: Problem, count: int) -> list[dict[str, float]]:
    """Parameters around a place that makes sense."""
    middle = np.full(len(problem.model.dimensions), 0.5)
    if problem.name == "small":
        hidden = hidden_conductances(load_campaign(library()["demo"]))
        middle = np.array([dimension.position(hidden[dimension.name]) for dimension in problem.model.dimensions])
    drawn = middle + np.random.default_rng(1).normal(0.0, SPREAD, (count, len(middle)))
    return [
        {d.name: d.value(place) for d, place in zip(problem.model.dimensions, row, strict=True)}
        for row in np.clip(drawn, 0.0, 1.0).tolist()
    ]


def measure(cell: str, name: str, count: int) -> list[dict[str, Any]]:
    """CPU seconds and scores of each candidate, in this process."""
    if name.startswith("coreneuron"):  # before anything else is simulated in this process
        model = build_model(load_campaign(library()["demo"])) if cell == "small" else l5_problem().model
        load_for_coreneuron([*model.mechanisms, ramp_clamp()])
    problem = problem_of(cell)
    settings = dataclasses.replace(problem.settings, **INTEGRATORS[name])
    evaluator = CellEvaluator(problem.model, problem.targets, settings)
    found = []
    for parameters in candidates(problem, count):
        evaluation = evaluator.evaluate(parameters)
        found.append({"cpu_s": evaluation.cpu_seconds, "scores": evaluation.scores, "failure": evaluation.failure})
    return found


def simulate_circuit(name: str) -> dict[str, Any]:
    """CPU seconds and spikes of a second of the column, in this process."""
    campaign = load_any_campaign(library()["cortical_column"])
    assert isinstance(campaign, CircuitCampaign)
    circuit = NeuronCircuit(build_blueprint(campaign), coreneuron=name == "coreneuron")
    circuit.simulate(Trial({}, seed=1, duration_ms=20.0, dropped_ms=0.0))  # builds it
    runs = [circuit.simulate(Trial({}, seed=1, duration_ms=1000.0, dropped_ms=0.0)) for _ in range(3)]
    spikes = runs[0].spikes
    return {
        "cpu_s": statistics.median(run.cpu_seconds for run in runs),
        "spikes": list(zip(spikes.times_ms.tolist(), spikes.unit_of_spike.tolist(), strict=True)),
    }


def compare_circuit() -> dict[str, float]:
    """CoreNEURON against NEURON."""
    found = {name: in_process("circuit", name, 1) for name in ("neuron", "coreneuron")}
    ours, theirs = ({tuple(spike) for spike in found[name]["spikes"]} for name in ("coreneuron", "neuron"))
    return {
        "neuron_cpu_s": round(found["neuron"]["cpu_s"], 3),
        "cpu_ratio": round(found["coreneuron"]["cpu_s"] / found["neuron"]["cpu_s"], 3),
        "spikes": len(theirs),
        "different_spikes": len(ours ^ theirs),
    }


def in_process(cell: str, name: str, count: int) -> Any:
    """What `measure` or `simulate_circuit` gives in a process of its own."""
    words = [sys.executable, __file__, "--measure", cell, name, str(count)]
    ended = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(ended.stdout.splitlines()[-1])


def compare(cell: str, count: int, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Each integrator against the reference; prints the table's lines."""
    rows: dict[str, dict[str, float]] = {}
    reference: list[dict[str, Any]] = []
    for name in names:
        found: list[dict[str, Any]] = in_process(cell, name, count)
        reference = reference or found
        cpu_s = sum(one["cpu_s"] for one in found)
        differences = [
            abs(one["scores"][objective] - score)
            for one, other in zip(found, reference, strict=True)
            for objective, score in other["scores"].items()
        ]
        rows[name] = {
            "cpu_s": round(cpu_s / count, 3),
            "cpu_ratio": round(cpu_s / sum(one["cpu_s"] for one in reference), 3),
            "sum": round(sum(sum(one["scores"].values()) for one in found) / count, 3),
            "largest_difference": round(max(differences), 3),
            "failures": sum(one["failure"] is not None for one in found),
        }
        row = rows[name]
        print(
            f"{cell:6} {name:18} {row['cpu_s']:8.2f} {row['cpu_ratio']:7.2f} {row['sum']:9.2f} "
            f"{row['largest_difference']:9.2f} {row['failures']:4.0f}",
            flush=True,
        )
    return rows


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one candidate of the small cell; nothing is written")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        cell, name, count = options.measure
        print(json.dumps(simulate_circuit(name) if cell == "circuit" else measure(cell, name, int(count))))
        return
    counts = {"small": 1} if options.quick else {"small": 5, "l5": 3}
    print("cell   integrator         CPU s/ev   ratio       sum  largest difference, failures")
    names = QUICK if options.quick else tuple(INTEGRATORS)
    found = {cell: compare(cell, count, names) for cell, count in counts.items()}
    for cell, rows in found.items():
        for name, row in rows.items():
            if name != REFERENCE:
                print_metric(f"integrators.{cell}.{name}.cpu_ratio", row["cpu_ratio"])
                print_metric(f"integrators.{cell}.{name}.largest_difference", row["largest_difference"])
    if not options.quick:
        circuit = compare_circuit()
        for name in ("cpu_ratio", "different_spikes"):
            print_metric(f"integrators.circuit.coreneuron.{name}", circuit[name])
        about = {"candidates": counts, "segment_length_um": SEGMENT_LENGTH_um}
        write_results("integrators", {**about, **found, "circuit": circuit})


if __name__ == "__main__":
    main()
