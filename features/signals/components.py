"""Components of evoked responses: amplitude and latency of N1, mismatch negativity, P300 and others.

Luck SJ (2014) An introduction to the event-related potential technique, 2nd edition, chapter 9 (local peaks, mean
amplitude, fractional area latency). Windows: Duncan CC, Barry RJ, Connolly JF, et al. (2009) Event-related potentials
in clinical research. Clinical Neurophysiology 120:1883.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.signals.evoked import samples_within
from rheobase.features.signals.peaks import Absence, NoPeak

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.signals.signal import Signal


@dataclass(frozen=True)
class Component:
    """What to look for.

    Attributes:
        name: For example "N1".
        polarity: "negative" or "positive".
        window_ms: Where its peak lies, from and to, after the stimulus (ms).
        mean_width_ms: Width of the stretch around the peak whose mean is taken (ms).
    """

    name: str
    polarity: Literal["negative", "positive"]
    window_ms: tuple[float, float]
    mean_width_ms: float = 20.0

    def __post_init__(self) -> None:
        if self.polarity not in ("negative", "positive"):
            raise FeatureError(f"{self.name}: the polarity is 'negative' or 'positive', got '{self.polarity}'")
        if not self.window_ms[0] < self.window_ms[1] or not self.mean_width_ms > 0.0:
            raise FeatureError(
                f"{self.name}: expected a window with its start before its end and a width above zero, got "
                f"{self.window_ms} and {self.mean_width_ms} ms"
            )


N1 = Component("N1", "negative", (75.0, 150.0))
MISMATCH_NEGATIVITY = Component("MMN", "negative", (100.0, 250.0), mean_width_ms=40.0)
P300 = Component("P300", "positive", (250.0, 500.0), mean_width_ms=100.0)


@dataclass(frozen=True)
class EvokedPeak:
    """A component that was found.

    Attributes:
        amplitude: At its peak, in the signal's unit, relative to the baseline.
        latency_ms: Time of the peak after the stimulus (ms).
        mean_amplitude: Mean around the peak, less sensitive to noise than the peak itself.
        unit: Unit of the amplitudes.
    """

    amplitude: float
    latency_ms: float
    mean_amplitude: float
    unit: str


def measure_component(response: Signal, component: Component, channel: str | None = None) -> EvokedPeak | NoPeak:
    """Peak of a component: the largest local extremum of its polarity within the window.

    A value at an edge of the window that goes on beyond it is no peak, nor is an extremum on the other side of the
    baseline. Samples are not interpolated; filter the signal before if it is noisy.

    Args:
        response: An evoked response or difference wave, shape (channels, samples).
        component: What to look for.
        channel: Which channel; may be left out where there is one.

    Raises:
        FeatureError: The window is not within the response, the signal is in epochs, or the channel is not known.
    """
    values = _upright(response, component, channel)
    within = samples_within(response, component.window_ms)
    candidates = [index for index in np.flatnonzero(within) if _is_local_maximum(values, int(index))]
    if not candidates:
        return NoPeak(component.window_ms, "ms", Absence.NO_EXTREMUM)
    peak = max(candidates, key=lambda index: float(values[index]))
    if values[peak] <= 0.0:
        return NoPeak(component.window_ms, "ms", Absence.WRONG_POLARITY)
    latency_ms = float(response.times_ms[peak])
    around = np.abs(response.times_ms - latency_ms) <= 0.5 * component.mean_width_ms * (1.0 + 1e-9)
    sign = _sign(component)
    return EvokedPeak(sign * float(values[peak]), latency_ms, sign * float(values[around].mean()), response.unit)


def mean_amplitude(response: Signal, window_ms: tuple[float, float], channel: str | None = None) -> float:
    """Mean of a fixed window, in the signal's unit: a measure that is never missing.

    Raises:
        FeatureError: As `measure_component`.
    """
    return float(_row(response, channel)[samples_within(response, window_ms)].mean())


def fractional_area_latency_ms(
    response: Signal, component: Component, fraction: float = 0.5, channel: str | None = None
) -> float | NoPeak:
    """Time at which a fraction of the area of a component within its window has passed (ms).

    The area is that between baseline and curve on the component's side of the baseline. It moves less with noise
    than the peak does.

    Raises:
        FeatureError: As `measure_component`; a fraction that is not between 0 and 1.
    """
    if not 0.0 < fraction < 1.0:
        raise FeatureError(f"expected a fraction of the area between 0 and 1, got {fraction}")
    values = _upright(response, component, channel)
    within = samples_within(response, component.window_ms)
    area = np.concatenate(([0.0], np.cumsum(np.clip(values[within], 0.0, None))))
    if area[-1] <= 0.0:
        return NoPeak(component.window_ms, "ms", Absence.WRONG_POLARITY)
    # Each sample stands for the interval around it.
    step_ms = 1000.0 / response.sampling_rate_Hz
    edges_ms = float(response.times_ms[within][0]) + step_ms * (np.arange(len(area)) - 0.5)
    after = int(np.argmax(area >= fraction * area[-1]))
    part = (fraction * area[-1] - area[after - 1]) / (area[after] - area[after - 1])
    return float(edges_ms[after - 1] + part * step_ms)


def _is_local_maximum(values: NDArray[np.float64], index: int) -> bool:
    """Higher than what comes before and after; of a plateau, its first sample."""
    if index == 0 or values[index] <= values[index - 1]:
        return False
    after = values[index + 1 :]
    different = after[after != values[index]]
    return len(different) > 0 and bool(different[0] < values[index])


def _upright(response: Signal, component: Component, channel: str | None) -> NDArray[np.float64]:
    """One channel with the component pointing up, shape (samples,)."""
    return _sign(component) * _row(response, channel)


def _sign(component: Component) -> float:
    return 1.0 if component.polarity == "positive" else -1.0


def _row(response: Signal, channel: str | None) -> NDArray[np.float64]:
    if response.values.ndim != 2:
        raise FeatureError("components are measured in averages; average the epochs first (evoked_response)")
    if channel is not None:
        return np.asarray(response.pick(channel).values[0])
    if len(response.channels) > 1:
        raise FeatureError(f"name the channel to measure, one of {', '.join(response.channels)}")
    return np.asarray(response.values[0])
