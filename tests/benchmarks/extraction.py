"""The same features from the same recordings, extracted by rheobase and by BluePyEfe: what each of them costs.

    python tests/benchmarks/extraction.py [--quick] [--repetitions N]

Recordings of ../shared/data/rat_l5_pyramidal (IDrest, IDthresh, IV and APWaveform of five cells, --quick: of two),
levels, features and eFEL settings as in extraction_work.py, statistics pooled over sweeps. Both are told when the
stimuli begin and end: from the recordings alone BluePyEfe cannot find those of IV. BluePyEfe measures every sweep of a
protocol, rheobase those that belong to a level. Every extraction is a process of its own, in turn; CPU time of the
process and its children without its start and its imports (for rheobase also the first look at pint's units), which are
shown beside. Figures are medians.

The numbers must agree: the same targets, the same n, and mean and standard deviation
- within 1e-6 of BluePyEfe's when that is given the samples in double precision. By itself it keeps the single precision
  of Igor waves; then 2 %, as a spike's beginning can move by one sample,
- but ohmic input resistance within 8 %: amplitudes are above the median of the current outside of the stimulus here, in
  BluePyEfe above that of a smoothed stretch before it.
Where they do not, the benchmark says so and ends with exit code 1. What else the two do differently is kept out of it:
the lowest spiking step is the rheobase in both, and no sweep lies on the border of a level (in BluePyEfe it would be
outside of it).

Prints:
  extraction.cpu_ratio            CPU time of BluePyEfe over ours
  extraction.cpu_ratio_detecting  the same when ours finds the stimuli itself
  extraction.memory_growth_MB     peak memory for 640 cells minus that for 10, copies under new names (--quick: 64 and
                                  16). The peak of a single run varies by half a megabyte
  extraction.memory_kB_per_cell   slope of the line through the peaks for 10, 40, 160 and 640 cells (--quick: 16 and
                                  64); a cell's name and its line in the targets are about 1 kB
  extraction.speed_up             wall time with one process over that with two, for 60 cells, in full only; of this
                                  machine as loaded as it is
  extraction.largest_speed_up     what that would be with two cores to itself: twice the CPU time with one process over
                                  that with two
In full also written to results/extraction.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared" / "data" / "rat_l5_pyramidal"
WORK = Path(__file__).with_name("extraction_work.py")
TOLERANCE_DOUBLE = 1e-6
TOLERANCE_SINGLE = 0.02
TOLERANCE_OF_AMPLITUDE = 0.08
OF_AMPLITUDE = "ohmic_input_resistance_vb_ssse"
SHOWN = ("cpu_s", "reading_cpu_s", "detection_cpu_s", "features_cpu_s", "start_cpu_s", "wall_s", "peak_MB")

Found = dict[str, Any]


def extract(software: str, folder: Path, *options: str) -> Found:
    """One extraction in a fresh process."""
    command = [sys.executable, str(WORK), software, str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def link_cells(folder: Path, cells: list[Path], copies: int) -> Path:
    """A folder with every cell so many times under new names, all of them once before the next copies come."""
    folder.mkdir()
    for cell in cells:
        for copy in range(copies):
            (folder / f"{copy}-{cell.name}").symlink_to(cell, target_is_directory=True)
    return folder


def median_of(runs: list[Found]) -> Found:
    """Median of each figure."""
    return {name: statistics.median(run[name] for run in runs) for name in SHOWN}


def disagreements(ours: Found, theirs: Found, tolerance: float) -> list[str]:
    """Targets that are not the same, in words."""
    said = []
    for protocol in sorted({*ours, *theirs}):
        mine, other = ours.get(protocol, {}), theirs.get(protocol, {})
        for feature in sorted({*mine, *other}):
            allowed = TOLERANCE_OF_AMPLITUDE if feature == OF_AMPLITUDE else tolerance
            if feature not in mine or feature not in other:
                said.append(f"{protocol} {feature}: only in {'BluePyEfe' if feature in other else 'rheobase'}")
                continue
            (mean, std, n), (their_mean, their_std, their_n) = mine[feature], other[feature]
            # A standard deviation is as exact as the values it is of.
            far = max(abs(mean - their_mean), abs(std - their_std)) > allowed * max(abs(their_mean), their_std)
            if far or n != their_n:
                said.append(
                    f"{protocol} {feature}: {mean:g} ± {std:g} (n {n}), {their_mean:g} ± {their_std:g} (n {their_n})"
                )
    return said


def compare(folder: Path, repetitions: int) -> tuple[dict[str, Found], Found]:
    """Repeated extractions by turns, and whether their numbers agree."""
    variants: dict[str, tuple[str, ...]] = {
        "rheobase": ("rheobase",),
        "rheobase, detecting": ("rheobase", "--detect"),
        "bluepyefe": ("bluepyefe",),
    }
    runs: dict[str, list[Found]] = {name: [] for name in variants}
    for _ in range(repetitions):
        for name, (software, *options) in variants.items():
            runs[name].append(extract(software, folder, *options))
    ours, theirs = runs["rheobase"][0]["targets"], runs["bluepyefe"][0]["targets"]
    double = extract("bluepyefe", folder, "--double")["targets"]
    numbers = {
        "targets": sum(map(len, ours.values())),
        "differing": disagreements(ours, theirs, TOLERANCE_SINGLE),
        "differing_in_double_precision": disagreements(ours, double, TOLERANCE_DOUBLE),
    }
    return {name: median_of(found) for name, found in runs.items()}, numbers


def growth_of_memory(scratch: Path, cells: list[Path], copies: tuple[int, ...], repetitions: int) -> Found:
    """Peak memory of one process for more and more cells (MB), and the slope of the line through the medians."""
    folders = {len(cells) * count: link_cells(scratch / f"memory-{count}", cells, count) for count in copies}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # memory does not depend on what else runs
        runs = {
            number: [pool.submit(extract, "rheobase", folder) for _ in range(repetitions)]
            for number, folder in reversed(folders.items())  # the longest first
        }
        peaks_MB = {number: statistics.median(run.result()["peak_MB"] for run in runs[number]) for number in folders}
    slope_MB = statistics.linear_regression(list(peaks_MB), list(peaks_MB.values())).slope
    first, *_, last = peaks_MB.values()
    return {"peak_MB_by_cells": peaks_MB, "memory_growth_MB": last - first, "memory_kB_per_cell": 1024.0 * slope_MB}


def speed_up(folder: Path, repetitions: int) -> Found:
    """Wall and CPU time of one process and of two (s), by turns."""
    runs: dict[str, list[Found]] = {"1": [], "2": []}
    for _ in range(repetitions):
        for processes, found in runs.items():
            found.append(extract("rheobase", folder, "--detect", "--processes", processes))
    one, two = (median_of(runs[processes]) for processes in ("1", "2"))
    return {
        "cells": len(list(folder.iterdir())),
        "one_process": {"wall_s": one["wall_s"], "cpu_s": one["cpu_s"]},
        "two_processes": {"wall_s": two["wall_s"], "cpu_s": two["cpu_s"]},
        "speed_up": one["wall_s"] / two["wall_s"],
        "largest_speed_up": 2.0 * one["cpu_s"] / two["cpu_s"],
    }


def print_table(compared: dict[str, Found]) -> None:
    """Figures of each variant, one a line."""
    print(f"{'median':22s}" + "".join(f"{name:>17s}" for name in SHOWN))
    for name, found in compared.items():
        print(f"{name:22s}" + "".join(f"{found[figure]:17.3f}" for figure in SHOWN), flush=True)


def main() -> None:
    """Compare, print, write."""
    sys.path.insert(0, str(REPOSITORY))
    from tests.benchmarks.reporting import print_metric, write_results

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two cells, two repetitions, under a minute")
    parser.add_argument("--repetitions", type=int)
    options = parser.parse_args()
    if importlib.util.find_spec("bluepyefe") is None:
        raise SystemExit("this benchmark compares with BluePyEfe, which is not there: pip install 'rheobase[peers]'")
    if not DATA.is_dir():
        raise SystemExit(f"this benchmark needs the recordings of {DATA}, which are not there")
    cells = sorted(path for path in DATA.glob("C*") if path.is_dir())[: 2 if options.quick else None]
    repetitions = options.repetitions or (2 if options.quick else 5)
    with tempfile.TemporaryDirectory() as scratch:
        compared, numbers = compare(link_cells(Path(scratch) / "few", cells, 1), repetitions)
        copies = (8, 32) if options.quick else (2, 8, 32, 128)
        memory = growth_of_memory(Path(scratch), cells, copies, 1 if options.quick else 3)
        faster = None if options.quick else speed_up(link_cells(Path(scratch) / "most", cells, 12), 3)
    print_table(compared)
    differing = [*numbers["differing"], *numbers["differing_in_double_precision"]]
    print(
        f"{numbers['targets']} targets of {len(cells)} cells, {len(differing)} comparisons disagree",
        *differing[:10],
        sep="\n  ",
    )
    ratios = {
        "cpu_ratio": compared["bluepyefe"]["cpu_s"] / compared["rheobase"]["cpu_s"],
        "cpu_ratio_detecting": compared["bluepyefe"]["cpu_s"] / compared["rheobase, detecting"]["cpu_s"],
    }
    metrics = {**ratios, **{name: memory[name] for name in ("memory_growth_MB", "memory_kB_per_cell")}}
    if faster is not None:
        metrics.update({name: faster[name] for name in ("speed_up", "largest_speed_up")})
    for name, value in metrics.items():
        print_metric(f"extraction.{name}", round(value, 3))
    if not options.quick:
        load = dict(zip(("1_min", "5_min", "15_min"), os.getloadavg(), strict=True))
        about = {"bluepyefe": version("bluepyefe"), "cells": len(cells), "repetitions": repetitions, "load": load}
        print(write_results("extraction", {**metrics, **about, "medians": compared, "numbers": numbers,
                                           "memory": memory, "processes": faster}))  # fmt: skip
    if differing:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
