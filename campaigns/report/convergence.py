"""How the search went: scores against evaluations and time, failures, and what an evaluation costs."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rheobase.campaigns.report.data import ReportData

MEDIAN_OVER = 100
_MOST_REASONS = 10
_LONGEST_REASON = 48
_LETTER = 0.022  # width of a letter in parts of the axes

Stage = tuple[int, int, str]


@dataclass(frozen=True, eq=False)
class Progress:
    """The record as curves, all of shape (evaluations,).

    Attributes:
        total: Total score of every evaluation; NaN for one that was stopped early.
        worst: Its worst score (standard deviations); NaN likewise.
        best_total: Lowest total so far in its stage.
        best_worst: Lowest worst score so far in its stage.
        median_total: Median total of the last MEDIAN_OVER evaluations of its stage.
        elapsed_s: Time since the search began, pauses between runs left out (s).
        stages: The stages one after another: first evaluation, the one after the last, name.
    """

    total: NDArray[np.float64]
    worst: NDArray[np.float64]
    best_total: NDArray[np.float64]
    best_worst: NDArray[np.float64]
    median_total: NDArray[np.float64]
    elapsed_s: NDArray[np.float64]
    stages: tuple[Stage, ...]


def progress(data: ReportData) -> Progress:
    """Curves of the record; empty ones for an empty record or targets without objectives."""
    total, worst = _scores(data)
    stages = stages_of(data) if len(total) else ()
    parts = [slice(begin, end) for begin, end, _ in stages]
    return Progress(
        total=total,
        worst=worst,
        best_total=_joined([np.fmin.accumulate(total[part]) for part in parts]),
        best_worst=_joined([np.fmin.accumulate(worst[part]) for part in parts]),
        median_total=_joined([_running_median(total[part]) for part in parts]),
        elapsed_s=_elapsed(data, len(total)),
        stages=stages,
    )


def stages_of(data: ReportData) -> tuple[Stage, ...]:
    """The stages of the record one after another; a single one without a name where none is recorded."""
    rows = len(data.record)
    if "search" not in data.record.columns or rows == 0:
        return ((0, rows, ""),)
    searches = data.record["search"].to_numpy()
    borders = [0, *(np.flatnonzero(searches[1:] != searches[:-1]) + 1).tolist(), rows]
    return tuple((begin, end, str(searches[begin])) for begin, end in itertools.pairwise(borders))


def excluded(data: ReportData) -> NDArray[np.bool_]:
    """Which evaluations were stopped early: their scores are lower bounds."""
    if "excluded" not in data.record.columns:
        return np.zeros(len(data.record), dtype=bool)
    return data.record["excluded"].to_numpy(dtype=bool)


def _scores(data: ReportData) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Total and worst score of every evaluation over the features that its stage looked at; NaN where not known."""
    targets = {f"score.{name}": target for name, target in data.targets.objectives.items() if target.weight > 0.0}
    columns = [column for column in targets if column in data.record.columns]
    if not columns or data.record.empty:
        return np.zeros(0), np.zeros(0)
    scores = data.record[columns].to_numpy(dtype=float)
    weights = np.array([targets[column].weight for column in columns])
    unknown = excluded(data) | ~np.isfinite(scores).any(axis=1)
    total = np.where(unknown, np.nan, np.nansum(scores * weights, axis=1))
    worst = np.where(unknown, np.nan, np.where(np.isfinite(scores), scores, -np.inf).max(axis=1))
    return total, worst


def _running_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import pandas as pd

    return pd.Series(values).rolling(MEDIAN_OVER, min_periods=1).median().to_numpy(dtype=float)


def _joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.zeros(0)


def failure_reasons(data: ReportData) -> list[tuple[str, int]]:
    """Kinds of failure, the most frequent first: the text before the first colon, rare ones put together."""
    if "failure" not in data.record.columns:
        return []
    texts = [str(text) for text in data.record["failure"].dropna()]
    counts = Counter(_shortened(text.partition(":")[0].strip() or "no reason given") for text in texts)
    ranked = counts.most_common()
    rest = sum(count for _, count in ranked[_MOST_REASONS:])
    return ranked[:_MOST_REASONS] + ([("others", rest)] if rest else [])


def convergence_figure(data: ReportData) -> Figure | None:
    """Total and worst scores against evaluations and time; None without evaluations."""
    curves = progress(data)
    if len(curves.total) == 0:
        return None
    size, unit = _time_unit(float(curves.elapsed_s[-1]))
    with drawing.style():
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, 4.4)
        grid = figure.subplots(2, 2, sharey="row", sharex="col")
        sides = (np.arange(1, len(curves.total) + 1, dtype=float), curves.elapsed_s / size)
        for column, along in enumerate(sides):
            _draw_scores(grid[0, column], along, curves.stages, curves.total, curves.best_total, curves.median_total)
            _draw_scores(grid[1, column], along, curves.stages, curves.worst, curves.best_worst, None)
            _draw_stages(grid[0, column], along, curves.stages)
            grid[1, column].axhline(
                data.ensemble.largest_score, color=drawing.WARNING, linewidth=0.9, linestyle=(0, (4, 2)),
                label=f"limit {drawing.number(data.ensemble.largest_score)}",
            )  # fmt: skip
            drawing.plain_ticks(grid[1, column].xaxis)
        limit = data.ensemble.largest_score
        few = 10.0 ** round(math.log10(max(len(data.targets.objectives), 1)))  # about a score of one in every feature
        drawing.score_axis(grid[0, 0], "y", _largest(curves.total), few)
        drawing.score_axis(grid[1, 0], "y", _largest(curves.worst), limit)
        grid[0, 0].set_ylabel("Total score (std)")
        grid[1, 0].set_ylabel("Worst score (std)")
        grid[1, 0].set_xlabel("Evaluations")
        grid[1, 1].set_xlabel(f"Time since the search began ({unit})")
        for row in range(2):
            grid[row, 0].legend(loc="lower left")
        return figure


def cost_figure(data: ReportData) -> Figure | None:
    """Failures by reason left, CPU time per evaluation right; None without evaluations."""
    if data.record.empty:
        return None
    reasons = failure_reasons(data)
    with drawing.style():
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, max(2.3, 0.22 * len(reasons) + 0.9))
        left, right = figure.subplots(1, 2)
        _draw_failures(left, reasons, len(data.record))
        _draw_costs(right, data)
        return figure


def _draw_scores(
    axes: Axes,
    along: NDArray[np.float64],
    stages: tuple[Stage, ...],
    each: NDArray[np.float64],
    best: NDArray[np.float64],
    median: NDArray[np.float64] | None,
) -> None:
    axes.plot(
        along,
        each,
        ".",
        color=drawing.MEMBERS,
        markersize=2.0,
        alpha=0.7,
        rasterized=len(each) > 200,
        zorder=1,
    )
    for number, (begin, end, _) in enumerate(stages):
        if begin:
            axes.axvline(along[begin], color=drawing.QUIET, linewidth=0.6, zorder=0)
        if median is not None:
            places = begin + _thinned(end - begin)
            axes.plot(
                along[places], median[places], color=drawing.QUIET, linewidth=1.1, zorder=2,
                label=None if number else f"median of the last {MEDIAN_OVER}",
            )  # fmt: skip
        so_far = best[begin:end]
        steps = begin + np.unique(np.concatenate([[0], np.flatnonzero(np.diff(so_far)) + 1, [len(so_far) - 1]]))
        axes.plot(
            along[steps], best[steps], color=drawing.BEST, linewidth=1.8, drawstyle="steps-post",
            marker="o" if len(so_far) == 1 else None, zorder=3, label=None if number else "best so far",
        )  # fmt: skip


def _draw_stages(axes: Axes, along: NDArray[np.float64], stages: tuple[Stage, ...]) -> None:
    """Names of the stages above, where there are several; those of short ones do not fit."""
    width = float(along[-1] - along[0])
    for begin, end, name in stages:
        if len(stages) > 1 and along[end - 1] - along[begin] > _LETTER * len(name) * width:
            axes.annotate(
                name, (along[begin], 1.0), xycoords=axes.get_xaxis_transform(), xytext=(2, 1),
                textcoords="offset points", fontsize=6.5, color=drawing.QUIET,
            )  # fmt: skip


def _largest(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else 0.0


def _draw_failures(axes: Axes, reasons: list[tuple[str, int]], evaluations: int) -> None:
    failed = sum(count for _, count in reasons)
    axes.set_title(f"{failed} of {evaluations} evaluations failed")
    if not reasons:
        axes.set_axis_off()
        axes.text(0.0, 0.9, "No evaluation failed.", transform=axes.transAxes, va="top")
        return
    names, counts = zip(*reasons, strict=True)
    bars = axes.barh(range(len(names)), counts, color=drawing.WARNING, alpha=0.75, height=0.65)
    axes.bar_label(bars, [str(count) for count in counts], padding=3, fontsize=7.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 4) - 0.4, -0.6)
    axes.margins(x=0.15)
    axes.set_xlabel("Evaluations")
    drawing.plain_ticks(axes.xaxis)


def _draw_costs(axes: Axes, data: ReportData) -> None:
    axes.set_title("Cost of an evaluation")
    axes.set_xlabel("CPU time (s)")
    axes.set_ylabel("Evaluations")
    if not {"cpu_seconds", "failure"} <= set(data.record.columns):
        return
    costs = data.record.loc[np.isfinite(data.record["cpu_seconds"].astype(float))]
    if costs.empty:
        return
    seconds = costs["cpu_seconds"].to_numpy(dtype=float)
    failed = costs["failure"].notna().to_numpy(dtype=bool)
    stopped = excluded(data)[np.isfinite(data.record["cpu_seconds"].astype(float))]
    kinds = {
        "complete": (~failed & ~stopped, drawing.BEST),
        "stopped early": (stopped, drawing.MEMBERS),
        "failed": (failed, drawing.WARNING),
    }
    shown = {name: kind for name, kind in kinds.items() if kind[0].any()}
    bins = np.linspace(0.0, max(float(seconds.max()), 1e-3), 31)
    axes.hist(
        [seconds[which] for which, _ in shown.values()], bins=bins.tolist(), stacked=True, rwidth=0.9, alpha=0.75,
        color=[colour for _, colour in shown.values()], label=list(shown),
    )  # fmt: skip
    axes.legend()
    drawing.plain_ticks(axes.xaxis)
    drawing.plain_ticks(axes.yaxis)


def _elapsed(data: ReportData, rows: int) -> NDArray[np.float64]:
    """Seconds since the search began; where that is longer than the search ran, the longest gaps are pauses."""
    if rows == 0:
        return np.zeros(0)
    if "ended" not in data.record.columns:
        return np.linspace(data.wall_seconds / rows, data.wall_seconds, rows)
    ended = np.maximum.accumulate(np.nan_to_num(data.record["ended"].to_numpy(dtype=float)))
    gaps = np.diff(ended)
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    excess = float(gaps.sum()) - data.wall_seconds
    for place in np.argsort(gaps)[::-1]:
        cut = min(excess, float(gaps[place]) - usual)
        if cut <= 0:
            break
        gaps[place] -= cut
        excess -= cut
    elapsed: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(gaps)])
    return elapsed + max(data.wall_seconds - float(elapsed[-1]), 0.0)


def _thinned(count: int, most: int = 600) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def _time_unit(longest_s: float) -> tuple[float, str]:
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if longest_s >= 2 * size:
            return size, unit
    return 1.0, "s"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"
