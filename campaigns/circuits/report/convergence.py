"""How each stage came nearer to its targets."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rheobase.campaigns.circuits.report.data import CircuitReportData, ReportedStage

_COLUMNS = 4
_ORIGINS = ("#4a90c4", "#c98a00", "#b8578f", "#14866a", "#7b5ea7", "#8a8a8a")
_LARGEST, _SMALLEST = 100.0, 0.1
_STATES = {"met": "#2f7a3a", "not met": drawing.WARNING}
_LONGEST_NAME = 24


def convergence_figure(data: CircuitReportData) -> Figure | None:
    """A panel for each stage with trials: the worst deviation of each, by what proposed it; None without any."""
    stages = [stage for stage in data.stages if stage.trials]
    if not stages:
        return None
    origins = list(dict.fromkeys(trial.origin for stage in stages for trial in stage.trials))
    colours = {origin: _ORIGINS[min(place, len(_ORIGINS) - 1)] for place, origin in enumerate(origins)}
    columns = min(_COLUMNS, len(stages))
    count = math.ceil(len(stages) / columns)
    with drawing.style():
        figure = drawing.new_figure(max(drawing.PAGE_WIDTH_IN * columns / _COLUMNS, 4.3), 1.75 * count + 0.55)
        grid = figure.subplots(count, columns, sharey=True, squeeze=False)
        for axes, stage in zip(grid.flat, stages, strict=False):
            _draw_stage(axes, stage, colours)
        for axes in grid.flat[len(stages) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("Deviation (tolerances)")
        _legend(figure, grid[0, 0])
        return figure


def _draw_stage(axes: Axes, stage: ReportedStage, colours: dict[str, str]) -> None:
    from matplotlib.ticker import MaxNLocator

    number = np.array([trial.number for trial in stage.trials], dtype=float)
    worst = np.array([trial.worst for trial in stage.trials])
    stopped = np.array([trial.stopped for trial in stage.trials], dtype=bool)
    mean = np.sqrt(np.array([trial.squares for trial in stage.trials]) / max(stage.targets, 1))
    shown = np.clip(np.where(stopped, _LARGEST, worst), _SMALLEST, _LARGEST)
    axes.axhspan(_SMALLEST, 1.0, color="#ecf3ea", linewidth=0, zorder=0)
    for origin, colour in colours.items():
        chosen = np.array([trial.origin == origin for trial in stage.trials], dtype=bool)
        axes.plot(number[chosen & ~stopped], shown[chosen & ~stopped], "o", color=colour, markersize=3.4,
                  markeredgewidth=0, alpha=0.85, zorder=3, label=origin.replace("_", " "))  # fmt: skip
    axes.plot(
        number[stopped], shown[stopped], "x", color=drawing.WARNING, markersize=4.0, zorder=3, label="stopped early"
    )
    for values, colour, label in (
        (worst, drawing.BEST, "worst target, best so far"),
        (mean, drawing.QUIET, "root mean square, best so far"),
    ):
        best = np.fmin.accumulate(np.where(np.isfinite(values), values, np.nan))
        axes.step(
            number, np.clip(best, _SMALLEST, _LARGEST), where="post", color=colour, linewidth=1.2, zorder=4, label=label
        )
    axes.set_yscale("log")
    axes.set_ylim(_SMALLEST, _LARGEST * 1.4)
    axes.set_xlim(0.0, float(number.max()) + 1.0)
    axes.set_title(textwrap.shorten(stage.name.replace("_", " "), _LONGEST_NAME, placeholder="…"))
    axes.set_title(stage.state, loc="right", fontweight="bold", color=_STATES.get(stage.state, drawing.QUIET))
    axes.set_xlabel("Trial")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    drawing.plain_ticks(axes.yaxis)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, markerscale=1.3)
