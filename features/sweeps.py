"""One recorded sweep, measured: its stimulus, its spikes and its features."""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.catalogue import CURRENT_FEATURES, SPIKE_SHAPE_FEATURES
from rheobase.features.measurement import MeasurementSettings, measure
from rheobase.features.stimulus import Unrecognised, detect_stimulus
from rheobase.features.windows import amplitude_piece, default_window, measured_step, window_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from rheobase.features.recording import Recording, Step
    from rheobase.features.requests import FeatureRequest, ProtocolRequest
    from rheobase.features.stimuli import Stimulus

# An action potential lasts about a millisecond: with fewer than ten samples its shape is a guess.
COARSEST_SPIKE_SAMPLING_MS = 0.1


@dataclass(frozen=True, slots=True)
class SweepMeasurement:
    """What is kept of a sweep once its samples are gone.

    Attributes:
        cell: The cell.
        protocol: The protocol as the recording names it.
        sweep: The sweep's name.
        time_step_ms: Sampling interval (ms).
        stimulus: The stimulus found in its current.
        step: Where features are measured when nothing else is said, and the amplitude that names the sweep.
        spikes: Upward crossings of the spike threshold during `step`.
        baseline_mV: Median voltage before the stimulus (mV).
        plateau_mV: Median voltage in the last tenth of the piece that names the amplitude (mV).
        features: Value of each feature it has, by the label of the request and the label of the feature.
        too_coarse: Features that were wanted but are shapes of spikes, which its sampling is too coarse for.
    """

    cell: str
    protocol: str
    sweep: str
    time_step_ms: float
    stimulus: Stimulus
    step: Step
    spikes: int
    baseline_mV: float
    plateau_mV: float
    features: dict[str, dict[str, float]] = field(default_factory=dict)
    too_coarse: tuple[str, ...] = ()

    def values(self, request: ProtocolRequest) -> dict[str, float]:
        """Values measured for a request, by the feature's label."""
        return self.features.get(request.label.lower(), {})

    def amplitude_nA(self, request: ProtocolRequest) -> float:
        """Amplitude above holding that a request names it by (nA)."""
        return self.stimulus.pieces[amplitude_piece(self.stimulus, request.amplitude_piece)].end_nA


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sweep that was not measured, and why."""

    cell: str
    protocol: str
    sweep: str
    reason: str

    def __str__(self) -> str:
        return f"{self.cell} {self.protocol} {self.sweep}: {self.reason}"


def observe(
    recording: Recording, settings: MeasurementSettings, request: ProtocolRequest | None = None
) -> SweepMeasurement | LeftOut:
    """Stimulus, spikes and plain voltages of a sweep, without features.

    Args:
        recording: The sweep.
        settings: For the spike threshold.
        request: States the place of the step or the piece that names the amplitude, if any does.
    """
    window_ms = None if request is None else request.window_ms
    stimulus = detect_stimulus(recording.current_nA, recording.time_step_ms, window_ms)
    if isinstance(stimulus, Unrecognised):
        return LeftOut(recording.cell, recording.protocol, recording.sweep, stimulus.reason)
    main = amplitude_piece(stimulus, None if request is None else request.amplitude_piece)
    step = measured_step(stimulus, default_window(stimulus, recording.duration_ms), main)
    piece = stimulus.pieces[main]
    voltage_mV = recording.voltage_mV
    on, off = (round(edge / recording.time_step_ms) for edge in (step.onset_ms, step.offset_ms))
    piece_on, piece_off = (round(edge / recording.time_step_ms) for edge in (piece.onset_ms, piece.offset_ms))
    return SweepMeasurement(
        cell=recording.cell,
        protocol=recording.protocol,
        sweep=recording.sweep,
        time_step_ms=recording.time_step_ms,
        stimulus=stimulus,
        step=step,
        spikes=count_spikes(voltage_mV[on:off], settings.spike_threshold_mV),
        baseline_mV=float(np.median(voltage_mV[: max(on, 1)])),
        plateau_mV=float(np.median(voltage_mV[piece_off - max(1, (piece_off - piece_on) // 10) : piece_off])),
    )


def with_features(
    sweep: SweepMeasurement,
    recording: Recording,
    wanted: Iterable[tuple[ProtocolRequest, Sequence[FeatureRequest]]],
    settings: MeasurementSettings,
) -> SweepMeasurement:
    """The sweep with its features; one call of eFEL for all that are measured alike.

    Args:
        sweep: What `observe` said of it.
        recording: Its samples.
        wanted: Features by request; those that the sweep is too short for are left out, as are shapes of action
            potentials where the sampling is too coarse.
        settings: How to measure what has no settings of its own.
    """
    jobs: dict[tuple[MeasurementSettings, Step], list[tuple[str, FeatureRequest]]] = defaultdict(list)
    too_coarse: dict[str, None] = {}
    coarse = recording.time_step_ms > 1.001 * COARSEST_SPIKE_SAMPLING_MS  # headers hold single precision
    for request, features in wanted:
        main = amplitude_piece(sweep.stimulus, request.amplitude_piece)
        for feature in features:
            if coarse and feature.feature in SPIKE_SHAPE_FEATURES:
                too_coarse[feature.label] = None
                continue
            place = request.measure_in if feature.measure_in is None else feature.measure_in
            window_ms = window_at(sweep.stimulus, place, recording.duration_ms)
            if window_ms is not None:
                how = feature.settings or request.settings or settings
                step = measured_step(sweep.stimulus, window_ms, main)
                jobs[how, step].append((request.label.lower(), feature))
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (how, step), asked in jobs.items():
        names = list(dict.fromkeys(feature.feature for _, feature in asked))
        values = _measure(recording, step, names, how)
        for label, feature in asked:
            value = values[feature.feature]
            if value is not None:
                found[label][feature.label] = value
    return replace(sweep, features=dict(found), too_coarse=tuple(too_coarse))


def count_spikes(voltage_mV: NDArray[np.float64], threshold_mV: float) -> int:
    """Number of upward crossings of a threshold."""
    above = voltage_mV > threshold_mV
    return int(np.count_nonzero(above[1:] & ~above[:-1]))


def _measure(
    recording: Recording, step: Step, names: Sequence[str], settings: MeasurementSettings
) -> dict[str, float | None]:
    time_ms = _times(len(recording.voltage_mV), recording.time_step_ms)
    current_nA = None if CURRENT_FEATURES.isdisjoint(names) else recording.current_nA
    return measure(time_ms, recording.voltage_mV, step, names, settings, current_nA)


@functools.lru_cache(maxsize=2)
def _times(samples: int, time_step_ms: float) -> NDArray[np.float64]:
    return np.multiply(np.arange(samples), time_step_ms, dtype=np.float64)
