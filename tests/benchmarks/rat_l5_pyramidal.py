"""The real layer 5 pyramidal cell: what the ready campaign reaches on this machine.

    python tests/benchmarks/rat_l5_pyramidal.py --out DIR [--quick]

Runs (or resumes) the campaign on ../shared/data into DIR, prints its scores, and, in full, writes
results/rat_l5_pyramidal.json and .png. A finished DIR is only summarised.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from rheobase.campaigns.elites import complete
from rheobase.campaigns.record import read_frame
from rheobase.campaigns.stages import full_fidelity
from rheobase.campaigns.status import open_folder
from rheobase.fitting.ensembles.ensemble import read_ensemble

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("neuron", "bluepyopt", "deap", "efel", "numpy", "ray")


def run(folder: Path, quick: bool) -> None:
    """Run or resume the campaign."""
    settings = [
        f"recordings.folder={DATA / 'rat_l5_pyramidal'}",
        f"model.morphology={DATA / 'morphologies' / 'C060114A5.asc'}",
    ]
    if quick:
        stages = "{first: {algorithm: bayesian, evaluations: 4, options: {founders: 2}}}"
        settings += [f"search.stages={stages}", "ensemble.size=1", "evaluation.time_limit=10 s"]
    words = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "rheobase.campaigns.cli", "run", "rat_l5_pyramidal", "--out", str(folder), *words]
    subprocess.run(command, check=True)


def summarize(folder: Path) -> dict[str, object]:
    """Figures of a finished campaign."""
    ensemble = read_ensemble(folder / "ensemble.json")
    frame = read_frame(folder / "record")
    assert frame is not None
    campaign, _ = open_folder(folder)
    best = ensemble.members[0]
    models = complete(frame, best.scores, (str(full_fidelity(campaign)), ""))
    scores = models[[f"score.{name}" for name in best.scores]].to_numpy(dtype=float)
    worst_first = sorted(best.scores.items(), key=lambda item: -item[1])
    return {
        "features": len(best.scores),
        "free_parameters": len(best.parameters),
        "evaluations": len(frame),
        "minutes": round(float(frame["ended"].max() - frame["ended"].min()) / 60.0, 1),  # of an uninterrupted run
        "cpu_minutes": round(float(frame["cpu_seconds"].sum()) / 60.0, 1),
        "accepted": ensemble.accepted_in_record,
        "best_sum": round(best.total, 2),
        "best_worst_score": round(best.worst, 2),
        "best_median_score": round(float(np.median(list(best.scores.values()))), 2),
        "smallest_worst_score": round(float(scores.max(axis=1).min()), 2),
        "best_scores": {name: round(score, 2) for name, score in worst_first},
    }


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    run(options.out, options.quick)
    found = summarize(options.out)
    for name, value in found.items():
        if not isinstance(value, dict):
            print(f"rat_l5_pyramidal.{name}: {value}")
    if options.quick:
        return
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    about = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit.stdout.strip(),
        "machine": f"{platform.system()} {platform.machine()}, 2 workers",
        "versions": {name: version(name) for name in PACKAGES},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "rat_l5_pyramidal.json").write_text(json.dumps({**found, **about}, indent=1) + "\n", encoding="utf-8")
    shutil.copy(options.out / "report.png", RESULTS / "rat_l5_pyramidal.png")


if __name__ == "__main__":
    main()
