"""Finding the step in a current trace: when it starts and ends, and how large it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.box import Box, block_means, block_medians, box_at, fit_box, median, spread
from rheobase.features.recording import Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A step must stand out of the noise: NOISE_SUM standard deviations for the sum of its samples, of which only
# those INDEPENDENT_MS apart count (amplifiers filter at a few kHz), and LEVEL_TO_NOISE of those of the mean
# of a 256th of the sweep, against drift and slow hum.
NOISE_SUM = 8.0
INDEPENDENT_MS = 0.25
LEVEL_TO_NOISE = 3.0
SHORTEST_STEP_MS = 0.5

# A level is one when this share of its parts is within this part of the amplitude, or within three standard
# deviations of the noise: artefacts of spikes take up to a quarter of a plateau, of a baseline less.
LEVEL_TOLERANCE = 0.1
PLATEAU_SHARE = 0.65
BASELINE_SHARE = 0.8
LEVEL_PARTS = 24

# A second step has at least this part of the amplitude. Artefacts of spikes last some ms, so one as short as
# they are has to be larger.
SECOND_STEP = 0.1
SHORT_SECOND_STEP = 0.7
SHORT_MS = 10.0
SHORTEST_SECOND_STEP_MS = 2.0
SECOND_STEP_SHARE = 0.5


@dataclass(frozen=True)
class Unrecognised:
    """A current trace that is not one step, and why."""

    reason: str


def detect_step(
    current_nA: NDArray[np.float64], time_step_ms: float, window_ms: tuple[float, float] | None = None
) -> Step | Unrecognised:
    """Onset, offset, amplitude and holding current of the one step in a current trace.

    Artefacts of spikes, noise, holding current and the sign of the step do not matter.

    Args:
        current_nA: Injected current (nA), shape (samples,).
        time_step_ms: Sampling interval (ms).
        window_ms: Onset and offset (ms) where they are known; then only the levels are measured, and an
            amplitude of zero is an amplitude like any other.

    Returns:
        The step, or Unrecognised with the reason in words: no step above the noise, no return to the
        baseline, a ramp, a sine, noise, several levels.
    """
    current = np.asarray(current_nA, dtype=np.float64)
    if window_ms is not None:
        return _step_in_window(current, time_step_ms, window_ms)
    box = fit_box(current) if len(current) else None
    smallest = _smallest_height(current, box, time_step_ms) if box else 0.0
    if box is None or abs(box.height) <= smallest:
        return Unrecognised(f"no step above the noise, which hides anything below {_picoamperes(smallest)}")
    reason = _why_not_a_step(current, box, time_step_ms)
    if reason:
        return Unrecognised(reason)
    return Step(box.start * time_step_ms, box.stop * time_step_ms, box.height, box.base)


def _step_in_window(
    current: NDArray[np.float64], time_step_ms: float, window_ms: tuple[float, float]
) -> Step | Unrecognised:
    start, stop = (round(edge / time_step_ms) for edge in window_ms)
    if not 0 <= start < stop <= len(current) or stop - start == len(current):
        return Unrecognised(
            f"the window {window_ms[0]:g} to {window_ms[1]:g} ms leaves no step or no baseline "
            f"in a sweep of {len(current) * time_step_ms:g} ms"
        )
    box = box_at(current, start, stop)
    return Step(window_ms[0], window_ms[1], box.height, box.base)


def _smallest_height(current: NDArray[np.float64], box: Box, time_step_ms: float) -> float:
    """Smallest height (nA) at which a box of this duration cannot be noise."""
    independent = max(1.0, (box.stop - box.start) * min(1.0, time_step_ms / INDEPENDENT_MS))
    of_samples = _deviation(_outside(current, box), box.base)
    of_blocks = spread(block_means(current, max(1, len(current) // 256)))
    return max(NOISE_SUM * of_samples / math.sqrt(independent), LEVEL_TO_NOISE * of_blocks)


def _why_not_a_step(current: NDArray[np.float64], box: Box, time_step_ms: float) -> str | None:
    """Reason why a trace is no single step although `box` is the best one for it; None when it is one."""
    duration_ms = (box.stop - box.start) * time_step_ms
    onset_ms = box.start * time_step_ms
    what = f"the deflection of {_picoamperes(box.height)} from {onset_ms:g} ms for {duration_ms:g} ms"
    if box.start == 0 or box.stop == len(current):
        return f"{what} has no baseline {'before' if box.start == 0 else 'after'} it"
    if duration_ms < SHORTEST_STEP_MS:
        return f"{what} is too short for a step"
    inside = current[box.start : box.stop] - box.level
    outside = _outside(current, box) - box.base
    quietest = min(_deviation(part, 0.0) for part in np.array_split(outside, 4))
    if _deviation(inside, 0.0) > 3.0 * quietest + LEVEL_TOLERANCE * abs(box.height):
        return f"{what} is no plateau: a ramp, a sine, noise or several levels"
    residual = current - box.base
    residual[box.start : box.stop] = inside
    second = _second_step(residual, box, time_step_ms)
    if second:
        return f"{what} is not alone: {second}"
    width = max(1, min(len(inside) // LEVEL_PARTS, len(outside) // LEVEL_PARTS))
    tolerance = max(3.0 * spread(block_medians(outside, width)), LEVEL_TOLERANCE * abs(box.height))
    if _share_within(block_medians(inside, width), tolerance) < PLATEAU_SHARE:
        return f"{what} is no plateau: a ramp, a sine, noise or several levels"
    if _share_within(block_medians(outside, width), tolerance) < BASELINE_SHARE:
        return f"{what} does not start from a baseline: a ramp, a sine, noise or several levels"
    return None


def _second_step(residual: NDArray[np.float64], box: Box, time_step_ms: float) -> str | None:
    """The next step in what `box` leaves of a trace, in words; None when there is none."""
    width = max(1, len(residual) // 4096)  # a tenth of the cost; its edges need not be exact
    residual, time_step_ms = block_means(residual, width), time_step_ms * width
    second = fit_box(residual)
    if second is None:
        return None
    duration_ms = (second.stop - second.start) * time_step_ms
    part = SHORT_SECOND_STEP if duration_ms < SHORT_MS else SECOND_STEP
    smallest = max(_smallest_height(residual, second, time_step_ms), part * abs(box.height))
    if duration_ms < SHORTEST_SECOND_STEP_MS or abs(second.height) < smallest * (1.0 - 1e-9):
        return None
    inside = residual[second.start : second.stop] - second.level
    tolerance = max(3.0 * _deviation(residual, 0.0), LEVEL_TOLERANCE * abs(second.height))
    if _share_within(inside, tolerance) < SECOND_STEP_SHARE:
        return None
    onset_ms = second.start * time_step_ms
    return f"there is another of {_picoamperes(second.height)} from {onset_ms:g} ms for {duration_ms:g} ms"


def _outside(current: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    return np.concatenate((current[: box.start], current[box.stop :]))


def _deviation(values: NDArray[np.float64], level: float) -> float:
    """Standard deviation around a level, from the median absolute deviation; outliers do not matter."""
    return 1.4826 * median(np.abs(values - level)) if len(values) else 0.0


def _share_within(deviation: NDArray[np.float64], tolerance: float) -> float:
    return float(np.count_nonzero(np.abs(deviation) <= tolerance)) / len(deviation)


def _picoamperes(current_nA: float) -> str:
    return f"{1000.0 * current_nA:.4g} pA"
