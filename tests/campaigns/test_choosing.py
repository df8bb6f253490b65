"""Which models of a record make the ensemble."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns.choosing import choose_ensemble
from rheobase.campaigns.record import EvaluationRecord
from rheobase.fitting.search.space import Dimension
from tests.campaigns.rows import OBJECTIVES, PARAMETERS, row
from tests.campaigns.toy import toy_campaign

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.campaigns.record import RecordedEvaluation
    from rheobase.fitting.ensembles.ensemble import Ensemble

DIMENSIONS = tuple(Dimension(name, 0.0, 1.0) for name in PARAMETERS)
WEIGHTS = dict.fromkeys(OBJECTIVES, 1.0)


def _row(number: int, total: float, failure: str | None = None, search: str = "one") -> RecordedEvaluation:
    return dataclasses.replace(row(number, total), failure=failure, search=search)


def _chosen(folder: Path, *rows: RecordedEvaluation) -> Ensemble:
    record = EvaluationRecord(folder, PARAMETERS, OBJECTIVES)
    for one in rows:
        record.append(one)
    frame = record.frame()
    record.close()
    return choose_ensemble(toy_campaign({"stages": {"one": {}}}), frame, DIMENSIONS, WEIGHTS)


def test_failed_models_are_left_out(tmp_path: Path) -> None:
    """Even with good scores, as where what failed is no target: they never came to their end."""
    found = _chosen(tmp_path, _row(0, 2.0, "threshold_current: no spike up to 5 nA"), _row(2, 3.0))
    assert [one.number for one in found.members] == [2]
    assert found.accepted_in_record == 1


def test_where_all_failed_the_best_of_them_are_shown(tmp_path: Path) -> None:
    found = _chosen(tmp_path, _row(0, 400.0, "rest: the cell fires"), _row(2, 300.0, "rest: the cell fires"))
    assert [one.number for one in found.members] == [2, 0]


@pytest.mark.parametrize("total", [2.0, 200.0])
def test_a_model_evaluated_in_two_stages_is_one(tmp_path: Path, total: float) -> None:
    """Whether it is accepted or not; a place in the unit cube and back costs the last digits."""
    first, other = _row(0, total), _row(2, total + 1.0)
    parameters = {name: value * (1.0 + 1e-15) for name, value in first.parameters.items()}
    again = dataclasses.replace(_row(0, total, search="two"), parameters=parameters)
    found = _chosen(tmp_path, first, other, again)
    assert sorted((one.search, one.number) for one in found.members) == [("one", 0), ("one", 2)]
    assert found.accepted_in_record == (2 if total < 10.0 else 0)
