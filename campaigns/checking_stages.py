"""What is wrong with a campaign's stages, said before anything runs."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from rheobase.campaigns.elites import RESCORED
from rheobase.campaigns.schema_search import STAGE_NAME
from rheobase.campaigns.stages import model_names, protocol_names, search_settings, stage_targets, weights_of
from rheobase.features.errors import CampaignError
from rheobase.fitting.cells.parameters import parse_bounds
from rheobase.fitting.search.factory import make_search, search_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rheobase.campaigns.schema import Campaign
    from rheobase.campaigns.schema_search import Stage
    from rheobase.features.targets import FeatureTargets
    from rheobase.fitting.cells.model import CellModel


def check_stages(campaign: Campaign, model: CellModel) -> None:
    """Raise CampaignError for names, bounds and settings in the stages that cannot be; the message names the key."""
    before: list[str] = []
    for name, config in campaign.search.in_stages.items():
        _check_name(campaign, name)
        _check_algorithm(campaign, name, config, model)
        _check_start(campaign, name, config, before)
        _check_parameters(campaign, name, config, model)
        before.append(name)


def check_protocols(campaign: Campaign, targets: FeatureTargets) -> None:
    """Raise CampaignError for protocols in the stages that there are no targets of, or when none looks at all."""
    for name, config in campaign.search.in_stages.items():
        for place, protocol in enumerate(config.protocols or ()):
            _check_known(campaign, (name, "protocols", str(place)), protocol, protocol_names(targets))
        weights = weights_of(stage_targets(config, targets))
        if not any(weights.values()):
            reason = "has no target" if not weights else "has only targets with a weight of zero"
            raise CampaignError(f"{_where(campaign, name, 'protocols')}: what the stage looks at {reason}")
    stages = campaign.search.in_stages
    if not any(stage_targets(config, targets).objectives == targets.objectives for config in stages.values()):
        raise CampaignError(
            f"{_where(campaign, list(stages)[-1], 'protocols')}: no stage looks at all targets, so no model could be "
            "chosen in the end; leave 'protocols' out of the last stage, or add one without it"
        )


def _check_name(campaign: Campaign, name: str) -> None:
    if not STAGE_NAME.fullmatch(name):
        raise CampaignError(
            f"{_where(campaign, name)}: expected the name of a stage, letters, digits, '_' and '-' that begin with "
            f"a letter, got '{name}'"
        )
    if name == RESCORED:
        raise CampaignError(f"{_where(campaign, name)}: the record calls something else '{name}'; give another name")


def _check_algorithm(campaign: Campaign, name: str, config: Stage, model: CellModel) -> None:
    _check_known(campaign, (name, "algorithm"), config.algorithm, search_names())
    with campaign.blamed(*_key(campaign, name, "options")):
        settings = search_settings(config, campaign.search.deterministic)
        make_search(config.algorithm, model.dimensions, ("any",), settings, campaign.seed)


def _check_start(campaign: Campaign, name: str, config: Stage, before: list[str]) -> None:
    start = config.start
    if start is None:
        if config.narrow is not None:
            raise CampaignError(
                f"{_where(campaign, name, 'narrow')}: the stage is to be narrowed, but no 'start' says around what; "
                "give one, such as 'best 20 of STAGE'"
            )
    elif start.stage is not None and start.stage not in before:
        there = f"the stages before it are {', '.join(before)}" if before else "there is no stage before it"
        close = difflib.get_close_matches(start.stage, before, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"{there}; a path needs a slash, such as ./runs/first"
        raise CampaignError(f"{_where(campaign, name, 'start')}: there is no stage '{start.stage}' before it; {hint}")


def _check_parameters(campaign: Campaign, name: str, config: Stage, model: CellModel) -> None:
    parameters = {parameter.name: parameter for parameter in model.free_parameters}
    for place, parameter in enumerate(config.free or ()):
        _check_known(campaign, (name, "free", str(place)), parameter, parameters)
    if config.free == ():
        raise CampaignError(f"{_where(campaign, name, 'free')}: no parameter is left to move")
    for parameter, text in config.bounds.items():
        key = (name, "bounds", parameter)
        _check_known(campaign, key, parameter, parameters)
        with campaign.blamed(*_key(campaign, *key)):
            parse_bounds(text, parameters[parameter].unit, parameters[parameter].logarithmic)
            if parameter not in (config.free or model_names(model)):
                raise CampaignError("the parameter does not move in this stage; name it under 'free' too, or leave it")


def _check_known(campaign: Campaign, key: tuple[str, ...], name: str, there: Iterable[str]) -> None:
    known = list(there)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(known)}"
        raise CampaignError(f"{_where(campaign, *key)}: there is no '{name}'; {hint}")


def _where(campaign: Campaign, name: str, *key: str) -> str:
    return campaign.where(*_key(campaign, name, *key))


def _key(campaign: Campaign, name: str, *key: str) -> tuple[str, ...]:
    """Where the campaign file says it: in the stage, or for all of them above it."""
    search = campaign.search
    own = name in search.stages and (not key or key[0] in search.stages[name].model_fields_set)
    inherited = not search.stages or (bool(key) and key[0] in search.model_fields_set and not own)
    return ("search", *key) if inherited else ("search", "stages", name, *key)
