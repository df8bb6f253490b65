"""What the figures draw, and the numbers behind them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from rheobase.campaigns.report.convergence import failure_reasons, progress
from rheobase.campaigns.report.drawing import duration, number, spread
from rheobase.campaigns.report.parameters import chance_correlation, correlations, parameters_figure, position
from rheobase.campaigns.report.scores import INTRINSIC, rate_figure, score_rows
from rheobase.campaigns.report.traces import main_figure, select_protocols
from rheobase.fitting.search.space import Dimension
from tests.campaigns.report.example import MANY_STEPS, example_data

DATA = example_data(evaluations=80, recorded_samples=1000, simulated_samples=1000)


def test_rows_follow_the_targets_and_carry_signed_deviations():
    rows = score_rows(DATA)
    assert [row.objective for row in rows] == list(DATA.targets.objectives)
    assert rows[0].group == INTRINSIC
    for row in rows:
        assert np.abs(row.deviations) == pytest.approx(row.scores)


def test_progress_is_monotonous_in_each_stage_and_ends_at_the_best():
    curves = progress(DATA)
    assert curves.stages == ((0, 40, "coarse"), (40, 80, "fine"))
    for begin, end, _ in curves.stages:
        assert not (np.diff(curves.best_total[begin:end]) > 0).any()
        assert not (np.diff(curves.best_worst[begin:end]) > 0).any()
    assert np.isnan(curves.best_total[40]), "the first one of the stage was stopped early"
    assert curves.best_total[41] == curves.total[41] > curves.best_total[39]
    assert curves.best_total[-1] == pytest.approx(DATA.ensemble.members[0].total)
    assert curves.elapsed_s[-1] == pytest.approx(DATA.wall_seconds)


def test_what_was_stopped_early_is_no_model():
    stopped = DATA.record["excluded"].to_numpy()
    assert 0 < stopped.sum() < 10
    curves = progress(DATA)
    assert (np.isnan(curves.total) == stopped).all()
    assert (np.isnan(curves.worst) == stopped).all()
    # Their lower bounds are far below every total: taken for scores, they would be the best of all.
    known = DATA.record.filter(like="score.").sum(axis=1).to_numpy()
    assert known[stopped].min() < np.nanmin(curves.total)


def test_totals_are_weighted_and_what_has_no_weight_is_left_out():
    heavy, silent = list(DATA.targets.objectives)[:2]
    intrinsic = tuple(
        dataclasses.replace(target, weight={heavy: 3.0, silent: 0.0}.get(target.feature, 1.0))
        for target in DATA.targets.intrinsic
    )
    curves = progress(dataclasses.replace(DATA, targets=dataclasses.replace(DATA.targets, intrinsic=intrinsic)))
    expected = progress(DATA).total + 2.0 * DATA.record[f"score.{heavy}"] - DATA.record[f"score.{silent}"]
    assert curves.total == pytest.approx(expected.to_numpy(), nan_ok=True)


def test_pauses_are_left_out_of_the_time():
    paused = DATA.record.assign(ended=DATA.record["ended"] + 86400.0 * (np.arange(80) > 40))
    curves = progress(dataclasses.replace(DATA, record=paused))
    assert curves.elapsed_s[-1] == pytest.approx(DATA.wall_seconds)
    assert (np.diff(curves.elapsed_s) >= 0).all()


def test_failures_are_counted_by_kind():
    failures = ["a: 1"] * 3 + ["b"] * 2 + [f"rare {place}: x" for place in range(12)] + [None]
    data = dataclasses.replace(DATA, record=DATA.record.iloc[: len(failures)].assign(failure=failures))
    reasons = failure_reasons(data)
    assert reasons[:2] == [("a", 3), ("b", 2)]
    assert reasons[-1] == ("others", 4)
    assert sum(count for _, count in reasons) == 17


def test_positions_between_bounds():
    logarithmic = Dimension("g", 1e-4, 1.0, logarithmic=True)
    assert position(logarithmic, 1e-2) == pytest.approx(0.5)
    assert position(logarithmic, 0.0) == -0.02
    assert position(Dimension("e", -90.0, -50.0), 10.0) == 1.02
    assert math.isnan(position(logarithmic, None))


def test_correlations_find_a_pair_that_goes_together():
    first, second, third = DATA.dimensions[:3]
    members = tuple(
        dataclasses.replace(member, parameters={first.name: place, second.name: -(place**3), third.name: 1.0})
        for place, member in enumerate(DATA.ensemble.members)
    )
    data = dataclasses.replace(
        DATA, dimensions=(first, second, third), ensemble=dataclasses.replace(DATA.ensemble, members=members)
    )
    matrix = correlations(data)
    assert matrix[0, 1] == pytest.approx(-1.0)
    assert math.isnan(matrix[0, 2])
    assert chance_correlation(10) == pytest.approx(0.65, abs=0.01)


def test_hidden_values_are_marked():
    data = example_data(evaluations=20, recorded_samples=100, simulated_samples=100, surrogates=True)
    marks = [line for line in parameters_figure(data).axes[0].lines if line.get_marker() == "|"]
    assert len(marks[0].get_xdata()) == 5 * len(data.dimensions)


def test_rate_needs_two_steps_of_a_protocol():
    assert len(rate_figure(DATA).axes) == 2
    one = dataclasses.replace(DATA, targets=dataclasses.replace(DATA.targets, protocols=DATA.targets.protocols[:2]))
    assert rate_figure(one) is None


def test_main_figure_shows_different_protocols_and_every_feature():
    data = example_data(MANY_STEPS, evaluations=20, members=2, recorded_samples=800, simulated_samples=800)
    assert [protocol.name for protocol in select_protocols(data, 4)] == [
        "IV_-100", "IDrest_110", "IDrest_300", "APWaveform_280",
    ]  # fmt: skip
    scores = main_figure(data).subfigs[1].axes[0]
    assert len(scores.get_yticks()) == len(data.targets.objectives)


@pytest.mark.parametrize(("surrogates", "word"), [(True, "a surrogate recording"), (False, "a recording")])
def test_main_figure_says_what_the_recordings_are(surrogates, word):
    figure = main_figure(dataclasses.replace(DATA, surrogates=surrogates))
    (key,) = figure.subfigs[0].subfigs[-1].legends
    assert key.get_texts()[0].get_text() == word


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.094, "−0.094"), (1234.4, "1234"), (1e-5, "1e−5"), (2.349e-4, "2.35e−4"), (1e7, "1e7"),
     (math.nan, "–"), (None, "–"), (math.inf, "–"), (100.0, "100"), (99.96, "100")],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


def test_spreads_and_durations():
    assert spread([3.0, 1.0, math.nan]) == "1 to 3"
    assert spread([2.0, 2.0]) == "2"
    assert spread([]) == "–"
    assert [duration(seconds) for seconds in (5.0, 600.0, 7200.0, 3 * 86400.0)] == [
        "5 s",
        "10 min",
        "2 h",
        "3 days",
    ]
