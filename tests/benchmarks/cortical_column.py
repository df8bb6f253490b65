"""The ready campaign cortical_column on this machine: is every target met with unseen seeds, and in how many minutes?

    python tests/benchmarks/cortical_column.py --out DIR [--quick]

Runs (or resumes) the campaign into DIR and, in full, writes results/cortical_column.json and .png. A finished DIR is
only summarised. --quick runs the first stage alone, with few and short trials.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rheobase.campaigns.circuits.building import build_targets
from rheobase.campaigns.circuits.confirming import read_final
from rheobase.campaigns.circuits.status import open_circuit_folder
from rheobase.campaigns.circuits.trial_record import read_trials
from rheobase.fitting.circuits.judging import judge_seeds
from tests.benchmarks.reporting import RESULTS, print_metric, write_results


def run(folder: Path, quick: bool) -> None:
    """Run or resume the campaign."""
    settings = []
    if quick:
        settings = ["tuning.duration=200 ms", "tuning.transient=100 ms", "tuning.trials=5", "tuning.wall_time=5 s",
                    "tuning.final_seeds=1", "tuning.spectrum_duration=1 s"]  # fmt: skip
    words = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "rheobase.campaigns.cli", "run", "cortical_column", "--out", str(folder), *words]
    subprocess.run(command, check=True)


def summarize(folder: Path) -> dict[str, object]:
    """Figures of a finished campaign."""
    campaign, opened = open_circuit_folder(folder)
    trials = list(read_trials(opened.trials))
    responses = read_final(opened)
    judged = judge_seeds(responses, build_targets(campaign))
    single = [
        abs(value - one.judged.target) <= one.judged.tolerance
        for one in judged
        if one.judged.name == "rate"
        for value in one.per_seed
        if value is not None
    ]
    stages = list(dict.fromkeys(trial.stage for trial in trials))
    return {
        "targets": len(judged),
        "targets_met": sum(one.judged.met for one in judged),
        "unseen_seeds": len(responses),
        "single_rates_within": round(sum(single) / len(single), 3),
        "minutes": round(float(opened.base.read_state().get("seconds", 0.0)) / 60.0, 1),
        "cpu_minutes": round(sum(trial.told.outcome.cpu_seconds for trial in trials) / 60.0, 1),
        "trials": len(trials),
        "cpu_seconds_per_simulated_second": round(
            statistics.median(
                1000.0 * trial.told.outcome.cpu_seconds / trial.told.outcome.simulated_ms
                for trial in trials
                if trial.stage == "full circuit"
            ),
            2,
        ) if "full circuit" in stages else None,
        "trials_by_stage": {name: sum(trial.stage == name for trial in trials) for name in stages},
        "values": {
            one.judged.key: {
                "value": one.judged.value, "target": one.judged.target, "tolerance": one.judged.tolerance,
                "seeds": one.per_seed,
            }
            for one in judged
        },
    }  # fmt: skip


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    run(options.out, options.quick)
    found = summarize(options.out)
    for name, value in found.items():
        if isinstance(value, int | float):
            print_metric(f"cortical_column.{name}", value)
    if not options.quick:
        print(write_results("cortical_column", found))
        shutil.copy(options.out / "report.png", RESULTS / "cortical_column.png")


if __name__ == "__main__":
    main()
