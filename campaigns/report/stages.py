"""The stages of a campaign in figures, and what a coarser simulation does to the scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.elites import RESCORED, complete, model_keys, ranked
from rheobase.campaigns.stages import full_fidelity, stage_fidelity, stage_targets, weights_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pandas as pd

    from rheobase.campaigns.schema import Campaign
    from rheobase.features.targets import FeatureTargets


@dataclass(frozen=True)
class StageLine:
    """One stage.

    Attributes:
        name: Its name.
        algorithm: The search.
        fidelity: How finely it simulated: longest segment and absolute tolerance.
        objectives: Number of the features that it looked at.
        evaluations: Number of its evaluations.
        excluded: How many of them were stopped because they could not be chosen any more.
        failed: How many could not be carried to their end.
        cpu_seconds: CPU time of all (s).
        best_total: Smallest sum of scores of its own features; NaN where none ran to its end.
        ended: Why it ended; "" when it has not.
    """

    name: str
    algorithm: str
    fidelity: str
    objectives: int
    evaluations: int
    excluded: int
    failed: int
    cpu_seconds: float
    best_total: float
    ended: str


@dataclass(frozen=True)
class FidelityLine:
    """Models that were evaluated coarsely and at full fidelity.

    Attributes:
        coarse: The coarser fidelity.
        models: How many models.
        failed: How many of them failed at full fidelity.
        difference: Median change of the sum of scores from coarse to full, over those that did not; NaN for none.
        largest: The largest change, up or down.
        correlation: Rank correlation of the sums (Spearman); NaN for fewer than three models.
        cost: CPU time of a coarse evaluation in parts of that of a full one, the median; NaN for none.
    """

    coarse: str
    models: int
    failed: int
    difference: float
    largest: float
    correlation: float
    cost: float


def stage_lines(
    campaign: Campaign, states: Mapping[str, Mapping[str, Any]], record: pd.DataFrame, targets: FeatureTargets
) -> tuple[StageLine, ...]:
    """The stages in their order, and the evaluations at full fidelity behind them.

    Args:
        campaign: What the stages are part of.
        states: What the folder keeps of each stage.
        record: The whole record as a table.
        targets: All targets.
    """
    lines = []
    for name, config in campaign.search.in_stages.items():
        rows = record[record["search"] == name]
        ended = str(states.get(name, {}).get("ended", ""))
        if len(rows) or ended:
            fidelity = str(stage_fidelity(campaign, name))
            lines.append(_line(name, config.algorithm, fidelity, rows, stage_targets(config, targets), ended))
    again = record[record["search"] == RESCORED]
    if len(again):
        said = "the best of coarser stages are evaluated again"
        lines.append(_line("full fidelity", "–", str(full_fidelity(campaign)), again, targets, said))
    return tuple(lines)


def fidelity_lines(
    record: pd.DataFrame, parameters: Sequence[str], targets: FeatureTargets, full: str
) -> tuple[FidelityLine, ...]:
    """What each coarser fidelity does to the sum of all scores.

    Args:
        record: The whole record as a table.
        parameters: Names of the free parameters.
        targets: All targets.
        full: The full fidelity, as the record names it.
    """
    weights = weights_of(targets)
    fine = _totals(complete(record, weights, (full, "")), parameters, weights)
    lines = []
    for fidelity in dict.fromkeys(record["fidelity"]):
        if fidelity not in (full, ""):
            coarse = complete(record, weights, (fidelity,))
            rough = _totals(coarse[coarse["failure"].isna()], parameters, weights)
            pairs = rough.add_suffix("_coarse").join(fine.add_suffix("_full"), how="inner")
            lines.append(_compared(str(fidelity), pairs))
    return tuple(lines)


def _line(
    name: str, algorithm: str, fidelity: str, rows: pd.DataFrame, targets: FeatureTargets, ended: str
) -> StageLine:
    weights = weights_of(targets)
    whole = complete(rows[rows["failure"].isna()], weights, rows["fidelity"].unique())
    return StageLine(
        name=name,
        algorithm=algorithm,
        fidelity=fidelity,
        objectives=len(weights),
        evaluations=len(rows),
        excluded=int(rows["excluded"].sum()),
        failed=int(rows["failure"].notna().sum()),
        cpu_seconds=float(rows["cpu_seconds"].sum()),
        best_total=float(ranked(whole, weights)["total"].iloc[0]) if len(whole) else math.nan,
        ended=ended,
    )


def _totals(record: pd.DataFrame, parameters: Sequence[str], weights: Mapping[str, float]) -> pd.DataFrame:
    """Sum of scores, failure and CPU time of each model, the best where it was evaluated twice."""
    table = ranked(record, weights)
    table = table.assign(model=model_keys(table, parameters))[["model", "total", "failure", "cpu_seconds"]]
    return table.drop_duplicates("model").set_index("model")


def _compared(fidelity: str, pairs: pd.DataFrame) -> FidelityLine:
    passed = pairs[pairs["failure_full"].isna()]
    change = (passed["total_full"] - passed["total_coarse"]).to_numpy(dtype=float)
    some = len(change) > 0
    return FidelityLine(
        coarse=fidelity,
        models=len(pairs),
        failed=len(pairs) - len(passed),
        difference=float(np.median(change)) if some else math.nan,
        largest=float(change[np.argmax(np.abs(change))]) if some else math.nan,
        correlation=_rank_correlation(passed),
        cost=float((passed["cpu_seconds_coarse"] / passed["cpu_seconds_full"]).median()) if some else math.nan,
    )


def _rank_correlation(pairs: pd.DataFrame) -> float:
    if len(pairs) < 3 or pairs["total_coarse"].nunique() == 1 or pairs["total_full"].nunique() == 1:
        return math.nan
    return float(pairs["total_coarse"].corr(pairs["total_full"], method="spearman"))
