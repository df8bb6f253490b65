"""One recorded cell, measured: the unit of work that can be given to a process of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.catalogue import CURRENT_FEATURES
from rheobase.features.naming import natural_key
from rheobase.features.normalisation import CellProperties, cell_properties
from rheobase.features.sweeps import LeftOut, SweepMeasurement, observe, with_features

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rheobase.features.recording import Recording
    from rheobase.features.requests import ExtractionPlan, FeatureRequest, Level, ProtocolRequest
    from rheobase.features.stimuli import Stimulus


@dataclass(frozen=True, slots=True)
class CellMeasurement:
    """Everything that is kept of a cell.

    Attributes:
        cell: Its name.
        sweeps: Its sweeps whose stimulus was recognised, by protocol and sweep.
        properties: Its rheobase and the rest; None when there is no such sweep.
        left_out: Its other sweeps.
    """

    cell: str
    sweeps: tuple[SweepMeasurement, ...]
    properties: CellProperties | None
    left_out: tuple[LeftOut, ...] = ()


def measure_cell(recordings: Iterable[Recording], plan: ExtractionPlan) -> CellMeasurement:
    """Measure the recordings of one cell.

    All of them are looked at first: only with the rheobase it is known which belong to the levels of the plan, and
    only those are given to eFEL. Their voltages are in memory until then.

    Args:
        recordings: All sweeps of one cell, at least one, in any order.
        plan: What to measure.
    """
    observed: list[tuple[SweepMeasurement, Recording | None]] = []
    left_out: list[LeftOut] = []
    cell = ""
    for recording in recordings:
        cell = recording.cell
        requests = plan.requests_for(recording.protocol, duration_ms=None)
        settings = requests[0].settings or plan.settings if requests else plan.settings
        stated = next((request for request in requests if request.window_ms is not None), None)
        found = observe(recording, settings, stated or next(iter(requests), None))
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            observed.append((found, _needed_of(recording, requests_of(found, plan))))
    observed.sort(key=lambda pair: _place(pair[0]))
    left_out.sort(key=_place)
    sweeps = [sweep for sweep, _ in observed]
    properties = cell_properties(sweeps, plan.rheobase) if sweeps else None
    measured = [
        sweep if recording is None else _with_features(sweep, recording, properties, plan)
        for sweep, recording in observed
    ]
    return CellMeasurement(cell, tuple(measured), properties, tuple(left_out))


def _place(sweep: SweepMeasurement | LeftOut) -> tuple[object, ...]:
    """Sort key of a sweep within its cell."""
    return natural_key(sweep.protocol), sweep.protocol, natural_key(sweep.sweep), sweep.sweep


def requests_of(sweep: SweepMeasurement, plan: ExtractionPlan) -> tuple[ProtocolRequest, ...]:
    """Requests of a plan that concern a sweep."""
    single = sweep.stimulus.kind in ("step", "pulse")
    return plan.requests_for(sweep.protocol, sweep.step.duration_ms if single else None)


def in_level(
    sweep: SweepMeasurement, properties: CellProperties | None, request: ProtocolRequest, level: Level
) -> bool:
    """Whether a sweep belongs to a level; never to one in % when its cell's rheobase is unknown."""
    amplitude = sweep.amplitude_nA(request)
    if request.gap_ms is not None and not _has_gap(sweep.stimulus, request.gap_ms):
        return False
    if level.unit == "percent":
        rheobase_nA = None if properties is None else properties.rheobase_nA
        if rheobase_nA is None:
            return False
        amplitude = 100.0 * amplitude / rheobase_nA
    return level.holds(amplitude)


def _has_gap(stimulus: Stimulus, gap_ms: tuple[float, float]) -> bool:
    if len(stimulus.pieces) < 2:
        return False
    return gap_ms[0] <= stimulus.pieces[1].onset_ms - stimulus.pieces[0].offset_ms <= gap_ms[1]


def _needed_of(recording: Recording, requests: Sequence[ProtocolRequest]) -> Recording | None:
    """The recording without the samples that no request needs; None when none needs any."""
    if not requests:
        return None
    for request in requests:
        if any(feature.feature in CURRENT_FEATURES for feature in (*request.features, *(request.features_below or ()))):
            return recording
    return replace(recording, current_nA=np.empty(0))


def _with_features(
    sweep: SweepMeasurement, recording: Recording, properties: CellProperties | None, plan: ExtractionPlan
) -> SweepMeasurement:
    wanted: list[tuple[ProtocolRequest, Sequence[FeatureRequest]]] = []
    for request in requests_of(sweep, plan):
        levels = [level for level in request.levels if in_level(sweep, properties, request, level)]
        places = [level.value for level in levels]
        if plan.every_sweep and not levels:
            places = [sweep.amplitude_nA(request)]
        features = dict.fromkeys(feature for place in places for feature in request.features_at(place))
        if features:
            wanted.append((request, tuple(features)))
    return with_features(sweep, recording, wanted, plan.settings) if wanted else sweep
