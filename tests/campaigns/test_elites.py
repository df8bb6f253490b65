"""Which models are the best of a record, and which of them are evaluated again at full fidelity."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rheobase.campaigns.elites import (
    RESCORED,
    best_rows,
    coarse_elites,
    complete,
    evaluate_again,
    model_keys,
    models_of,
    ranked,
)
from rheobase.campaigns.record import EvaluationRecord
from rheobase.fitting.evaluation import Evaluation
from rheobase.fitting.search.space import Dimension
from rheobase.objectives.scores import FAILURE_SCORE
from tests.campaigns.inline_pool import InlinePool
from tests.campaigns.rows import OBJECTIVES, PARAMETERS, row

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    from rheobase.campaigns.record import RecordedEvaluation

WEIGHTS = dict.fromkeys(OBJECTIVES, 1.0)
FULL, COARSE = "40 um, 0.001", "100 um, 0.001"


def _row(number: int, total: float, fidelity: str = FULL, search: str = "search") -> RecordedEvaluation:
    return dataclasses.replace(row(number, total), failure=None, fidelity=fidelity, search=search)


def _frame(folder: Path, rows: Iterable[RecordedEvaluation]) -> pd.DataFrame:
    record = EvaluationRecord(folder, PARAMETERS, OBJECTIVES)
    for entry in rows:
        record.append(entry)
    frame = record.frame()
    record.close()
    return frame


def _numbers(frame: pd.DataFrame) -> list[int]:
    return [int(number) for number in frame["number"]]


def test_what_is_complete(tmp_path: Path) -> None:
    rows = [
        _row(0, 5.0),
        dataclasses.replace(_row(1, 5.0), excluded=True),
        dataclasses.replace(_row(2, 5.0), scores={OBJECTIVES[0]: 1.0}),
        _row(3, 5.0, COARSE),
        _row(4, 5.0, ""),
        dataclasses.replace(_row(5, 500.0), failure="rest: it fires"),
    ]
    frame = _frame(tmp_path, rows)
    assert _numbers(complete(frame, OBJECTIVES, (FULL, ""))) == [0, 4, 5]
    assert _numbers(complete(frame, OBJECTIVES, (COARSE,))) == [3]
    assert _numbers(complete(frame, OBJECTIVES[:1], (FULL,))) == [0, 2, 5]
    assert _numbers(complete(frame, [*OBJECTIVES, "never measured"], (FULL,))) == []


def test_the_order_of_arrival_does_not_matter(tmp_path: Path) -> None:
    rows = [_row(number, float(number // 3)) for number in range(12)]  # ties in threes
    expected = _numbers(ranked(_frame(tmp_path / "in_order", rows), WEIGHTS))
    assert expected == list(range(12))
    random.Random(1).shuffle(rows)
    assert _numbers(ranked(_frame(tmp_path / "shuffled", rows), WEIGHTS)) == expected


def test_weights_decide_which_are_the_best(tmp_path: Path) -> None:
    def scored(number: int, *scores: float) -> RecordedEvaluation:
        return dataclasses.replace(_row(number, 1.0), scores=dict(zip(OBJECTIVES, scores, strict=True)))

    frame = _frame(tmp_path, [scored(0, 1.0, 4.0), scored(1, 3.0, 1.0), scored(2, 2.0, 2.5)])
    for weights, best in (((1.0, 1.0), [1, 2, 0]), ((2.0, 0.5), [0, 2, 1]), ((1.0, 0.0), [0, 2, 1])):
        assert _numbers(ranked(frame, dict(zip(OBJECTIVES, weights, strict=True)))) == best


def test_each_model_counts_once(tmp_path: Path) -> None:
    twice = dataclasses.replace(_row(7, 1.0), parameters=_row(0, 1.0).parameters)
    frame = _frame(tmp_path, [_row(0, 1.0), _row(1, 3.0), twice, _row(2, 2.0)])
    best = best_rows(frame, PARAMETERS, WEIGHTS, 3)
    assert _numbers(best) == [0, 2, 1]
    assert models_of(best, PARAMETERS)[1] == _row(2, 2.0).parameters


def test_the_last_digits_make_no_other_model(tmp_path: Path) -> None:
    model = {PARAMETERS[0]: 1.23456789012e-5, PARAMETERS[1]: 0.0}
    nearly = {PARAMETERS[0]: np.nextafter(model[PARAMETERS[0]], 1.0), PARAMETERS[1]: 0.0}
    other = {PARAMETERS[0]: 1.2345679e-5, PARAMETERS[1]: 0.0}
    rows = [dataclasses.replace(_row(n, 1.0), parameters=p) for n, p in enumerate((model, nearly, other))]
    first, second, third = model_keys(_frame(tmp_path, rows), PARAMETERS)
    assert first == second
    assert first != third


def _chosen(
    folder: Path, rows: Iterable[RecordedEvaluation], number: int, largest_score: float = 0.0
) -> list[dict[str, float]]:
    dimensions = [Dimension(name, 0.0, 10.0) for name in PARAMETERS]
    return coarse_elites(_frame(folder, rows), dimensions, WEIGHTS, FULL, number, largest_score)


def test_coarse_models_among_the_best_are_chosen(tmp_path: Path) -> None:
    coarse = [_row(number, 10.0 + number, COARSE, "coarse") for number in range(6)]
    fine = [_row(number, 7.5 + number, search="fine") for number in range(10, 13)]  # 17.5 to 19.5
    expected = [entry.parameters for entry in coarse]
    assert _chosen(tmp_path / "few", [*coarse, *fine], 3) == expected[:3]
    assert _chosen(tmp_path / "all", [*coarse, *fine], 100) == expected
    better = [_row(number, number - 10.0, search="fine") for number in range(10, 13)]
    assert _chosen(tmp_path / "none", [*coarse, *better], 3) == []
    assert _chosen(tmp_path / "some", [*coarse, *better], 5) == expected[:2]


def test_half_of_the_chosen_are_the_best_and_half_as_different_as_may_be_accepted(tmp_path: Path) -> None:
    places = [5.0, 5.1, 5.2, 5.3, 5.4, 9.0, 1.0, 0.0, 10.0, 4.9]
    rows = [
        dataclasses.replace(_row(n, 1.0 + n, COARSE), parameters={PARAMETERS[0]: place, PARAMETERS[1]: 5.0})
        for n, place in enumerate(places)
    ]
    worst = [max(entry.scores.values()) for entry in rows]
    for largest, chosen in (
        (worst[6], [0, 1, 5, 6]),
        (worst[8], [0, 1, 7, 8]),
        (worst[5], [0, 1, 4, 5]),
        (worst[2], [0, 1, 2, 3]),  # the only one that may be accepted, and the next best
        (0.0, [0, 1, 2, 3]),
    ):
        expected = [rows[n].parameters for n in chosen]
        assert _chosen(tmp_path / str(largest), rows, 4, largest) == expected, largest


def test_what_was_evaluated_at_full_fidelity_is_not_again(tmp_path: Path) -> None:
    coarse = [_row(number, 10.0 + number, COARSE, "coarse") for number in range(4)]
    start = dataclasses.replace(_row(0, 20.0, search="fine"), parameters=coarse[1].parameters)
    failed = dataclasses.replace(_row(5, 500.0, search=RESCORED), parameters=coarse[2].parameters, failure="timeout: x")
    assert _chosen(tmp_path, [*coarse, start, failed], 4) == [coarse[0].parameters, coarse[3].parameters]


def test_failed_excluded_and_partial_ones_are_not_chosen(tmp_path: Path) -> None:
    rows = [
        dataclasses.replace(_row(0, 1.0, COARSE), failure="rest: it fires"),
        dataclasses.replace(_row(1, 1.0, COARSE), excluded=True),
        dataclasses.replace(_row(2, 1.0, COARSE), scores={OBJECTIVES[0]: 0.5}),
        _row(3, 9.0, COARSE),
    ]
    assert _chosen(tmp_path, rows, 10) == [rows[3].parameters]
    assert _chosen(tmp_path / "failed", rows[:3], 10) == [rows[0].parameters], "there must be a result at all"


class Gauge:
    """An evaluator that gives odd answers on demand."""

    def evaluate(self, parameters: dict[str, float]) -> Evaluation:
        value = parameters[PARAMETERS[1]]
        features = {OBJECTIVES[0]: value, OBJECTIVES[1]: np.nan if value > 0.100002 else 1.0}
        return Evaluation(features, dict(zip(OBJECTIVES, (value, 1.0), strict=True)), cpu_seconds=0.2)


def _again(folder: Path, models: list[dict[str, float]], stop_after: int, **pool: int) -> list[RecordedEvaluation]:
    record = EvaluationRecord(folder, PARAMETERS, OBJECTIVES)
    left = iter(range(stop_after))
    ended = evaluate_again(
        models, InlinePool(Gauge(), **pool), record, FULL, 10.0, [], lambda: next(left, None) is None
    )  # fmt: skip
    rows = sorted(record.rows(RESCORED), key=lambda entry: entry.number)
    assert ended == (len(rows) == len(models))
    record.close()
    return rows


@pytest.mark.parametrize("stop_after", range(8))
def test_numbers_do_not_show_an_interruption(tmp_path: Path, stop_after: int) -> None:
    models = [row(number).parameters for number in range(6)]
    begun = _again(tmp_path, models, stop_after, workers=3, seed=stop_after)
    left = [model for model in models if model not in [entry.parameters for entry in begun]]
    record = EvaluationRecord(tmp_path, PARAMETERS, OBJECTIVES)
    assert evaluate_again(left, InlinePool(Gauge(), 2, seed=9), record, FULL, 10.0, [], lambda: False)
    rows = sorted(record.rows(RESCORED), key=lambda entry: entry.number)
    record.close()
    assert [entry.number for entry in rows] == list(range(6))
    assert [entry.parameters for entry in rows] == models


def test_only_finite_numbers_are_recorded_and_a_lost_simulator_is_a_failure(tmp_path: Path) -> None:
    record = EvaluationRecord(tmp_path, PARAMETERS, OBJECTIVES)
    pool = InlinePool(Gauge(), 2, fail=lambda task: "crash: segmentation fault" if task.key == 1 else None)
    assert evaluate_again(
        [row(number).parameters for number in range(4)], pool, record, FULL, 10.0, [], lambda: False
    )  # fmt: skip
    rows = list(record.rows())
    assert [entry.failure for entry in rows] == [None, "crash: segmentation fault", None, None]
    assert rows[1].scores == dict.fromkeys(OBJECTIVES, FAILURE_SCORE)
    assert rows[3].features == {OBJECTIVES[0]: row(3).parameters[PARAMETERS[1]]}
    assert {entry.fidelity for entry in rows} == {FULL}
