"""From a campaign's stages to searches: what moves between which bounds, what is simulated, where it begins."""

from __future__ import annotations

import dataclasses
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from rheobase.campaigns.building import build_settings
from rheobase.fitting.cells.parameters import parse_bounds
from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.restarting import Restarts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.campaigns.schema import Campaign
    from rheobase.campaigns.schema_search import Stage
    from rheobase.features.targets import FeatureTargets
    from rheobase.fitting.cells.evaluator import EvaluationSettings
    from rheobase.fitting.cells.model import CellModel
    from rheobase.fitting.search.interface import Search
    from rheobase.fitting.search.space import Dimension

INTRINSIC = "intrinsic"


@dataclass(frozen=True)
class Fidelity:
    """How finely a model is simulated.

    Attributes:
        segment_length_um: Longest segment (um).
        absolute_tolerance: Of the variable time step.
        time_step_ms: The fixed time step (ms); None: the step is variable.
        by: What computes fixed steps.
    """

    segment_length_um: float
    absolute_tolerance: float
    time_step_ms: float | None = None
    by: Literal["fixed", "coreneuron"] = "fixed"

    def __str__(self) -> str:
        step = f"{self.absolute_tolerance:g}" if self.time_step_ms is None else f"steps of {self.time_step_ms:g} ms"
        step += " by CoreNEURON" if self.by == "coreneuron" else ""
        return f"{self.segment_length_um:g} um, {step}"

    def settings(self, full: EvaluationSettings) -> EvaluationSettings:
        """Those of the full fidelity, with this one's integrator."""
        if self.time_step_ms is None:
            return dataclasses.replace(full, absolute_tolerance=self.absolute_tolerance)
        return dataclasses.replace(full, integrator=self.by, time_step_ms=self.time_step_ms)


@dataclass(frozen=True)
class StagePlan:
    """One search, ready to run.

    Attributes:
        name: Its name in the record.
        config: What the campaign file says of it.
        dimensions: The parameters that it moves, with its bounds.
        fixed: Parameters of the campaign that do not move here, and their values.
        start: Places in the unit cube to begin with, best first.
        model: The cell with the stage's discretisation; all parameters of the campaign are free.
        targets: What it is held against in this stage.
        settings: How it is simulated.
        fidelity: How finely it is simulated.
        seed: Seed of the search.
        deterministic: Whether its result is the same however many workers there are.
        notes: What a user should know of it.
    """

    name: str
    config: Stage
    dimensions: tuple[Dimension, ...]
    fixed: dict[str, float]
    start: tuple[tuple[float, ...], ...]
    model: CellModel
    targets: FeatureTargets
    settings: EvaluationSettings
    fidelity: Fidelity
    seed: int
    deterministic: bool
    notes: tuple[str, ...] = ()

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each of its objectives."""
        return weights_of(self.targets)

    def make_search(self) -> Search:
        """A fresh search."""
        groups = self.targets.groups if self.config.selection == "protocols" else None
        return make_search(
            self.config.algorithm,
            self.dimensions,
            tuple(self.targets.objectives),
            search_settings(self.config, self.deterministic),
            self.seed,
            groups,
            self.start,
            self.weights,
        )


def search_settings(config: Stage, deterministic: bool) -> SearchSettings:
    """What a stage says of its search, beside its algorithm."""
    restarts = Restarts(config.restart_after)
    largest_score = math.inf if config.largest_score is None else config.largest_score
    return SearchSettings(config.population, deterministic, config.early_end, restarts, largest_score, config.options)


def weights_of(targets: FeatureTargets) -> dict[str, float]:
    """Weight of each objective."""
    return {name: target.weight for name, target in targets.objectives.items()}


def model_names(model: CellModel) -> tuple[str, ...]:
    """Names of the free parameters."""
    return tuple(parameter.name for parameter in model.free_parameters)


def full_fidelity(campaign: Campaign) -> Fidelity:
    """That of the models that a campaign reports."""
    config, segment_length_um = campaign.evaluation, campaign.model.segment_length
    if config.integrator == "variable":
        return Fidelity(segment_length_um, config.absolute_tolerance)
    return Fidelity(segment_length_um, config.absolute_tolerance, config.time_step, config.integrator)


def stage_fidelity(campaign: Campaign, name: str) -> Fidelity:
    """That of the models that a stage looks at."""
    config, full = campaign.search.in_stages[name], full_fidelity(campaign)
    time_step_ms = config.time_step or full.time_step_ms
    return Fidelity(
        config.segment_length or full.segment_length_um,
        # Fixed steps have no tolerance: what is said of it makes them no coarser.
        (config.absolute_tolerance if time_step_ms is None else None) or full.absolute_tolerance,
        time_step_ms,
        full.by,
    )


def plan_stage(
    campaign: Campaign,
    name: str,
    model: CellModel,
    targets: FeatureTargets,
    best: Sequence[Mapping[str, float]],
) -> StagePlan:
    """Plan one stage of a campaign whose stages have been checked.

    Args:
        campaign: What it is part of.
        name: The stage.
        model: The campaign's whole model.
        targets: All targets.
        best: Parameters of the models that it starts from, best first; empty when it starts from none.
    """
    config = campaign.search.in_stages[name]
    fidelity = stage_fidelity(campaign, name)
    bounds = stage_bounds(config, model, best)
    fixed = _fixed(config, model, best)
    dimensions = tuple(
        dataclasses.replace(dimension, low=low, high=high)
        for dimension in model.dimensions
        if dimension.name not in fixed
        for low, high in [bounds.get(dimension.name, (dimension.low, dimension.high))]
    )
    return StagePlan(
        name=name,
        config=config,
        dimensions=dimensions,
        fixed=fixed,
        start=tuple(tuple(_place(d, parameters[d.name]) for d in dimensions) for parameters in best),
        model=dataclasses.replace(model, segment_length_um=fidelity.segment_length_um),
        targets=stage_targets(config, targets),
        settings=fidelity.settings(build_settings(campaign)),
        fidelity=fidelity,
        seed=campaign.seed if not campaign.search.stages else _seed(campaign.seed, name),
        deterministic=campaign.search.deterministic,
        notes=tuple(_beyond(name, config, model, best) if config.narrow else _outside(name, dimensions, best)),
    )


def stage_bounds(
    config: Stage, model: CellModel, best: Sequence[Mapping[str, float]] = ()
) -> dict[str, tuple[float, float]]:
    """Bounds of a stage where they are not the model's.

    Args:
        config: The stage.
        model: The campaign's model.
        best: Parameters of the models that it starts from, best first; without them it is not narrowed.

    Raises:
        RheobaseError: not a range in the parameter's unit, or one that makes no sense.
    """
    parameters = {parameter.name: parameter for parameter in model.free_parameters}
    bounds: dict[str, tuple[float, float]] = {}
    if config.narrow is not None and best:
        half = config.narrow / 100.0
        for name, parameter in parameters.items():
            dimension = parameter.dimension
            place = _place(dimension, best[0][name])
            bounds[name] = dimension.value(max(place - half, 0.0)), dimension.value(min(place + half, 1.0))
    for name, text in config.bounds.items():
        bounds[name] = parse_bounds(text, parameters[name].unit, parameters[name].logarithmic)
    return bounds


def stage_targets(config: Stage, targets: FeatureTargets) -> FeatureTargets:
    """The targets that a stage looks at; of a name without a level, those of all levels."""
    if config.protocols is None:
        return targets
    named = set(config.protocols)
    return dataclasses.replace(
        targets,
        intrinsic=targets.intrinsic if INTRINSIC in named else (),
        protocols=tuple(protocol for protocol in targets.protocols if named & set(_names(protocol.name))),
    )


def protocol_names(targets: FeatureTargets) -> list[str]:
    """Names by which a stage may call what it looks at."""
    names = [name for protocol in targets.protocols for name in _names(protocol.name)]
    return list(dict.fromkeys([INTRINSIC, *names]))


def widest_dimensions(campaign: Campaign, model: CellModel) -> tuple[Dimension, ...]:
    """The free parameters between the widest bounds of any stage."""
    dimensions = {dimension.name: dimension for dimension in model.dimensions}
    for config in campaign.search.in_stages.values():
        for name, (low, high) in stage_bounds(config, model).items():
            before = dimensions[name]
            dimensions[name] = dataclasses.replace(before, low=min(before.low, low), high=max(before.high, high))
    return tuple(dimensions.values())


def _names(protocol: str) -> list[str]:
    label = protocol.rpartition("_")[0]
    return [protocol, *([label] if label else [])]


def _fixed(config: Stage, model: CellModel, best: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Values of the parameters that do not move."""
    if config.free is None:
        return {}
    return {
        dimension.name: best[0][dimension.name] if best else dimension.value(0.5)
        for dimension in model.dimensions
        if dimension.name not in config.free
    }


def _place(dimension: Dimension, value: float) -> float:
    """Place between the bounds, 0 to 1; of a value beyond them at the nearer one."""
    return min(max(dimension.position(min(max(value, dimension.low), dimension.high)), 0.0), 1.0)


def _beyond(name: str, config: Stage, model: CellModel, best: Sequence[Mapping[str, float]]) -> list[str]:
    """A note on a best model that an earlier stage found beyond the model's bounds: it cannot be narrowed around."""
    beyond = [
        one.name
        for one in model.dimensions
        if best and one.name not in config.bounds and not one.low <= best[0][one.name] <= one.high
    ]
    if not beyond:
        return []
    return [
        f"Stage {name}: the best model that it starts from lies beyond the model's bounds in {', '.join(beyond)}; "
        "it is narrowed at the bound instead (give the stage 'bounds' of its own there)"
    ]


def _outside(name: str, dimensions: Sequence[Dimension], best: Sequence[Mapping[str, float]]) -> list[str]:
    """A note on models to start from that lie outside the bounds."""
    beyond = {d.name: sum(not d.low <= parameters[d.name] <= d.high for parameters in best) for d in dimensions}
    said = [f"{count} in {parameter}" for parameter, count in beyond.items() if count]
    if not said:
        return []
    return [
        f"Stage {name}: of the {len(best)} models that it starts from, some lie outside its bounds ({', '.join(said)}) "
        "and are moved onto them"
    ]


def _seed(seed: int, stage: str) -> int:
    return int(np.random.SeedSequence([seed, zlib.crc32(stage.encode())]).generate_state(1)[0])
