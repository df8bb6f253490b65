"""Targets of a single cell, so that it can be fitted alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.catalogue import unit
from rheobase.features.group_stimulus import stimulus_of
from rheobase.features.group_targets import INTRINSIC, as_requested, values_of
from rheobase.features.statistics import SMALLEST_STD, sample_std
from rheobase.features.targets import INTRINSIC_UNITS, FeatureTarget, FeatureTargets, ProtocolTargets, objective_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rheobase.features.grouping import Group, Selection
    from rheobase.features.measured_cells import MeasuredCells
    from rheobase.features.normalisation import CellProperties
    from rheobase.features.requests import ExtractionPlan


class CellTargets(Mapping[str, FeatureTargets]):
    """Targets of each cell alone, made when they are asked for.

    Args:
        cells: All measured cells.
        properties: Those of the cells that have targets, by name.
        selections: Which sweeps belong to each of the protocols.
        together: Targets of all cells.
        plan: How to combine.
    """

    def __init__(
        self,
        cells: MeasuredCells,
        properties: Mapping[str, CellProperties],
        selections: Sequence[Selection],
        together: FeatureTargets,
        plan: ExtractionPlan,
    ) -> None:
        self._cells = cells
        self._properties = properties
        self._selections = selections
        self._together = together
        self._plan = plan

    def __len__(self) -> int:
        return len(self._properties)

    def __iter__(self) -> Iterator[str]:
        return iter(self._properties)

    def __getitem__(self, name: str) -> FeatureTargets:
        properties, cell = self._properties[name], self._cells[name]
        groups = [selection.of_cell(cell) for selection in self._selections]
        return targets_of_cell(name, properties, groups, self._together, self._plan)


def targets_of_cell(
    cell: str, properties: CellProperties, groups: Sequence[Group], together: FeatureTargets, plan: ExtractionPlan
) -> FeatureTargets:
    """Targets of one cell: the means over its own sweeps, under its own mean stimuli.

    A standard deviation between cells cannot be had from one cell. A target has that of the group, unless the cell
    has `sweeps_for_own_std` sweeps of its own (then theirs, with the floor); where the group has no such target, as
    with too few cells, the floor. Intrinsic properties, one value a cell, always have the group's.

    Args:
        cell: Its name.
        properties: Its own.
        groups: Its sweeps by level, for the levels that became targets.
        together: Targets of all cells.
        plan: How to combine.
    """
    removed = {
        (outlier.objective, outlier.sweep) for outlier in together.outliers if outlier.cell == cell and not outlier.kept
    }
    by_name = {protocol.name: protocol for protocol in together.protocols}
    made = [_protocol(own, by_name[own.name], removed, plan) for own in groups if own.sweeps]
    return replace(
        together,
        holding_voltage_mV=properties.holding_voltage_mV,
        intrinsic=_intrinsic(properties, together, plan),
        protocols=tuple(protocol for protocol in made if protocol.features),
        cells=tuple(summary for summary in together.cells if summary.name == cell),
        notes=(),
        outliers=(),
    )


def _protocol(
    own: Group, together: ProtocolTargets, removed: set[tuple[str, str]], plan: ExtractionPlan
) -> ProtocolTargets:
    stimulus = stimulus_of(own)
    of_group = {target.label: target for target in together.features}
    made = []
    for feature in own.request.features_at(own.level.value):
        objective = objective_name(own.name, feature.label)
        found = [
            value
            for values in values_of(own, feature).values()
            for sweep, value in values
            if (objective, sweep) not in removed
        ]
        if found:
            mean = float(np.mean(found))
            std = _std(feature.feature, mean, found, of_group.get(feature.label), plan)
            target = FeatureTarget(feature.feature, mean, std, unit(feature.feature), 1, len(found))
            made.append(as_requested(target, feature, stimulus))
    return replace(together, stimulus=stimulus, amplitude_nA=own.amplitude_nA, features=tuple(made))


def _std(
    feature: str, mean: float, values: Sequence[float], together: FeatureTarget | None, plan: ExtractionPlan
) -> float:
    floor = plan.statistics.floor(feature, unit(feature), mean)
    if len(values) >= max(2, plan.statistics.sweeps_for_own_std):
        return max(sample_std(values), floor) or SMALLEST_STD
    return floor or SMALLEST_STD if together is None else together.std


def _intrinsic(properties: CellProperties, together: FeatureTargets, plan: ExtractionPlan) -> tuple[FeatureTarget, ...]:
    of_group = {target.feature: target for target in together.intrinsic}
    made = []
    for name in (name for name in INTRINSIC_UNITS if name in plan.intrinsic):
        value = INTRINSIC[name](properties)
        if value is not None:
            floor = plan.statistics.floor(name, INTRINSIC_UNITS[name], value)
            std = of_group[name].std if name in of_group else floor or SMALLEST_STD
            made.append(FeatureTarget(name, value, std, INTRINSIC_UNITS[name], 1, 1))
    return tuple(made)
