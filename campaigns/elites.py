"""The best models of the record, and their evaluation at full fidelity before anything is reported."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.pool import Task
from rheobase.campaigns.progress import bar
from rheobase.campaigns.record import RecordedEvaluation
from rheobase.fitting.evaluation import Evaluation
from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from rheobase.campaigns.pool import Outcome, Pool
    from rheobase.campaigns.record import EvaluationRecord
    from rheobase.campaigns.searching import Watcher

RESCORED = "rescored"


def complete(record: pd.DataFrame, objectives: Sequence[str], fidelities: Iterable[str]) -> pd.DataFrame:
    """Evaluations that ran to their end with a score for every objective, at one of the fidelities.

    Args:
        record: The record as a table.
        objectives: All objectives.
        fidelities: As the record names them; "" are evaluations of before fidelities were recorded.
    """
    scores = record.reindex(columns=[f"score.{name}" for name in objectives])
    return record[~record["excluded"] & record["fidelity"].isin(list(fidelities)) & scores.notna().all(axis=1)]


def best_models(
    record: pd.DataFrame, parameters: Sequence[str], objectives: Sequence[str], number: int
) -> list[dict[str, float]]:
    """Parameters of the models with the smallest sum of scores, the best first, each once.

    Args:
        record: Evaluations that are complete in the objectives.
        parameters: Names of the free parameters.
        objectives: Names of the objectives.
        number: How many at most.
    """
    totals = record[[f"score.{name}" for name in objectives]].sum(axis=1).to_numpy()
    columns = [f"parameter.{name}" for name in parameters]
    ordered = record.iloc[np.argsort(totals, kind="stable")].drop_duplicates(columns)[:number]
    return [dict(zip(parameters, map(float, row), strict=True)) for row in ordered[columns].to_numpy()]


def rescore(
    models: Sequence[dict[str, float]],
    pool: Pool,
    record: EvaluationRecord,
    fidelity: str,
    limit_s: float,
    watchers: Sequence[Watcher],
    stop: Callable[[], bool],
) -> bool:
    """Evaluate models at full fidelity and record them; those that were are not evaluated again.

    Args:
        models: Parameters of each.
        pool: Workers that simulate at full fidelity.
        record: Where they are kept, under a name of their own.
        fidelity: As the record names it.
        limit_s: CPU time for one of them (s).
        watchers: Told of every new evaluation.
        stop: True ends the run.

    Returns:
        Whether all are done; False when stopped.
    """
    before = list(record.rows(RESCORED))
    known = [row.parameters for row in before]
    waiting = [model for model in models if model not in known]
    number = 1 + max((row.number for row in before), default=-1)
    at_work: dict[int, dict[str, float]] = {}
    progress = bar("full fidelity", len(waiting), "models")
    try:
        while (waiting or at_work) and not stop():
            while waiting and pool.free:
                at_work[number] = waiting.pop(0)
                pool.submit(Task(number, "evaluate", (at_work[number],), limit_s))
                number += 1
            for outcome in pool.wait(0.5):
                row = _row(outcome, at_work.pop(outcome.key), record.objectives, fidelity)
                record.append(row)
                for watcher in watchers:
                    watcher.evaluated(row)
                progress.update()
    finally:
        progress.close()
    return not waiting and not at_work


def _row(
    outcome: Outcome, parameters: dict[str, float], objectives: Sequence[str], fidelity: str
) -> RecordedEvaluation:
    evaluation = outcome.value
    if not isinstance(evaluation, Evaluation):
        evaluation = Evaluation(
            {}, dict.fromkeys(objectives, FAILURE_SCORE), outcome.failure, cpu_seconds=outcome.cpu_seconds
        )
    return RecordedEvaluation(
        search=RESCORED,
        number=outcome.key,
        asked=outcome.key,
        told=outcome.key,
        parameters=parameters,
        features=evaluation.features,
        scores=evaluation.scores,
        failure=evaluation.failure,
        cpu_seconds=evaluation.cpu_seconds,
        ended=time.time(),
        fidelity=fidelity,
    )
