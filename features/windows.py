"""Where in a sweep features are measured, and which piece of its stimulus names its amplitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.features.recording import Step

if TYPE_CHECKING:
    from rheobase.features.requests import Place
    from rheobase.features.stimuli import Stimulus

# A pulse shorter than this ends before the spike that it causes.
BRIEF_PULSE_MS = 10.0
AFTER_BRIEF_PULSE_MS = 20.0


def amplitude_piece(stimulus: Stimulus, chosen: int | None) -> int:
    """Index of the piece that names the amplitude; the last one when there are not that many."""
    return stimulus.main if chosen is None else min(chosen, len(stimulus.pieces) - 1)


def is_brief(stimulus: Stimulus) -> bool:
    """Whether all it has are pulses shorter than 10 ms."""
    return stimulus.kind in ("pulse", "pulses") and all(piece.duration_ms < BRIEF_PULSE_MS for piece in stimulus.pieces)


def default_window(stimulus: Stimulus, duration_ms: float) -> tuple[float, float]:
    """Time in which features are measured when nothing is said (ms from the start of the sweep).

    Args:
        stimulus: What was injected.
        duration_ms: Length of the sweep (ms).
    """
    after_ms = AFTER_BRIEF_PULSE_MS if is_brief(stimulus) else 0.0
    return stimulus.onset_ms, max(stimulus.offset_ms, min(stimulus.offset_ms + after_ms, duration_ms))


def window_at(stimulus: Stimulus, place: Place | None, duration_ms: float) -> tuple[float, float] | None:
    """Time in which a feature is measured (ms from the start of the sweep); None when the sweep does not have it.

    Args:
        stimulus: What was injected.
        place: A piece's index, a time from the first onset (ms), or None for the default.
        duration_ms: Length of the sweep (ms).
    """
    if place is None:
        return default_window(stimulus, duration_ms)
    if isinstance(place, int):
        if place >= len(stimulus.pieces):
            return None
        return stimulus.pieces[place].onset_ms, stimulus.pieces[place].offset_ms
    start, end = (stimulus.onset_ms + edge for edge in place)
    return (start, end) if start >= 0 and end <= duration_ms + 1e-6 else None


def measured_step(stimulus: Stimulus, window_ms: tuple[float, float], main: int) -> Step:
    """A time of measurement as eFEL takes it: onset, end, and an amplitude.

    The amplitude is that of the piece which the window lies in, otherwise that of the main piece.

    Args:
        stimulus: What was injected.
        window_ms: Onset and end (ms from the start of the sweep).
        main: Index of the piece that names the stimulus' amplitude.
    """
    start, end = window_ms
    inside = [piece for piece in stimulus.pieces if piece.onset_ms - 1e-6 <= start and end <= piece.offset_ms + 1e-6]
    piece = inside[0] if inside else stimulus.pieces[main]
    return Step(start, end, piece.end_nA, stimulus.holding_nA)
