from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import linregress

from rheobase.features.activity.frequency_current import frequency_current_line
from rheobase.features.errors import FeatureError


def test_a_straight_curve():
    line = frequency_current_line([0.0, 0.1, 0.2, 0.3, 0.4], [0.0, 0.0, 10.0, 20.0, 30.0])
    assert line is not None
    assert line.slope_Hz_per_nA == pytest.approx(100.0)
    assert line.onset_nA == pytest.approx(0.1)
    assert line.points == 3


def test_how_far_below_threshold_the_steps_begin_does_not_matter():
    above = [(0.2, 8.0), (0.3, 21.0), (0.4, 27.0)]
    below = [(-0.2, 0.0), (-0.1, 0.0), (0.0, 0.0)]
    assert frequency_current_line(*zip(*above, strict=True)) == frequency_current_line(
        *zip(*below, *above, strict=True)
    )


@settings(max_examples=50, deadline=None)
@given(points=st.lists(st.tuples(st.integers(-100, 100), st.floats(0.1, 200.0)), min_size=2, max_size=10))
def test_against_scipy(points):
    currents, rates = [0.01 * current for current, _ in points], [rate for _, rate in points]
    line = frequency_current_line(currents, rates)
    if len(set(currents)) < 2:
        assert line is None
    else:
        assert line is not None
        expected = linregress(currents, rates)
        assert line.slope_Hz_per_nA == pytest.approx(expected.slope, rel=1e-6, abs=1e-6)
        if line.onset_nA is not None and expected.slope > 1e-3:
            assert line.onset_nA == pytest.approx(-expected.intercept / expected.slope, rel=1e-4, abs=1e-4)


def test_curves_without_a_slope():
    assert frequency_current_line([], []) is None
    assert frequency_current_line([0.1, 0.2], [0.0, 5.0]) is None
    assert frequency_current_line([0.2, 0.2], [4.0, 5.0]) is None


def test_a_curve_that_falls_has_no_onset():
    line = frequency_current_line([0.1, 0.2], [20.0, 10.0])
    assert line is not None
    assert line.slope_Hz_per_nA == pytest.approx(-100.0)
    assert line.onset_nA is None


@pytest.mark.parametrize(
    ("currents", "rates", "message"),
    [
        ([0.1], [1.0, 2.0], "one rate a current, got 1 currents and 2 rates"),
        ([0.1], [-1.0], "finite rates of 0 Hz or more"),
        ([0.1], [math.nan], "finite rates of 0 Hz or more"),
        ([math.inf], [1.0], "finite currents"),
    ],
)
def test_what_no_curve_is(currents, rates, message):
    with pytest.raises(FeatureError, match=message):
        frequency_current_line(currents, rates)
