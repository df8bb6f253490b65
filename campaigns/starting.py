"""Models of an earlier campaign that a search begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.campaigns.elites import best_rows, complete, models_of
from rheobase.campaigns.record import read_frame
from rheobase.campaigns.record_format import names_in
from rheobase.campaigns.stages import full_fidelity, weights_of, widest_dimensions
from rheobase.campaigns.status import open_folder
from rheobase.features.errors import CampaignError
from rheobase.features.targets_file import read_targets
from rheobase.fitting.ensembles.ensemble import read_ensemble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rheobase.campaigns.folder import CampaignFolder
    from rheobase.campaigns.schema import Campaign
    from rheobase.fitting.cells.model import CellModel
    from rheobase.fitting.search.space import Dimension

_KEY = "starts"


def keep_starts(campaign: Campaign, model: CellModel, folder: CampaignFolder, say: Callable[[str], None]) -> None:
    """Copy the models of other campaigns that stages begin with into this one's folder, once and for all.

    Args:
        campaign: Its stages say where they begin.
        model: Its cell.
        folder: Keeps the models: whatever becomes of where they came from, the campaign can be resumed.
        say: Called with a line for the user.

    Raises:
        RheobaseError: no such folder or file, or no model in it; the message names the key.
    """
    kept = folder.read_state().get(_KEY, {})
    stages = campaign.search.in_stages
    for name in outside_starts(campaign):
        source = str(stages[name].start)
        if kept.get(name, {}).get("from") != source:
            kept[name] = {"from": source, "models": read_start(campaign, model, name, say)}
            folder.write_state(**{_KEY: kept})


def kept_start(folder: CampaignFolder, stage: str) -> list[dict[str, float]]:
    """Parameters of the models that were kept for a stage, the best first."""
    models: list[dict[str, float]] = folder.read_state()[_KEY][stage]["models"]
    return models


def outside_starts(campaign: Campaign) -> list[str]:
    """The stages that begin with models of another campaign."""
    stages = campaign.search.in_stages
    return [name for name, config in stages.items() if config.start is not None and config.start.path is not None]


def read_start(campaign: Campaign, model: CellModel, stage: str, say: Callable[[str], None]) -> list[dict[str, float]]:
    """Parameters of the models that a stage begins with, the best first.

    Parameters are matched by name; those that the models lack get the middle of their bounds.

    Args:
        campaign: What the stage is part of.
        model: The campaign's cell.
        stage: One of `outside_starts`.
        say: Called with a line for the user where models do not fit.

    Raises:
        RheobaseError: no such folder or file, or no model in it that has any of the parameters.
    """
    start = campaign.search.in_stages[stage].start
    assert start is not None
    assert start.path is not None
    key = ("search", "stages", stage, "start") if campaign.search.stages else ("search", "start")
    with campaign.blamed(*key):
        found = _of_file(start.path) if start.path.is_file() else _of_folder(start.path, start.best)
        if not found:
            raise CampaignError(f"{start.path} has no model that could be evaluated; nothing can start from it")
        dimensions = widest_dimensions(campaign, model)
        common = [dimension.name for dimension in dimensions if dimension.name in found[0]]
        if not common:
            raise CampaignError(
                f"the models of {start.path} have none of this campaign's free parameters; "
                f"theirs are {', '.join(list(found[0])[:5])}, ..."
            )
    _say_what_differs(start.path, dimensions, found, say)
    return [{d.name: _within(d, parameters.get(d.name)) for d in dimensions} for parameters in found[: start.best]]


def _of_file(path: Path) -> list[Mapping[str, float]]:
    members = sorted(read_ensemble(path).members, key=lambda member: member.total)
    return [member.parameters for member in members]


def _of_folder(path: Path, number: int) -> list[dict[str, float]]:
    """The best of what a campaign evaluated at full fidelity."""
    if not path.is_dir():
        raise CampaignError(f"there is no folder or file {path}")
    campaign, folder = open_folder(path)
    frame = read_frame(folder.record) if folder.targets.exists() else None
    if frame is None:
        raise CampaignError(f"{path} has no evaluations yet; run that campaign first")
    weights = weights_of(read_targets(folder.targets))
    rows = complete(frame, weights, (str(full_fidelity(campaign)), ""))
    parameters = names_in(frame.columns, "parameter")
    return models_of(best_rows(rows[rows["failure"].isna()], parameters, weights, number), parameters)


def _within(dimension: Dimension, value: float | None) -> float:
    return dimension.value(0.5) if value is None else min(max(value, dimension.low), dimension.high)


def _say_what_differs(
    path: Path,
    dimensions: Sequence[Dimension],
    found: Sequence[Mapping[str, float]],
    say: Callable[[str], None],
) -> None:
    missing = [d.name for d in dimensions if d.name not in found[0]]
    further = sorted(found[0].keys() - {d.name for d in dimensions})
    beyond = [d.name for d in dimensions if any(not d.low <= one[d.name] <= d.high for one in found if d.name in one)]
    for names, what in (
        (missing, "lack {}, which get the middle of their bounds"),
        (further, "have {} too, which this campaign does not move"),
        (beyond, "lie outside the bounds in {} and are moved onto them"),
    ):
        if names:
            say(f"Models to start from ({path}) {what.format(', '.join(names))}")
