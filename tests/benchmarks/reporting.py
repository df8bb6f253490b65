"""How benchmarks tell their figures: lines on standard output, and a JSON file that says where they were measured."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("neuron", "bluepyopt", "deap", "efel", "numpy", "optuna", "pyarrow", "ray")


def print_metric(name: str, value: float) -> None:
    """One figure on a line of its own: `name: value`."""
    print(f"{name}: {value:g}", flush=True)


def write_results(name: str, content: Mapping[str, object]) -> Path:
    """Write figures to results/NAME.json, with date, commit, machine and versions; the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    about = {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "commit": _commit()}
    versions = {package: version(package) for package in PACKAGES}
    text = json.dumps({**about, "machine": _machine(), "versions": versions, **content}, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def _commit() -> str:
    """The commit, with a plus when files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout

    return git("rev-parse", "HEAD").strip() + ("+" if git("status", "--porcelain").strip() else "")


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    memory_GiB = psutil.virtual_memory().total / (1 << 30)
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores ({model}), {memory_GiB:.0f} GiB"
