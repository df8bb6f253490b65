"""Targets of all cells together: the means and standard deviations of every group of sweeps."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from rheobase.features.catalogue import unit
from rheobase.features.group_stimulus import place_ms, stimulus_of
from rheobase.features.outliers import find_outliers, without
from rheobase.features.statistics import make_target
from rheobase.features.targets import INTRINSIC_UNITS, FeatureTarget, Outlier, ProtocolTargets, objective_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rheobase.features.grouping import Group
    from rheobase.features.normalisation import CellProperties
    from rheobase.features.requests import ExtractionPlan, FeatureRequest
    from rheobase.features.target_stimuli import ProtocolStimulus

# How each of INTRINSIC_UNITS is read from a cell's properties.
INTRINSIC: dict[str, Callable[[CellProperties], float | None]] = {
    "resting_potential": lambda found: found.resting_potential_mV,
    "input_resistance": lambda found: found.input_resistance_MOhm,
    "holding_current": lambda found: found.holding_current_nA,
    "threshold_current": lambda found: found.rheobase_nA,
}


def protocol_targets(
    group: Group, plan: ExtractionPlan, notes: list[str]
) -> tuple[ProtocolTargets | None, tuple[Outlier, ...]]:
    """Targets of a group, None when it has none, and the outliers among their values.

    Args:
        group: Sweeps of one level.
        plan: How to combine them.
        notes: Takes what was left out, and why.
    """
    made, outliers = _feature_targets(group, plan, notes) if group.sweeps else ([], [])
    if not made:
        sign = "%" if group.level.unit == "percent" else "nA"
        notes.append(f"{group.name} left out: no sweep within {group.level.tolerance:g} {sign} has its features")
        return None, ()
    settings = group.request.settings or plan.settings
    targets = ProtocolTargets(group.name, stimulus_of(group), group.amplitude_nA, tuple(made), settings)
    return targets, tuple(outliers)


def _feature_targets(group: Group, plan: ExtractionPlan, notes: list[str]) -> tuple[list[FeatureTarget], list[Outlier]]:
    stimulus = stimulus_of(group)
    made: list[FeatureTarget] = []
    outliers: list[Outlier] = []
    for feature in group.request.features_at(group.level.value):
        values = values_of(group, feature)
        odd = _outliers(group, feature, values, plan)
        target = _target(feature, without(values, odd), plan)
        if target is None:
            notes.append(f"{group.name} {feature.label} left out: measured in {_counted(values)} only")
        else:
            made.append(as_requested(target, feature, stimulus))
            outliers += odd
    return made, outliers


def intrinsic_targets(
    properties: Mapping[str, CellProperties], plan: ExtractionPlan, notes: list[str]
) -> tuple[FeatureTarget, ...]:
    """Targets of the properties of the cells themselves."""
    made = []
    for name in (name for name in INTRINSIC_UNITS if name in plan.intrinsic):
        values = {cell: [value] for cell, found in properties.items() if (value := INTRINSIC[name](found)) is not None}
        # One value a cell: a minimum of sweeps says nothing about it.
        target = make_target(name, INTRINSIC_UNITS[name], values, replace(plan.statistics, minimum_sweeps=1))
        if target is None:
            notes.append(f"{name} left out: measured in {len(values)} cells only")
        else:
            made.append(target)
    return tuple(made)


def values_of(group: Group, feature: FeatureRequest) -> dict[str, list[tuple[str, float]]]:
    """Sweep and value of a feature, by cell; sweeps that do not have it are absent."""
    values: dict[str, list[tuple[str, float]]] = defaultdict(list)
    place = group.selection.labels.index(feature.label)
    for sweep in group.sweeps:
        value = sweep.values[place]
        if not math.isnan(value):
            values[sweep.cell].append((f"{sweep.protocol} {sweep.sweep}", value))
    return dict(values)


def as_requested(target: FeatureTarget, feature: FeatureRequest, stimulus: ProtocolStimulus) -> FeatureTarget:
    """The target with what its request says about name, weight and measurement."""
    return replace(
        target,
        name=feature.name,
        weight=feature.weight,
        settings=feature.settings,
        window_ms=None if feature.measure_in is None else place_ms(stimulus, feature.measure_in),
    )


def _target(
    feature: FeatureRequest, values: Mapping[str, Sequence[tuple[str, float]]], plan: ExtractionPlan
) -> FeatureTarget | None:
    plain = {cell: [value for _, value in found] for cell, found in values.items()}
    return make_target(feature.feature, unit(feature.feature), plain, plan.statistics)


def _outliers(
    group: Group,
    feature: FeatureRequest,
    values: Mapping[str, Sequence[tuple[str, float]]],
    plan: ExtractionPlan,
) -> tuple[Outlier, ...]:
    every = [value for found in values.values() for _, value in found]
    mean = sum(every) / len(every) if every else 0.0
    floor = plan.statistics.floor(feature.feature, unit(feature.feature), mean)
    return find_outliers(objective_name(group.name, feature.label), values, floor, plan.statistics)


def _counted(values: Mapping[str, Sequence[object]]) -> str:
    sweeps = sum(len(found) for found in values.values())
    return f"{len(values)} cells ({sweeps} sweeps)"
