"""The best models of the record, and their evaluation at full fidelity before anything is reported."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.pool import Task
from rheobase.campaigns.progress import bar
from rheobase.campaigns.record import RecordedEvaluation
from rheobase.campaigns.searching import evaluation_of
from rheobase.fitting.ensembles.ensemble import select_diverse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from rheobase.campaigns.pool import Pool
    from rheobase.campaigns.record import EvaluationRecord
    from rheobase.campaigns.searching import Watcher
    from rheobase.fitting.search.space import Dimension

RESCORED = "rescored"
_DIGITS = 9


def complete(record: pd.DataFrame, objectives: Iterable[str], fidelities: Iterable[str]) -> pd.DataFrame:
    """Evaluations with a score for every objective, at one of the fidelities; those that failed are among them.

    Args:
        record: The record as a table.
        objectives: All objectives.
        fidelities: As the record names them; "" are evaluations of before fidelities were recorded.
    """
    scores = record.reindex(columns=[f"score.{name}" for name in objectives])
    return record[~record["excluded"] & record["fidelity"].isin(list(fidelities)) & scores.notna().all(axis=1)]


def ranked(record: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Evaluations by their weighted sum of scores, the best first, with that sum in a column "total".

    The order does not depend on the order in which they ended.

    Args:
        record: Evaluations with a score for every objective.
        weights: Weight of each objective.
    """
    scores = record[[f"score.{name}" for name in weights]].to_numpy(dtype=float)
    totals = (scores * list(weights.values())).sum(axis=1)
    return record.assign(total=totals).sort_values(["total", "search", "number"], kind="stable")


def successful(record: pd.DataFrame) -> pd.DataFrame:
    """Evaluations that came to their end; all of them where none did, for there to be a result."""
    without_failure = record[record["failure"].isna()]
    return without_failure if len(without_failure) else record


def each_once(record: pd.DataFrame, parameters: Sequence[str]) -> pd.DataFrame:
    """The first evaluation of each model: a stage that starts from models of another evaluates them again."""
    keys = model_keys(record, parameters)
    first = {key: place for place, key in reversed(list(enumerate(keys)))}
    return record.iloc[sorted(first.values())]


def best_rows(
    record: pd.DataFrame, parameters: Sequence[str], weights: Mapping[str, float], number: int
) -> pd.DataFrame:
    """Evaluations with the smallest sum of scores, the best first, each model once.

    Args:
        record: Evaluations with a score for every objective.
        parameters: Names of the free parameters.
        weights: Weight of each objective.
        number: How many at most.
    """
    return ranked(record, weights).drop_duplicates([f"parameter.{name}" for name in parameters])[:number]


def coarse_elites(
    record: pd.DataFrame,
    dimensions: Sequence[Dimension],
    weights: Mapping[str, float],
    full: str,
    number: int,
    largest_score: float,
) -> list[dict[str, float]]:
    """Models that are to be evaluated at full fidelity: those of the chosen that were simulated more coarsely only.

    Half of the chosen are the best ones. The others are for the ensemble: as far from them and from each other as there
    are models whose worst score is small enough; where there are not so many, the next best ones.

    Args:
        record: The whole record as a table.
        dimensions: The free parameters, between the widest bounds that a stage had.
        weights: Weight of each objective.
        full: The full fidelity, as the record names it.
        number: How many are chosen, coarse ones and others together.
        largest_score: The limit of the worst score of the ensemble's models (standard deviations).
    """
    parameters = [dimension.name for dimension in dimensions]
    done = set(model_keys(complete(record, weights, (full, "")), parameters))
    asked_for = complete(record[record["search"] != RESCORED], weights, set(record["fidelity"]))
    passed = asked_for[asked_for["failure"].isna()]
    if len(passed):
        models = best_rows(passed, parameters, weights, len(passed))
        chosen = models.iloc[_best_and_diverse(models, dimensions, weights, number, largest_score)]
    else:  # one of them is enough, for there to be a result at all
        chosen = best_rows(asked_for, parameters, weights, 1)
    is_done = [key in done for key in model_keys(chosen, parameters)]
    return models_of(chosen[np.logical_not(is_done)], parameters)


def _best_and_diverse(
    models: pd.DataFrame, dimensions: Sequence[Dimension], weights: Mapping[str, float], number: int, limit: float
) -> list[int]:
    """Places of the chosen among models that are ranked, in their order."""
    best = -(-number // 2)
    candidates = np.flatnonzero((worst_scores(models, weights) <= limit) | (np.arange(len(models)) < best))
    positions, totals = unit_positions(models, dimensions), models["total"].to_numpy()
    chosen = candidates[select_diverse(positions[candidates], totals[candidates], number, best)]
    others = np.setdiff1d(np.arange(len(models)), chosen)[: max(number - len(chosen), 0)]
    return sorted([*chosen.tolist(), *others.tolist()])


def worst_scores(record: pd.DataFrame, weights: Mapping[str, float]) -> NDArray[np.float64]:
    """Largest score of each evaluation among objectives with a weight above zero, shape (evaluations,)."""
    counted = [f"score.{name}" for name, weight in weights.items() if weight > 0.0]
    worst: NDArray[np.float64] = record[counted].to_numpy(dtype=float).max(axis=1)
    return worst


def unit_positions(record: pd.DataFrame, dimensions: Sequence[Dimension]) -> NDArray[np.float64]:
    """Where each evaluation's model lies in the unit cube, shape (evaluations, parameters)."""
    columns = [[d.position(value) for value in record[f"parameter.{d.name}"].to_numpy()] for d in dimensions]
    return np.array(columns).T


def models_of(record: pd.DataFrame, parameters: Sequence[str]) -> list[dict[str, float]]:
    """Parameters of evaluations, in their order."""
    values = record[[f"parameter.{name}" for name in parameters]].to_numpy(dtype=float)
    return [dict(zip(parameters, row, strict=True)) for row in values.tolist()]


def model_keys(record: pd.DataFrame, parameters: Sequence[str]) -> list[bytes]:
    """For each evaluation what it has in common with others of the same model, whatever its last digits.

    A model that a stage starts from goes to a place in the unit cube and back, which costs the last digits.
    """
    values = record[[f"parameter.{name}" for name in parameters]].to_numpy(dtype=float)
    with np.errstate(divide="ignore"):
        magnitude = np.floor(np.log10(np.abs(values)))
    scale = 10.0 ** (_DIGITS - 1 - np.where(np.isfinite(magnitude), magnitude, 0.0))
    return [row.tobytes() for row in np.round(values * scale) / scale]


def evaluate_again(
    models: Sequence[dict[str, float]],
    pool: Pool,
    record: EvaluationRecord,
    fidelity: str,
    limit_s: float,
    watchers: Sequence[Watcher],
    stop: Callable[[], bool],
) -> bool:
    """Evaluate models at full fidelity and record them; each has the number that it would have without interruption.

    Args:
        models: Parameters of each; those recorded under this name before come from the same list.
        pool: Workers that simulate at full fidelity.
        record: Where they are kept, under a name of their own.
        fidelity: As the record names it.
        limit_s: CPU time for one of them (s).
        watchers: Told of every new evaluation.
        stop: True ends the run.

    Returns:
        Whether all are done; False when stopped.
    """
    taken = {row.number for row in record.rows(RESCORED)}
    free = (number for number in itertools.count() if number not in taken)
    waiting = list(zip(free, models, strict=False))
    at_work: dict[int, dict[str, float]] = {}
    progress = bar("full fidelity", len(waiting), "models")
    try:
        while (waiting or at_work) and not stop():
            while waiting and pool.free:
                number, model = waiting.pop(0)
                at_work[number] = model
                pool.submit(Task(number, "evaluate", (model,), limit_s))
            for outcome in pool.wait(0.5):
                evaluation = evaluation_of(outcome, record.objectives)
                row = RecordedEvaluation(
                    search=RESCORED,
                    number=outcome.key,
                    asked=outcome.key,
                    told=outcome.key,
                    parameters=at_work.pop(outcome.key),
                    features=evaluation.features,
                    scores=evaluation.scores,
                    failure=evaluation.failure,
                    cpu_seconds=evaluation.cpu_seconds,
                    ended=time.time(),
                    fidelity=fidelity,
                )
                record.append(row)
                for watcher in watchers:
                    watcher.evaluated(row)
                progress.update()
    finally:
        progress.close()
    return not waiting and not at_work
