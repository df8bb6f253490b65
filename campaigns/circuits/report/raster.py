"""Spikes of every cell, population by population."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.circuits.report.looks import OTHER_KIND, colour_of, name_rows, rows_of, shade_layers
from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rheobase.campaigns.circuits.report.data import CircuitReportData
    from rheobase.campaigns.circuits.report.looks import Row
    from rheobase.features.activity.spike_trains import SpikeTrains

LONGEST_MS = 4000.0
_SHORTEST_TICK = 1.9  # in cells: a spike reaches into its neighbour's place, so that it can be seen
_MOST_LINES = 20000  # more spikes than that are drawn as a picture: the page stays small


def raster_figure(data: CircuitReportData) -> Figure | None:
    """Spikes of one run and below them the rates of excitatory and all other cells over time; None without spikes."""
    if data.spikes is None or not data.populations:
        return None
    rows = rows_of(data.populations)
    spikes = shown_part(data.spikes)
    with drawing.style():
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, 6.6)
        above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [5, 1]})
        draw_raster(above, spikes, rows)
        name_rows(above, rows)
        shade_layers(above, rows, names=True)
        above.tick_params(axis="x", labelbottom=False)
        _draw_rates(below, spikes, data)
        figure.align_ylabels()
        return figure


def shown_part(spikes: SpikeTrains, longest_ms: float = LONGEST_MS) -> SpikeTrains:
    """The end of a run: it is farthest from the start."""
    return spikes.between(max(spikes.start_ms, spikes.stop_ms - longest_ms), spikes.stop_ms)


def draw_raster(axes: Axes, spikes: SpikeTrains, rows: Sequence[Row]) -> None:
    """A tick for every spike; a cell's place within its population is its number.

    Args:
        axes: Where; time in ms from the left edge of what is shown.
        spikes: What is drawn.
        rows: Where populations lie; those without spikes recorded stay empty.
    """
    as_picture = len(spikes.times_ms) > _MOST_LINES
    for row in rows:
        times_ms, places = _ticks_of(spikes, row.population.name)
        if times_ms.size:
            step = row.height / max(int(places.max()) + 1, row.population.size)
            low = row.top + places * step
            size = max(0.9 * step, _SHORTEST_TICK)
            gap = np.full_like(low, np.nan)
            axes.plot(
                np.column_stack([times_ms, times_ms, gap]).ravel(), np.column_stack([low, low + size, gap]).ravel(),
                color=colour_of(row.population.kind), linewidth=0.7, solid_capstyle="butt", rasterized=as_picture,
            )  # fmt: skip
    axes.set_xlim(0.0, spikes.stop_ms - spikes.start_ms)
    axes.spines["left"].set_visible(False)
    drawing.plain_ticks(axes.xaxis)


def _ticks_of(spikes: SpikeTrains, population: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times from the start (ms), and the number of the cell within its population, of each spike."""
    if population not in spikes.units.populations:
        return np.zeros(0), np.zeros(0)
    members = np.flatnonzero(spikes.units.population_of == spikes.units.index(population))
    chosen = np.isin(spikes.unit_of_spike, members)
    places = np.searchsorted(members, spikes.unit_of_spike[chosen])
    return spikes.times_ms[chosen] - spikes.start_ms, places.astype(float)


def _draw_rates(axes: Axes, spikes: SpikeTrains, data: CircuitReportData) -> None:
    """Rate of the excitatory cells over time, and of all others together, in bins of 20 ms."""
    duration_ms = spikes.stop_ms - spikes.start_ms
    edges = np.linspace(0.0, duration_ms, max(int(duration_ms / 20.0), 1) + 1)
    width_s = (edges[1] - edges[0]) / 1000.0
    excitatory = [entry for entry in data.populations if entry.kind == "E"]
    others = [entry for entry in data.populations if entry.kind != "E"]
    for members, label, colour in ((excitatory, "E", colour_of("E")), (others, "others", OTHER_KIND)):
        if members:
            times_ms = np.concatenate([_ticks_of(spikes, entry.name)[0] for entry in members])
            rate_Hz = np.histogram(times_ms, edges)[0] / (width_s * max(sum(entry.size for entry in members), 1))
            axes.stairs(rate_Hz, edges, color=colour, linewidth=1.0, label=label)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("Rate (Hz)")
    axes.set_xlabel("Time (ms)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), handlelength=1.2)
