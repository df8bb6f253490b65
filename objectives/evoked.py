"""How far evoked responses of a circuit are from those of recordings: components, and following a rhythmic stimulus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.errors import FeatureError
from rheobase.features.signals.components import measure_component
from rheobase.features.signals.peaks import NoPeak
from rheobase.features.signals.steady_state import steady_state_response
from rheobase.objectives.objective import Judged, Target, held_against
from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from rheobase.features.signals.components import Component
    from rheobase.features.signals.signal import Signal
    from rheobase.features.signals.steady_state import SteadyStateResponse


@dataclass(frozen=True)
class ComponentTarget:
    """A component of an evoked response; at least one of amplitude and latency.

    Attributes:
        component: Which, and where it is looked for.
        unit: Unit of the amplitude.
        amplitude: Of its peak relative to the baseline; negative for a negative component.
        latency_ms: Of its peak after the stimulus (ms).
    """

    component: Component
    unit: str
    amplitude: Target | None = None
    latency_ms: Target | None = None

    def __post_init__(self) -> None:
        if self.amplitude is None and self.latency_ms is None:
            raise FeatureError(f"the target of {self.component.name} states neither an amplitude nor a latency")


@dataclass(frozen=True)
class SteadyStateTarget:
    """How a circuit should follow a rhythmic stimulus, for example clicks at 40 Hz; at least one measure.

    Both measures are those of endless trials: a circuit is simulated with few, recordings have many, so the bias of few
    is taken away.

    Attributes:
        frequency_Hz: Of the stimulus (Hz).
        coherence: Inter-trial coherence at that frequency, 0 to 1: the root of the pairwise phase consistency.
        power_ratio_dB: Evoked power, without the noise that is left in the average, over the power that single trials
            have at the frequencies around (dB), which no amplitude is needed for.
        window_ms: What to take of each epoch (ms); None for all.
    """

    frequency_Hz: float
    coherence: Target | None = None
    power_ratio_dB: Target | None = None
    window_ms: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.coherence is None and self.power_ratio_dB is None:
            raise FeatureError(
                f"the target at {self.frequency_Hz:g} Hz states neither a coherence nor a ratio of powers"
            )


def judge_component(response: Signal | None, target: ComponentTarget, channel: str | None = None) -> tuple[Judged, ...]:
    """Amplitude and latency of a component, those that the target has.

    A component that is not there deviates more than one of no amplitude, or with its peak anywhere in the window.

    Args:
        response: An evoked response or difference wave, shape (channels, samples); None for a circuit that was
            stopped: all is missing then.
        target: What it should be like.
        channel: Which one; needed where there are several.

    Raises:
        FeatureError: As `measure_component`.
        UnitError: A signal of another kind of unit than the target.
    """
    component = target.component
    peak = None if response is None else measure_component(response.converted(target.unit), component, channel)
    found = None if isinstance(peak, NoPeak) else peak
    judged = []
    if target.amplitude is not None:
        amplitude = None if found is None else found.amplitude
        name = f"{component.name}_amplitude"
        judged.append(_or_missing(target.amplitude, name, amplitude, target.unit, abs(target.amplitude.value)))
    if target.latency_ms is not None:
        latency_ms = None if found is None else found.latency_ms
        farthest_ms = max(abs(edge - target.latency_ms.value) for edge in component.window_ms)
        judged.append(_or_missing(target.latency_ms, f"{component.name}_latency", latency_ms, "ms", farthest_ms))
    return tuple(judged)


def judge_steady_state(trials: Signal | None, target: SteadyStateTarget) -> tuple[Judged, ...]:
    """Coherence and power ratio at the frequency of a stimulus, those that the target has.

    Args:
        trials: Epochs of one channel that begin alike relative to the stimulus; None where there are none.
        target: What the response should be.

    Raises:
        FeatureError: As `steady_state_response`; several channels.
    """
    if trials is not None and len(trials.channels) != 1:
        raise FeatureError(f"name the channel to judge, one of {', '.join(trials.channels)} (.pick)")
    response = None if trials is None else steady_state_response(trials, target.frequency_Hz, target.window_ms)
    judged = []
    if target.coherence is not None:
        coherence = None if response is None else math.sqrt(max(float(response.phase_consistency[0]), 0.0))
        judged.append(held_against(target.coherence, f"coherence_{target.frequency_Hz:g}Hz", coherence))
    if target.power_ratio_dB is not None:
        ratio_dB = None if response is None else _power_ratio_dB(response)
        judged.append(held_against(target.power_ratio_dB, f"power_ratio_{target.frequency_Hz:g}Hz", ratio_dB, "dB"))
    return tuple(judged)


def _power_ratio_dB(response: SteadyStateResponse) -> float | None:
    """The evoked power is not taken below a hundredth of the noise in the average: no response is a low value."""
    background = float(response.background_power[0])
    if not background > 0.0:
        return None
    left = background / response.trials
    evoked = max(float(response.evoked_power[0]) - left, 0.01 * left)
    return 10.0 * math.log10(evoked / background)


def _or_missing(target: Target, name: str, value: float | None, unit: str, farthest: float) -> Judged:
    """Without a value, a step beyond the farthest that a value could be."""
    missing = -min(farthest / target.tolerance + 2.0, FAILURE_SCORE)
    return Judged(name, value, target.value, target.tolerance, unit, missing=missing)
