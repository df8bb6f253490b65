"""What the report says of the stages, held against a campaign whose record is known."""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import TYPE_CHECKING

import pytest
from scipy.stats import spearmanr

from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.record import read_frame
from rheobase.campaigns.report.page import render_report
from rheobase.campaigns.report.stages import FidelityLine, StageLine, fidelity_lines, stage_lines
from tests.campaigns.report.example import example_data
from tests.campaigns.report.reading import Page
from tests.campaigns.toy import MODEL, TARGETS, THREE_STAGES, ToyRun, toy_campaign

if TYPE_CHECKING:
    from rheobase.campaigns.record import RecordedEvaluation

PARAMETERS = [parameter.name for parameter in MODEL.free_parameters]
FULL, COARSE = "40 um, 0.001", "100 um, 0.001"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ToyRun:
    """A campaign of three stages that has ended."""
    campaign = toy_campaign({"stages": THREE_STAGES, "rescored": 40})
    ended = ToyRun(tmp_path_factory.mktemp("stages") / "run", campaign, workers=3, order=1)
    assert ended.run()
    return ended


def _lines(run: ToyRun) -> tuple[StageLine, ...]:
    frame = read_frame(run.path / "record")
    assert frame is not None
    return stage_lines(run.campaign, CampaignFolder(run.path).read_state()["stages"], frame, TARGETS)


def _of(run: ToyRun, search: str) -> list[RecordedEvaluation]:
    return [row for row in run.rows() if row.search == search]


def test_a_line_for_every_stage(run: ToyRun) -> None:
    lines = _lines(run)
    assert [line.name for line in lines] == [*THREE_STAGES, "full fidelity"]
    assert [line.objectives for line in lines] == [2, 5, 5, 5]
    assert [line.fidelity for line in lines] == [FULL, COARSE, FULL, FULL]
    assert {line.ended for line in lines[:3]} == {"its number of evaluations is reached"}
    for line, search in zip(lines, (*THREE_STAGES, "rescored"), strict=True):
        rows = _of(run, search)
        models = [row for row in rows if row.failure is None and not row.excluded]
        assert line.evaluations == len(rows)
        assert line.excluded == sum(row.excluded for row in rows)
        assert line.failed == sum(row.failure is not None for row in rows)
        assert line.cpu_seconds == pytest.approx(sum(row.cpu_seconds for row in rows))
        assert line.best_total == pytest.approx(min(sum(row.scores.values()) for row in models))
    assert sum(line.excluded for line in lines) > 0


def test_a_stage_that_has_not_begun_has_no_line(run: ToyRun) -> None:
    frame = read_frame(run.path / "record")
    assert frame is not None
    states = {"passive": {"seconds": 3.0, "ended": "its time is over"}, "coarse": {"seconds": 1.0}}
    begun = frame[frame["search"].isin(["passive", "coarse"])]
    passive, coarse = stage_lines(run.campaign, states, begun, TARGETS)
    assert (passive.ended, coarse.ended) == ("its time is over", "")


def test_a_stage_without_a_model_has_no_best_total(run: ToyRun) -> None:
    frame = read_frame(run.path / "record")
    assert frame is not None
    failed = frame[frame["search"] == "coarse"].assign(failure="rest: it fires")
    (line,) = stage_lines(run.campaign, {}, failed, TARGETS)
    assert math.isnan(line.best_total)
    assert line.failed == 18


def test_coarse_and_full_sums_of_the_same_models_are_compared(run: ToyRun) -> None:
    frame = read_frame(run.path / "record")
    assert frame is not None
    (line,) = fidelity_lines(frame, PARAMETERS, TARGETS, FULL)
    coarse = {tuple(f"{v:.9g}" for v in row.parameters.values()): row for row in _of(run, "coarse")}
    pairs = []
    for row in (*_of(run, "rescored"), *_of(run, "fine")):
        same = coarse.get(tuple(f"{v:.9g}" for v in row.parameters.values()))
        if same is not None and not same.excluded and not row.excluded and same.failure is None:
            pairs.append((sum(same.scores.values()), sum(row.scores.values())))
    assert {row.number for row in _of(run, "fine")} >= {0}
    assert line.models == len(pairs) > 5
    changes = [full - rough for rough, full in pairs]
    assert line.difference == pytest.approx(statistics.median(changes))
    assert abs(line.largest) == pytest.approx(max(map(abs, changes)))
    assert line.correlation == pytest.approx(spearmanr(*zip(*pairs, strict=True)).statistic)
    assert line.cost == pytest.approx(1.4 / 2.0), (
        "as the toy's evaluator says: 1 / (1 + 10 * 0.1) by 1 / (1 + 10 * 0.04)"
    )
    assert line.coarse == COARSE


def test_failures_at_full_fidelity_are_counted_apart(run: ToyRun) -> None:
    frame = read_frame(run.path / "record")
    assert frame is not None
    number = next(row.number for row in _of(run, "rescored") if row.failure is None)
    is_it = (frame["search"] == "rescored") & (frame["number"] == number)
    (before,) = fidelity_lines(frame, PARAMETERS, TARGETS, FULL)
    (after,) = fidelity_lines(
        frame.assign(failure=frame["failure"].where(~is_it, "timeout")), PARAMETERS, TARGETS, FULL
    )
    assert (after.models, after.failed) == (before.models, before.failed + 1)


def test_no_coarse_stage_no_comparison(run: ToyRun) -> None:
    frame = read_frame(run.path / "record")
    assert frame is not None
    assert fidelity_lines(frame[frame["fidelity"] == FULL], PARAMETERS, TARGETS, FULL) == ()
    (alone,) = fidelity_lines(frame[frame["fidelity"] == COARSE], PARAMETERS, TARGETS, FULL)
    assert alone.models == 0
    assert math.isnan(alone.difference)


def test_the_page_shows_them() -> None:
    data = example_data(evaluations=40, members=2, recorded_samples=300, simulated_samples=300)
    page = Page(render_report(data))
    assert page.problems == []
    assert "coarse ibea 100 um, 0.001 27 of 29 20 0 12 14 31.4 its time is over" in page.text
    assert "fine cma_es 40 um, 0.001 27 of 29 20 7 9 23.5 18.2 not yet" in page.text
    assert "100 um, 0.001 20 −1.24 +6.5 0.87 0.42 1" in page.text
    assert "in 2 stages within" in page.text
    assert "of them could no longer be chosen and were stopped" in page.text
    without = Page(render_report(dataclasses.replace(data, stages=(), fidelities=())))
    assert "What coarser simulations did" not in without.text


def test_figures_that_are_not_known_are_shown_as_such() -> None:
    nothing = FidelityLine(COARSE, 0, 0, math.nan, math.nan, math.nan, math.nan)
    begun = StageLine("first", "ibea", FULL, 27, 0, 0, 0, 0.0, math.nan, "")
    data = example_data(evaluations=10, members=1, recorded_samples=300, simulated_samples=300)
    page = Page(render_report(dataclasses.replace(data, stages=(begun,), fidelities=(nothing,))))
    assert "nan" not in page.text
    assert "100 um, 0.001 0 – – – – 0" in page.text
