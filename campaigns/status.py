"""How far a campaign is, read from its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.schema import CANONICAL, Campaign
from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from pathlib import Path


def open_folder(path: Path) -> tuple[Campaign, CampaignFolder]:
    """The campaign that a folder was begun with.

    Raises:
        CampaignError: there is none.
    """
    from pydantic import ValidationError

    folder = CampaignFolder(path)
    configuration = folder.read_state().get("configuration")
    if configuration is None:
        raise CampaignError(f"{path} is not the folder of a campaign; give the one that `rheobase run` wrote to")
    try:
        return Campaign.model_validate(configuration, context=CANONICAL), folder
    except ValidationError as error:
        raise CampaignError(f"{folder.state}: this campaign was begun with another version: {error}") from error


def describe_status(path: Path) -> str:
    """Stages done, evaluations, best and median scores, failures."""
    campaign, folder = open_folder(path)
    lines = [f"{campaign.name} ({path})"]
    if not folder.targets.exists():
        return "\n".join([*lines, "  targets: not yet"])
    from rheobase.features.targets import read_targets

    targets = read_targets(folder.targets)
    lines.append(f"  targets: {len(targets.objectives)} features, {len(targets.cells)} cells")
    lines.extend(_search_lines(campaign, folder, tuple(targets.objectives)))
    lines.append(f"  ensemble: {folder.ensemble if folder.ensemble.exists() else 'not yet'}")
    lines.append(f"  report: {folder.report if folder.report.exists() else 'not yet'}")
    return "\n".join(lines)


def _search_lines(campaign: Campaign, folder: CampaignFolder, objectives: tuple[str, ...]) -> list[str]:
    import numpy as np

    from rheobase.campaigns.record import read_frame

    frame = read_frame(folder.record)
    if frame is None or len(frame) == 0:
        return [f"  search: 0 of {campaign.search.evaluations} evaluations"]
    scores = frame[[f"score.{name}" for name in objectives]].to_numpy(dtype=float)
    totals, worst = scores.sum(axis=1), scores.max(axis=1)
    best = int(np.argmin(totals))
    failures = frame["failure"].dropna().str.partition(":")[0].value_counts()
    said = ", ".join(f"{count} {kind}" for kind, count in failures.items()) or "none"
    return [
        f"  search: {len(frame)} of {campaign.search.evaluations} evaluations, "
        f"{frame['cpu_seconds'].sum() / 60:.1f} CPU minutes",
        f"  best: sum {totals[best]:.1f}, worst score {worst[best]:.2f}; median sum {np.median(totals):.1f}; "
        f"{int((worst <= campaign.ensemble.largest_score).sum())} accepted",
        f"  ended early: {said}",
    ]
