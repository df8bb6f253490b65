"""A circuit of Poisson neurons, fast and without a simulator; also a script, for circuits that are commands.

As a script it takes one of: answer, fail, hang, silent, nothing; and the path of trial.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SIZES = {"E": 20, "I": 5}
RATES_HZ = {"E": 20.0, "I": 40.0}
PARAMETERS = ("background:E", "background:I")
SAMPLING_RATE_HZ = 1000.0


def poisson_spikes(content: dict[str, Any]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Times (ms) and cells of each simulated population."""
    spikes = {}
    for place, name in enumerate(content["simulated"]):
        rate_Hz = RATES_HZ[name] * content["parameters"][f"background:{name}"]
        random = np.random.default_rng([content["seed"], place])
        count = random.poisson(rate_Hz * SIZES[name] * content["duration_ms"] / 1000.0)
        times = np.sort(random.uniform(0.0, content["duration_ms"], count))
        spikes[name] = times, random.integers(0, SIZES[name], count)
    return spikes


def signals(content: dict[str, Any]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(content["seed"])
    samples = round(content["duration_ms"] * SAMPLING_RATE_HZ / 1000.0)
    return {
        "dipole": random.normal(size=(3, samples)),
        "potential": random.normal(size=(len(content["electrodes_um"]), samples)),
        "sampling_rate_Hz": np.array(SAMPLING_RATE_HZ),
    }


def answer(content: dict[str, Any], folder: Path) -> None:
    with h5py.File(folder / content["spikes"], "w") as file:
        for name, (times, cells) in poisson_spikes(content).items():
            group = file.create_group(f"spikes/{name}")
            group["timestamps"] = times
            group["node_ids"] = cells
    if content["signals"] or content["electrodes_um"]:
        np.savez(folder / content["arrays"], **signals(content))


def main(what: str, path: Path) -> None:
    content = json.loads(path.read_text())
    if what == "fail":
        print("segmentation of the third population failed", file=sys.stderr)
        raise SystemExit(3)
    if what == "hang":
        print("waiting for a licence", file=sys.stderr, flush=True)
        child = subprocess.Popen(["sleep", "60"])
        (path.parent / "child.txt").write_text(str(child.pid))
        time.sleep(60.0)
    if what == "silent":
        with h5py.File(path.parent / content["spikes"], "w") as file:
            for name in content["simulated"]:
                file[f"spikes/{name}/timestamps"] = np.zeros(0)
                file[f"spikes/{name}/node_ids"] = np.zeros(0, dtype=np.int64)
        stopped = {"stopped": "nobody fired", "simulated_ms": 50.0, "cpu_seconds": 12.5}
        (path.parent / content["response"]).write_text(json.dumps(stopped))
    if what == "answer":
        answer(content, path.parent)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
