"""A search of two parameters for two objectives that take no time, and what is recorded of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rheobase.campaigns.ending import Budget
from rheobase.campaigns.record import EvaluationRecord, RecordedEvaluation
from rheobase.campaigns.searching import SearchRun, run_search
from rheobase.fitting.evaluation import Evaluation
from rheobase.fitting.search.algorithm import Setup
from rheobase.fitting.search.evolution import Evolution, EvolutionOptions
from rheobase.fitting.search.space import Dimension
from rheobase.fitting.search.unit_cube import UnitCubeSearch
from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rheobase.campaigns.pool import Pool
    from rheobase.fitting.evaluation import Bound
    from rheobase.fitting.search.interface import Search

DIMENSIONS = (Dimension("g_pas.all", 1e-5, 1e-3, logarithmic=True), Dimension("e_pas.all", -90.0, -60.0))
OBJECTIVES = ("near", "far")


class Toy:
    """Two distances in the unit square, at odds with each other; a corner where evaluations fail."""

    steepness = 1.0

    def evaluate(self, parameters: Mapping[str, float], _: bool = False, bound: Bound | None = None) -> Evaluation:
        x, y = (dimension.position(parameters[dimension.name]) for dimension in DIMENSIONS)
        if x > 0.9:
            failure = "threshold_current: no spike"
            return Evaluation({}, dict.fromkeys(OBJECTIVES, FAILURE_SCORE), failure, cpu_seconds=0.1)
        scores = {
            "near": 10 * math.hypot(x - 0.2, y - 0.3) ** self.steepness,
            "far": 10 * math.hypot(x - 0.6, y - 0.7) ** self.steepness,
        }
        if bound is not None and bound.excludes({"near": scores["near"]}):
            return Evaluation({"near": x}, {"near": scores["near"]}, excluded=True, cpu_seconds=0.05)
        return Evaluation({"near": x, "far": y}, scores, cpu_seconds=0.1)


class Seen:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.earlier: list[RecordedEvaluation] = []
        self.rows: list[RecordedEvaluation] = []

    def recorded(self, row: RecordedEvaluation) -> None:
        self.earlier.append(row)

    def evaluated(self, row: RecordedEvaluation) -> None:
        self.rows.append(row)


def toy_search(*, deterministic: bool, seed: int = 5, algorithm: str = "ibea", population: int = 8) -> Search:
    """Evolution on the toy."""
    setup = Setup(len(DIMENSIONS), len(OBJECTIVES), seed, population, deterministic=deterministic)
    return UnitCubeSearch(DIMENSIONS, OBJECTIVES, Evolution(setup, EvolutionOptions(), algorithm), deterministic)


def toy_record(folder: Path) -> EvaluationRecord:
    """Of a toy's evaluations."""
    return EvaluationRecord(folder, [dimension.name for dimension in DIMENSIONS], OBJECTIVES)


def run_toy(
    folder: Path,
    pool: Pool,
    *,
    evaluations: int,
    deterministic: bool = True,
    stop_after: int | None = None,
    wall_s: float | None = None,
    algorithm: str = "ibea",
    seed: int = 5,
) -> tuple[bool, Seen]:
    """Run or resume a search on a pool; whether it has ended, and what was seen of it."""
    record, seen = toy_record(folder), Seen()
    stop: Callable[[], bool] = (lambda: False) if stop_after is None else (lambda: len(seen.rows) >= stop_after)
    try:
        search = toy_search(deterministic=deterministic, algorithm=algorithm, seed=seed)
        run = SearchRun("search", Budget(evaluations, wall_s), OBJECTIVES, 10.0, deterministic)
        return run_search(run, search, pool, record, [seen], stop) is not None, seen
    finally:
        record.close()


def results(folder: Path) -> dict[int, tuple[dict[str, float], dict[str, float], str | None]]:
    """Parameters, scores and failure of each number recorded."""
    rows = list(toy_record(folder).rows())
    assert len({entry.number for entry in rows}) == len(rows), "a candidate was recorded twice"
    return {entry.number: (entry.parameters, entry.scores, entry.failure) for entry in rows}
