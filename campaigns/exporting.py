"""`rheobase export`: the ensemble in forms that other programs read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rheobase.campaigns.building import build_model
from rheobase.campaigns.record import read_frame
from rheobase.campaigns.status import open_folder
from rheobase.campaigns.writing import writing
from rheobase.features.errors import CampaignError
from rheobase.features.targets_file import read_targets
from rheobase.fitting.ensembles.ensemble import read_ensemble
from rheobase.fitting.ensembles.hoc import write_hoc

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.campaigns.folder import CampaignFolder
    from rheobase.campaigns.schema import Campaign
    from rheobase.fitting.ensembles.ensemble import Ensemble, Member


def export_ensemble(path: Path, kind: str, to: Path | None, models: int | None) -> Path:
    """Write what a campaign has chosen.

    Args:
        path: The campaign's folder.
        kind: "hoc", "json" or "csv".
        to: Where; None: FOLDER/export/KIND.
        models: Only the first so many models.

    Returns:
        The folder written to.

    Raises:
        RheobaseError: no such campaign, or no ensemble yet.
    """
    campaign, folder = open_folder(path)
    target = to or folder.path / "export" / kind
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        if kind == "csv":
            _write_record(folder, target)
            return target
        ensemble = read_ensemble(folder.ensemble)
        members = ensemble.members[:models]
        if kind == "json":
            _write_json(campaign, ensemble, members, target)
        else:
            _write_hoc(campaign, folder, members, target)
    return target


def _write_hoc(campaign: Campaign, folder: CampaignFolder, members: tuple[Member, ...], target: Path) -> None:
    model = build_model(campaign)
    targets = read_targets(folder.targets)
    strongest = max(targets.protocols, key=lambda protocol: protocol.stimulus.level * (protocol.duration_ms > 100))
    for place, member in enumerate(members):
        name = f"{model.name}_{place:02d}"
        threshold = member.features.get("threshold_current", strongest.amplitude_nA * 100 / strongest.stimulus.level)
        injected = strongest.stimulus.injected(0.0, member.features.get("holding_current", 0.0), threshold)
        write_hoc(
            model,
            member.parameters,
            name,
            target / name,
            holding_current_nA=injected.holding_nA,
            amplitude_nA=injected.pieces[0].end_nA,
            duration_ms=strongest.duration_ms,
        )


def _write_json(campaign: Campaign, ensemble: Ensemble, members: tuple[Member, ...], target: Path) -> None:
    """One entry per model, in the keys of BluePyEModel's final.json."""
    content = {
        f"{ensemble.name}_{place:02d}": {
            "score": member.total,
            "parameters": member.parameters,
            "fitness": member.scores,
            "features": member.features,
            "validated": member.accepted,
            "seed": campaign.seed,
        }
        for place, member in enumerate(members)
    }
    (target / "final.json").write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _write_record(folder: CampaignFolder, target: Path) -> None:
    frame = read_frame(folder.record)
    if frame is None:
        raise CampaignError(f"{folder.path} has no evaluations yet; run the campaign first")
    frame.to_csv(target / "record.csv", index=False)
