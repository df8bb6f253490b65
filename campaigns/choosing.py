"""The ensemble stage: the models chosen from the whole record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.ensembles.ensemble import Ensemble, EnsembleError, Member, select_diverse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from rheobase.campaigns.schema import Campaign
    from rheobase.fitting.search.space import Dimension


def choose_ensemble(
    campaign: Campaign, record: pd.DataFrame, dimensions: Sequence[Dimension], objectives: Sequence[str]
) -> Ensemble:
    """Accepted models as different from each other as they come; without any, the best of all.

    Args:
        campaign: Its ensemble's size and limit.
        record: Every evaluation.
        dimensions: The free parameters.
        objectives: Names of the objectives.

    Raises:
        EnsembleError: there is no evaluation at all.
    """
    if len(record) == 0:
        raise EnsembleError("the record has no evaluation; an ensemble cannot be chosen")
    scores = record[[f"score.{name}" for name in objectives]].to_numpy(dtype=float)
    totals, worst = scores.sum(axis=1), scores.max(axis=1)
    limit, size = campaign.ensemble.largest_score, campaign.ensemble.size
    accepted = np.flatnonzero(worst <= limit)
    if len(accepted):
        positions = np.array(
            [[d.position(value) for value in record[f"parameter.{d.name}"].to_numpy()[accepted]] for d in dimensions]
        ).T
        chosen = accepted[select_diverse(positions, totals[accepted], size)]
    else:
        chosen = np.argsort(totals, kind="stable")[:size]
    members = [_member(record.iloc[int(index)], dimensions, objectives, limit) for index in chosen]
    return Ensemble(campaign.name, limit, len(accepted), tuple(members))


def _member(row: pd.Series, dimensions: Sequence[Dimension], objectives: Sequence[str], limit: float) -> Member:
    scores = {name: float(row[f"score.{name}"]) for name in objectives}
    features = {name: float(row[f"feature.{name}"]) for name in objectives if np.isfinite(row[f"feature.{name}"])}
    worst = max(scores.values())
    return Member(
        number=int(row["number"]),
        parameters={d.name: float(row[f"parameter.{d.name}"]) for d in dimensions},
        features=features,
        scores=scores,
        total=sum(scores.values()),
        worst=worst,
        accepted=worst <= limit,
    )
