"""Voltage traces: the recordings' and the ensemble's, one row per target protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.report import drawing
from rheobase.campaigns.report.scores import draw_scores, score_rows
from rheobase.campaigns.report.sweeps import decimate, gather_sweeps, step_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from numpy.typing import NDArray

    from rheobase.campaigns.report.data import ReportData
    from rheobase.campaigns.report.sweeps import ProtocolSweeps, Sweep
    from rheobase.features.targets import ProtocolTargets

# Thin lines with more points than this become a picture inside the SVG.
_HEAVY_POINTS = 9000
_BINS = 700
_SPIKE_WINDOW_MS = (3.0, 15.0)
_RASTER_STEP_MV = 7.0


def protocol_figure(sweeps: ProtocolSweeps) -> Figure:
    """Traces of one protocol, as wide as the page."""
    with drawing.style():
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, 3.1 if sweeps.train else 2.1)
        _draw_protocol(figure, sweeps)
        return figure


def main_figure(data: ReportData, most_protocols: int = 4) -> Figure:
    """The campaign at a glance: traces of some protocols left, the score of every feature right."""
    with drawing.style():
        shown = [gather_sweeps(data, protocol) for protocol in select_protocols(data, most_protocols)]
        heights = [1.9 if sweeps.train else 1.35 for sweeps in shown]
        rows = score_rows(data)
        figure = drawing.new_figure(11.0, min(max(sum(heights) + 0.3, 0.145 * len(rows) + 1.2, 3.0), 14.0))
        left, right = figure.subfigures(1, 2, width_ratios=[1.7, 1.0], wspace=0.02)
        if shown:
            for row, sweeps in zip(np.atleast_1d(left.subfigures(len(shown), 1, height_ratios=heights)), shown, strict=True):
                _draw_protocol(row, sweeps)
        else:
            left.text(0.5, 0.5, "no traces", ha="center", color=drawing.QUIET)
        draw_scores(right.subplots(), rows, data.ensemble.largest_score)
        return figure


def select_protocols(data: ReportData, most: int) -> list[ProtocolTargets]:
    """Protocols that differ: the lowest step, the highest short one, and long ones between, in the targets' order."""
    seen = [
        protocol
        for protocol in data.targets.protocols
        if data.recorded.get(protocol.name) or data.simulated.get(protocol.name)
    ]
    by_step = sorted(seen, key=lambda protocol: protocol.amplitude_percent)
    if len(by_step) <= most:
        return seen
    spaced = np.linspace(0, len(by_step) - 1, most).round().astype(int)
    chosen = {by_step[place].name for place in spaced}
    return [protocol for protocol in seen if protocol.name in chosen]


def _draw_protocol(figure: FigureBase, sweeps: ProtocolSweeps) -> None:
    """Traces over time left, the first spikes on top of each other right."""
    columns = {"width_ratios": [3.6, 1.0]} if sweeps.spiking else {"width_ratios": [1.0]}
    rows = [group for group in (sweeps.recordings, sweeps.models) if group]
    grid = figure.add_gridspec(max(len(rows), 1) if sweeps.train else 1, len(columns["width_ratios"]), **columns)
    first: Axes | None = None
    if sweeps.train:
        for place, group in enumerate(rows):
            axes = figure.add_subplot(grid[place, 0], sharex=first, sharey=first)
            _draw_train(axes, group, sweeps, recorded=group is sweeps.recordings)
            axes.tick_params(labelbottom=place == len(rows) - 1)
            first = first or axes
            last = axes
    else:
        first = last = figure.add_subplot(grid[0, 0])
        _draw_overlay(first, sweeps)
        first.set_ylabel("Membrane\npotential (mV)")
    last.set_xlabel("Time from the onset of the step (ms)")
    last.set_xlim(*sweeps.window_ms)
    _mark_step(first, sweeps.protocol)  # type: ignore[arg-type]
    if sweeps.spiking:
        _draw_first_spikes(figure.add_subplot(grid[:, 1]), sweeps)


def _draw_overlay(axes: Axes, sweeps: ProtocolSweeps) -> None:
    """Recordings below, the ensemble over them, the best model on top."""
    threshold_mV = sweeps.protocol.settings.spike_threshold_mV
    lines = [(*_styled(sweep, sweeps, threshold_mV), sweep) for sweep in (*sweeps.recordings, *sweeps.models)]
    heavy = sum(len(time) for time, *_ in lines) > _HEAVY_POINTS
    for time, voltage, colour, width, order, sweep in lines:
        foremost = sweep in (sweeps.recordings[:1] + sweeps.models[:1])
        axes.plot(time, voltage, color=colour, linewidth=width, zorder=order, rasterized=heavy and not foremost)


def _draw_train(axes: Axes, group: Sequence[Sweep], sweeps: ProtocolSweeps, recorded: bool) -> None:
    """One trace in full, the spikes of the others as a raster above it, a row for each."""
    foremost, others = (group[0], group[1:]) if recorded or sweeps.best_shown else (None, group)
    dark, light = (drawing.RECORDING, drawing.RECORDINGS) if recorded else (drawing.BEST, drawing.MEMBERS)
    if foremost is not None:
        threshold_mV = sweeps.protocol.settings.spike_threshold_mV
        time, voltage = decimate(foremost.time_ms, foremost.voltage_mV, _BINS, threshold_mV)
        axes.plot(time, voltage, color=dark, linewidth=0.8 if recorded else 1.0)
    bottom = max(float(sweep.voltage_mV.max()) for sweep in (*sweeps.recordings, *sweeps.models)) + 14.0
    rows: list[NDArray[np.float64]] = []
    for place, sweep in enumerate(others):
        low = bottom + place * _RASTER_STEP_MV
        peaks = sweep.time_ms[sweep.peaks]
        gaps = np.full(len(peaks), np.nan)
        heights = np.tile([low, low + 0.72 * _RASTER_STEP_MV, np.nan], (len(peaks), 1))
        rows.append(np.column_stack([np.column_stack([peaks, peaks, gaps]).ravel(), heights.ravel()]))
    if rows:
        ticks = np.concatenate(rows)
        axes.plot(ticks[:, 0], ticks[:, 1], color=light, linewidth=0.9, solid_capstyle="butt")
    axes.set_ylabel("Recordings (mV)" if recorded else "Models (mV)", color=dark)
    axes.set_yticks([-80, -40, 0, 40])
    most_rows = max(len(sweeps.recordings) - 1, len(sweeps.models) - sweeps.best_shown, 0)
    lowest = min(float(sweep.voltage_mV.min()) for sweep in (*sweeps.recordings, *sweeps.models))
    axes.set_ylim(lowest - 5.0, bottom + most_rows * _RASTER_STEP_MV)


def _draw_first_spikes(axes: Axes, sweeps: ProtocolSweeps) -> None:
    threshold_mV = sweeps.protocol.settings.spike_threshold_mV
    for sweep in (*sweeps.recordings, *sweeps.models):
        around = sweep.around_first_peak(*_SPIKE_WINDOW_MS)
        if around is not None:
            *_, colour, width, order = _styled(sweep, sweeps, threshold_mV)
            axes.plot(*decimate(*around, 120, threshold_mV), color=colour, linewidth=width, zorder=order)
    axes.set_title("First spike, aligned at its peak", fontsize=7.5, color=drawing.TEXT)
    axes.set_xlabel("Time from peak (ms)")
    axes.set_xlim(-_SPIKE_WINDOW_MS[0], _SPIKE_WINDOW_MS[1])
    axes.set_xticks([0, 5, 10, 15])


def _styled(
    sweep: Sweep, sweeps: ProtocolSweeps, threshold_mV: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], str, float, int]:
    """A sweep thinned out, with its colour, line width (points) and place from back to front."""
    if sweep in sweeps.recordings:
        foremost = sweep is sweeps.recordings[0]
        look = (drawing.RECORDING, 0.9, 3) if foremost else (drawing.RECORDINGS, 0.6, 1)
    else:
        best = sweeps.best_shown and sweep is sweeps.models[0]
        look = (drawing.BEST, 1.5, 4) if best else (drawing.MEMBERS, 0.7, 2)
    time, voltage = decimate(sweep.time_ms, sweep.voltage_mV, _BINS, threshold_mV)
    return (time, voltage, *look)


def _mark_step(axes: Axes, protocol: ProtocolTargets) -> None:
    """The stimulus as a bar above the traces."""
    place = axes.get_xaxis_transform()
    axes.plot(
        [0.0, protocol.duration_ms], [1.03, 1.03],
        transform=place, color=drawing.STIMULUS, linewidth=3.0, solid_capstyle="butt", clip_on=False,
    )  # fmt: skip
    axes.annotate(
        step_label(protocol), (0.0, 1.03), xycoords=place, xytext=(0, 4), textcoords="offset points", fontsize=7.5
    )
