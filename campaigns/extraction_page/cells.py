"""Figures of one recorded cell: all its sweeps with what was found in them, and its f-I and I-V curves."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.report.drawing import QUIET, RECORDING, STIMULUS, TARGET, WARNING, new_figure, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.recording import Recording
    from rheobase.features.sweeps import SweepMeasurement

_COLUMNS = 4
_POINTS = 1500  # of a trace on the page; minimum and maximum of each stretch are kept


def sweeps_figure(recordings: Sequence[Recording], cell: CellMeasurement, spike_threshold_mV: float) -> Figure:
    """Every sweep: voltage black, current orange, the detected stimulus shaded, spikes marked.

    Args:
        recordings: The cell's recordings.
        cell: What was found in them.
        spike_threshold_mV: A spike is a crossing of this voltage (mV).
    """
    found = {(sweep.protocol, sweep.sweep): sweep for sweep in cell.sweeps}
    rows = -(-len(recordings) // _COLUMNS)
    with style():
        figure = new_figure(8.6, 0.4 + 1.15 * rows)
        axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for panel, recording in zip(axes, recordings, strict=False):
            _sweep(panel, recording, found.get((recording.protocol, recording.sweep)), spike_threshold_mV)
        for panel in axes[len(recordings) :]:
            panel.set_axis_off()
    return figure


def curves_figure(cell: CellMeasurement) -> Figure:
    """Spikes per second against amplitude, and the plateau's voltage against the whole current, by protocol."""
    with style():
        figure = new_figure(8.6, 2.4)
        rate, voltage = figure.subplots(1, 2)
        for place, (protocol, sweeps) in enumerate(_steps(cell).items()):
            marker = "osD^vP*X<>"[place % 10]
            firing = [sweep for sweep in sweeps if sweep.step.amplitude_nA > 0]
            silent = [sweep for sweep in sweeps if not sweep.spikes]
            rate.plot(
                [sweep.step.amplitude_nA for sweep in firing],
                [1000.0 * sweep.spikes / sweep.step.duration_ms for sweep in firing],
                marker,
                markersize=3.5,
                label=protocol,
            )
            voltage.plot(
                [sweep.stimulus.holding_nA + sweep.step.amplitude_nA for sweep in silent],
                [sweep.plateau_mV for sweep in silent],
                marker,
                markersize=3.5,
            )
        rheobase_nA = cell.properties.rheobase_nA if cell.properties else None
        if rheobase_nA is not None:
            rate.axvline(rheobase_nA, color=STIMULUS, linewidth=0.8)
        rate.set_xlabel("Step above holding (nA); the line is the rheobase")
        rate.set_ylabel("Spikes per second (Hz)")
        voltage.set_xlabel("Whole current (nA), steps without spikes")
        voltage.set_ylabel("Plateau (mV)")
        if rate.get_legend_handles_labels()[0]:
            rate.legend(loc="upper left")
    return figure


def _steps(cell: CellMeasurement) -> dict[str, list[SweepMeasurement]]:
    """Sweeps with steps of 100 ms or more, by protocol and amplitude."""
    steps: dict[str, list[SweepMeasurement]] = defaultdict(list)
    for sweep in sorted(cell.sweeps, key=lambda sweep: sweep.step.amplitude_nA):
        if sweep.stimulus.kind == "step":
            steps[sweep.protocol].append(sweep)
    return dict(steps)


def _sweep(panel: Axes, recording: Recording, found: SweepMeasurement | None, spike_threshold_mV: float) -> None:
    time_s, voltage_mV = _thinned(recording.voltage_mV, recording.time_step_ms)
    panel.plot(time_s, voltage_mV, color=RECORDING, linewidth=0.5)
    current = panel.twinx()
    current.plot(*_thinned(recording.current_nA, recording.time_step_ms), color=STIMULUS, linewidth=0.5, alpha=0.7)
    current.set_axis_off()
    low, high = np.percentile(recording.current_nA, [0.5, 99.5])
    span = max(high - low, 0.02)
    current.set_ylim(low - 0.1 * span, high + 3.0 * span)
    panel.set_title(f"{recording.protocol} {recording.sweep}", fontsize=7.0, color=QUIET if found else WARNING)
    panel.tick_params(labelsize=6.0)
    if found is None:
        panel.text(0.5, 0.95, "left out", transform=panel.transAxes, ha="center", va="top", color=WARNING, fontsize=7.0)
        return
    for piece in found.stimulus.pieces:
        panel.axvspan(piece.onset_ms / 1000.0, piece.offset_ms / 1000.0, color=TARGET, zorder=0)
    above = recording.voltage_mV > spike_threshold_mV
    spikes_s = (np.flatnonzero(above[1:] & ~above[:-1]) + 1) * recording.time_step_ms / 1000.0
    top = float(recording.voltage_mV.max())
    panel.plot(spikes_s, np.full(len(spikes_s), top + 6.0), "|", color=WARNING, markersize=4.0, markeredgewidth=0.6)
    kind = "" if found.stimulus.kind in ("step", "pulse") else f" {found.stimulus.kind}"
    panel.set_xlabel(
        f"{1000.0 * found.step.amplitude_nA:.0f} pA{kind}, {found.spikes} spikes", fontsize=6.5, labelpad=1.0
    )


def _thinned(values: np.ndarray, time_step_ms: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and values of a trace with as many points as can be seen; spikes keep their height."""
    width = max(1, 2 * len(values) // _POINTS)
    whole = len(values) // width * width
    if width == 1 or whole == 0:
        return np.arange(len(values)) * time_step_ms / 1000.0, values
    blocks = values[:whole].reshape(-1, width)
    ends = np.column_stack((blocks.min(axis=1), blocks.max(axis=1))).ravel()
    times = (np.arange(len(blocks))[:, None] * width + np.array([0.0, width / 2.0])).ravel()
    return times * time_step_ms / 1000.0, ends
