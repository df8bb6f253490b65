"""From recordings to feature targets: measure every cell, scale by rheobase, average over cells."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.cell_measurement import CellMeasurement, measure_cell
from rheobase.features.cell_targets import targets_of_cell
from rheobase.features.errors import FeatureError
from rheobase.features.group_targets import intrinsic_targets, protocol_targets
from rheobase.features.grouping import group_sweeps
from rheobase.features.naming import natural_key
from rheobase.features.rheobase import defining_steps
from rheobase.features.sweeps import COARSEST_SPIKE_SAMPLING_MS
from rheobase.features.targets import CellSummary, FeatureTargets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rheobase.features.grouping import Group
    from rheobase.features.recording import Recording
    from rheobase.features.requests import ExtractionPlan
    from rheobase.features.sweeps import SweepMeasurement


@dataclass(frozen=True)
class Extraction:
    """Targets, and what they came from.

    Attributes:
        targets: Targets of all cells together.
        sweeps: Name of the target protocol -> its sweeps.
        cells: Targets of each cell alone, by its name.
        measurements: All cells, also those that have no part in the targets, with all their sweeps.
    """

    targets: FeatureTargets
    sweeps: dict[str, tuple[SweepMeasurement, ...]] = field(default_factory=dict)
    cells: dict[str, FeatureTargets] = field(default_factory=dict)
    measurements: tuple[CellMeasurement, ...] = ()


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
    """Targets from measured cells, whatever order they come in.

    Args:
        measurements: What `measure_cell` gave for each cell, with the same plan.
        plan: What to extract.

    Raises:
        FeatureError: nothing could be measured; the message says what was there.
    """
    everything = sorted(measurements, key=lambda cell: (natural_key(cell.cell), cell.cell))
    notes = [str(sweep) for cell in everything for sweep in cell.left_out]
    cells = _usable(everything, plan, notes)
    groups = group_sweeps(cells, plan)
    for group in groups:
        notes += [*group.notes, *_too_coarse(group)]
    protocols, outliers = protocol_targets(groups, plan, notes)
    properties = {cell.cell: cell.properties for cell in cells if cell.properties is not None}
    kept = {protocol.name for protocol in protocols}
    targets = FeatureTargets(
        holding_voltage_mV=float(np.mean([found.holding_voltage_mV for found in properties.values()])),
        threshold_duration_ms=_threshold_duration(cells, plan),
        intrinsic=intrinsic_targets(properties, plan, notes),
        protocols=protocols,
        junction_potential_mV=plan.junction_potential_mV,
        cells=tuple(_summary(cell) for cell in cells),
        notes=tuple(notes),
        settings=plan.settings,
        outliers=outliers,
    )
    return Extraction(
        targets,
        sweeps={group.name: tuple(sweep for sweep, _ in group.sweeps) for group in groups if group.name in kept},
        cells={
            cell: targets_of_cell(cell, found, [group for group in groups if group.name in kept], targets, plan)
            for cell, found in properties.items()
        },
        measurements=tuple(everything),
    )


def _usable(everything: Sequence[CellMeasurement], plan: ExtractionPlan, notes: list[str]) -> list[CellMeasurement]:
    """Cells that can have a part in the targets."""
    in_percent = [level.unit == "percent" for request in plan.protocols for level in request.levels] or [True]
    usable = []
    for cell in everything:
        if cell.properties is None:
            continue
        rheobase = cell.properties.rheobase
        if rheobase is not None:
            usable.append(cell)
            if not rheobase.bracketed:
                notes.append(f"cell {cell.cell}: its smallest step spikes already; the rheobase may be lower")
        elif all(in_percent):
            notes.append(f"cell {cell.cell} left out: {_why_unknown(cell, plan)}, so its rheobase is unknown")
        else:
            usable.append(cell)
            if any(in_percent):
                notes.append(f"cell {cell.cell}: {_why_unknown(cell, plan)}; it has no part in levels in %")
    if not usable:
        with_steps = [cell for cell in everything if cell.sweeps]
        said = "; ".join(notes[:5]) or "there was no sweep at all"
        raise FeatureError(
            f"no targets: expected cells with steps that make them spike, got {len(with_steps)} cells with steps "
            f"({said})"
        )
    return usable


def _why_unknown(cell: CellMeasurement, plan: ExtractionPlan) -> str:
    if defining_steps(cell.sweeps, plan.rheobase):
        return "no step made it spike"
    return f"it has no single steps of {' or '.join(plan.rheobase.protocols) or '100 ms or more'}"


def _too_coarse(group: Group) -> list[str]:
    """Which sweeps of a group are sampled too coarsely for the shapes that are wanted of it."""
    found = [sweep for sweep, _ in group.sweeps if sweep.too_coarse]
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


def _threshold_duration(cells: Sequence[CellMeasurement], plan: ExtractionPlan) -> float:
    sweeps = [sweep for cell in cells for sweep in cell.sweeps]
    steps = defining_steps(sweeps, plan.rheobase) or sweeps
    return float(round(float(np.median([sweep.step.duration_ms for sweep in steps])), 1))


def _summary(cell: CellMeasurement) -> CellSummary:
    found = cell.properties
    assert found is not None  # such cells are not usable
    rheobase = found.rheobase
    return CellSummary(
        cell.cell,
        found.rheobase_nA,
        found.holding_current_nA,
        found.holding_voltage_mV,
        found.sweeps,
        bracketed=rheobase is not None and rheobase.bracketed,
        highest_silent_nA=None if rheobase is None else rheobase.highest_silent_nA,
    )
