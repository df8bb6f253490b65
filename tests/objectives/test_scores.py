from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.objectives.scores import FAILURE_SCORE, ScoreSummary, deviations, summarize, z_score

numbers = st.floats(-1e6, 1e6)
stds = st.floats(1e-6, 1e6)


@pytest.mark.parametrize(
    ("value", "mean", "std", "expected"),
    [
        (1.0, 1.0, 0.5, 0.0),
        (2.0, 1.0, 0.5, 2.0),
        (0.0, 1.0, 0.5, 2.0),
        (-80.0, -76.0, 2.0, 2.0),
        (1e9, 0.0, 1.0, 250.0),
    ],
)
def test_values(value: float, mean: float, std: float, expected: float) -> None:
    assert z_score(value, mean, std) == expected


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_failures(value: float | None) -> None:
    assert z_score(value, 0.0, 1.0) == FAILURE_SCORE == 250.0


def test_deviations_have_the_sign_of_what_was_measured_minus_what_was_wanted() -> None:
    scores = {"above": 2.0, "below": 3.0, "far": 250.0, "silent": 250.0, "another": 1.5}
    features, means = (
        {"above": 9.0, "below": -4.0, "far": -1e6, "another": 1.0},
        {"above": 8.0, "below": -1.0, "far": 0.0},
    )
    found = deviations(scores, features, means)
    assert math.isnan(found.pop("silent"))
    assert found == {"above": 2.0, "below": -3.0, "far": -250.0, "another": 1.5}


def test_deviations_without_signs() -> None:
    found = deviations({"some": 2.0, "silent": 250.0})
    assert math.isnan(found.pop("silent"))
    assert found == {"some": 2.0}


@given(value=numbers, mean=numbers, std=stds)
def test_bounds(value: float, mean: float, std: float) -> None:
    assert 0.0 <= z_score(value, mean, std) <= FAILURE_SCORE


@given(distance=st.floats(0.0, 1e3), mean=st.floats(-1e3, 1e3), std=st.floats(1e-2, 1e3))
def test_symmetry(distance: float, mean: float, std: float) -> None:
    above, below = z_score(mean + distance, mean, std), z_score(mean - distance, mean, std)
    assert above == pytest.approx(below, rel=1e-9, abs=1e-8)


@given(nearer=st.floats(0.0, 1e3), farther=st.floats(0.0, 1e3), std=stds)
def test_never_better_farther_away(nearer: float, farther: float, std: float) -> None:
    nearer, farther = sorted((nearer, farther))
    assert z_score(nearer, 0.0, std) <= z_score(farther, 0.0, std)


@given(value=st.floats(-100, 100), mean=st.floats(-100, 100), std=st.floats(0.5, 100), exponent=st.integers(-20, 20))
def test_unit_does_not_matter(value: float, mean: float, std: float, exponent: int) -> None:
    scale = 2.0**exponent  # exact in floating point
    assert z_score(value * scale, mean * scale, std * scale) == z_score(value, mean, std)


def test_summary() -> None:
    assert summarize({"a": 1.0, "b": 4.0, "c": 2.0}) == ScoreSummary(total=7.0, worst=4.0, median=2.0)


@given(st.lists(st.floats(0.0, FAILURE_SCORE), min_size=1, max_size=30))
def test_summary_bounds(values: list[float]) -> None:
    summary = summarize({str(place): value for place, value in enumerate(values)})
    assert min(values) <= summary.median <= summary.worst == max(values)
    assert summary.total == pytest.approx(sum(values))
