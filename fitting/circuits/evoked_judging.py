"""Responses of a circuit to its stimuli, held against those of recordings: volleys, click trains, oddballs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.features.signals.epochs import cut_epochs
from rheobase.features.signals.evoked import difference_wave, evoked_response
from rheobase.features.signals.signal import Event
from rheobase.fitting.circuits.head import DEFAULT_HEAD, Sensor
from rheobase.objectives.evoked import judge_component, judge_steady_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.signals.signal import Signal
    from rheobase.fitting.circuits.circuit import CircuitResponse
    from rheobase.objectives.evoked import ComponentTarget, SteadyStateTarget
    from rheobase.objectives.objective import Judged

_STIMULUS = "stimulus"


@dataclass(frozen=True)
class EvokedTarget:
    """What the EEG, or MEG, should do after a stimulus.

    Attributes:
        onsets_ms: When the stimulus comes, each volley or the start of each train (ms from the simulation's start).
        window_ms: What belongs to a stimulus, from and to, relative to its onset (ms).
        baseline_ms: Part of the window that the average is taken relative to (ms); None for none.
        components: Of the average over onsets and seeds.
        steady_state: How the trains of a stimulus are followed; None for single volleys.
        subtracted_onsets_ms: Onsets of standards, whose response is subtracted before components are measured, where
            `onsets_ms` are those of deviants; none if empty.
        sensor: From the dipole to the EEG or MEG.
        name: Stands before the names of what is measured, where there are several such targets.
        scale: Factor of the signal before amplitudes are compared: a model of some hundred cells stands for many
            more.
    """

    onsets_ms: tuple[float, ...]
    window_ms: tuple[float, float] = (-50.0, 400.0)
    baseline_ms: tuple[float, float] | None = (-50.0, 0.0)
    components: tuple[ComponentTarget, ...] = ()
    steady_state: SteadyStateTarget | None = None
    subtracted_onsets_ms: tuple[float, ...] = ()
    sensor: Sensor = DEFAULT_HEAD
    name: str = ""
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not self.onsets_ms or (not self.components and self.steady_state is None):
            raise ModelError("the target of an evoked response needs onsets of a stimulus, and something to measure")


def judge_evoked(responses: Sequence[CircuitResponse], target: EvokedTarget) -> tuple[Judged, ...]:
    """Components and following of a stimulus, of all onsets in all responses together.

    All is missing if any of the runs was stopped; following a rhythm is, too, with fewer than two trains, or flat ones.

    Args:
        responses: Of the same circuit, each with another seed.
        target: What the EEG should do.

    Raises:
        ModelError: A response has no dipole.
        FeatureError: No onset has its whole window within what was simulated and not dropped.
    """
    epochs = _epochs(responses, target.onsets_ms, target)
    average = None if epochs is None else _average(responses, epochs, target)
    trials = epochs if epochs is not None and _has_phases(epochs) else None
    return _judged(average, trials, target)


def wanted_of(target: EvokedTarget) -> tuple[Judged, ...]:
    """What is measured, its targets and tolerances, before anything is."""
    return _judged(None, None, target)


def evoked_average(responses: Sequence[CircuitResponse], target: EvokedTarget) -> Signal | None:
    """The average that components are measured in, scaled; None if one of the runs was stopped.

    Raises:
        ModelError: As `judge_evoked`.
        FeatureError: As `judge_evoked`.
    """
    epochs = _epochs(responses, target.onsets_ms, target)
    return None if epochs is None else _average(responses, epochs, target)


def _judged(average: Signal | None, trials: Signal | None, target: EvokedTarget) -> tuple[Judged, ...]:
    judged = [one for component in target.components for one in judge_component(average, component)]
    if target.steady_state is not None:
        judged += judge_steady_state(trials, target.steady_state)
    if not target.name:
        return tuple(judged)
    return tuple(replace(one, name=f"{target.name}.{one.name}") for one in judged)


def _has_phases(epochs: Signal) -> bool:
    """Whether there are trials to compare, none of them flat, as that of a circuit without any activity is."""
    return epochs.epochs > 1 and bool(np.all(np.ptp(epochs.values, axis=-1) > 0.0))


def _average(responses: Sequence[CircuitResponse], epochs: Signal, target: EvokedTarget) -> Signal:
    average = evoked_response(epochs, target.baseline_ms)
    if target.subtracted_onsets_ms:
        standards = _epochs(responses, target.subtracted_onsets_ms, target)
        assert standards is not None  # stopped runs have no epochs at all
        average = difference_wave(average, evoked_response(standards, target.baseline_ms))
    return average


def _epochs(responses: Sequence[CircuitResponse], onsets_ms: Sequence[float], target: EvokedTarget) -> Signal | None:
    """The EEG around all onsets in all responses; None if one was stopped."""
    if any(response.stopped is not None for response in responses):
        return None
    cut = []
    for response in responses:
        if response.dipole is None:
            raise ModelError("an evoked response is wanted, but no dipole was recorded: set `signals` of the trial")
        signal = target.sensor.signal(response.dipole)
        signal = replace(signal, values=target.scale * signal.values)
        # Events count from the first sample.
        events = tuple(Event(_STIMULUS, onset_ms - signal.start_ms) for onset_ms in onsets_ms)
        cut.append(cut_epochs(replace(signal, events=events), _STIMULUS, target.window_ms))
    return replace(
        cut[0],
        values=np.concatenate([part.values for part in cut]),
        events=tuple(event for part in cut for event in part.events),
    )
