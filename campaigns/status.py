"""How far a campaign is, read from its folder."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.schema import Campaign
from rheobase.campaigns.schema_types import CANONICAL
from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from rheobase.features.targets import FeatureTargets


def open_folder(path: Path) -> tuple[Campaign, CampaignFolder]:
    """The campaign that a folder was begun with.

    Raises:
        CampaignError: there is none.
    """
    from pydantic import ValidationError

    from rheobase.campaigns.circuits.status import is_circuit

    folder = CampaignFolder(path)
    configuration = folder.read_state().get("configuration")
    if configuration is None:
        raise CampaignError(f"{path} is not the folder of a campaign; give the one that `rheobase run` wrote to")
    if is_circuit(folder.read_state()):
        raise CampaignError(f"{path} is the folder of a circuit's campaign; this needs one of cells")
    try:
        return Campaign.model_validate(configuration, context=CANONICAL), folder
    except ValidationError as error:
        raise CampaignError(f"{folder.state}: this campaign was begun with another version: {error}") from error


def describe_status(path: Path) -> str:
    """Stages done, evaluations, best and median scores, failures."""
    from rheobase.campaigns.circuits.status import describe_circuit, is_circuit

    if is_circuit(CampaignFolder(path).read_state()):
        return describe_circuit(path)
    campaign, folder = open_folder(path)
    lines = [f"{campaign.name} ({path})"]
    if not folder.targets.exists():
        return "\n".join([*lines, "  targets: not yet"])
    from rheobase.features.targets_file import read_targets

    targets = read_targets(folder.targets)
    lines.append(f"  targets: {len(targets.objectives)} features, {len(targets.cells)} cells")
    lines.extend(_search_lines(campaign, folder, targets))
    lines.append(f"  ensemble: {folder.ensemble if folder.ensemble.exists() else 'not yet'}")
    lines.append(f"  report: {folder.report if folder.report.exists() else 'not yet'}")
    return "\n".join(lines)


def _search_lines(campaign: Campaign, folder: CampaignFolder, targets: FeatureTargets) -> list[str]:
    from rheobase.campaigns.record import read_frames
    from rheobase.campaigns.stages import full_fidelity, weights_of

    tally = _Tally(weights_of(targets), (str(full_fidelity(campaign)), ""))
    for frame in read_frames(folder.record):
        tally.add(frame)
    planned = {name: stage.evaluations for name, stage in campaign.search.in_stages.items()}
    done = {name: tally.searches.get(name, 0) for name in planned}
    lines = [f"  search: {sum(done.values())} of {sum(planned.values())} evaluations"]
    if not tally.searches:
        return lines
    lines[0] += f", {tally.cpu_seconds / 60:.1f} CPU minutes"
    if len(planned) > 1:
        lines += [f"    {name}: {done[name]} of {planned[name]}" for name in planned]
    said = ", ".join(f"{count} {kind}" for kind, count in (+tally.ended_early).most_common()) or "none"
    return [*lines, tally.describe_best(campaign.ensemble.largest_score), f"  ended early: {said}"]


class _Tally:
    """What a record holds, taken in piece by piece: one sum and one worst score are kept of each evaluation.

    Args:
        weights: Weight of each objective.
        fidelities: Those of evaluations whose scores are results, as the record names them.
    """

    def __init__(self, weights: dict[str, float], fidelities: tuple[str, ...]) -> None:
        self._weights, self._fidelities = weights, fidelities
        self._totals: list[NDArray[np.float64]] = []
        self._worst: list[NDArray[np.float64]] = []
        self.searches: Counter[str] = Counter()
        self.ended_early: Counter[str] = Counter()
        self.cpu_seconds = 0.0

    def add(self, frame: pd.DataFrame) -> None:
        """Take in a piece of the record."""
        from rheobase.campaigns.elites import complete, ranked

        self.searches.update(frame["search"])
        self.ended_early.update(frame["failure"].dropna().str.partition(":")[0])
        self.ended_early.update({"excluded": int(frame["excluded"].sum())})
        self.cpu_seconds += float(frame["cpu_seconds"].sum())
        results = complete(frame, self._weights, self._fidelities)
        results = results[results["failure"].isna()]
        if len(results):
            counted = [f"score.{name}" for name, weight in self._weights.items() if weight > 0.0]
            results = ranked(results, self._weights)
            self._totals.append(results["total"].to_numpy())
            self._worst.append(results[counted].to_numpy(dtype=float).max(axis=1))

    def describe_best(self, largest_score: float) -> str:
        """A line about the best model."""
        import numpy as np

        if not self._totals:
            return "  best: none yet that was evaluated to the end"
        totals, worst = np.concatenate(self._totals), np.concatenate(self._worst)
        best = int(np.argmin(totals))
        return (
            f"  best: sum {totals[best]:.1f}, worst score {worst[best]:.2f}; median sum {np.median(totals):.1f}; "
            f"{int((worst <= largest_score).sum())} accepted"
        )
