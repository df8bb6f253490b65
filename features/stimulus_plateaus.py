"""What makes a stretch of current a plateau, and others its baseline, in spite of artefacts and noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.stimulus_statistics import (
    ENOUGH,
    MAD_TO_DEVIATION,
    block_medians,
    deviation,
    median,
    share_within,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# What is shorter may be the artefact of a spike or a synaptic current. It is flat when SHORT_SHARE of it is within
# the tolerance below, or SHORT_TOLERANCE of its height if that is less, and when its halves differ by no more than
# SHORT_FALL of its height and what the noise adds, LARGEST_FALL at most.
SHORT_MS = 10.0
SHORT_SHARE = 0.5
SHORT_TOLERANCE = 0.25
SHORT_FALL = 0.25
LARGEST_FALL = 0.4

# A level is one when this share of its parts is within this part of the amplitude, or within this many standard
# deviations of the noise: artefacts of spikes take up to a quarter of a plateau, of a baseline less.
TOLERANCE = 0.1
TO_NOISE = 3.0
PLATEAU_SHARE = 0.65
BASELINE_SHARE = 0.8
PARTS = 24

# The noise of a baseline is that of the quietest of so many parts, of so many values at least.
QUIET_PARTS = (4, 16)
QUIET_VALUES = 64

# Samples of a brief deflection, of which a part is its edges when the current was filtered.
BRIEF_SHARE = 0.4

# The median of a few values is less exact than their mean.
MEDIAN_TO_MEAN = 1.25

NO_PLATEAU = "is no plateau, no linear ramp and no noise between two baselines"
NO_BASELINE = "does not stand on a baseline"
NO_RETURN = "does not return to the baseline it starts from"


def is_short_plateau(values: NDArray[np.float64], height_nA: float, noise_nA: float) -> bool:
    """Whether a short deflection is flat rather than the peak or the decay of an artefact or a synaptic current.

    Args:
        values: Current above the median of the deflection (nA), shape (means,).
        height_nA: Its height (nA).
        noise_nA: Standard deviation of the noise of the means (nA).
    """
    tolerance_nA = min(max(TO_NOISE * noise_nA, TOLERANCE * height_nA), SHORT_TOLERANCE * height_nA)
    if share_within(values, tolerance_nA) < SHORT_SHARE:
        return False
    half = max(1, len(values) // 2)
    fall_nA = abs(median(values[:half]) - median(values[-half:]))
    noise_of_fall_nA = MEDIAN_TO_MEAN * noise_nA * math.sqrt(2.0 / half)
    return fall_nA <= min(SHORT_FALL * height_nA + TO_NOISE * noise_of_fall_nA, LARGEST_FALL * height_nA)


def is_brief_plateau(values: NDArray[np.float64], height_nA: float, noise_nA: float) -> bool:
    """Whether the samples of a deflection of few means are flat, see `is_short_plateau`."""
    return share_within(values, max(TO_NOISE * noise_nA, TOLERANCE * abs(height_nA))) >= BRIEF_SHARE


def why_no_plateau(
    inside_nA: NDArray[np.float64], outside_nA: NDArray[np.float64], height_nA: float, is_short: bool
) -> str | None:
    """Reason why means are no level on a baseline; None when they are.

    Args:
        inside_nA: Current above the level (nA), shape (means,).
        outside_nA: Current above the baseline (nA), shape (means,).
        height_nA: Level above the baseline (nA).
        is_short: Whether they come in stretches as short as artefacts.
    """
    near_nA = TOLERANCE * abs(height_nA)
    width = max(1, min(len(inside_nA), len(outside_nA)) // PARTS)
    outside_parts_nA = block_medians(outside_nA, width)
    tolerance_nA = max(TO_NOISE * spread(outside_parts_nA), near_nA)
    if is_short:
        is_plateau = share_within(inside_nA, tolerance_nA) >= SHORT_SHARE
    else:
        is_plateau = share_within(block_medians(inside_nA, width), tolerance_nA) >= PLATEAU_SHARE
    if not is_plateau:
        return NO_PLATEAU
    return None if share_within(outside_parts_nA, tolerance_nA) >= BASELINE_SHARE else NO_BASELINE


def why_no_return(
    ends_nA: Sequence[NDArray[np.float64]], outside_nA: NDArray[np.float64], height_nA: float
) -> str | None:
    """Reason why the baselines before and after are not one, or too short to be seen in the noise; None otherwise.

    Args:
        ends_nA: Current above the baseline, before the first level and after the last one (nA).
        outside_nA: Current above the baseline, all of it (nA), shape (means,).
        height_nA: The lowest level above the baseline (nA).
    """
    width = max(1, len(outside_nA) // PARTS)
    tolerance_nA = max(TO_NOISE * spread(block_medians(outside_nA, width)), TOLERANCE * abs(height_nA))
    noise_nA = quietest(outside_nA)
    for end_nA in ends_nA:
        if abs(median(end_nA)) > tolerance_nA or abs(height_nA) * math.sqrt(len(end_nA)) < TO_NOISE * noise_nA:
            return NO_RETURN
    return None


def is_quiet(values_nA: NDArray[np.float64], noise_nA: float, height_nA: float) -> bool:
    """Whether a level is as quiet as the baseline, or nearly so for its height.

    Args:
        values_nA: Current above the level (nA), shape (samples,).
        noise_nA: Noise of the baseline, see `quietest` (nA).
        height_nA: Level above the baseline (nA).
    """
    return deviation(values_nA, 0.0) <= TO_NOISE * noise_nA + TOLERANCE * abs(height_nA)


def is_quiet_throughout(outside_nA: NDArray[np.float64], noise_nA: float, height_nA: float) -> bool:
    """Whether most of a baseline is quiet, see `is_quiet`; it may be ringing after a step."""
    some_nA = outside_nA[:: max(1, len(outside_nA) // ENOUGH)]
    width = max(1, len(some_nA) // PARTS)
    steady_nA = np.repeat(block_medians(some_nA, width), width)
    parts_nA = MAD_TO_DEVIATION * block_medians(np.abs(some_nA[: len(steady_nA)] - steady_nA[: len(some_nA)]), width)
    return share_within(parts_nA, TO_NOISE * noise_nA + TOLERANCE * abs(height_nA)) >= BASELINE_SHARE


def quietest(outside_nA: NDArray[np.float64]) -> float:
    """Noise of a baseline (nA): the smallest standard deviation of its parts.

    Args:
        outside_nA: Current above the baseline (nA), shape (samples,).
    """
    some_nA = np.abs(outside_nA[:: max(1, len(outside_nA) // ENOUGH)])
    fewest, most = QUIET_PARTS
    parts = min(max(fewest, len(some_nA) // QUIET_VALUES), most)
    return MAD_TO_DEVIATION * float(block_medians(some_nA, max(1, len(some_nA) // parts)).min())
