"""Evoked responses of the circuit against the components that recordings have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rheobase.campaigns.circuits.report.data import CircuitReportData, ComponentMark, EvokedWave

_WINDOW = "#eef2f6"
_TOLERANCE = "#c9c9c4"


def evoked_figure(data: CircuitReportData) -> Figure | None:
    """A row for each response: the model's average, single seeds, and where components are wanted; None without any."""
    if not data.evoked:
        return None
    with drawing.style():
        figure = drawing.new_figure(0.78 * drawing.PAGE_WIDTH_IN, 2.1 * len(data.evoked) + 0.5)
        rows = figure.subplots(len(data.evoked), 1, squeeze=False)[:, 0]
        for axes, wave in zip(rows, data.evoked, strict=True):
            _draw(axes, wave)
        rows[-1].set_xlabel("Time after the stimulus (ms)")
        return figure


def _draw(axes: Axes, wave: EvokedWave) -> None:
    for values in wave.seeds:
        axes.plot(wave.times_ms, values, color=drawing.MEMBERS, linewidth=0.7, zorder=3)
    axes.plot(wave.times_ms, wave.values, color=drawing.BEST, linewidth=1.6, zorder=5)
    axes.axhline(0.0, color=drawing.QUIET, linewidth=0.5, zorder=1)
    axes.axvline(0.0, color=drawing.QUIET, linewidth=0.5, linestyle=(0, (2, 2)), zorder=1)
    axes.set_xlim(float(wave.times_ms[0]), float(wave.times_ms[-1]))
    for mark in wave.marks:
        _mark(axes, mark)
    axes.set_ylabel(f"{wave.name} ({wave.unit.replace('uV', 'µV')})")


def _mark(axes: Axes, mark: ComponentMark) -> None:
    """The window that a component is looked for in, and the box of latency and amplitude that is near enough."""
    axes.axvspan(*mark.window_ms, color=_WINDOW, linewidth=0, zorder=0)
    low_ms, high_ms = mark.latency_ms or mark.window_ms
    if mark.amplitude is not None:
        low, high = mark.amplitude
        axes.fill_between([low_ms, high_ms], low, high, color=_TOLERANCE, linewidth=0, zorder=2)
        axes.plot([low_ms, high_ms], [0.5 * (low + high)] * 2, color=drawing.RECORDING, linewidth=1.2, zorder=4)
    else:
        axes.axvspan(low_ms, high_ms, color=_TOLERANCE, linewidth=0, zorder=1)
    axes.text(
        0.5 * sum(mark.window_ms), 0.97, mark.name, transform=axes.get_xaxis_transform(), ha="center", va="top",
        fontsize=7.5, color=drawing.QUIET,
    )  # fmt: skip
