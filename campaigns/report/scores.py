"""Scores of every feature, the targets behind them, and the f-I curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.campaigns.report import drawing
from rheobase.features.targets import FeatureTarget, ProtocolTargets
from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rheobase.campaigns.report.data import ReportData

INTRINSIC = "Intrinsic"
RATE_FEATURES = ("mean_frequency", "Spikecount", "spike_count", "Spikecount_stimint")
_SHORTEST_FOR_RATE_MS = 150.0
_MOST_RATE_CURVES = 3


@dataclass(frozen=True)
class ScoreRow:
    """One objective with what was measured and what the ensemble does.

    Attributes:
        group: Its protocol, or INTRINSIC.
        objective: Its full name.
        target: What was measured.
        values: The ensemble's values in the ensemble's order, NaN where not measured.
        scores: The ensemble's scores in the ensemble's order (standard deviations).
    """

    group: str
    objective: str
    target: FeatureTarget
    values: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def deviations(self) -> tuple[float, ...]:
        """(value - mean) / std of every member, NaN where not measured."""
        return tuple((value - self.target.mean) / self.target.std for value in self.values)


def score_rows(data: ReportData) -> list[ScoreRow]:
    """All objectives in the targets' order."""
    named = [(INTRINSIC, target.feature, target) for target in data.targets.intrinsic]
    for protocol in data.targets.protocols:
        named += [(protocol.name, protocol.objective(entry), entry) for entry in protocol.features]
    members = data.ensemble.members
    return [
        ScoreRow(
            group,
            objective,
            target,
            tuple(_finite(member.features.get(objective)) for member in members),
            tuple(member.scores.get(objective, FAILURE_SCORE) for member in members),
        )
        for group, objective, target in named
    ]


def scores_figure(data: ReportData) -> Figure:
    """Scores of the best model and of the ensemble, one line per objective."""
    rows = score_rows(data)
    with drawing.style():
        groups = len({row.group for row in rows})
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, 0.175 * (len(rows) + 0.7 * groups) + 0.9)
        draw_scores(figure.subplots(), rows, data.ensemble.largest_score)
        return figure


def draw_scores(axes: Axes, rows: Sequence[ScoreRow], limit: float) -> None:
    """Horizontal dots: the best model dark, the others light, a bar from the lowest to the highest.

    Args:
        axes: Where.
        rows: The objectives from top to bottom.
        limit: Largest score of an accepted model (standard deviations).
    """
    place, places, group = 0.0, [], None
    for row in rows:
        if row.group != group:
            place += 0.9 if group is None else 1.3
            group = row.group
            axes.annotate(
                group, (0.0, place), xycoords=axes.get_yaxis_transform(), xytext=(-4, 0),
                textcoords="offset points", va="center", ha="right", fontsize=7.0, weight="bold",
            )  # fmt: skip
        place += 1.0
        places.append(place)
        if not row.scores:
            continue
        axes.plot([min(row.scores), max(row.scores)], [place, place], color=drawing.MEMBERS, linewidth=1.0, zorder=2)
        axes.plot(
            row.scores[1:],
            [place] * len(row.scores[1:]),
            "o",
            color=drawing.MEMBERS,
            markersize=3.2,
            zorder=3,
        )
        beyond = row.scores[0] > limit
        axes.plot(
            row.scores[:1], [place], "o", zorder=4, markersize=6.4 if beyond else 5.0, color=drawing.BEST,
            markeredgecolor=drawing.WARNING if beyond else "white", markeredgewidth=1.5 if beyond else 0.5,
        )  # fmt: skip
    axes.set_yticks(places, [row.target.feature for row in rows], fontsize=7.0)
    axes.set_ylim(place + 0.8, 0.2)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.hlines(places, 0, 1, transform=axes.get_yaxis_transform(), color="#ededed", linewidth=0.6, zorder=0)
    drawing.score_axis(axes, "x", max((score for row in rows for score in row.scores), default=0.0), limit)
    axes.axvline(limit, color=drawing.WARNING, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    axes.annotate(
        f"limit {drawing.number(limit)}", (limit, 1.0), xycoords=axes.get_xaxis_transform(), xytext=(0, 3),
        textcoords="offset points", ha="center", fontsize=7.0, color=drawing.WARNING,
    )  # fmt: skip
    axes.set_xlabel("Score (standard deviations)")


def rate_figure(data: ReportData) -> Figure | None:
    """f-I curves of models and recordings; None unless a protocol has rates at two long steps at least."""
    curves: dict[tuple[str, str], list[tuple[ProtocolTargets, FeatureTarget]]] = {}
    for protocol in sorted(data.targets.protocols, key=lambda entry: entry.stimulus.level):
        for target in protocol.features:
            if target.feature in RATE_FEATURES and protocol.duration_ms >= _SHORTEST_FOR_RATE_MS:
                stimulus = protocol.name.rpartition("_")[0] or protocol.name
                curves.setdefault((stimulus, target.feature), []).append((protocol, target))
    shown = sorted((curve for curve in curves.items() if len(curve[1]) >= 2), key=lambda curve: -len(curve[1]))
    shown = shown[:_MOST_RATE_CURVES]
    if not shown:
        return None
    with drawing.style():
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN if len(shown) > 1 else 5.0, 3.0)
        for axes, ((stimulus, feature), points) in zip(
            figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True
        ):
            _draw_rates(axes, data, feature, points)
            axes.set_title(f"{stimulus}: {feature}")
        return figure


def _draw_rates(
    axes: Axes, data: ReportData, feature: str, points: Sequence[tuple[ProtocolTargets, FeatureTarget]]
) -> None:
    """One f-I curve; counts are divided by the length of the step."""
    levels = [protocol.stimulus.level for protocol, _ in points]
    scale = [1.0 if feature == "mean_frequency" else 1000.0 / protocol.duration_ms for protocol, _ in points]
    for place, member in reversed(list(enumerate(data.ensemble.members))):
        values = [
            _finite(member.features.get(protocol.objective(target))) * factor
            for (protocol, target), factor in zip(points, scale, strict=True)
        ]
        colour, width = (drawing.BEST, 1.8) if place == 0 else (drawing.MEMBERS, 0.9)
        label = {0: "best model", 1: "other models"}.get(place)
        axes.plot(
            levels,
            values,
            "o-",
            color=colour,
            linewidth=width,
            markersize=3.5,
            label=label,
            zorder=3 - min(place, 1),
        )
        missing = [step for step, value in zip(levels, values, strict=True) if not math.isfinite(value)]
        if missing:
            axes.plot(missing, [0.0] * len(missing), "x", color=colour, markersize=6.0, clip_on=False, zorder=5)
    axes.errorbar(
        levels,
        [target.mean * factor for (_, target), factor in zip(points, scale, strict=True)],
        [target.std * factor for (_, target), factor in zip(points, scale, strict=True)],
        fmt="s", color=drawing.RECORDING, markersize=4.5, capsize=3.0, linewidth=1.2, zorder=6,
        label="recordings, mean ± std",
    )  # fmt: skip
    in_percent = points[0][0].stimulus.unit == "percent"
    axes.set_xlabel("Step (% of threshold current)" if in_percent else "Step (nA)")
    axes.set_ylabel("Firing rate (Hz)" if feature == "mean_frequency" else "Spikes per second of the step (Hz)")
    axes.set_ylim(bottom=0.0)
    axes.legend(loc="upper left")


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else math.nan
