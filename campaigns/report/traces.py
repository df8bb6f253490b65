"""Voltage traces: the recordings' and the ensemble's, one row per target protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.report import drawing
from rheobase.campaigns.report.scores import draw_scores, score_rows
from rheobase.campaigns.report.sweeps import SHORT_STEP_MS, decimate, gather_sweeps, step_label

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
_RASTER_MV = 75.0
_KEY_IN = 0.3


def protocol_figure(sweeps: ProtocolSweeps) -> Figure:
    """Traces of one protocol, as wide as the page."""
    with drawing.style():
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, 3.3 if sweeps.train else 2.1)
        _draw_protocol(figure, sweeps, step_label(sweeps.protocol))
        return figure


def main_figure(data: ReportData, most_protocols: int = 4) -> Figure:
    """The campaign at a glance: traces of some protocols left, the score of every feature right."""
    with drawing.style():
        shown = [gather_sweeps(data, protocol) for protocol in select_protocols(data, most_protocols)]
        heights = [2.2 if sweeps.train else 1.5 for sweeps in shown]
        rows = score_rows(data)
        figure = drawing.new_figure(11.0, min(max(sum(heights) + _KEY_IN, 0.145 * len(rows) + 1.2, 3.0), 14.0))
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.7, 1.0], wspace=0.02)[0]
        if shown:
            rows_left = left.subfigures(len(shown) + 1, 1, squeeze=False, height_ratios=[*heights, _KEY_IN])[:, 0]
            for row, sweeps in zip(rows_left[:-1], shown, strict=True):
                _draw_protocol(row, sweeps, f"{sweeps.protocol.name}: {step_label(sweeps.protocol)}")
            _draw_key(rows_left[-1], data.surrogates)
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
    if len(seen) <= most:
        return seen
    by_step = sorted(seen, key=lambda protocol: protocol.stimulus.level)
    long = [
        entry
        for entry in by_step
        if entry.duration_ms > SHORT_STEP_MS and entry.stimulus.level > (100.0 if entry.amplitude_percent else 0.0)
    ]
    short = [entry for entry in by_step if entry.duration_ms <= SHORT_STEP_MS]
    spaced = [by_step[place] for place in np.linspace(0, len(by_step) - 1, most).round().astype(int)]
    preferred = [by_step[0], *short[-1:], *long[:1], *long[-1:], *spaced]
    chosen = list(dict.fromkeys(entry.name for entry in preferred))[:most]
    return [protocol for protocol in seen if protocol.name in chosen]


def _draw_protocol(figure: FigureBase, sweeps: ProtocolSweeps, label: str) -> None:
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
    _mark_step(first, sweeps.protocol, label)  # type: ignore[arg-type]
    if sweeps.spiking:
        _draw_first_spikes(figure.add_subplot(grid[:, 1]), sweeps)


def _draw_overlay(axes: Axes, sweeps: ProtocolSweeps) -> None:
    """Recordings, the ensemble over them, and thin on top of the bold best model one recording again."""
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
    most_rows = max(len(sweeps.recordings) - 1, len(sweeps.models) - sweeps.best_shown, 0)
    stride = min(11.0, _RASTER_MV / max(most_rows, 1))
    rows: list[NDArray[np.float64]] = []
    for place, sweep in enumerate(others):
        low = bottom + place * stride
        peaks = sweep.time_ms[sweep.peaks]
        gaps = np.full(len(peaks), np.nan)
        heights = np.tile([low, low + 0.72 * stride, np.nan], (len(peaks), 1))
        rows.append(np.column_stack([np.column_stack([peaks, peaks, gaps]).ravel(), heights.ravel()]))
    if rows:
        ticks = np.concatenate(rows)
        axes.plot(ticks[:, 0], ticks[:, 1], color=light, linewidth=0.9, solid_capstyle="butt")
    axes.set_ylabel("Recordings\n(mV)" if recorded else "Models\n(mV)", color=dark)
    axes.set_yticks([-80, -40, 0, 40])
    lowest = min(float(sweep.voltage_mV.min()) for sweep in (*sweeps.recordings, *sweeps.models))
    axes.set_ylim(lowest - 5.0, bottom + most_rows * stride)


def _draw_first_spikes(axes: Axes, sweeps: ProtocolSweeps) -> None:
    threshold_mV = sweeps.protocol.settings.spike_threshold_mV
    for sweep in (*sweeps.recordings, *sweeps.models):
        around = sweep.around_first_peak(*_SPIKE_WINDOW_MS)
        if around is not None:
            *_, colour, width, order = _styled(sweep, sweeps, threshold_mV)
            axes.plot(*decimate(*around, 120, threshold_mV), color=colour, linewidth=width, zorder=order)
    axes.set_title("First spike", fontsize=7.5, color=drawing.TEXT)
    axes.set_xlabel("Time from peak (ms)")
    axes.set_xlim(-_SPIKE_WINDOW_MS[0], _SPIKE_WINDOW_MS[1])
    axes.set_xticks([0, 5, 10, 15])


def _styled(
    sweep: Sweep, sweeps: ProtocolSweeps, threshold_mV: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], str, float, int]:
    """A sweep thinned out, with its colour, line width (points) and place from back to front."""
    if sweep in sweeps.recordings:
        foremost = sweep is sweeps.recordings[0]
        look = (drawing.RECORDING, 0.7, 4) if foremost else (drawing.RECORDINGS, 0.6, 1)
    else:
        best = sweeps.best_shown and sweep is sweeps.models[0]
        look = (drawing.BEST, 1.9, 3) if best else (drawing.MEMBERS, 0.7, 2)
    time, voltage = decimate(sweep.time_ms, sweep.voltage_mV, _BINS, threshold_mV)
    return (time, voltage, *look)


def _draw_key(figure: FigureBase, surrogates: bool) -> None:
    """Which colour is what, in one line."""
    from matplotlib.lines import Line2D

    recording = "a surrogate recording" if surrogates else "a recording"
    looks = (
        (recording, drawing.RECORDING, 0.9), ("others", drawing.RECORDINGS, 0.9), ("best model", drawing.BEST, 1.9),
        ("other models", drawing.MEMBERS, 0.9), ("step current", drawing.STIMULUS, 3.0),
    )  # fmt: skip
    lines = [Line2D([], [], color=colour, linewidth=width, label=label) for label, colour, width in looks]
    figure.legend(handles=lines, loc="center", ncols=len(lines), handlelength=1.4, columnspacing=1.6)


def _mark_step(axes: Axes, protocol: ProtocolTargets, label: str) -> None:
    """The stimulus as a bar above the traces."""
    place = axes.get_xaxis_transform()
    axes.plot(
        [0.0, protocol.duration_ms], [1.03, 1.03],
        transform=place, color=drawing.STIMULUS, linewidth=3.0, solid_capstyle="butt", clip_on=False,
    )  # fmt: skip
    axes.annotate(label, (0.0, 1.03), xycoords=place, xytext=(0, 4), textcoords="offset points", fontsize=7.5)
