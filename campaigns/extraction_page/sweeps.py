"""All sweeps of a cell in one figure: a block for each protocol, in it a tile for each sweep."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.extraction_page.blank import blank_figure
from rheobase.campaigns.extraction_page.traces import Trace, thinned
from rheobase.campaigns.report.drawing import (
    QUIET,
    RECORDING,
    STIMULUS,
    TARGET,
    TEXT,
    WARNING,
    number,
    style,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.recording import Recording
    from rheobase.features.stimuli import Stimulus
    from rheobase.features.sweeps import SweepMeasurement

_COLUMNS = 5
_TILE_IN = 1.05
_HEADING_IN = 0.34
_NAME_LENGTH = 16

# Parts of a tile, from its lower left corner at (0, 0); the next tile begins at 1 in both directions.
_TILE_WIDTH = 0.94
_CURRENT = (0.05, 0.19)
_VOLTAGE = (0.24, 0.74)
_SPIKES = (0.75, 0.79)
_LABEL = 0.82

# So much of the range of the current is left above and below for the artefacts of spikes.
_ARTEFACTS = 0.25

# What no cell reaches is not drawn to scale.
_VOLTAGE_LIMITS_mV = (-150.0, 80.0)


@dataclass(frozen=True)
class Scale:
    """Turns times and values into places within a tile, the same for all tiles of a protocol."""

    duration_s: float
    voltage_mV: tuple[float, float]
    current_nA: tuple[float, float]

    def x(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places of times."""
        return time_s / self.duration_s * _TILE_WIDTH

    def voltage(self, values_mV: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places of voltages."""
        return _placed(values_mV, self.voltage_mV, _VOLTAGE)

    def current(self, values_nA: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places of currents."""
        low_nA, high_nA = self.current_nA
        beyond_nA = _ARTEFACTS * (high_nA - low_nA)
        return _placed(values_nA, (low_nA - beyond_nA, high_nA + beyond_nA), _CURRENT)


def sweeps_figure(recordings: Iterable[Recording], cell: CellMeasurement, spike_threshold_mV: float) -> Figure:
    """Every sweep: voltage black, current orange, the detected stimulus shaded, spikes marked.

    Args:
        recordings: The cell's recordings, protocol by protocol; only what is drawn of them is kept.
        cell: What was found in them.
        spike_threshold_mV: A spike is a crossing of this voltage (mV).
    """
    found = {(sweep.protocol, sweep.sweep): sweep for sweep in cell.sweeps}
    traces = [thinned(recording, spike_threshold_mV) for recording in recordings]
    blocks = [(protocol, list(own)) for protocol, own in groupby(traces, key=lambda trace: trace.protocol)]
    heights_in = [_HEADING_IN + _TILE_IN * (-(-len(own) // _COLUMNS)) for _, own in blocks]
    with style():
        figure = blank_figure(sum(heights_in))
        top_in = sum(heights_in)
        for (protocol, own), height_in in zip(blocks, heights_in, strict=True):
            bottom_in = top_in - height_in
            whole_in = sum(heights_in)
            axes = figure.add_axes((0.0, bottom_in / whole_in, 1.0, (height_in - _HEADING_IN) / whole_in))
            _block(axes, protocol, own, found)
            top_in = bottom_in
    return figure


def _block(
    axes: Axes,
    protocol: str,
    traces: Sequence[Trace],
    found: Mapping[tuple[str, str], SweepMeasurement],
) -> None:
    from matplotlib.collections import LineCollection, PolyCollection

    rows = -(-len(traces) // _COLUMNS)
    axes.set_xlim(0.0, _COLUMNS)
    axes.set_ylim(0.0, rows)
    axes.set_axis_off()
    scale = _scale(traces, found)
    corners = [np.array([place % _COLUMNS, rows - 1 - place // _COLUMNS], dtype=float) for place in range(len(traces))]
    voltages, currents, spikes, stimuli = [], [], [], []
    for trace, corner in zip(traces, corners, strict=True):
        voltages.append(corner + np.column_stack((scale.x(trace.voltage_times_s), scale.voltage(trace.voltage_mV))))
        currents.append(corner + np.column_stack((scale.x(trace.current_times_s), scale.current(trace.current_nA))))
        sweep = found.get((trace.protocol, trace.sweep))
        if sweep is not None:
            spikes += [corner + np.array([(x, _SPIKES[0]), (x, _SPIKES[1])]) for x in scale.x(trace.spikes_s)]
            stimuli += [corner + box for box in _shades(sweep, scale)]
        axes.text(
            corner[0] + 0.005, corner[1] + _LABEL, _label(trace, sweep), fontsize=6.5, color=TEXT if sweep else WARNING
        )
    axes.add_collection(PolyCollection(stimuli, facecolors=TARGET, edgecolors="none", zorder=0), autolim=False)
    axes.add_collection(LineCollection(currents, colors=STIMULUS, linewidths=0.6), autolim=False)
    axes.add_collection(LineCollection(voltages, colors=RECORDING, linewidths=0.5), autolim=False)
    axes.add_collection(LineCollection(spikes, colors=WARNING, linewidths=0.5), autolim=False)
    low_mV, high_mV = scale.voltage_mV
    low_nA, high_nA = scale.current_nA
    axes.text(0.005, rows + 0.06, protocol, fontsize=8.5, fontweight="bold", color=TEXT)
    axes.text(
        _COLUMNS - 1.0 + _TILE_WIDTH,
        rows + 0.06,
        f"each tile {number(1000.0 * scale.duration_s)} ms; {number(low_mV)} to {number(high_mV)} mV; "
        f"{number(1000.0 * low_nA)} to {number(1000.0 * high_nA)} pA",
        fontsize=6.5,
        ha="right",
        color=QUIET,
    )


def _scale(traces: Sequence[Trace], found: Mapping[tuple[str, str], SweepMeasurement]) -> Scale:
    """Range of all sweeps of a protocol; artefacts of spikes do not widen that of the current."""
    lowest_mV = min(float(trace.voltage_mV.min()) for trace in traces)
    highest_mV = max(float(trace.voltage_mV.max()) for trace in traces)
    currents_nA: list[float] = []
    for trace in traces:
        sweep = found.get((trace.protocol, trace.sweep))
        currents_nA += trace.current_range_nA if sweep is None else _levels_nA(sweep.stimulus)
    low_nA, high_nA = min(currents_nA), max(currents_nA)
    low_mV, high_mV = np.clip((np.floor(lowest_mV), np.ceil(highest_mV)), *_VOLTAGE_LIMITS_mV)
    return Scale(
        max(trace.duration_s for trace in traces),
        (float(low_mV), max(float(high_mV), float(low_mV) + 10.0)),
        (low_nA, max(high_nA, low_nA + 0.02)),
    )


def _levels_nA(stimulus: Stimulus) -> list[float]:
    """Whole currents that a stimulus goes to; noise goes three standard deviations around its mean."""
    away_nA = 3.0 * stimulus.deviation_nA
    edges_nA = [edge for piece in stimulus.pieces for edge in (piece.start_nA, piece.end_nA)]
    return [
        stimulus.holding_nA,
        *(stimulus.holding_nA + edge + sign * away_nA for edge in edges_nA for sign in (-1, 1)),
    ]


def _shades(sweep: SweepMeasurement, scale: Scale) -> list[NDArray[np.float64]]:
    """Corners of a box for each piece of a stimulus."""
    boxes = []
    for piece in sweep.stimulus.pieces:
        on, off = scale.x(np.array([piece.onset_ms, piece.offset_ms]) / 1000.0)
        off = max(off, on + 0.004)
        boxes.append(np.array([(on, 0.0), (off, 0.0), (off, _SPIKES[1]), (on, _SPIKES[1])]))
    return boxes


def _label(trace: Trace, sweep: SweepMeasurement | None) -> str:
    name = trace.sweep if len(trace.sweep) <= _NAME_LENGTH else f"{trace.sweep[: _NAME_LENGTH - 1]}…"
    if sweep is None:
        return f"{name}: left out"
    spikes = "1 spike" if sweep.spikes == 1 else f"{sweep.spikes} spikes"
    kind = "" if sweep.stimulus.kind in ("step", "pulse") else f"{sweep.stimulus.kind}, "
    return f"{name}: {kind}{number(1000.0 * sweep.step.amplitude_nA)} pA, {spikes}"


def _placed(values: NDArray[np.float64], limits: tuple[float, float], part: tuple[float, float]) -> NDArray[np.float64]:
    shares = (np.clip(values, *limits) - limits[0]) / (limits[1] - limits[0])
    return np.add(part[0], shares * (part[1] - part[0]), dtype=np.float64)
