"""Sweeps of all cells that belong to one level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.cell_measurement import in_level, requests_of
from rheobase.features.grouped_sweeps import GroupedSweep, grouped
from rheobase.features.requests import ProtocolRequest, standard_request
from rheobase.features.stimulus_shapes import are_alike, most_usual
from rheobase.features.sweeps import SweepMeasurement

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.measured_cells import MeasuredCells
    from rheobase.features.requests import ExtractionPlan, Level
    from rheobase.features.stimuli import Stimulus


@dataclass(frozen=True)
class Selection:
    """Which sweeps belong to a level, of any cell.

    Attributes:
        name: What its targets are called.
        request: The request that it answers.
        level: The level.
        usual: The shape of stimulus that they must have; None: any.
    """

    name: str
    request: ProtocolRequest
    level: Level
    usual: Stimulus | None = None

    def of_level(self, cell: CellMeasurement) -> list[SweepMeasurement]:
        """Sweeps of a cell that its protocol, amplitude and gap put into the level, whatever their shape."""
        return [
            sweep
            for sweep in cell.sweeps
            if sweep.protocol.lower() == self.request.protocol.lower()
            and in_level(sweep, cell.properties, self.request, self.level)
        ]

    def why_not(self, stimulus: Stimulus) -> str | None:
        """Why a sweep of the level does not belong all the same; None when it does."""
        if stimulus.kind == "noise":
            return "noise cannot be given to a model"
        if self.usual is not None and not are_alike(stimulus, self.usual):
            return "its stimulus has another shape than most"
        return None

    def sweeps_of(self, cell: CellMeasurement) -> Iterator[SweepMeasurement]:
        """The sweeps of a cell that belong to it."""
        return (sweep for sweep in self.of_level(cell) if self.why_not(sweep.stimulus) is None)

    def of_cell(self, cell: CellMeasurement) -> Group:
        """The same as a group."""
        return Group(self, tuple(self.keep(sweep, cell) for sweep in self.sweeps_of(cell)))

    @property
    def labels(self) -> tuple[str, ...]:
        """Features wanted of its level."""
        return tuple(feature.label for feature in self.request.features_at(self.level.value))

    def keep(self, sweep: SweepMeasurement, cell: CellMeasurement) -> GroupedSweep:
        """What a group keeps of a sweep of a cell."""
        rheobase_nA = None if cell.properties is None else cell.properties.rheobase_nA
        return grouped(sweep, self.request, self.labels, rheobase_nA)


@dataclass(frozen=True)
class Group:
    """Sweeps of one level.

    Attributes:
        selection: What belongs to it.
        sweeps: In the order of cells and sweeps.
        notes: What was left out of it.
    """

    selection: Selection
    sweeps: tuple[GroupedSweep, ...]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its targets are called."""
        return self.selection.name

    @property
    def request(self) -> ProtocolRequest:
        """The request that it answers."""
        return self.selection.request

    @property
    def level(self) -> Level:
        """Its level."""
        return self.selection.level

    @property
    def amplitude_nA(self) -> float:
        """Mean amplitude above holding (nA)."""
        return float(np.mean([sweep.amplitude_nA for sweep in self.sweeps]))


class SweepsOfTargets(Mapping[str, tuple[SweepMeasurement, ...]]):
    """Sweeps of each target protocol, looked up when they are asked for.

    Args:
        cells: All measured cells.
        usable: Names of those that have a part in the targets.
        selections: Which of their sweeps belong to each of the protocols.
    """

    def __init__(self, cells: MeasuredCells, usable: Container[str], selections: Sequence[Selection]) -> None:
        self._cells = cells
        self._usable = usable
        self._selections = {selection.name: selection for selection in selections}

    def __len__(self) -> int:
        return len(self._selections)

    def __iter__(self) -> Iterator[str]:
        return iter(self._selections)

    def __getitem__(self, name: str) -> tuple[SweepMeasurement, ...]:
        selection = self._selections[name]
        cells = (cell for cell in self._cells if cell.cell in self._usable)
        return tuple(sweep for cell in cells for sweep in selection.sweeps_of(cell))


def group_sweeps(cells: MeasuredCells, usable: Container[str], plan: ExtractionPlan) -> Iterator[Group]:
    """The groups of a plan, in its order, one after another; those without sweeps are empty.

    Args:
        cells: All measured cells.
        usable: Names of those to take.
        plan: Its requests and levels.
    """
    for request in _all_requests(cells, usable, plan):
        for level in request.levels:
            yield _group(Selection(request.target_name(level), request, level), cells, usable)


def _all_requests(cells: MeasuredCells, usable: Container[str], plan: ExtractionPlan) -> list[ProtocolRequest]:
    if plan.protocols:
        return list(plan.protocols)
    durations: dict[str, list[float]] = defaultdict(list)
    names: dict[str, str] = {}
    for cell in cells:
        for sweep in cell.sweeps if cell.cell in usable else ():
            if requests_of(sweep, plan):
                name = names.setdefault(sweep.protocol.lower(), sweep.protocol)
                durations[name].append(sweep.step.duration_ms)
    return [standard_request(name, float(np.median(found))) for name, found in sorted(durations.items())]


def _group(level: Selection, cells: MeasuredCells, usable: Container[str]) -> Group:
    """The group of a level: what is most usual is known only when all cells were seen once."""
    stimuli = (sweep.stimulus for cell in cells if cell.cell in usable for sweep in level.of_level(cell))
    selection = replace(level, usual=most_usual(stimulus for stimulus in stimuli if stimulus.kind != "noise"))
    kept, notes = [], []
    for cell in cells:
        for sweep in level.of_level(cell) if cell.cell in usable else ():
            reason = selection.why_not(sweep.stimulus)
            if reason is None:
                kept.append(selection.keep(sweep, cell))
            else:
                notes.append(f"{selection.name}: {sweep.cell} {sweep.sweep} left out, {reason}")
    return Group(selection, tuple(kept), tuple(notes))
