"""The stimulus that stands for the sweeps of a group."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece
from rheobase.features.windows import AFTER_BRIEF_PULSE_MS, is_brief

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.grouping import Group
    from rheobase.features.requests import Level, ProtocolRequest


def stimulus_of(group: Group) -> ProtocolStimulus:
    """Stimulus that stands for the sweeps of a group: the mean of their currents, the median of their times.

    Currents are in % of each cell's rheobase where the level is.
    """
    first = group.sweeps[0].stimulus
    request = group.request
    pieces = []
    for place in range(len(first.pieces)):
        found = [(sweep.stimulus.pieces[place], sweep.stimulus.onset_ms) for sweep in group.sweeps]
        scales = [_scale(group.level, sweep.rheobase_nA) for sweep in group.sweeps]
        ends = float(np.mean([scale * piece.end_nA for scale, (piece, _) in zip(scales, found, strict=True)]))
        starts = float(np.mean([scale * piece.start_nA for scale, (piece, _) in zip(scales, found, strict=True)]))
        onset_ms = _rounded_median([piece.onset_ms - begin_ms for piece, begin_ms in found])
        offset_ms = _rounded_median([piece.offset_ms - begin_ms for piece, begin_ms in found])
        pieces.append(TargetPiece(onset_ms, offset_ms - onset_ms, starts, ends))
    whole = ProtocolStimulus(tuple(pieces), group.level.unit)
    main = None if request.amplitude_piece is None else min(request.amplitude_piece, len(pieces) - 1)
    return replace(whole, window_ms=_window(whole, request, is_brief(first)), main_piece=main)


def _window(whole: ProtocolStimulus, request: ProtocolRequest, brief: bool) -> tuple[float, float] | None:
    """Where the features of a request are measured (ms from the first onset); None: in the whole stimulus."""
    if request.measure_in is not None:
        return place_ms(whole, request.measure_in)
    return (0.0, whole.duration_ms + AFTER_BRIEF_PULSE_MS) if brief else None


def place_ms(stimulus: ProtocolStimulus, place: int | tuple[float, float]) -> tuple[float, float]:
    """A place of measurement as time from the first onset (ms)."""
    if isinstance(place, int):
        piece = stimulus.pieces[min(place, len(stimulus.pieces) - 1)]
        return piece.onset_ms, piece.offset_ms
    return place


def _scale(level: Level, rheobase_nA: float | None) -> float:
    if level.unit == "nA":
        return 1.0
    assert rheobase_nA is not None  # no sweep of a cell without one is in a level in %
    return 100.0 / rheobase_nA


def _rounded_median(times_ms: Sequence[float]) -> float:
    return float(round(float(np.median(times_ms)), 1))
