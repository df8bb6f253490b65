"""Recognising a stimulus from the current that was injected: steps, pulses, levels, ramps and noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.box import box_at, outside_of
from rheobase.features.stimuli import Piece, Stimulus
from rheobase.features.stimulus_levels import find_levels
from rheobase.features.stimulus_noise import Fluctuation, find_fluctuation
from rheobase.features.stimulus_ramp import find_ramp
from rheobase.features.stimulus_statistics import deviation, median
from rheobase.features.stimulus_test_pulse import is_test_pulse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.features.recording import Step
    from rheobase.features.stimuli import Kind
    from rheobase.features.stimulus_levels import Level, Levels
    from rheobase.features.stimulus_ramp import Ramp

# A constant piece shorter than this is a pulse.
SHORTEST_LONG_STEP_MS = 100.0

# Pulses are equal when their amplitudes differ by no more than this part.
SAME_AMPLITUDE = 0.1

# Quarters of a plateau that differ by this part of its amplitude may be a ramp.
SLOPING = 0.15

# Charging of the membrane in voltage clamp: at onset and offset of a step the current overshoots by its own
# amplitude, and by this many standard deviations of the noise.
TRANSIENT_MS = 1.0
TRANSIENT_TO_NOISE = 6.0

# Next to a ramp or to noise this much is left out when other stimuli are looked for beside it.
BESIDE_MS = 2.0
FEWEST_SAMPLES_BESIDE = 16

NOTHING = "no step above the noise, which hides anything below"


@dataclass(frozen=True)
class Unrecognised:
    """A current trace that is none of the stimuli, and why."""

    reason: str


def detect_stimulus(
    current_nA: NDArray[np.float64], time_step_ms: float, window_ms: tuple[float, float] | None = None
) -> Stimulus | Unrecognised:
    """The stimulus in a current trace.

    Levels are medians, so that artefacts of spikes do not move them, and amplitudes are above the median of the
    baseline. A baseline is needed before and after the stimulus: without one, a current that was meant could not
    be told from drift. Noise below a tenth of a step is taken for the amplifier's.

    A pulse of 55 pA or less at the start of a sweep (within 250 ms, up to 100 ms long) is a test pulse when it is
    followed by something at least five times as long, or twice as large and of another duration. It is handed back
    beside the stimulus and is no part of it. Where nothing such follows it is the stimulus.

    Args:
        current_nA: Injected current (nA), shape (samples,).
        time_step_ms: Sampling interval (ms).
        window_ms: Onset and offset (ms) where they are known; then only the levels are measured, and an
            amplitude of zero is an amplitude like any other.

    Returns:
        The stimulus, or Unrecognised with the reason in words: nothing above the noise, no return to the
        baseline, an oscillation, drift, transients of voltage clamp.
    """
    current = np.asarray(current_nA, dtype=np.float64)
    if len(current) == 0:
        return Unrecognised("the sweep has no samples of current")
    if not np.isfinite(current.sum()):
        bad = np.count_nonzero(~np.isfinite(current))
        return Unrecognised(f"{bad} of {len(current)} samples of current are no finite numbers")
    if window_ms is not None:
        return _step_in_window(current, time_step_ms, window_ms)
    levels = find_levels(current, time_step_ms)
    if levels.levels:
        if _slopes(current, levels) and (ramp := find_ramp(current, time_step_ms)):
            return _ramp(ramp, time_step_ms)
        if _has_transients(current, levels, time_step_ms):
            return Unrecognised("current overshoots at both edges of the step: the transients of voltage clamp")
        return _constant(levels, time_step_ms)
    return _changing(current, levels, time_step_ms)


def detect_step(
    current_nA: NDArray[np.float64], time_step_ms: float, window_ms: tuple[float, float] | None = None
) -> Step | Unrecognised:
    """The stimulus in a current trace when it is one step or pulse, see `detect_stimulus`."""
    found = detect_stimulus(current_nA, time_step_ms, window_ms)
    if isinstance(found, Unrecognised):
        return found
    return found.window() if found.kind in ("step", "pulse") else Unrecognised(f"{found.kind}, not one step")


def _step_in_window(
    current: NDArray[np.float64], time_step_ms: float, window_ms: tuple[float, float]
) -> Stimulus | Unrecognised:
    start, stop = (round(edge / time_step_ms) for edge in window_ms)
    if not 0 <= start < stop <= len(current) or stop - start == len(current):
        return Unrecognised(
            f"the window {window_ms[0]:g} to {window_ms[1]:g} ms leaves no step or no baseline "
            f"in a sweep of {len(current) * time_step_ms:g} ms"
        )
    box = box_at(current, start, stop)
    piece = Piece(window_ms[0], window_ms[1], box.height, box.height)
    return Stimulus(_kind((piece,)), (piece,), box.base)


def _constant(levels: Levels, time_step_ms: float) -> Stimulus:
    """Stimulus made of constant levels."""
    pieces = tuple(_piece(level, levels.base_nA, time_step_ms) for level in levels.levels)
    if is_test_pulse(pieces[0], pieces[1:]):
        return Stimulus(_kind(pieces[1:]), pieces[1:], levels.base_nA, test_pulse=pieces[0])
    return Stimulus(_kind(pieces), pieces, levels.base_nA)


def _piece(level: Level, base_nA: float, time_step_ms: float) -> Piece:
    height_nA = level.level_nA - base_nA
    return Piece(level.start * time_step_ms, level.stop * time_step_ms, height_nA, height_nA)


def _kind(pieces: Sequence[Piece]) -> Kind:
    short = all(piece.duration_ms < SHORTEST_LONG_STEP_MS for piece in pieces)
    if len(pieces) == 1:
        return "pulse" if short else "step"
    amplitudes_nA = [piece.end_nA for piece in pieces]
    largest_nA = max(abs(amplitude) for amplitude in amplitudes_nA)
    equal = max(amplitudes_nA) - min(amplitudes_nA) <= SAME_AMPLITUDE * largest_nA
    return "pulses" if short and equal else "levels"


def _slopes(current: NDArray[np.float64], levels: Levels) -> bool:
    """Whether a single level might be a ramp."""
    (level, *others) = levels.levels
    quarter = (level.stop - level.start) // 4
    if others or quarter == 0:
        return False
    rise_nA = median(current[level.stop - quarter : level.stop]) - median(current[level.start : level.start + quarter])
    return abs(rise_nA) > SLOPING * abs(level.level_nA - levels.base_nA)


def _has_transients(current: NDArray[np.float64], levels: Levels, time_step_ms: float) -> bool:
    """Whether the current overshoots at the first edge and the last, as it does when a membrane is charged."""
    first, last = levels.levels[0], levels.levels[-1]
    span = max(1, round(TRANSIENT_MS / time_step_ms))
    if min(first.stop - first.start, last.stop - last.start) <= 2 * span:
        return False
    noise_nA = deviation(outside_of(current, first.start, last.stop), levels.base_nA)
    rise_nA, fall_nA = first.level_nA - levels.base_nA, levels.base_nA - last.level_nA
    edges = ((first.start, first.level_nA, rise_nA), (last.stop, levels.base_nA, fall_nA))
    for edge, settled_nA, change_nA in edges:
        overshoot_nA = np.max((current[edge : edge + span] - settled_nA) * np.sign(change_nA))
        if overshoot_nA <= max(abs(change_nA), TRANSIENT_TO_NOISE * noise_nA):
            return False
    return True


def _changing(current: NDArray[np.float64], levels: Levels, time_step_ms: float) -> Stimulus | Unrecognised:
    """The one stimulus of a trace that is not made of constant levels."""
    found = find_fluctuation(current) or (find_ramp(current, time_step_ms) if levels.complaint else None)
    if found is None:
        return Unrecognised(levels.complaint or f"{NOTHING} {1000.0 * levels.smallest_nA:.4g} pA")
    onset_ms, offset_ms = found.start * time_step_ms, found.stop * time_step_ms
    where = f"from {onset_ms:g} ms for {offset_ms - onset_ms:g} ms"
    if isinstance(found, Fluctuation) and found.periodic:
        return Unrecognised(f"current oscillates {where}: a sine, a chirp or a train of brief pulses")
    margin = round(BESIDE_MS / time_step_ms)
    before = _beside(current[: max(0, found.start - margin)], time_step_ms)
    after = _beside(current[found.stop + margin :], time_step_ms)
    if isinstance(found, Fluctuation):
        level_nA = found.mean_nA - found.base_nA
        piece = Piece(onset_ms, offset_ms, level_nA, level_nA)
        stimulus = Stimulus("noise", (piece,), found.base_nA, found.deviation_nA)
    else:
        stimulus = _ramp(found, time_step_ms)
    if len(before) == 1 and not after and is_test_pulse(before[0], stimulus.pieces):
        return replace(stimulus, test_pulse=before[0])
    if before or after:
        side = "before" if before else "after"
        return Unrecognised(f"the {stimulus.kind} {where} is not alone: there is a step {side} it")
    return stimulus


def _beside(current: NDArray[np.float64], time_step_ms: float) -> tuple[Piece, ...]:
    """Constant levels in the baseline before or after another stimulus."""
    if len(current) < FEWEST_SAMPLES_BESIDE:
        return ()
    levels = find_levels(current, time_step_ms)
    return tuple(_piece(level, levels.base_nA, time_step_ms) for level in levels.levels)


def _ramp(ramp: Ramp, time_step_ms: float) -> Stimulus:
    start_nA, end_nA = ramp.start_nA - ramp.base_nA, ramp.end_nA - ramp.base_nA
    piece = Piece(ramp.start * time_step_ms, ramp.stop * time_step_ms, start_nA, end_nA)
    return Stimulus("ramp", (piece,), ramp.base_nA)
