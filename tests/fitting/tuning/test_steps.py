"""Slopes and steps against circuits whose logarithms are straight lines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.fitting.tuning.judging import Judging
from rheobase.fitting.tuning.response import Response, fit_response
from rheobase.fitting.tuning.stage import Knob, Simulated, TuningStage
from rheobase.fitting.tuning.steps import Box, JacobianSteps, gauss_newton
from rheobase.fitting.tuning.targets import rate_target
from rheobase.fitting.tuning.trials import Outcome, Place

TARGETS = (rate_target("A", 4.0, 0.4), rate_target("B", 8.0, 0.8))
SIZES = {"A": 1000, "B": 1000}
SLOPES = np.array([[0.8, -0.5, 0.3], [0.2, 0.4, -0.6]])
STAGE = TuningStage("s", tuple(Knob(n, ("*",)) for n in "xyz"), TARGETS, Simulated(5000.0))


def place(number: int, position: np.ndarray, stopped: str | None = None, noise: float = 0.0) -> Place:
    rates = np.exp(np.log([3.0, 9.0]) + SLOPES @ position + noise * np.random.default_rng(number).normal(size=2))
    one = Place(number, tuple(position.tolist()), "probe")
    one.outcomes[0] = Outcome({"rate:A": rates[0], "rate:B": rates[1]}, stopped)
    return one


def test_slopes_are_found_with_honest_errors() -> None:
    rng = np.random.default_rng(0)
    places = [place(n, rng.normal(0.0, 0.15, 3), noise=0.01) for n in range(40)]
    response = fit_response(Judging(STAGE, SIZES), places, (0.0, 0.0, 0.0), np.zeros((2, 3)))
    assert np.all(np.abs(response.slopes - SLOPES) < 3.0 * response.slope_errors)
    assert np.all(response.slope_errors < 0.15)
    assert np.exp(response.level) == pytest.approx([3.0, 9.0], rel=0.03)


def test_without_results_slopes_are_what_is_expected() -> None:
    response = fit_response(Judging(STAGE, SIZES), [], (0.0, 0.0, 0.0), SLOPES)
    assert response.slopes == pytest.approx(SLOPES)


def test_a_stopped_place_only_bounds_from_one_side() -> None:
    judging = Judging(STAGE, SIZES)
    rng = np.random.default_rng(1)
    places = [place(n, rng.normal(0.0, 0.1, 3)) for n in range(20)]
    before = fit_response(judging, places, (0.0, 0.0, 0.0), np.zeros((2, 3)))
    runaway = Place(20, (0.5, 0.0, 0.0), "jacobian")
    runaway.outcomes[0] = Outcome({"rate:A": 200.0, "rate:B": 1e-9}, "A ran away")
    after = fit_response(judging, [*places, runaway], (0.0, 0.0, 0.0), np.zeros((2, 3)))
    assert after.slopes[0, 0] > before.slopes[0, 0]
    assert after.slopes[0, 0] < 3.0  # a jump is no slope: a straight line through it would have 8


def test_one_step_solves_what_is_straight() -> None:
    response = Response(np.zeros(3), np.log([3.0, 9.0]), SLOPES, np.zeros((2, 4, 4)))
    position = gauss_newton(response, TARGETS, Box(np.full(3, -2.0), np.full(3, 2.0)), 0.01)
    assert np.exp(response.at(position)) == pytest.approx([4.0, 8.0], rel=0.02)


finite = st.floats(-3.0, 3.0)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["jacobian", "jacobian_sampled", "probe"]),
    positions=st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=6),
    bounds=st.tuples(*[st.tuples(st.floats(-2.0, 0.0), st.floats(0.01, 2.0))] * 3),
    seed=st.integers(0, 99),
)
def test_steps_stay_within_bounds_and_trust_region(
    kind: str,
    positions: list[tuple[float, float, float]],
    bounds: tuple[tuple[float, float], ...],
    seed: int,
) -> None:
    box = Box(np.array([low for low, _ in bounds]), np.array([high for _, high in bounds]))
    places = [place(n, np.array(box.clipped(np.array(one)))) for n, one in enumerate(positions)]
    steps = JacobianSteps(Judging(STAGE, SIZES), box, np.zeros((2, 3)), np.random.default_rng(seed))
    best = places[seed % len(places)]
    proposed = np.array(steps.propose(kind, places, best))
    assert np.all(proposed >= box.low)
    assert np.all(proposed <= box.high)
    assert np.all(np.abs(proposed - np.array(best.position)) <= steps.radius + 1e-9)
