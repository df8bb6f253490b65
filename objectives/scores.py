"""Scores: how many standard deviations a model lies from what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

# The score of what could not be measured, and the largest score there is (BluePyOpt's convention).
FAILURE_SCORE = 250.0


def z_score(value: float | None, mean: float, std: float) -> float:
    """|value - mean| / std, at most FAILURE_SCORE; FAILURE_SCORE for a value that is missing or not finite.

    Args:
        value: What the model does; None when it has no such feature.
        mean: What was measured.
        std: Its standard deviation, above zero.
    """
    if value is None or not math.isfinite(value):
        return FAILURE_SCORE
    return min(abs(value - mean) / std, FAILURE_SCORE)


@dataclass(frozen=True)
class ScoreSummary:
    """Scores of one model in three numbers, all in standard deviations.

    Attributes:
        total: Sum over objectives.
        worst: Largest score.
        median: Median score.
    """

    total: float
    worst: float
    median: float


def summarize(scores: Mapping[str, float]) -> ScoreSummary:
    """Sum, worst and median of a model's scores; at least one is needed."""
    values = np.array(list(scores.values()))
    return ScoreSummary(float(values.sum()), float(values.max()), float(np.median(values)))
