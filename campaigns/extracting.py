"""The first stage of a campaign: from its recordings to its targets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rheobase.campaigns.building import build_folder
from rheobase.campaigns.building_plan import build_plan
from rheobase.campaigns.progress import RecordingBar
from rheobase.campaigns.sweeps_file import write_sweeps
from rheobase.campaigns.writing import replacing, writing
from rheobase.features.errors import CampaignError, FeatureError
from rheobase.features.folder_extraction import extract_folder
from rheobase.features.formats.dialects import read_any_targets
from rheobase.features.leaving_out import without
from rheobase.features.targets_file import read_targets, write_cell_targets, write_targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from rheobase.campaigns.folder import CampaignFolder
    from rheobase.campaigns.schema import Campaign
    from rheobase.features.extraction import Extraction
    from rheobase.features.targets import FeatureTargets


def make_targets(
    campaign: Campaign, folder: CampaignFolder, workers: int, say: Callable[[str], None]
) -> FeatureTargets:
    """Targets of a campaign; extracted unless an earlier run has done so.

    Args:
        campaign: Where the recordings are and what to measure.
        folder: Takes the targets, those of each cell alone, and the list of the sweeps they came from.
        workers: How many processes may measure at once.
        say: Called with a line for the user.

    Raises:
        RheobaseError: Recordings that cannot be read, or nothing in them that could be measured.
    """
    if not folder.targets.exists() and campaign.targets is not None:
        with replacing(folder.sweeps) as aside:
            write_sweeps({}, aside)
        table = read_table(campaign)
        with replacing(folder.targets) as aside:
            write_targets(table, aside)
    elif not folder.targets.exists():
        extraction = _extract(campaign, folder, workers)
        chosen = _of_cell(campaign, extraction) if campaign.features.cell is not None else extraction
        if not chosen.targets.objectives:
            notes = "; ".join(chosen.targets.notes[:5])
            raise FeatureError(f"{campaign.where('features')}: no feature could be measured: {notes}")
        with writing(folder.cell_targets):
            write_cell_targets(extraction.cells, folder.cell_targets)
        with replacing(folder.sweeps) as aside:
            write_sweeps(chosen.sweeps, aside)
        with replacing(folder.targets) as aside:  # last: its presence says that the stage is done
            write_targets(chosen.targets, aside)
    targets = read_targets(folder.targets)
    say(
        f"Targets: {len(targets.objectives)} features of {len(targets.protocols)} protocols, "
        f"{len(targets.cells)} cells ({folder.targets})"
    )
    return targets


def _extract(campaign: Campaign, folder: CampaignFolder, workers: int) -> Extraction:
    plan = build_plan(campaign)
    progress = RecordingBar()
    try:
        with campaign.blamed("recordings"):
            return extract_folder(build_folder(campaign, folder.surrogates), plan, workers, progress.cell)
    finally:
        progress.close()


def read_table(campaign: Campaign) -> FeatureTargets:
    """Targets of a campaign that has them in a table, without those that are to be left out.

    Raises:
        RheobaseError: No such table, or a name to leave out that it does not have.
    """
    config = campaign.targets
    assert config is not None
    with campaign.blamed("targets"):
        targets = read_any_targets(config.features, config.protocols, config.holding_voltage)
        return without(targets, config.leave_out)


def _of_cell(campaign: Campaign, extraction: Extraction) -> Extraction:
    """What concerns the one cell that is to be fitted."""
    cell = campaign.features.cell
    assert cell is not None
    if cell not in extraction.cells:
        raise CampaignError(
            f"{campaign.where('features', 'cell')}: there are no targets of a cell '{cell}'; "
            f"there are some of {', '.join(extraction.cells)}"
        )
    return replace(
        extraction,
        targets=extraction.cells[cell],
        sweeps={
            name: own
            for name, sweeps in extraction.sweeps.items()
            if (own := tuple(sweep for sweep in sweeps if sweep.cell == cell))
        },
    )
