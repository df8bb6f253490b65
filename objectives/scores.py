"""Scores: how many standard deviations a model lies from what was measured."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


def deviations(
    scores: Mapping[str, float],
    features: Mapping[str, float] | None = None,
    means: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Scores with the sign of what was measured minus what was wanted; NaN where nothing could be measured.

    Args:
        scores: Scores by objective.
        features: What was measured, by objective; the sign of one that is absent is not known, it is taken as +.
        means: What was wanted, by objective; the same.
    """
    features, means = features or {}, means or {}
    found = {}
    for name, score in scores.items():
        if name in features and name in means:
            found[name] = math.copysign(score, features[name] - means[name])
        else:
            found[name] = score if score < FAILURE_SCORE else math.nan
    return found


@dataclass(frozen=True)
class ScoreSummary:
    """Scores of one model in three numbers.

    Attributes:
        total: Sum over objectives, each score times its weight.
        worst: Largest score (standard deviations) of an objective with a weight above zero.
        median: Median score (standard deviations) of those.
    """

    total: float
    worst: float
    median: float


def summarize(scores: Mapping[str, float], weights: Mapping[str, float] | None = None) -> ScoreSummary:
    """Sum, worst and median of a model's scores; at least one with a weight above zero is needed.

    Args:
        scores: Scores by objective.
        weights: Their parts in the sum; 1 of those absent.
    """
    counted = [score for name, score in scores.items() if weights is None or weights.get(name, 1.0) > 0.0]
    return ScoreSummary(total_score(scores, weights), max(counted), float(statistics.median(counted)))


def total_score(scores: Mapping[str, float], weights: Mapping[str, float] | None = None) -> float:
    """Sum of scores, each times its weight; the same to the last bit whatever their order.

    Args:
        scores: Scores by objective.
        weights: Their parts in the sum; 1 of those absent.
    """
    if not weights:
        return math.fsum(scores.values())
    return math.fsum(weights.get(name, 1.0) * score for name, score in scores.items())
