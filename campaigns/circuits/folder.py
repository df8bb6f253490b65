"""The folder of a circuit's campaign."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from rheobase.campaigns.folder import CampaignFolder, check_same
from rheobase.fitting.cells.mechanisms import content_hash
from rheobase.fitting.circuits.templates import HocTemplate

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.subject import Subject


class CircuitFolder:
    """Names of the files in the folder of a circuit's campaign."""

    def __init__(self, path: Path) -> None:
        self.base = CampaignFolder(path)
        self.path = path
        self.trials = path / "trials.jsonl"
        self.final = path / "final"
        self.unitary = self.final / "unitary.json"
        self.limits = path / "unitary_limits.json"
        self.tuned = path / "tuned.yaml"
        self.network = path / "network"
        self.report = path / "report.html"
        self.figure = path / "report.png"

    def begin(self, campaign: CircuitCampaign, subject: Subject) -> None:
        """Begin, or go on with the same campaign.

        Raises:
            CampaignError: the folder belongs to another campaign; the message names the keys that differ.
        """
        essence = {**campaign.essence(), "cells_content": _cells_hash(subject)}
        files = _files_hash(campaign)
        if files is not None:
            essence["files_content"] = files
        essence = json.loads(json.dumps(essence))
        before = self.base.read_state().get("campaign", essence)
        if not self.trials.exists():
            before = essence  # nothing was done yet: the campaign may have been mended
        check_same(self.path, before, essence)
        self.base.write_state(campaign=before, configuration=campaign.model_dump(mode="json"))


def _files_hash(campaign: CircuitCampaign) -> str | None:
    """Of the files of recorded trains and rates; None without any."""
    paths = [keys.file for keys in campaign.tuning.recorded.values()]
    paths += [keys.file for keys in campaign.targets.distributions.values() if keys.file is not None]
    if not paths:
        return None
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _cells_hash(subject: Subject) -> str:
    digest = hashlib.sha256()
    for population in subject.blueprint.populations if subject.blueprint is not None else ():
        for variant in population.variants:
            digest.update(repr((variant.name, sorted(variant.parameters.items()))).encode())
            if isinstance(variant.model, HocTemplate):
                digest.update(variant.model.text.encode())
                digest.update(variant.model.morphology.content)
                digest.update(content_hash(variant.model.mechanisms).encode())
    return digest.hexdigest()
