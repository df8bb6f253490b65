"""Unitary postsynaptic potentials of the model beside those of paired recordings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.report.gains import magnitude_figure
from rheobase.campaigns.circuits.report.looks import GRID, colour_of, shortened, ticks_in_decades
from rheobase.campaigns.circuits.report.outcomes import unitary_met
from rheobase.campaigns.circuits.report.rates import TOLERANCE
from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rheobase.campaigns.circuits.report.data import CircuitReportData, UnitaryPotential


def unitary_figure(data: CircuitReportData) -> Figure | None:
    """Those that were measured in paired recordings, model beside measurement; None without any."""
    known = [entry for entry in data.unitary if entry.measured_mV]
    if not known:
        return None
    kinds = {entry.name: entry.kind for entry in data.populations}
    with drawing.style():
        figure = drawing.new_figure(0.75 * drawing.PAGE_WIDTH_IN, 0.235 * len(known) + 1.0)
        axes = figure.subplots()
        for row, entry in enumerate(known):
            _draw_row(axes, row, entry, colour_of(kinds.get(entry.source, "")))
        axes.set_yticks(
            range(len(known)), [f"{shortened(entry.source)} → {shortened(entry.target)}" for entry in known]
        )
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(known) - 0.4, -0.6)
        axes.set_xscale("log")
        axes.set_xlabel("Unitary potential, size (mV)")
        axes.grid(axis="x", color=GRID, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        ticks_in_decades(axes.xaxis, *axes.get_xlim())
        return figure


def unitary_matrix(data: CircuitReportData) -> Figure | None:
    """All of the model as a matrix; None where the other figure shows them already."""
    sizes = {
        (entry.target, entry.source): abs(entry.model_mV)
        for entry in data.unitary
        if entry.model_mV is not None and math.isfinite(entry.model_mV) and entry.model_mV != 0.0
    }
    if not sizes or all(entry.measured_mV for entry in data.unitary):
        return None
    return magnitude_figure(data, sizes, "Unitary potential, size (mV)")


def _draw_row(axes: Axes, row: int, entry: UnitaryPotential, colour: str) -> None:
    measured = abs(entry.measured_mV or math.nan)
    if entry.factor is not None:
        axes.fill_between(
            [measured / entry.factor, measured * entry.factor], row - 0.32, row + 0.32, color=TOLERANCE, linewidth=0
        )
    axes.plot([measured] * 2, [row - 0.32, row + 0.32], color=drawing.RECORDING, linewidth=1.5)
    met = unitary_met(entry)
    if entry.model_mV:
        edge, width = (drawing.WARNING, 1.6) if met is False else ("white", 0.6)
        axes.plot([abs(entry.model_mV)], [row], "D", color=colour, markersize=5.5, markeredgecolor=edge,
                  markeredgewidth=width, zorder=5)  # fmt: skip
    if met is False:
        axes.text(
            1.01, row, "missed", transform=axes.get_yaxis_transform(), va="center", fontsize=7.0, fontweight="bold",
            color=drawing.WARNING,
        )  # fmt: skip
