"""A campaign's folder: one run at a time, and only ever the campaign that it was begun with."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from rheobase.campaigns.writing import write_whole, writing
from rheobase.features.errors import CampaignError
from rheobase.fitting.cells.mechanisms import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rheobase.campaigns.schema import Campaign
    from rheobase.fitting.cells.model import CellModel

SCHEMA = "rheobase.folder/1"
_FILES = ("recordings.folder", "targets.features", "targets.protocols", "model.morphology", "model.mechanisms",
          "targets.spectrum.file")  # fmt: skip
_CONTENTS = {
    "model_content": "the morphology, a mechanism or the channel set has changed",
    "targets_content": "the table of targets has changed (`rheobase rescore` holds what is recorded against it, and a "
    "campaign of its own may start from the best of this folder)",
    "files_content": "a file of recorded spike trains or rates has changed",
    "cells_content": "the ensembles or templates that the cells come from have changed",
}


class CampaignFolder:
    """Names of the files in a campaign's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = path / "state.json"
        self.surrogates = path / "recordings"
        self.targets = path / "targets.json"
        self.cell_targets = path / "cells"
        self.sweeps = path / "sweeps.json"
        self.record = path / "record"
        self.journal = path / "study.journal"
        self.ensemble = path / "ensemble.json"
        self.traces = path / "traces.npz"
        self.report = path / "report.html"
        self.figure = path / "report.png"

    @property
    def has_evaluations(self) -> bool:
        """Whether anything is recorded."""
        return any(path.stat().st_size for path in self.record.glob("*"))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one run.

        Raises:
            CampaignError: another run has it, or it cannot be made.
        """
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(str(self.path / ".lock"))
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise CampaignError(
                    f"another run is at work in {self.path}; wait for it, stop it, or choose another folder with --out"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def read_state(self) -> dict[str, Any]:
        """What was kept of earlier runs; empty for a new folder.

        Raises:
            CampaignError: the folder is not a campaign's.
        """
        if not self.state.exists():
            return {}
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CampaignError(f"{self.state} is damaged: {error}; restore it or begin in another folder") from error
        if not isinstance(state, dict) or state.get("schema") != SCHEMA:
            raise CampaignError(f'{self.state}: expected \'"schema": "{SCHEMA}"\'; begin in another folder with --out')
        return state

    def write_state(self, **values: Any) -> None:
        """Keep further values, whole or not at all."""
        state = {**self.read_state(), "schema": SCHEMA, **values}
        write_whole(self.state, json.dumps(state, indent=1))

    def begin(self, campaign: Campaign, model: CellModel) -> None:
        """Begin, or go on with the same campaign.

        Raises:
            CampaignError: the folder belongs to another campaign; the message names the keys that differ.
        """
        essence = {**campaign.essence(), "model_content": _model_hash(model)}
        essence = json.loads(json.dumps(essence))
        before = self.read_state().get("campaign", essence)
        # Of tables that have gone, the folder has what they said; folders of earlier versions do not know theirs.
        tables = _tables_hash(campaign) or before.get("targets_content")
        if tables is not None:
            essence["targets_content"] = tables
            before = {"targets_content": tables, **before}
        if not any(path.exists() for path in (self.surrogates, self.targets, self.record)):
            before = essence  # nothing was done yet: the campaign may have been mended
        elif not self.has_evaluations:  # targets depend on neither of these
            before = {**before, **{key: essence[key] for key in ("search", "evaluation")}}
        check_same(self.path, before, essence)
        # What may change, such as the budget, is kept as it is now: status and report go by it.
        self.write_state(campaign=before, configuration=campaign.model_dump(mode="json"))


def check_same(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Compare the campaign that a folder was begun with and another one.

    Raises:
        CampaignError: they differ; the message names the keys.
    """
    different = sorted(_differences(before, now))
    if different:
        shown = "; ".join(different[:5])
        raise CampaignError(f"{path} was begun with another campaign: {shown}. Undo that, or begin anew with --out")


def _tables_hash(campaign: Campaign) -> str | None:
    """Of the tables of targets; None where there are none."""
    keys = campaign.targets
    paths = [] if keys is None else [path for path in (keys.features, keys.protocols) if path is not None]
    if not paths or not all(path.is_file() for path in paths):
        return None
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _model_hash(model: CellModel) -> str:
    digest = hashlib.sha256(model.morphology.content)
    digest.update(content_hash(model.mechanisms).encode())
    digest.update(repr((model.parameters, model.distributions)).encode())
    return digest.hexdigest()


def _differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {*before, *now}:
            yield from _differences(before.get(key), now.get(key), f"{place}.{key}" if place else str(key))
    elif before != now:
        if place in _CONTENTS:
            yield _CONTENTS[place]
        elif place not in _FILES:  # files may move
            yield f"{place} was {before!r}, now {now!r}"
