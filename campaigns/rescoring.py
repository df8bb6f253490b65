"""`rheobase rescore`: other targets for a campaign that has run, scored from what its record holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.building import build_model
from rheobase.campaigns.choosing import choose_ensemble
from rheobase.campaigns.elites import complete, ranked, successful
from rheobase.campaigns.measured_alike import Recorded, find_recorded
from rheobase.campaigns.record import read_frame
from rheobase.campaigns.stages import full_fidelity, weights_of, widest_dimensions
from rheobase.campaigns.status import open_folder
from rheobase.campaigns.writing import replacing
from rheobase.features.errors import CampaignError
from rheobase.features.formats.dialects import read_any_targets
from rheobase.features.targets_file import read_targets
from rheobase.fitting.ensembles.ensemble import write_ensemble
from rheobase.objectives.scores import FAILURE_SCORE, z_score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd

    from rheobase.features.targets import FeatureTarget, FeatureTargets
    from rheobase.fitting.ensembles.ensemble import Ensemble

_TOO_FAR = "standard deviations off"  # how the evaluator says that it ended for the old targets' sake


def rescore_campaign(path: Path, targets_path: Path, out: Path | None, say: Callable[[str], None]) -> Path:
    """Score the record of a campaign against other targets, and choose an ensemble by them; nothing is simulated.

    Means, standard deviations and weights may be others, features may be fewer or come back under other names.
    What the campaign did not measure, or measured in another way, is named and left out of the scores.

    Args:
        path: The campaign's folder.
        targets_path: The other targets.
        out: Where to write the ensemble; None: `rescored_ensemble.json` in the folder.
        say: Called with the lines of what is found.

    Returns:
        The ensemble's file.

    Raises:
        RheobaseError: no such campaign or targets, or nothing that could be scored.
    """
    campaign, folder = open_folder(path)
    frame = read_frame(folder.record) if folder.targets.exists() else None
    if frame is None:
        raise CampaignError(f"{path} has no evaluations yet; run the campaign first")
    out = out or folder.path / "rescored_ensemble.json"
    if out.resolve() == folder.ensemble.resolve():
        raise CampaignError(f"{out} is the ensemble of the campaign's own targets; give another file with --out")
    old, new = read_targets(folder.targets), read_any_targets(targets_path)
    recorded = find_recorded(old, new, _measured(frame))
    weights = {name: weight for name, weight in weights_of(new).items() if name in recorded.names}
    if not any(weights.values()):
        raise CampaignError(
            f"{targets_path}: no target with a weight above zero can be scored from the record of {path}:\n"
            + "\n".join(_must_be_simulated(recorded, path, targets_path))
        )
    model = build_model(campaign)
    fidelities = (str(full_fidelity(campaign)), "")
    rescored = complete(rescored_frame(frame, new, recorded.names), weights, fidelities)
    ensemble = choose_ensemble(campaign, rescored, widest_dimensions(campaign, model), weights)
    before = ranked(successful(complete(frame, old.objectives, fidelities)), weights_of(old)).iloc[:1]
    for line in (
        *_table(old, new, recorded.names, _scored(rescored, before), ensemble),
        *_must_be_simulated(recorded, path, targets_path),
        *_left_out(frame, len(rescored)),
    ):
        say(line)
    with replacing(out) as aside:
        write_ensemble(ensemble, aside)
    return out


def rescored_frame(record: pd.DataFrame, targets: FeatureTargets, names: Mapping[str, str]) -> pd.DataFrame:
    """The record with the features and scores of other targets.

    What an evaluation was to measure and could not keeps the failure score; what it was not to measure, as in a stage
    that looked at other features, stays without a score.

    Args:
        record: The record as a table.
        targets: The other targets.
        names: For each of their objectives that can be scored, the one under which it is recorded.
    """
    import pandas as pd

    columns = {}
    for name, recorded in names.items():
        target = targets.objectives[name]
        values = record[f"feature.{recorded}"].to_numpy(dtype=float)
        scores = np.minimum(np.abs(values - target.mean) / target.std, FAILURE_SCORE)
        scores[np.isnan(values)] = FAILURE_SCORE
        scores[record[f"score.{recorded}"].isna().to_numpy()] = np.nan
        columns[f"feature.{name}"], columns[f"score.{name}"] = values, scores
    kept = [column for column in record.columns if not column.startswith(("feature.", "score."))]
    return pd.concat([record[kept], pd.DataFrame(columns, index=record.index)], axis=1)


def _measured(record: pd.DataFrame) -> set[str]:
    """Objectives that any evaluation was to measure."""
    return {
        column.removeprefix("score.")
        for column in record.columns
        if column.startswith("score.") and record[column].notna().any()
    }


@dataclass(frozen=True)
class _Model:
    """A model in the table: what it is called, and its features."""

    called: str
    features: dict[str, float]


def _scored(rescored: pd.DataFrame, before: pd.DataFrame) -> _Model | None:
    """The model that was the best before, by the new names of its features."""
    for _, row in before.iterrows():
        same = rescored[(rescored["search"] == row["search"]) & (rescored["number"] == row["number"])]
        for _, found in same.iterrows():
            features = {
                column.removeprefix("feature."): float(found[column])
                for column in rescored.columns
                if column.startswith("feature.") and math.isfinite(found[column])
            }
            return _Model(f"{row['search']} {row['number']}", features)
    return None


def _table(
    old: FeatureTargets, new: FeatureTargets, names: Mapping[str, str], before: _Model | None, ensemble: Ensemble
) -> list[str]:
    best = ensemble.members[0]
    after = _Model(f"{best.search} {best.number}", best.features)
    models = [("best before", before)] if before is not None else []
    models += [("best now", after)]
    rows = [["feature", "target before", "target now", *(f"{what} ({model.called})" for what, model in models)]]
    for name, recorded in names.items():
        target = new.objectives[name]
        cells = [_value_and_score(model.features.get(name), target) for _, model in models]
        rows.append([name, _target_text(old.objectives[recorded]), _target_text(target), *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    count = ensemble.accepted_in_record
    return [
        *lines,
        f"Best now: worst score {best.worst:.2f}, sum {best.total:.1f} over {len(best.scores)} features; {count} "
        f"{'model' if count == 1 else 'models'} within {ensemble.largest_score:g} standard deviations, "
        f"{len(ensemble.members)} chosen",
    ]


def _target_text(target: FeatureTarget) -> str:
    weight = "" if target.weight == 1.0 else f", weight {target.weight:g}"
    return f"{target.mean:.4g} +- {target.std:.3g} {target.unit}".rstrip() + weight


def _value_and_score(value: float | None, target: FeatureTarget) -> str:
    shown = "none" if value is None else f"{value:.4g}"
    return f"{shown} ({z_score(value, target.mean, target.std):.2f})"


def _must_be_simulated(recorded: Recorded, path: Path, targets_path: Path) -> list[str]:
    if not recorded.missing:
        return []
    return [
        "Must be simulated again, and not part of these scores:",
        *(f"  {name}: {reason}" for name, reason in recorded.missing.items()),
        "For that, begin a campaign in a folder of its own with 'targets: {features: "
        f"{targets_path}}}' and 'search: {{start: best 20 of {path.resolve()}}}'",
    ]


def _left_out(record: pd.DataFrame, rescored: int) -> list[str]:
    failures = record["failure"].dropna()
    too_far = int(failures.str.contains(_TOO_FAR, regex=False).sum())
    excluded = int(record["excluded"].sum())
    lines = [f"{rescored} of {len(record)} evaluations are scored: those at full fidelity with all these features"]
    if excluded:
        lines.append(f"{excluded} were stopped early, for the sake of the campaign's own targets: they are not scored")
    if too_far:
        lines.append(
            f"{too_far} ended at a property too far from the campaign's own targets: what was not measured then has "
            "the failure score"
        )
    return lines
