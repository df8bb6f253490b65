"""From recordings to feature targets: measure every sweep, scale by rheobase, average over cells."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.measurement import MeasurementSettings, unit
from rheobase.features.normalisation import CellProperties, cell_properties
from rheobase.features.statistics import StatisticsSettings, make_target
from rheobase.features.stimulus import Unrecognised
from rheobase.features.sweeps import SweepMeasurement, measure_sweep
from rheobase.features.targets import (
    INTRINSIC_UNITS,
    CellSummary,
    FeatureTarget,
    FeatureTargets,
    ProtocolTargets,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rheobase.features.recording import Recording

# What a campaign gets that names no features of its own.
STANDARD_LEVELS_PERCENT = (-100.0, -40.0, 150.0, 200.0, 300.0)
STANDARD_FEATURES_BELOW = ("ohmic_input_resistance_vb_ssse", "sag_ratio1")
STANDARD_FEATURES_ABOVE = (
    "mean_frequency", "time_to_first_spike", "inv_first_ISI", "ISI_CV", "adaptation_index2",
    "AP_amplitude", "AHP_depth", "AP_duration_half_width",
)  # fmt: skip
STANDARD_FEATURES_PULSE = ("AP_amplitude", "AP1_amp", "AP_duration_half_width", "AHP_depth")
_PULSE_MS = 100.0


@dataclass(frozen=True)
class ProtocolRequest:
    """Features wanted of one recorded protocol.

    Attributes:
        protocol: As the recordings name it, upper or lower case alike.
        levels_percent: Steps in % of the cell's rheobase.
        features: What to measure; for steps below zero `features_below` where that is given.
        tolerance_percent: A sweep belongs to a level when it is this close to it (% of rheobase).
        window_ms: Onset and end of the step (ms) when they are stated rather than detected.
        settings: How to measure; None: as everywhere.
    """

    protocol: str
    levels_percent: tuple[float, ...]
    features: tuple[str, ...]
    features_below: tuple[str, ...] | None = None
    tolerance_percent: float = 10.0
    window_ms: tuple[float, float] | None = None
    settings: MeasurementSettings | None = None

    def features_at(self, level_percent: float) -> tuple[str, ...]:
        """Features wanted at a level."""
        return self.features_below if level_percent < 0 and self.features_below is not None else self.features


@dataclass(frozen=True)
class ExtractionPlan:
    """What to extract.

    Attributes:
        protocols: Requests by protocol; empty: the standard features of every protocol that holds steps.
        rheobase_protocols: Protocols that define the rheobase; empty: every step of 100 ms or more.
        intrinsic: Which of INTRINSIC_UNITS become targets.
        statistics: How values are combined.
        settings: How features are measured.
        junction_potential_mV: What was subtracted from the recordings, kept with the targets (mV).
    """

    protocols: tuple[ProtocolRequest, ...] = ()
    rheobase_protocols: tuple[str, ...] = ()
    intrinsic: tuple[str, ...] = tuple(INTRINSIC_UNITS)
    statistics: StatisticsSettings = StatisticsSettings()
    settings: MeasurementSettings = MeasurementSettings()
    junction_potential_mV: float = 0.0


@dataclass(frozen=True)
class Extraction:
    """Targets, and the sweeps they came from.

    Attributes:
        targets: The targets.
        sweeps: Name of the target protocol -> its sweeps.
    """

    targets: FeatureTargets
    sweeps: dict[str, tuple[SweepMeasurement, ...]] = field(default_factory=dict)


def extract(
    recordings: Iterable[Recording], plan: ExtractionPlan, progress: Callable[[Recording], None] | None = None
) -> Extraction:
    """Measure recordings and make targets of them.

    Args:
        recordings: Sweeps, streamed; their samples are not kept.
        plan: What to extract.
        progress: Called with every sweep read.

    Raises:
        FeatureError: nothing could be measured; the message says what was there.
    """
    by_cell, unrecognised = _measure_all(recordings, plan, progress)
    notes = [f"{place}: {reason}" for place, reason in unrecognised.items()]
    properties = {}
    for cell, sweeps in by_cell.items():
        found = cell_properties(sweeps, plan.rheobase_protocols)
        if found.rheobase_nA is None:
            notes.append(f"cell {cell} left out: no step made it spike, so its rheobase is unknown")
            continue
        if not found.bracketed:
            notes.append(f"cell {cell}: its smallest step spikes already; the rheobase may be lower")
        properties[cell] = found
    if not properties:
        raise FeatureError(_nothing_found(by_cell, notes))
    chosen = {cell: by_cell[cell] for cell in properties}
    protocols, sources = _protocol_targets(chosen, properties, plan, notes)
    targets = FeatureTargets(
        holding_voltage_mV=float(np.mean([found.holding_voltage_mV for found in properties.values()])),
        threshold_duration_ms=_threshold_duration(chosen, plan),
        intrinsic=_intrinsic_targets(properties, plan, notes),
        protocols=protocols,
        junction_potential_mV=plan.junction_potential_mV,
        cells=tuple(_summary(cell, found) for cell, found in properties.items()),
        notes=tuple(notes),
        settings=plan.settings,
    )
    return Extraction(targets, sources)


def standard_request(protocol: str, duration_ms: float) -> ProtocolRequest:
    """Request for a protocol of which nothing is said."""
    if duration_ms < _PULSE_MS:
        return ProtocolRequest(protocol, (250.0,), STANDARD_FEATURES_PULSE, tolerance_percent=50.0)
    return ProtocolRequest(protocol, STANDARD_LEVELS_PERCENT, STANDARD_FEATURES_ABOVE, STANDARD_FEATURES_BELOW)


def _measure_all(
    recordings: Iterable[Recording], plan: ExtractionPlan, progress: Callable[[Recording], None] | None
) -> tuple[dict[str, list[SweepMeasurement]], dict[str, str]]:
    requests = {request.protocol.lower(): request for request in plan.protocols}
    every_feature = _standard_features() if not requests else ()
    by_cell: dict[str, list[SweepMeasurement]] = {}
    unrecognised: dict[str, str] = {}
    for recording in recordings:
        if progress is not None:
            progress(recording)
        sweeps = by_cell.setdefault(recording.cell, [])
        request = requests.get(recording.protocol.lower())
        names = every_feature if request is None else (*request.features, *(request.features_below or ()))
        settings = plan.settings if request is None or request.settings is None else request.settings
        window_ms = None if request is None else request.window_ms
        measured = measure_sweep(recording, sorted(set(names)), settings, window_ms)
        if isinstance(measured, Unrecognised):
            unrecognised[f"{recording.cell} {recording.protocol} {recording.sweep}"] = measured.reason
        else:
            sweeps.append(measured)
    return {cell: sweeps for cell, sweeps in by_cell.items() if sweeps}, unrecognised


def _standard_features() -> tuple[str, ...]:
    return tuple(sorted({*STANDARD_FEATURES_ABOVE, *STANDARD_FEATURES_BELOW, *STANDARD_FEATURES_PULSE}))


def _requests(by_cell: Mapping[str, Sequence[SweepMeasurement]], plan: ExtractionPlan) -> list[ProtocolRequest]:
    if plan.protocols:
        return list(plan.protocols)
    durations: dict[str, list[float]] = defaultdict(list)
    for sweeps in by_cell.values():
        for sweep in sweeps:
            durations[sweep.protocol].append(sweep.step.duration_ms)
    return [standard_request(name, float(np.median(found))) for name, found in sorted(durations.items())]


def _protocol_targets(
    by_cell: Mapping[str, Sequence[SweepMeasurement]],
    properties: Mapping[str, CellProperties],
    plan: ExtractionPlan,
    notes: list[str],
) -> tuple[tuple[ProtocolTargets, ...], dict[str, tuple[SweepMeasurement, ...]]]:
    targets, sources = [], {}
    for request in _requests(by_cell, plan):
        for level in request.levels_percent:
            name = f"{request.protocol}_{level:g}"
            sweeps = [
                sweep
                for cell, found in by_cell.items()
                for sweep in found
                if sweep.protocol.lower() == request.protocol.lower()
                and abs(_percent(sweep, properties[cell]) - level) <= request.tolerance_percent
            ]
            made = _targets_of(name, request.features_at(level), sweeps, plan, notes)
            if not made:
                notes.append(f"{name} left out: no sweep within {request.tolerance_percent:g} % has its features")
                continue
            sources[name] = tuple(sweeps)
            targets.append(
                ProtocolTargets(
                    name=name,
                    amplitude_percent=float(np.mean([_percent(sweep, properties[sweep.cell]) for sweep in sweeps])),
                    amplitude_nA=float(np.mean([sweep.step.amplitude_nA for sweep in sweeps])),
                    duration_ms=_common_duration([sweep.step.duration_ms for sweep in sweeps]),
                    features=tuple(made),
                    settings=request.settings or plan.settings,
                )
            )
    return tuple(targets), sources


def _targets_of(
    name: str,
    features: Sequence[str],
    sweeps: Sequence[SweepMeasurement],
    plan: ExtractionPlan,
    notes: list[str],
) -> list[FeatureTarget]:
    made = []
    for feature in features:
        values: dict[str, list[float]] = defaultdict(list)
        for sweep in sweeps:
            if feature in sweep.features:
                values[sweep.cell].append(sweep.features[feature])
        target = make_target(feature, unit(feature), values, plan.statistics)
        if target is not None:
            made.append(target)
        elif sweeps:
            notes.append(f"{name} {feature} left out: measured in {len(values)} cells only")
    return made


def _percent(sweep: SweepMeasurement, cell: CellProperties) -> float:
    assert cell.rheobase_nA is not None  # cells without one were left out before
    return 100.0 * sweep.step.amplitude_nA / cell.rheobase_nA


def _common_duration(durations_ms: Sequence[float]) -> float:
    return float(round(float(np.median(durations_ms)), 1))


def _threshold_duration(by_cell: Mapping[str, Sequence[SweepMeasurement]], plan: ExtractionPlan) -> float:
    chosen = {name.lower() for name in plan.rheobase_protocols}
    durations = [
        sweep.step.duration_ms
        for sweeps in by_cell.values()
        for sweep in sweeps
        if (sweep.protocol.lower() in chosen if chosen else sweep.step.duration_ms >= _PULSE_MS)
    ]
    return _common_duration(durations)


def _intrinsic_targets(
    properties: Mapping[str, CellProperties], plan: ExtractionPlan, notes: list[str]
) -> tuple[FeatureTarget, ...]:
    read = {
        "resting_potential": lambda found: found.resting_potential_mV,
        "input_resistance": lambda found: found.input_resistance_MOhm,
        "holding_current": lambda found: found.holding_current_nA,
        "threshold_current": lambda found: found.rheobase_nA,
    }
    made = []
    for name in (name for name in INTRINSIC_UNITS if name in plan.intrinsic):
        values = {cell: [value] for cell, found in properties.items() if (value := read[name](found)) is not None}
        target = make_target(name, INTRINSIC_UNITS[name], values, plan.statistics)
        if target is None:
            notes.append(f"{name} left out: measured in {len(values)} cells only")
        else:
            made.append(target)
    return tuple(made)


def _summary(cell: str, found: CellProperties) -> CellSummary:
    assert found.rheobase_nA is not None
    return CellSummary(
        cell,
        found.rheobase_nA,
        found.holding_current_nA,
        found.holding_voltage_mV,
        found.sweeps,
        found.bracketed,
    )


def _nothing_found(by_cell: Mapping[str, object], notes: Sequence[str]) -> str:
    said = "; ".join(notes[:5]) or "there was no sweep at all"
    return f"no targets: expected cells with steps that make them spike, got {len(by_cell)} cells with steps ({said})"
