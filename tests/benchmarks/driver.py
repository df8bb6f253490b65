"""What the driver of a search costs per evaluation, and whether that stays so over a million of them.

    python tests/benchmarks/driver.py [--quick] [--evaluations N] [--workers N ...]

The real loop, record, study mirror, progress bar and asynchronous IBEA (population 100, 22 parameters, 37 objectives
in 6 groups) with 1, 10, 100 and 1000 simulated workers: a pool holds so many tasks and ends them in random order,
without Ray and without waiting. The CPU time of the dummy evaluations is taken off. Each search is a process of its
own, so that memory can be compared; the first one is then resumed from its record by another process. In full
1,000,000 evaluations for each number of workers, the most first; results/driver.json is written anew after each of
them, and says which it has. With --quick 20,000 for 100.

Prints, for the worst number of workers:
  driver.ms_per_evaluation         CPU time of the driver in the last tenth of the search (ms)
  driver.growth                    that over the first or the second tenth, whichever ratio is larger: the first one
                                   carries the start of everything and the study's first 2000 trials
  driver.memory_growth_MB          resident memory, from 10 % to 100 % of the search
  driver.resume_ms_per_evaluation  CPU time to resume from the whole record, for each evaluation in it (ms)
  driver.resume_memory_MB          resident memory of that process when it is ready, at most
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from rheobase.campaigns.ending import Budget
from rheobase.campaigns.pool import Outcome, Task
from rheobase.campaigns.progress import SearchBar
from rheobase.campaigns.record import EvaluationRecord, RecordedEvaluation
from rheobase.campaigns.searching import SearchRun, run_search
from rheobase.campaigns.study import StudyMirror
from rheobase.fitting.evaluation import Evaluation
from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.space import Dimension
from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from collections.abc import Mapping

DIMENSIONS = tuple(
    Dimension(f"g{place:02d}bar_Channel{place:02d}.somatic", 1e-5, 1e-1, logarithmic=place % 2 == 0)
    for place in range(22)
)
GROUPS = ("intrinsic", "IDrest_150", "IDrest_200", "IDrest_300", "IV_-40", "APWaveform_290")
OBJECTIVES = {f"{GROUPS[place % 6]}.soma.v.feature_number_{place:02d}": GROUPS[place % 6] for place in range(37)}
POPULATION = 100


class Dummy:
    """37 features, each linear in the place in the unit cube, with goals that no place meets; one in fifty fails."""

    def __init__(self) -> None:
        generator = np.random.default_rng(7)
        self._mixing = generator.normal(0.0, 1.0, (len(OBJECTIVES), len(DIMENSIONS)))
        best = generator.uniform(0.3, 0.7, len(DIMENSIONS))
        self._goals = self._mixing @ best + generator.normal(0.0, 0.2, len(OBJECTIVES))

    def evaluate(self, number: int, parameters: Mapping[str, float]) -> Evaluation:
        """Scores of up to some tens of standard deviations."""
        if number % 50 == 13:
            failure = "threshold_current: no spike up to 5 nA"
            return Evaluation({}, dict.fromkeys(OBJECTIVES, FAILURE_SCORE), failure, cpu_seconds=2.0)
        places = [dimension.position(parameters[dimension.name]) for dimension in DIMENSIONS]
        features = self._mixing @ places
        scores = 10.0 * np.abs(features - self._goals)
        return Evaluation(
            dict(zip(OBJECTIVES, features.tolist(), strict=True)),
            dict(zip(OBJECTIVES, scores.tolist(), strict=True)),
            cpu_seconds=10.0 + number % 7,
        )


class SimulatedPool:
    """So many tasks in flight, which end one by one in random order."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._tasks: list[Task] = []
        self._random = random.Random(5)
        self._dummy = Dummy()
        self.evaluating_s = 0.0

    @property
    def free(self) -> int:
        """Number of workers without a task."""
        return self._workers - len(self._tasks)

    def submit(self, task: Task) -> None:
        """Take a task."""
        self._tasks.append(task)

    def wait(self, _: float) -> list[Outcome]:
        """One of the tasks, at once."""
        begin = time.thread_time()
        place = self._random.randrange(len(self._tasks))
        self._tasks[place], self._tasks[-1] = self._tasks[-1], self._tasks[place]
        task = self._tasks.pop()
        parameters: Mapping[str, float] = task.arguments[0]  # type: ignore[assignment]
        outcome = Outcome(task.key, self._dummy.evaluate(task.key, parameters), None, 10.0)
        self.evaluating_s += time.thread_time() - begin
        return [outcome]

    def close(self) -> None:
        """Nothing to end."""


class Meter:
    """Driver time (s) and memory (MB) at the beginning and at the end of each tenth of the search."""

    def __init__(self, pool: SimulatedPool, evaluations: int) -> None:
        self._pool = pool
        self._process = psutil.Process()
        self._tenth = evaluations // 10
        self.done = 0
        self.seconds = [time.process_time()]
        self.memory_MB = [self._memory_MB()]

    def recorded(self, _: RecordedEvaluation) -> None:
        """Not counted."""

    def evaluated(self, _: RecordedEvaluation) -> None:
        """Count."""
        self.done += 1
        if self.done % self._tenth == 0:
            self.seconds.append(time.process_time() - self._pool.evaluating_s)
            self.memory_MB.append(self._memory_MB())

    def _memory_MB(self) -> float:
        return self._process.memory_info().rss / 1e6


def search(folder: Path, workers: int, evaluations: int) -> dict[str, object]:
    """Run a search, or resume one that has ended; what it took."""
    names = list(OBJECTIVES)
    record = EvaluationRecord(folder / "record", [dimension.name for dimension in DIMENSIONS], names)
    is_resumed = len(record) > 0
    pool = SimulatedPool(workers)
    meter, bar = Meter(pool, evaluations), SearchBar("search", evaluations)
    mirror = StudyMirror(folder / "study.journal", "driver", DIMENSIONS)
    # All workers are busy to the last: a search that has ended stops asking so many evaluations earlier.
    budget = evaluations if is_resumed else evaluations + workers
    run_search(
        SearchRun("search", Budget(budget), tuple(names), 120.0),
        make_search("ibea", DIMENSIONS, names, SearchSettings(POPULATION), seed=1, groups=OBJECTIVES),
        pool,
        record,
        [bar, mirror, meter],
        lambda: meter.done >= evaluations,
    )
    bar.close()
    record.close()
    if is_resumed:
        return {"resume": [time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6]}
    tenth = evaluations / 10.0
    return {
        "ms_per_evaluation_by_tenths": [round(1e3 * float(s) / tenth, 4) for s in np.diff(meter.seconds)],
        "memory_MB_by_tenths": [round(memory, 1) for memory in meter.memory_MB],
        "record_MB": round(sum(path.stat().st_size for path in (folder / "record").iterdir()) / 1e6, 1),
        "study_MB": round((folder / "study.journal").stat().st_size / 1e6, 1),
    }


def measure(workers: int, evaluations: int, *, is_resumed: bool) -> dict[str, object]:
    """A search and, when asked for, its resumption, each in a process of its own."""
    words = [sys.executable, __file__, "--workers", str(workers), "--evaluations", str(evaluations)]
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="rheobase-driver-") as folder:
        for _ in range(1 + is_resumed):
            ended = subprocess.run([*words, "--in", folder], stdout=subprocess.PIPE, check=True)
            found |= json.loads(ended.stdout.splitlines()[-1])
    return found


def summarize(found: dict[str, dict[str, object]], evaluations: int) -> dict[str, float]:
    """The figures of the worst number of workers."""
    times = np.array([content["ms_per_evaluation_by_tenths"] for content in found.values()], dtype=float)
    memory = np.array([content["memory_MB_by_tenths"] for content in found.values()], dtype=float)
    resumed = np.array(next(iter(found.values()))["resume"], dtype=float)
    return {
        "ms_per_evaluation": round(float(times[:, -1].max()), 3),
        "growth": round(float((times[:, -1] / times[:, :2].min(axis=1)).max()), 3),
        "memory_growth_MB": round(float((memory[:, -1] - memory[:, 1]).max()), 1),
        "resume_ms_per_evaluation": round(1e3 * float(resumed[0]) / evaluations, 3),
        "resume_memory_MB": round(float(resumed[1]), 1),
    }


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--evaluations", type=int)
    parser.add_argument("--workers", type=int, nargs="+")
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    evaluations = options.evaluations or (20_000 if options.quick else 1_000_000)
    if options.folder is not None:
        print(json.dumps(search(options.folder, options.workers[0], evaluations)))
        return
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.benchmarks.reporting import print_metric, write_results

    workers = options.workers or ((100,) if options.quick else (1000, 100, 10, 1))
    found: dict[str, dict[str, object]] = {}
    for number in workers:
        found[str(number)] = measure(number, evaluations, is_resumed=not found)
        summary = summarize(found, evaluations)
        if not (options.quick or options.evaluations or options.workers):
            write_results("driver", {"evaluations": evaluations, **summary, "by_workers": found})
    for name, value in summary.items():
        print_metric(f"driver.{name}", value)


if __name__ == "__main__":
    main()
