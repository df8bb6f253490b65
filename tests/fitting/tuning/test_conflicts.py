"""Targets that exclude each other are named."""

import numpy as np

from rheobase.fitting.tuning.conflicts import bound_sentences, conflict_sentences, conflicting
from rheobase.fitting.tuning.response import Response
from rheobase.fitting.tuning.stage import Knob
from rheobase.fitting.tuning.steps import Box
from rheobase.fitting.tuning.targets import rate_target

KNOBS = (Knob("E->X", ("a",), (0.5, 2.0)), Knob("I->X", ("b",), (0.5, 2.0)))
BOX = Box(np.log([0.5, 0.5]), np.log([2.0, 2.0]))


def response(slopes: list[list[float]], levels: list[float]) -> Response:
    covariances = np.tile(np.eye(3) * 1e-6, (len(levels), 1, 1))
    return Response(np.zeros(2), np.log(levels), np.array(slopes), covariances)


def test_what_can_be_reached_is_no_conflict() -> None:
    targets = (rate_target("A", 5.0, 0.5), rate_target("B", 3.0, 0.3))
    assert conflicting(response([[1.0, 0.0], [0.0, -1.0]], [4.0, 4.0]), targets, BOX) == ()


def test_a_target_beyond_all_bounds() -> None:
    targets = (rate_target("A", 50.0, 5.0), rate_target("B", 3.0, 0.3))
    sentences = conflict_sentences(response([[1.0, 0.0], [0.0, -1.0]], [4.0, 3.0]), targets, KNOBS, BOX)
    assert sentences == [
        "rate:A cannot be 50 +- 5 Hz: with all factors at their bounds it would be about 8 Hz (it depends on E->X)"
    ]


def test_a_target_that_nothing_moves() -> None:
    targets = (rate_target("A", 5.0, 0.5),)
    assert conflict_sentences(response([[0.0, 0.01]], [1.0]), targets, KNOBS, BOX) == [
        "rate:A cannot be 5 +- 0.5 Hz: none of the free factors moves it"
    ]


def test_two_targets_that_move_together_cannot_part() -> None:
    targets = (rate_target("A", 8.0, 0.8), rate_target("B", 2.0, 0.2), rate_target("C", 4.0, 0.4))
    slopes = [[1.0, 0.0], [1.0, 0.05], [0.0, -1.0]]
    found = response(slopes, [4.0, 4.0, 4.0])
    assert conflicting(found, targets, BOX) == ((0, 1),)
    (sentence,) = conflict_sentences(found, targets, KNOBS, BOX)
    assert sentence.startswith("rate:A and rate:B exclude each other: each can be met alone")
    assert "both depend on E->X" in sentence


def test_three_targets_of_which_any_two_could_be_met() -> None:
    targets = (rate_target("A", 6.0, 0.6), rate_target("B", 6.0, 0.6), rate_target("C", 6.0, 0.6))
    found = response([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], [4.0, 4.0, 4.0])
    assert conflicting(found, targets, BOX) == ((0, 1, 2),)
    (sentence,) = conflict_sentences(found, targets, KNOBS, BOX)
    assert "cannot be met together, though any one fewer could: rate:A, rate:B, rate:C" in sentence


def test_noise_is_no_conflict() -> None:
    targets = (rate_target("A", 8.0, 0.8), rate_target("B", 7.0, 0.7))
    noisy = Response(
        np.zeros(2), np.log([8.0, 9.0]), np.array([[1.0, 0.0], [1.0, 0.0]]), np.tile(np.eye(3) * 0.01, (2, 1, 1))
    )
    assert conflicting(noisy, targets, BOX) == ()


def test_knobs_at_their_bounds_are_named() -> None:
    assert bound_sentences((np.log(2.0), 0.0), KNOBS, BOX) == ["at their bounds: E->X (at its upper bound, 2)"]
