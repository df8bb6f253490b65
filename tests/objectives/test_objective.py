from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.objectives.limits import DataLimits, judge_limits
from rheobase.objectives.objective import Judged, Target, held_against
from rheobase.objectives.scores import FAILURE_SCORE

PSP = DataLimits(0.2, 0.6, "mV", "paired recordings")


@pytest.mark.parametrize(
    ("value", "deviation", "met"),
    [(4.0, 0.0, True), (5.0, 1.0, True), (5.01, 1.01, False), (2.0, -2.0, False), (1e9, FAILURE_SCORE, False)],
)
def test_a_value_deviates_in_tolerances_with_its_sign(value: float, deviation: float, met: bool) -> None:
    judged = Judged("rate", value, 4.0, 1.0, "Hz", "L4_E")
    assert judged.deviation == pytest.approx(deviation)
    assert judged.met is met
    assert judged.key == "rate:L4_E"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_not_there_is_never_met(value: float | None) -> None:
    assert Judged("alpha_peak", value, 10.0, 1.0, "Hz").deviation == -FAILURE_SCORE
    assert Judged("alpha_peak", value, 10.0, 1.0, "Hz", missing=-5.0).deviation == -5.0
    assert not Judged("alpha_peak", value, 10.0, 1.0, "Hz", missing=-5.0).met


def test_a_tolerance_relative_to_the_target() -> None:
    assert Target.within(-8.0, 0.1) == Target(-8.0, 0.8)
    assert Target.within(0.0, 0.1, smallest=0.5) == Target(0.0, 0.5)
    assert held_against(Target(1.0, 0.5), "cv_isi", 0.5, "", "L4_E") == Judged("cv_isi", 0.5, 1.0, 0.5, "", "L4_E")


def test_refuses_targets_without_a_tolerance() -> None:
    with pytest.raises(FeatureError, match="tolerance above zero"):
        Target(1.0, 0.0)
    with pytest.raises(FeatureError, match="tolerance above zero"):
        Target.within(0.0, 0.1)
    with pytest.raises(FeatureError, match=r"rate:L4_E .* tolerance above zero, got 1.0 \+- 0.0 Hz"):
        Judged("rate", 1.0, 1.0, 0.0, "Hz", "L4_E")
    with pytest.raises(FeatureError, match=r"cannot be a deviation of 0\.5"):
        Judged("rate", 1.0, 1.0, 1.0, "Hz", missing=0.5)


@given(st.floats(0.2, 0.6))
def test_within_the_limits_of_data_nothing_is_lost(value: float) -> None:
    assert abs(judge_limits("psp", value, PSP).deviation) <= 1.0 + 1e-9


def test_outside_the_limits_the_deviation_grows() -> None:
    judged = judge_limits("psp", 0.8, PSP, "L4_E")
    assert (judged.deviation, judged.unit, judged.population) == (pytest.approx(2.0), "mV", "L4_E")
    assert not judge_limits("psp", None, PSP).met


def test_refuses_limits_the_wrong_way_round() -> None:
    with pytest.raises(FeatureError, match="lower one below the upper one"):
        DataLimits(0.6, 0.2)
