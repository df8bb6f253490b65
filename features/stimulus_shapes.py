"""Which stimuli have the same shape, whatever their amplitudes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rheobase.features.stimuli import Piece, Stimulus

# Times within a stimulus of several pieces that are the same: this far apart (ms), or this part of its length.
_SAME_TIME_MS = 1.0
_SAME_TIME = 0.02


def most_usual(stimuli: Iterable[Stimulus]) -> Stimulus | None:
    """The first of those that most are like."""
    counts: Counter[tuple[object, ...]] = Counter()
    first: dict[tuple[object, ...], Stimulus] = {}
    for stimulus in stimuli:  # most have the very same shape: not every pair has to be compared
        counts[_shape(stimulus)] += 1
        first.setdefault(_shape(stimulus), stimulus)
    return max(
        first.values(),
        key=lambda one: sum(counts[shape] for shape, other in first.items() if are_alike(other, one)),
        default=None,
    )


def _shape(stimulus: Stimulus) -> tuple[object, ...]:
    """All that `are_alike` looks at."""
    pieces = stimulus.pieces
    edges = [edge - stimulus.onset_ms for piece in pieces for edge in (piece.onset_ms, piece.offset_ms)]
    return (*map(_is_ramp, pieces), *(edges if len(pieces) > 1 else ()))


def are_alike(one: Stimulus, other: Stimulus) -> bool:
    """Whether two stimuli have the same pieces at the same times; single ones may differ in length."""
    if len(one.pieces) != len(other.pieces):
        return False
    pairs = list(zip(one.pieces, other.pieces, strict=True))
    if any(_is_ramp(piece) != _is_ramp(like) for piece, like in pairs):
        return False
    if len(pairs) == 1:
        return True
    tolerance_ms = max(_SAME_TIME_MS, _SAME_TIME * (other.offset_ms - other.onset_ms))
    edges = [
        (mine - one.onset_ms) - (theirs - other.onset_ms)
        for piece, like in pairs
        for mine, theirs in ((piece.onset_ms, like.onset_ms), (piece.offset_ms, like.offset_ms))
    ]
    return max(map(abs, edges)) <= tolerance_ms


def _is_ramp(piece: Piece) -> bool:
    return piece.start_nA != piece.end_nA
