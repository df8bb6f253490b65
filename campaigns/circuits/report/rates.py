"""Rates of the populations against what was measured in vivo."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.circuits.report.looks import GRID, colour_of, name_rows, rows_of, shade_layers, ticks_in_decades
from rheobase.campaigns.circuits.report.outcomes import rate_outcomes
from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rheobase.campaigns.circuits.report.data import CircuitReportData, RateTarget
    from rheobase.campaigns.circuits.report.looks import Row
    from rheobase.objectives.noise import Repeated

IN_VIVO = "#8a8a8a"
TOLERANCE = "#cfcfca"
_SMALLEST_HZ = 0.03  # an axis never begins below


def rates_figure(data: CircuitReportData) -> Figure | None:
    """Rates of all populations in rows of one height, with the rates of single cells; None without targets."""
    populations = [entry for entry in data.populations if entry.name in data.rates]
    if not populations:
        return None
    rows = rows_of(populations, equal=True)
    with drawing.style():
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, 0.3 * len(rows) + 1.0)
        axes = figure.subplots()
        draw_rates(axes, data, rows, half=0.36)
        _draw_cells(axes, data, rows)
        name_rows(axes, rows)
        shade_layers(axes, rows, names=True)
        return figure


def draw_rates(axes: Axes, data: CircuitReportData, rows: Sequence[Row], half: float) -> None:
    """Target and tolerance, spread in vivo, every seed and their mean, on an axis of powers of ten.

    Args:
        axes: Where; populations in rows.
        data: Targets and runs.
        rows: Where populations lie; those without a target stay empty.
        half: Half the height of the tolerance's block, as rows are measured.
    """
    found = rate_outcomes(data)
    low_Hz, high_Hz = _limits(data)
    axes.set_xscale("log")
    axes.set_xlim(low_Hz, high_Hz)
    for row in rows:
        if row.population.name in data.rates:
            _draw_target(axes, data.rates[row.population.name], row.middle, half)
            _draw_seeds(axes, found[row.population.name], row, half)
    axes.set_xlabel("Rate (Hz)")
    axes.grid(axis="x", color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    ticks_in_decades(axes.xaxis, low_Hz, high_Hz, (1.0, 3.0))


def _draw_target(axes: Axes, target: RateTarget, y: float, half: float) -> None:
    low, high = (_shown(axes, target.mean_Hz + sign * target.tolerance_Hz) for sign in (-1.0, 1.0))
    axes.fill_between([low, high], y - half, y + half, color=TOLERANCE, linewidth=0, zorder=2)
    axes.plot([target.mean_Hz] * 2, [y - half, y + half], color=drawing.RECORDING, linewidth=1.4, zorder=5)
    if target.quantiles_Hz:
        _draw_quantiles(axes, target, y)
    elif target.std_Hz is not None:
        ends = [_shown(axes, target.mean_Hz - target.std_Hz), target.mean_Hz + target.std_Hz]
        axes.plot(ends, [y, y], color=IN_VIVO, linewidth=0.9, zorder=3)


def _draw_quantiles(axes: Axes, target: RateTarget, y: float) -> None:
    """A thin line between the outermost quantiles within 5 and 95 %, a thick one between the quartiles."""
    probabilities = sorted(target.quantiles_Hz)
    quantiles_Hz = [target.quantiles_Hz[one] for one in probabilities]
    for ends, width in (((0.05, 0.95), 0.9), ((0.25, 0.75), 2.6)):
        low, high = np.interp(ends, probabilities, quantiles_Hz)
        axes.plot(
            [_shown(axes, low), _shown(axes, high)],
            [y, y],
            color=IN_VIVO,
            linewidth=width,
            zorder=3,
            solid_capstyle="butt",
        )


def _draw_seeds(axes: Axes, one: Repeated, row: Row, half: float) -> None:
    colour = colour_of(row.population.kind)
    seeds = [_shown(axes, value) for value in one.per_seed if value is not None]
    if seeds:
        axes.plot(
            seeds, [row.middle - 0.55 * half] * len(seeds), "o", color=colour, alpha=0.6, markersize=2.8,
            markeredgewidth=0, zorder=8, clip_on=False,
        )  # fmt: skip
    if one.judged.value is not None:
        edge, width = ("white", 0.6) if one.judged.met else (drawing.WARNING, 1.6)
        axes.plot(
            [_shown(axes, one.judged.value)], [row.middle + 0.15 * half], "D", color=colour, markersize=4.6,
            markeredgecolor=edge, markeredgewidth=width, zorder=7, clip_on=False,
        )  # fmt: skip
    if not one.judged.met:
        axes.text(
            1.01, row.middle, "missed", transform=axes.get_yaxis_transform(), va="center", ha="left", fontsize=7.0,
            color=drawing.WARNING, fontweight="bold",
        )  # fmt: skip


def _draw_cells(axes: Axes, data: CircuitReportData, rows: Sequence[Row]) -> None:
    """Rates of single cells of one run, below the marks of their population."""
    if data.spikes is None:
        return
    rates_Hz = data.spikes.counts / data.spikes.duration_s
    for row in rows:
        if row.population.name in data.spikes.units.populations:
            members = data.spikes.units.population_of == data.spikes.units.index(row.population.name)
            values = np.clip(rates_Hz[members], *axes.get_xlim())
            axes.plot(
                values, [row.middle + 0.42] * len(values), "|", color=colour_of(row.population.kind), alpha=0.55,
                markersize=4.0, markeredgewidth=0.8, zorder=4, clip_on=False,
            )  # fmt: skip


def _shown(axes: Axes, rate_Hz: float) -> float:
    """What is too small for the axis stands at its left edge."""
    return max(rate_Hz, axes.get_xlim()[0])


def _limits(data: CircuitReportData) -> tuple[float, float]:
    """From below the smallest mean of a target or a run to above the largest, and their spread in vivo."""
    values = [target.mean_Hz for target in data.rates.values()]
    values += [target.mean_Hz + (target.std_Hz or target.tolerance_Hz) for target in data.rates.values()]
    values += [rate for run in data.runs for name, rate in run.rates_Hz.items() if name in data.rates]
    positive = [value for value in values if math.isfinite(value) and value > 0.0] or [1.0]
    return max(min(positive) / 5.0, _SMALLEST_HZ), max(positive) * 1.3
