"""Where the ensemble lies between the bounds, and which parameters go together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rheobase.campaigns.report.data import ReportData
    from rheobase.fitting.search.space import Dimension

FEWEST_FOR_CORRELATION = 5


def parameters_figure(data: ReportData) -> Figure | None:
    """Every free parameter from its lower to its upper bound, members joined by lines; None without parameters."""
    if not data.dimensions:
        return None
    with drawing.style():
        count = len(data.dimensions)
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, 0.3 * count + 0.9)
        axes = figure.subplots()
        for row, dimension in enumerate(data.dimensions):
            _draw_bounds(axes, row, dimension, data.units.get(dimension.name, ""))
        for place, member in reversed(list(enumerate(data.ensemble.members))):
            positions = [position(dimension, member.parameters.get(dimension.name)) for dimension in data.dimensions]
            best = place == 0
            axes.plot(
                positions, range(count), "o-", color=drawing.BEST if best else drawing.MEMBERS, zorder=4 if best else 2,
                linewidth=1.4 if best else 0.6, markersize=5.0 if best else 3.5, clip_on=False,
                label="best model" if best else "other models" if place == 1 else None,
            )  # fmt: skip
        _draw_hidden(axes, data)
        axes.set_ylim(count - 0.4, -0.6)
        axes.set_xlim(0.0, 1.0)
        axes.set_yticks(range(count), [_labelled(dimension) for dimension in data.dimensions])
        axes.tick_params(axis="y", length=0, pad=38)
        axes.set_xticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        if data.ensemble.members or data.hidden:
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
        return figure


def position(dimension: Dimension, value: float | None) -> float:
    """Place of a value between the bounds, kept within -0.02 and 1.02; NaN where there is none."""
    if value is None or not math.isfinite(value):
        return math.nan
    if dimension.logarithmic and value <= 0:
        return -0.02
    return min(max(dimension.position(value), -0.02), 1.02)


def correlations(data: ReportData) -> NDArray[np.float64]:
    """Rank correlations of the parameters over the ensemble (Spearman), shape (parameters, parameters).

    NaN for parameters that do not vary.
    """
    import pandas as pd

    values = [[member.parameters.get(entry.name) for entry in data.dimensions] for member in data.ensemble.members]
    frame = pd.DataFrame(values, columns=range(len(data.dimensions)), dtype=float)
    return frame.corr(method="spearman").to_numpy(dtype=float, copy=True)


def chance_correlation(members: int) -> float:
    """Rank correlation that one pair in twenty exceeds by chance, by the normal approximation."""
    return 1.96 / math.sqrt(members - 1)


def correlation_figure(data: ReportData) -> Figure | None:
    """Correlations over the ensemble; None for a small ensemble or a single parameter."""
    count = len(data.dimensions)
    if len(data.ensemble.members) < FEWEST_FOR_CORRELATION or count < 2:
        return None
    matrix = correlations(data)
    matrix[np.triu_indices(count)] = np.nan
    with drawing.style():
        side = min(0.24 * count + 2.2, 7.0)
        figure = drawing.new_figure(min(side + 1.2, drawing.PAGE_WIDTH_IN), side)
        axes = figure.subplots()
        image = axes.imshow(
            matrix[1:, :-1], cmap="PuOr_r", vmin=-1.0, vmax=1.0, aspect="equal", interpolation="nearest"
        )
        names = [dimension.name for dimension in data.dimensions]
        axes.set_yticks(range(count - 1), names[1:], fontsize=7.0)
        axes.set_xticks(range(count - 1), names[:-1], rotation=90, fontsize=7.0)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        strong = chance_correlation(len(data.ensemble.members))
        rows, columns = np.nonzero(np.abs(matrix[1:, :-1]) > strong)
        axes.plot(columns, rows, ".", color="white", markersize=3.0)
        bar = figure.colorbar(image, ax=axes, shrink=0.6, ticks=[-1, -0.5, 0, 0.5, 1])
        bar.set_label("Rank correlation")
        bar.outline.set_visible(False)
        return figure


def _draw_bounds(axes: Axes, row: int, dimension: Dimension, unit: str) -> None:
    """The range as a light bar, with decades marked on a logarithmic one, its ends written beside."""
    axes.barh(row, 1.0, height=0.5, color="#ededeb", zorder=0)
    if dimension.logarithmic:
        powers = range(math.ceil(math.log10(dimension.low)), math.floor(math.log10(dimension.high)) + 1)
        inner = [dimension.position(10.0**power) for power in powers]
        axes.vlines(inner, row - 0.25, row + 0.25, color="white", linewidth=1.6, zorder=1)
    low, high = drawing.number(dimension.low), drawing.number(dimension.high)
    axes.text(-0.015, row, low, ha="right", va="center", fontsize=7.0, color=drawing.QUIET)
    axes.text(1.015, row, f"{high} {unit}".strip(), ha="left", va="center", fontsize=7.0, color=drawing.QUIET)


def _draw_hidden(axes: Axes, data: ReportData) -> None:
    """True values of the virtual cells."""
    marks = [
        (position(dimension, value), row)
        for row, dimension in enumerate(data.dimensions)
        for value in data.hidden.get(dimension.name, [])
    ]
    if marks:
        places, rows = zip(*marks, strict=True)
        axes.plot(
            places, rows, "|", color=drawing.RECORDING, markersize=11.0, markeredgewidth=1.3, zorder=5, clip_on=False,
            label="true value in a virtual cell",
        )  # fmt: skip


def _labelled(dimension: Dimension) -> str:
    return f"{dimension.name} (log)" if dimension.logarithmic else dimension.name
