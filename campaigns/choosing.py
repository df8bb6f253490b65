"""The ensemble stage: the models chosen from the whole record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.elites import each_once, ranked, successful, unit_positions, worst_scores
from rheobase.fitting.ensembles.ensemble import Ensemble, EnsembleError, Member, select_diverse
from rheobase.objectives.scores import summarize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from rheobase.campaigns.schema import Campaign
    from rheobase.fitting.search.space import Dimension


def choose_ensemble(
    campaign: Campaign, record: pd.DataFrame, dimensions: Sequence[Dimension], weights: Mapping[str, float]
) -> Ensemble:
    """Accepted models as different from each other as they come; without any, the best of all. Each model once.

    A model whose evaluation failed is chosen only where all of them did. A feature with a weight of zero is shown with
    the others, but no model is chosen or refused for it.

    Args:
        campaign: Its ensemble's size and limit.
        record: Evaluations with a score for every objective.
        dimensions: The free parameters, between the widest bounds that a stage had.
        weights: Weight of each objective.

    Raises:
        EnsembleError: there is no evaluation at all.
    """
    if len(record) == 0:
        raise EnsembleError("the record has no evaluation; an ensemble cannot be chosen")
    record = each_once(ranked(successful(record), weights), [dimension.name for dimension in dimensions])
    limit, size = campaign.ensemble.largest_score, campaign.ensemble.size
    accepted = np.flatnonzero(worst_scores(record, weights) <= limit)
    if len(accepted):
        positions = unit_positions(record, dimensions)[accepted]
        chosen = accepted[select_diverse(positions, record["total"].to_numpy()[accepted], size)]
    else:
        chosen = np.arange(min(size, len(record)))
    members = [_member(record.iloc[int(index)], dimensions, weights, limit) for index in chosen]
    return Ensemble(campaign.name, limit, len(accepted), tuple(members))


def _member(row: pd.Series, dimensions: Sequence[Dimension], weights: Mapping[str, float], limit: float) -> Member:
    scores = {name: float(row[f"score.{name}"]) for name in weights}
    features = {name: float(row[f"feature.{name}"]) for name in weights if np.isfinite(row[f"feature.{name}"])}
    summary = summarize(scores, weights)
    return Member(
        number=int(row["number"]),
        parameters={d.name: float(row[f"parameter.{d.name}"]) for d in dimensions},
        features=features,
        scores=scores,
        total=summary.total,
        worst=summary.worst,
        accepted=summary.worst <= limit,
        search=str(row["search"]),
    )
