"""From recordings to feature targets: measure every cell, scale by rheobase, average over cells."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.cell_measurement import CellMeasurement, measure_cell
from rheobase.features.cell_targets import CellTargets
from rheobase.features.errors import FeatureError
from rheobase.features.group_targets import intrinsic_targets, protocol_targets
from rheobase.features.grouping import SweepsOfTargets, group_sweeps
from rheobase.features.measured_cells import MeasuredCells
from rheobase.features.rheobase import defining_steps
from rheobase.features.sweeps import COARSEST_SPIKE_SAMPLING_MS
from rheobase.features.targets import CellSummary, FeatureTargets

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from rheobase.features.grouping import Group, Selection
    from rheobase.features.normalisation import CellProperties
    from rheobase.features.recording import Recording
    from rheobase.features.requests import ExtractionPlan
    from rheobase.features.sweeps import SweepMeasurement
    from rheobase.features.targets import Outlier, ProtocolTargets


@dataclass(frozen=True)
class Extraction:
    """Targets, and what they came from. All but the targets is looked up on disk when it is asked for.

    Attributes:
        targets: Targets of all cells together.
        sweeps: Name of the target protocol -> its sweeps.
        cells: Targets of each cell alone, by its name.
        measurements: All cells, also those that have no part in the targets, with all their sweeps.
    """

    targets: FeatureTargets
    sweeps: Mapping[str, tuple[SweepMeasurement, ...]]
    cells: Mapping[str, FeatureTargets]
    measurements: MeasuredCells


def extract(
    recordings: Iterable[Recording], plan: ExtractionPlan, progress: Callable[[Recording], None] | None = None
) -> Extraction:
    """Measure recordings and make targets of them.

    Args:
        recordings: Sweeps in any order; all are in memory at once. `extract_folder` reads one cell after another.
        plan: What to extract.
        progress: Called with every sweep read.

    Raises:
        FeatureError: nothing could be measured; the message says what was there.
    """
    by_cell: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        if progress is not None:
            progress(recording)
        by_cell[recording.cell].append(recording)
    return combine((measure_cell(found, plan) for found in by_cell.values()), plan)


def combine(measurements: Iterable[CellMeasurement], plan: ExtractionPlan) -> Extraction:
    """Targets from measured cells, whatever order they come in; one of them is in memory at a time.

    Args:
        measurements: What `measure_cell` gave for each cell, with the same plan.
        plan: What to extract.

    Raises:
        FeatureError: nothing could be measured; the message says what was there.
    """
    everything = MeasuredCells(measurements)
    notes = [str(sweep) for cell in everything for sweep in cell.left_out]
    properties = _usable(everything, plan, notes)
    left_out: list[str] = []
    protocols: list[ProtocolTargets] = []
    outliers: list[Outlier] = []
    selections: list[Selection] = []
    for group in group_sweeps(everything, properties, plan):
        notes += [*group.notes, *_too_coarse(group)]
        made, odd = protocol_targets(group, plan, left_out)
        if made is not None:
            protocols.append(made)
            outliers += odd
            selections.append(group.selection)
    targets = FeatureTargets(
        holding_voltage_mV=float(np.mean([found.holding_voltage_mV for found in properties.values()])),
        threshold_duration_ms=_threshold_duration(everything, properties, plan),
        intrinsic=intrinsic_targets(properties, plan, left_out),
        protocols=tuple(protocols),
        junction_potential_mV=plan.junction_potential_mV,
        cells=tuple(_summary(cell, found) for cell, found in properties.items()),
        notes=(*notes, *left_out),
        settings=plan.settings,
        outliers=tuple(outliers),
    )
    return Extraction(
        targets,
        SweepsOfTargets(everything, properties, selections),
        CellTargets(everything, properties, selections, targets, plan),
        everything,
    )


def _usable(everything: MeasuredCells, plan: ExtractionPlan, notes: list[str]) -> dict[str, CellProperties]:
    """Cells that can have a part in the targets, and their properties."""
    in_percent = [level.unit == "percent" for request in plan.protocols for level in request.levels] or [True]
    usable: dict[str, CellProperties] = {}
    with_steps = 0
    for cell in everything:
        with_steps += bool(cell.sweeps)
        if cell.properties is None:
            continue
        rheobase = cell.properties.rheobase
        if rheobase is not None:
            usable[cell.cell] = cell.properties
            if not rheobase.bracketed:
                notes.append(f"cell {cell.cell}: its smallest step spikes already; the rheobase may be lower")
        elif all(in_percent):
            notes.append(f"cell {cell.cell} left out: {_why_unknown(cell, plan)}, so its rheobase is unknown")
        else:
            usable[cell.cell] = cell.properties
            if any(in_percent):
                notes.append(f"cell {cell.cell}: {_why_unknown(cell, plan)}; it has no part in levels in %")
    if not usable:
        said = "; ".join(notes[:5]) or "there was no sweep at all"
        raise FeatureError(
            f"no targets: expected cells with steps that make them spike, got {with_steps} cells with steps ({said})"
        )
    return usable


def _why_unknown(cell: CellMeasurement, plan: ExtractionPlan) -> str:
    if defining_steps(cell.sweeps, plan.rheobase):
        reason = "no step made it spike"
    else:
        reason = f"it has no single steps of {' or '.join(plan.rheobase.protocols) or '100 ms or more'}"
    others = [sweep for sweep in cell.sweeps if sweep.spikes and sweep.stimulus.kind not in ("step", "pulse")]
    if others:
        kinds = " and ".join(sorted({sweep.stimulus.kind for sweep in others}))
        reason += f" ({len(others)} with {kinds} did, which say nothing about it: give their levels in nA)"
    return reason


def _too_coarse(group: Group) -> list[str]:
    """Which sweeps of a group are sampled too coarsely for the shapes that are wanted of it."""
    found = [sweep for sweep in group.sweeps if sweep.too_coarse]
    if not found:
        return []
    features = dict.fromkeys(name for sweep in found for name in sweep.too_coarse)
    by_cell: dict[str, list[str]] = defaultdict(list)
    for sweep in found:
        by_cell[sweep.cell].append(sweep.sweep)
    named = "; ".join(f"{cell} {', '.join(sweeps)}" for cell, sweeps in by_cell.items())
    coarsest_ms = max(sweep.time_step_ms for sweep in found)
    return [
        f"{group.name} {', '.join(features)} not measured in sweeps sampled every {coarsest_ms:g} ms "
        f"(shapes of action potentials need {COARSEST_SPIKE_SAMPLING_MS:g} ms): {named}"
    ]


def _threshold_duration(everything: MeasuredCells, usable: Container[str], plan: ExtractionPlan) -> float:
    """Median length of the steps that define the rheobase, of all stimuli where there are none (ms)."""
    defining, others = array("d"), array("d")
    for cell in everything:
        if cell.cell in usable:
            defining.extend(sweep.step.duration_ms for sweep in defining_steps(cell.sweeps, plan.rheobase))
            others.extend(sweep.step.duration_ms for sweep in cell.sweeps)
    return float(round(float(np.median(defining or others)), 1))


def _summary(cell: str, found: CellProperties) -> CellSummary:
    rheobase = found.rheobase
    return CellSummary(
        cell,
        found.rheobase_nA,
        found.holding_current_nA,
        found.holding_voltage_mV,
        found.sweeps,
        bracketed=rheobase is not None and rheobase.bracketed,
        highest_silent_nA=None if rheobase is None else rheobase.highest_silent_nA,
    )
