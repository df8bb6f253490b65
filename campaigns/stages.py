"""From a campaign's stages to searches: what moves between which bounds, what is simulated, where it begins."""

from __future__ import annotations

import dataclasses
import difflib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.building import build_settings
from rheobase.features.errors import CampaignError, RheobaseError
from rheobase.features.units import parse_range
from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.restarting import Restarts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.campaigns.schema import Campaign
    from rheobase.campaigns.schema_search import Stage
    from rheobase.features.targets import FeatureTargets
    from rheobase.fitting.cells.evaluator import EvaluationSettings
    from rheobase.fitting.cells.model import CellModel, CellParameter
    from rheobase.fitting.search.interface import Search
    from rheobase.fitting.search.space import Dimension

INTRINSIC = "intrinsic"


@dataclass(frozen=True)
class Fidelity:
    """How finely a model is simulated.

    Attributes:
        segment_length_um: Longest segment (um).
        absolute_tolerance: Of the variable time step.
    """

    segment_length_um: float
    absolute_tolerance: float

    def __str__(self) -> str:
        return f"{self.segment_length_um:g} um, {self.absolute_tolerance:g}"


@dataclass(frozen=True)
class StagePlan:
    """One search, ready to run.

    Attributes:
        name: Its name in the record.
        config: What the campaign file says of it.
        model: The cell with the stage's discretisation; parameters that do not move are frozen.
        targets: What it is held against in this stage.
        settings: How it is simulated.
        fixed: Parameters of the campaign that do not move here, and their values.
        start: Places in the unit cube to begin with, best first.
        fidelity: How finely it is simulated.
        seed: Seed of the search.
        deterministic: Whether its result is the same however many workers there are.
    """

    name: str
    config: Stage
    model: CellModel
    targets: FeatureTargets
    settings: EvaluationSettings
    fixed: dict[str, float]
    start: tuple[tuple[float, ...], ...]
    fidelity: Fidelity
    seed: int
    deterministic: bool

    def make_search(self) -> Search:
        """A fresh search."""
        config = self.config
        return make_search(
            config.algorithm,
            self.model.dimensions,
            tuple(self.targets.objectives),
            SearchSettings(
                config.population,
                self.deterministic,
                config.early_end,
                Restarts(config.restart_after),
                config.options,
            ),
            self.seed,
            self.targets.groups if config.selection == "protocols" else None,
            self.start,
        )


def full_fidelity(campaign: Campaign) -> Fidelity:
    """That of the models that a campaign reports."""
    return Fidelity(campaign.model.segment_length, campaign.evaluation.absolute_tolerance)


def plan_stage(
    campaign: Campaign,
    name: str,
    model: CellModel,
    targets: FeatureTargets,
    best: Sequence[Mapping[str, float]],
) -> StagePlan:
    """Plan one stage.

    Args:
        campaign: What it is part of.
        name: The stage.
        model: The campaign's whole model.
        targets: All targets.
        best: Parameters of the models that it starts from, best first; empty when it starts from none.

    Raises:
        CampaignError: parameters, bounds or protocols that are not the campaign's; the message names the key.
    """
    config = campaign.search.in_stages[name]
    full = full_fidelity(campaign)
    fidelity = Fidelity(
        config.segment_length or full.segment_length_um, config.absolute_tolerance or full.absolute_tolerance
    )
    bounds = _bounds(campaign, name, config, model, best)
    fixed = _fixed(campaign, name, config, model, best)
    staged = dataclasses.replace(
        model,
        parameters=tuple(_staged(parameter, bounds, fixed) for parameter in model.parameters),
        segment_length_um=fidelity.segment_length_um,
    )
    return StagePlan(
        name=name,
        config=config,
        model=staged,
        targets=_targets(campaign, name, config, targets),
        settings=dataclasses.replace(build_settings(campaign), absolute_tolerance=fidelity.absolute_tolerance),
        fixed=fixed,
        start=tuple(_position(staged.dimensions, parameters) for parameters in best),
        fidelity=fidelity,
        seed=campaign.seed if not campaign.search.stages else _seed(campaign.seed, name),
        deterministic=campaign.search.deterministic,
    )


def check_stages(campaign: Campaign, model: CellModel) -> None:
    """Raise CampaignError for names and bounds in the stages that the model does not have."""
    for name, config in campaign.search.in_stages.items():
        middle = [{parameter.name: parameter.dimension.value(0.5) for parameter in model.free_parameters}]
        bounds = _bounds(campaign, name, config, model, middle)
        fixed = _fixed(campaign, name, config, model, middle)
        if not set(model_names(model)) - set(fixed):
            raise CampaignError(f"{_where(campaign, name, 'free')}: no parameter is left to move")
        for parameter, (low, high) in bounds.items():
            if not low < high:
                raise CampaignError(f"{_where(campaign, name, 'bounds', parameter)}: nothing lies between the bounds")


def mirrored_dimensions(campaign: Campaign, model: CellModel) -> tuple[Dimension, ...]:
    """The free parameters between the widest bounds of any stage."""
    dimensions = {dimension.name: dimension for dimension in model.dimensions}
    for name, config in campaign.search.in_stages.items():
        for parameter, (low, high) in _bounds(campaign, name, config, model, ()).items():
            before = dimensions[parameter]
            dimensions[parameter] = dataclasses.replace(before, low=min(before.low, low), high=max(before.high, high))
    return tuple(dimensions.values())


def model_names(model: CellModel) -> tuple[str, ...]:
    """Names of the free parameters."""
    return tuple(parameter.name for parameter in model.free_parameters)


def _staged(
    parameter: CellParameter, bounds: Mapping[str, tuple[float, float]], fixed: Mapping[str, float]
) -> CellParameter:
    if parameter.name in fixed:
        return dataclasses.replace(parameter, value=fixed[parameter.name], bounds=None)
    if parameter.name in bounds:
        return dataclasses.replace(parameter, bounds=bounds[parameter.name])
    return parameter


def _bounds(
    campaign: Campaign, name: str, config: Stage, model: CellModel, best: Sequence[Mapping[str, float]]
) -> dict[str, tuple[float, float]]:
    """Bounds of the stage where they are not the model's."""
    bounds: dict[str, tuple[float, float]] = {}
    if config.narrow is not None and best:
        half = config.narrow / 100.0
        for parameter in model.free_parameters:
            dimension = parameter.dimension
            place = dimension.position(best[0][parameter.name])
            low, high = dimension.value(max(place - half, 0.0)), dimension.value(min(place + half, 1.0))
            bounds[parameter.name] = (low, high)
    units = {parameter.name: parameter.unit for parameter in model.free_parameters}
    for parameter_name, text in config.bounds.items():
        _known(campaign, (name, "bounds", parameter_name), parameter_name, units)
        try:
            bounds[parameter_name] = parse_range(text, units[parameter_name])
        except RheobaseError as error:
            raise CampaignError(f"{_where(campaign, name, 'bounds', parameter_name)}: {error}") from error
    return bounds


def _fixed(
    campaign: Campaign, name: str, config: Stage, model: CellModel, best: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Values of the parameters that do not move."""
    if config.free is None:
        return {}
    names = model_names(model)
    for parameter in config.free:
        _known(campaign, (name, "free"), parameter, names)
    return {
        parameter.name: best[0][parameter.name] if best else parameter.dimension.value(0.5)
        for parameter in model.free_parameters
        if parameter.name not in config.free
    }


def _targets(campaign: Campaign, name: str, config: Stage, targets: FeatureTargets) -> FeatureTargets:
    if config.protocols is None:
        return targets
    there = [INTRINSIC, *(protocol.name for protocol in targets.protocols)]
    for protocol in config.protocols:
        _known(campaign, (name, "protocols"), protocol, there)
    return dataclasses.replace(
        targets,
        intrinsic=targets.intrinsic if INTRINSIC in config.protocols else (),
        protocols=tuple(protocol for protocol in targets.protocols if protocol.name in config.protocols),
    )


def _position(dimensions: Sequence[Dimension], parameters: Mapping[str, float]) -> tuple[float, ...]:
    places = [dimension.position(parameters[dimension.name]) for dimension in dimensions]
    return tuple(float(place) for place in np.clip(places, 0.0, 1.0))


def _known(campaign: Campaign, key: tuple[str, ...], name: str, there: Sequence[str] | Mapping[str, object]) -> None:
    if name not in there:
        close = difflib.get_close_matches(name, list(there), n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(there)}"
        raise CampaignError(f"{_where(campaign, *key)}: there is no '{name}'; {hint}")


def _where(campaign: Campaign, name: str, *key: str) -> str:
    return campaign.where("search", "stages", name, *key) if campaign.search.stages else campaign.where("search", *key)


def _seed(seed: int, stage: str) -> int:
    return int(np.random.SeedSequence([seed, zlib.crc32(stage.encode())]).generate_state(1)[0])
