"""Traces made ready for drawing: spikes found, windows cut, samples thinned out without losing a peak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.report.drawing import number, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.campaigns.report.data import ReportData
    from rheobase.features.targets import ProtocolTargets

    Trace = tuple[NDArray[np.float64], NDArray[np.float64]]

SHORT_STEP_MS = 100.0
MOST_SWEEPS = 12


@dataclass(frozen=True, eq=False)
class Sweep:
    """A trace in a protocol's window.

    Attributes:
        label: The cell, or the member.
        time_ms: Time from the onset of the step (ms), shape (samples,).
        voltage_mV: Membrane potential (mV), shape (samples,).
        peaks: Indices of the spikes' peaks.
        in_step: Number of spikes during the step.
        deflection_mV: Voltage in the last tenth of the step minus that before it (mV); NaN where it is not seen.
    """

    label: str
    time_ms: NDArray[np.float64]
    voltage_mV: NDArray[np.float64]
    peaks: NDArray[np.intp]
    in_step: int
    deflection_mV: float

    def around_first_peak(self, before_ms: float, after_ms: float) -> Trace | None:
        """Time from the first spike's peak (ms) and voltage (mV); None without a spike."""
        if len(self.peaks) == 0:
            return None
        time = self.time_ms - self.time_ms[self.peaks[0]]
        inside = (time >= -before_ms) & (time <= after_ms)
        return time[inside], self.voltage_mV[inside]


@dataclass(frozen=True, eq=False)
class ProtocolSweeps:
    """What is drawn of one protocol.

    Attributes:
        protocol: The step.
        window_ms: Time shown, from the onset of the step (ms).
        recordings: Recorded sweeps, the representative one first.
        left_out: Recorded sweeps not shown, because they would be too many.
        cells: Number of cells recorded.
        models: The ensemble's sweeps, the best one first if it was simulated.
        best_shown: Whether the first of `models` is the best member.
    """

    protocol: ProtocolTargets
    window_ms: tuple[float, float]
    recordings: tuple[Sweep, ...]
    left_out: int
    cells: int
    models: tuple[Sweep, ...]
    best_shown: bool

    @property
    def spiking(self) -> bool:
        """Whether there is any spike to be seen."""
        return any(len(sweep.peaks) for sweep in (*self.recordings, *self.models))

    @property
    def train(self) -> bool:
        """Whether spikes over a long step are shown: overlaid, such traces could not be read."""
        return self.spiking and self.protocol.duration_ms > SHORT_STEP_MS


def gather_sweeps(data: ReportData, protocol: ProtocolTargets) -> ProtocolSweeps:
    """Traces of one protocol, recorded and simulated, in the window that is shown."""
    threshold_mV = protocol.settings.spike_threshold_mV
    length_ms = protocol.duration_ms
    around_ms = (
        (5.0, 20.0) if length_ms <= SHORT_STEP_MS else (min(0.08 * length_ms, 100.0), min(0.12 * length_ms, 100.0))
    )
    window = (-around_ms[0], length_ms + around_ms[1])

    def sweep(label: str, time_ms: NDArray[np.float64], voltage_mV: NDArray[np.float64]) -> Sweep | None:
        time, voltage = np.asarray(time_ms, float), np.asarray(voltage_mV, float)
        keep = np.isfinite(time) & np.isfinite(voltage) & (time >= window[0]) & (time <= window[1])
        time, voltage = time[keep], voltage[keep]
        if len(time) < 2:
            return None
        peaks = spike_peaks(voltage, threshold_mV)
        in_step = int(np.count_nonzero((time[peaks] >= 0.0) & (time[peaks] <= length_ms)))
        return Sweep(label, time, voltage, peaks, in_step, _deflection(time, voltage, length_ms))

    recorded = data.recorded.get(protocol.name, [])
    chosen = _one_cell_after_another([trace.cell for trace in recorded])[:MOST_SWEEPS]
    recordings = [
        found
        for place in chosen
        if (found := sweep(recorded[place].cell, recorded[place].time_ms, recorded[place].voltage_mV))
    ]
    simulated = sorted(data.simulated.get(protocol.name, []), key=lambda trace: trace.member)
    models = [
        found for trace in simulated if (found := sweep(f"model {trace.member + 1}", trace.time_ms, trace.voltage_mV))
    ]
    return ProtocolSweeps(
        protocol=protocol,
        window_ms=window,
        recordings=tuple(_representative_first(recordings)),
        left_out=len(recorded) - len(chosen),
        cells=len({trace.cell for trace in recorded}),
        models=tuple(models),
        best_shown=bool(models) and models[0].label == "model 1",
    )


def spike_peaks(voltage_mV: NDArray[np.float64], threshold_mV: float) -> NDArray[np.intp]:
    """Index of the highest sample of every excursion above the threshold."""
    above = np.concatenate([[False], voltage_mV > threshold_mV, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1])
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return np.array([start + int(np.argmax(voltage_mV[start:end])) for start, end in pairs], dtype=np.intp)


def decimate(time_ms: NDArray[np.float64], voltage_mV: NDArray[np.float64], bins: int, threshold_mV: float) -> Trace:
    """Thin out a trace to what can be seen: lowest and highest sample of every bin of time, and every spike's peak.

    Args:
        time_ms: Times (ms), increasing, not necessarily evenly spaced, shape (samples,).
        voltage_mV: Membrane potential (mV), shape (samples,).
        bins: Number of bins of equal time; about the number of pixels.
        threshold_mV: The peak of every excursion above this is kept (mV).

    Returns:
        Times and voltages, samples of the given ones, at most 2 per bin plus the peaks and both ends.
    """
    if len(time_ms) <= 2 * bins + 2 or time_ms[-1] <= time_ms[0]:
        return time_ms, voltage_mV
    bin_of = np.minimum(((time_ms - time_ms[0]) / (time_ms[-1] - time_ms[0]) * bins).astype(np.intp), bins - 1)
    starts = np.flatnonzero(np.diff(bin_of, prepend=-1))
    sizes = np.diff(starts, append=len(time_ms))
    kept = [np.array([0, len(time_ms) - 1]), spike_peaks(voltage_mV, threshold_mV)]
    for extreme in (np.minimum, np.maximum):
        hits = np.flatnonzero(voltage_mV == np.repeat(extreme.reduceat(voltage_mV, starts), sizes))
        kept.append(hits[np.flatnonzero(np.diff(bin_of[hits], prepend=-1))])
    indices = np.unique(np.concatenate(kept))
    return time_ms[indices], voltage_mV[indices]


def describe_sweeps(sweeps: ProtocolSweeps) -> str:
    """What is seen in the traces of a protocol, in words."""
    parts = []
    best = sweeps.models[:1] if sweeps.best_shown else ()
    others = sweeps.models[len(best) :]
    if sweeps.spiking:
        parts += [
            f"{who} {spread([sweep.in_step for sweep in group])}"
            for who, group in (
                ("recordings", sweeps.recordings),
                ("best model", best),
                ("other models", others),
            )
            if group
        ]
        text = f"Spikes during the step: {'; '.join(parts)}."
    else:
        parts += [
            f"{who} {spread(seen)} mV"
            for who, group in (
                ("recordings", sweeps.recordings),
                ("best model", best),
                ("other models", others),
            )
            if (seen := [sweep.deflection_mV for sweep in group if math.isfinite(sweep.deflection_mV)])
        ]
        text = f"No spikes. Deflection at the end of the step: {'; '.join(parts)}." if parts else "No spikes."
    if sweeps.recordings:
        shown = len(sweeps.recordings)
        text += f" {shown} recorded sweep{'s' * (shown != 1)} of {sweeps.cells} cell{'s' * (sweeps.cells != 1)}"
        text += f" ({sweeps.left_out} more not drawn)." if sweeps.left_out else "."
    else:
        text += " No recorded sweep is at hand for this protocol."
    if not sweeps.models:
        text += " No model trace is at hand for this protocol."
    elif not sweeps.best_shown:
        text += " The best model has no trace here: it failed before this step."
    return text


def step_label(protocol: ProtocolTargets) -> str:
    """A step in words: "150 % of threshold current (0.21 nA in the recordings), 500 ms"."""
    if protocol.amplitude_percent is None:
        return f"{number(protocol.stimulus.level)} nA, {number(protocol.duration_ms, 4)} ms"
    return (
        f"{number(protocol.amplitude_percent)} % of threshold current "
        f"({number(protocol.amplitude_nA)} nA in the recordings), {number(protocol.duration_ms, 4)} ms"
    )


def _deflection(time_ms: NDArray[np.float64], voltage_mV: NDArray[np.float64], length_ms: float) -> float:
    late = (time_ms >= 0.9 * length_ms) & (time_ms <= length_ms)
    before = time_ms < 0
    if not late.any() or not before.any():
        return math.nan
    return float(np.median(voltage_mV[late]) - np.median(voltage_mV[before]))


def _one_cell_after_another(cells: Sequence[str]) -> list[int]:
    """Places of the sweeps: the first of every cell, then the second of every cell, ..."""
    seen: dict[str, int] = {}
    ranks = []
    for place, cell in enumerate(cells):
        seen[cell] = seen.get(cell, 0) + 1
        ranks.append((seen[cell], place))
    return [place for _, place in sorted(ranks)]


def _representative_first(sweeps: list[Sweep]) -> list[Sweep]:
    """The sweep in the middle, by number of spikes and then by deflection, comes first."""
    if not sweeps:
        return []
    order = sorted(
        range(len(sweeps)),
        key=lambda place: (sweeps[place].in_step, np.nan_to_num(sweeps[place].deflection_mV)),
    )
    middle = order[len(order) // 2]
    return [sweeps[middle], *sweeps[:middle], *sweeps[middle + 1 :]]
