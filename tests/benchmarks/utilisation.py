"""How much of their time workers spend evaluating, when evaluations differ threefold in length.

    python tests/benchmarks/utilisation.py [--quick] [--minutes M]

The real loop, record, study mirror and IBEA (population 50) on real Ray workers and simulator processes. An evaluation
lasts between 0.3 and 0.9 s, drawn from its parameters (those of the layer 5 cell last 7 to 23 s: what is lost between
two of them weighs less there). Evaluations sleep instead of computing: so a worker's time is idle exactly when it has
no evaluation, whatever else this machine does, and there can be more workers than cores. What the driver itself takes
of a core is measured by driver.py.

Prints, from the first question to the last answer:
  utilisation.fraction                with one worker per core, asynchronous
  utilisation.fraction_deterministic  the same with whole generations awaited
  utilisation.fraction_16_workers, utilisation.fraction_16_workers_deterministic
  utilisation.fraction_short, ...     evaluations of 0.03 to 0.09 s, as of a cell of a few segments
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase.campaigns.ending import Budget
from rheobase.campaigns.progress import SearchBar
from rheobase.campaigns.ray_pool import RayPool, ray_cluster
from rheobase.campaigns.record import EvaluationRecord
from rheobase.campaigns.searching import SearchRun, Watcher, run_search
from rheobase.campaigns.study import StudyMirror
from rheobase.fitting.evaluation import Evaluation
from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.space import Dimension

if TYPE_CHECKING:
    from collections.abc import Mapping

DIMENSIONS = tuple(Dimension(f"g{place}", 0.0, 1.0) for place in range(10))
OBJECTIVES = ("first", "second", "third")
USUAL_S, SHORT_S = 0.3, 0.03  # the shortest evaluation; the longest lasts three times as long
POPULATION = 50


class Sleeper:
    """Evaluations of different lengths, from the shortest (s) to three times that."""

    def __init__(self, shortest_s: float) -> None:
        self._shortest_s = shortest_s

    def evaluate(self, parameters: Mapping[str, float], *_: object) -> Evaluation:
        """Three distances, after a while."""
        begin = time.perf_counter()
        places = list(parameters.values())
        time.sleep(random.Random(repr(places)).uniform(1.0, 3.0) * self._shortest_s)
        scores = {
            name: 10.0 * sum(abs(place - goal) for place in places)
            for name, goal in zip(OBJECTIVES, (0.2, 0.5, 0.8), strict=True)
        }
        return Evaluation(scores, scores, cpu_seconds=time.perf_counter() - begin)


def fraction(workers: int, wanted_s: float, shortest_s: float, deterministic: bool) -> float:
    """Part of all workers' time that was spent in evaluations."""
    pool = RayPool(Sleeper, (shortest_s,), workers, ahead=not deterministic)
    while pool.free < workers:
        pool.wait(1.0)
    search = make_search("ibea", DIMENSIONS, OBJECTIVES, SearchSettings(POPULATION, deterministic), seed=1)
    evaluations = max(POPULATION, round(workers * wanted_s / (2.0 * shortest_s)))
    with tempfile.TemporaryDirectory(prefix="rheobase-utilisation-") as folder:
        record = EvaluationRecord(Path(folder) / "record", [dimension.name for dimension in DIMENSIONS], OBJECTIVES)
        begin = time.perf_counter()
        run = SearchRun("search", Budget(evaluations), OBJECTIVES, 60.0, deterministic)
        watchers: list[Watcher] = [
            SearchBar("search", evaluations),
            StudyMirror(Path(folder) / "study.journal", "sleep", DIMENSIONS),
        ]
        run_search(run, search, pool, record, watchers, lambda: False)
        elapsed_s = time.perf_counter() - begin
        evaluating_s = sum(row.cpu_seconds for row in record.rows())
        record.close()
    pool.close()
    return evaluating_s / (workers * elapsed_s)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="15 s with one worker per core only")
    parser.add_argument("--minutes", type=float, default=2.0, help="length of each of the six searches")
    options = parser.parse_args()
    from tests.benchmarks.reporting import print_metric, write_results

    cores = os.cpu_count() or 1
    wanted_s = 15.0 if options.quick else 60.0 * options.minutes
    kinds = {"": (cores, USUAL_S), "_16_workers": (16, USUAL_S), "_short": (cores, SHORT_S)}
    found: dict[str, float] = {}
    with ray_cluster("local", max(cores, 16)):
        for suffix in [""] if options.quick else kinds:
            workers, shortest_s = kinds[suffix]
            for deterministic in (False, True):
                name = f"fraction{suffix}{'_deterministic' if deterministic else ''}"
                found[name] = round(fraction(workers, wanted_s, shortest_s, deterministic), 4)
                print_metric(f"utilisation.{name}", found[name])
    if not options.quick:
        write_results("utilisation", {"workers": cores, "seconds_per_search": wanted_s, **found})


if __name__ == "__main__":
    # Under its own name, and from a place, by which the workers' processes can import it.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).resolve().parents[2]), *sys.path])
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.benchmarks import utilisation

    utilisation.main()
