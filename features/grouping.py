"""Sweeps of all cells that belong to one level, and the stimulus that stands for them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.cell_measurement import in_level, requests_of
from rheobase.features.requests import ProtocolRequest, standard_request
from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece
from rheobase.features.windows import AFTER_BRIEF_PULSE_MS, is_brief

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.requests import ExtractionPlan, Level
    from rheobase.features.stimuli import Piece, Stimulus
    from rheobase.features.sweeps import SweepMeasurement

# Times within a stimulus of several pieces that are the same: this far apart (ms), or this part of its length.
_SAME_TIME_MS = 1.0
_SAME_TIME = 0.02


@dataclass(frozen=True)
class Group:
    """Sweeps of one level.

    Attributes:
        name: What its targets are called.
        request: The request that it answers.
        level: The level.
        sweeps: Sweep and its cell's rheobase (nA; None where unknown), in the order of cells and sweeps.
        notes: What was left out of it.
    """

    name: str
    request: ProtocolRequest
    level: Level
    sweeps: tuple[tuple[SweepMeasurement, float | None], ...]
    notes: tuple[str, ...] = ()

    def of_cell(self, cell: str) -> Group:
        """The part of it that one cell has."""
        own = tuple((sweep, rheobase) for sweep, rheobase in self.sweeps if sweep.cell == cell)
        return Group(self.name, self.request, self.level, own)

    @property
    def amplitude_nA(self) -> float:
        """Mean amplitude above holding (nA)."""
        return float(np.mean([sweep.amplitude_nA(self.request) for sweep, _ in self.sweeps]))


def group_sweeps(cells: Sequence[CellMeasurement], plan: ExtractionPlan) -> list[Group]:
    """The groups of a plan, in its order; those without sweeps are empty."""
    return [_group(request, level, cells) for request in _all_requests(cells, plan) for level in request.levels]


def stimulus_of(group: Group) -> ProtocolStimulus:
    """Stimulus that stands for the sweeps of a group: the mean of their currents, the median of their times.

    Currents are in % of each cell's rheobase where the level is.
    """
    first = group.sweeps[0][0].stimulus
    request = group.request
    pieces = []
    for place in range(len(first.pieces)):
        found = [(sweep.stimulus, sweep.stimulus.pieces[place], rheobase) for sweep, rheobase in group.sweeps]
        scales = [_scale(group.level, rheobase) for *_, rheobase in found]
        ends = float(np.mean([scale * piece.end_nA for scale, (_, piece, _) in zip(scales, found, strict=True)]))
        starts = float(np.mean([scale * piece.start_nA for scale, (_, piece, _) in zip(scales, found, strict=True)]))
        onset_ms = _rounded_median([piece.onset_ms - stimulus.onset_ms for stimulus, piece, _ in found])
        offset_ms = _rounded_median([piece.offset_ms - stimulus.onset_ms for stimulus, piece, _ in found])
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


def _all_requests(cells: Sequence[CellMeasurement], plan: ExtractionPlan) -> list[ProtocolRequest]:
    if plan.protocols:
        return list(plan.protocols)
    durations: dict[str, list[float]] = defaultdict(list)
    names: dict[str, str] = {}
    for cell in cells:
        for sweep in cell.sweeps:
            if requests_of(sweep, plan):
                name = names.setdefault(sweep.protocol.lower(), sweep.protocol)
                durations[name].append(sweep.step.duration_ms)
    return [standard_request(name, float(np.median(found))) for name, found in sorted(durations.items())]


def _group(request: ProtocolRequest, level: Level, cells: Sequence[CellMeasurement]) -> Group:
    found = [
        (sweep, None if cell.properties is None else cell.properties.rheobase_nA)
        for cell in cells
        for sweep in cell.sweeps
        if sweep.protocol.lower() == request.protocol.lower() and in_level(sweep, cell.properties, request, level)
    ]
    name = request.target_name(level)
    usual = _usual([sweep.stimulus for sweep, _ in found if sweep.stimulus.kind != "noise"])
    kept, notes = [], []
    for sweep, rheobase in found:
        if sweep.stimulus.kind == "noise":
            notes.append(f"{name}: {sweep.cell} {sweep.sweep} left out, noise cannot be given to a model")
        elif usual is not None and not _alike(sweep.stimulus, usual):
            notes.append(f"{name}: {sweep.cell} {sweep.sweep} left out, its stimulus has another shape than most")
        else:
            kept.append((sweep, rheobase))
    return Group(name, request, level, tuple(kept), tuple(notes))


def _usual(stimuli: Sequence[Stimulus]) -> Stimulus | None:
    """The first of those that most are like."""
    return max(stimuli, key=lambda one: sum(_alike(other, one) for other in stimuli), default=None)


def _alike(one: Stimulus, other: Stimulus) -> bool:
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


def _scale(level: Level, rheobase_nA: float | None) -> float:
    if level.unit == "nA":
        return 1.0
    assert rheobase_nA is not None  # no sweep of a cell without one is in a level in %
    return 100.0 / rheobase_nA


def _rounded_median(times_ms: Sequence[float]) -> float:
    return float(round(float(np.median(times_ms)), 1))
