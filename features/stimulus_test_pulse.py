"""Telling a test pulse at the start of a sweep from the stimulus that follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.stimuli import Piece

# Amplifier programs test with 10 to 50 pA for some 10 ms at the very start of a sweep.
LARGEST_nA = 0.055
LONGEST_MS = 100.0
LATEST_ONSET_MS = 250.0

# What follows lasts this many times as long, or is this many times as large and not of about the same duration:
# pulses of growing amplitude are a stimulus from the first one on.
LONGER = 5.0
LARGER = 2.0
SAME_DURATION = 0.2


def is_test_pulse(first: Piece, others: Sequence[Piece]) -> bool:
    """Whether the first piece of a sweep is a test pulse and the others the stimulus.

    Args:
        first: The first piece.
        others: What follows; a test pulse with nothing after it is the stimulus.
    """
    if not others or abs(first.end_nA) > LARGEST_nA:
        return False
    if first.duration_ms > LONGEST_MS or first.onset_ms > LATEST_ONSET_MS:
        return False
    # It is over, and some time at the baseline follows.
    if others[0].onset_ms - first.offset_ms < first.duration_ms:
        return False
    return any(_outweighs(other, first) for other in others)


def _outweighs(piece: Piece, pulse: Piece) -> bool:
    if piece.duration_ms >= LONGER * pulse.duration_ms:
        return True
    size_nA = max(abs(piece.start_nA), abs(piece.end_nA))
    same_duration = abs(piece.duration_ms - pulse.duration_ms) <= SAME_DURATION * pulse.duration_ms
    return size_nA >= LARGER * abs(pulse.end_nA) and not same_duration
