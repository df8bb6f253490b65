"""Spikes from outside: Poisson trains, volleys of fibres, and their way into NEURON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from rheobase.fitting.circuits.blueprint import SpikeVolleys

_LARGEST_NUMBER_OF_STEPS = 100


def poisson_times(
    generator: np.random.Generator,
    rate_Hz: float,
    duration_ms: float,
    modulation_Hz: float | None = None,
    depth: float = 0.0,
) -> NDArray[np.float64]:
    """A Poisson train whose rate is `rate_Hz` (1 + depth sin(2 pi modulation_Hz t)).

    Intervals of a train of rate 1 are drawn and brought to the rate wanted by inverting its integral (Cinlar 1975,
    Introduction to Stochastic Processes, chapter 4.7). So with the same generator a longer train begins with the
    shorter one, and a small change of rate or depth moves the spikes by little.

    Args:
        generator: See `random_streams.random_generator`.
        rate_Hz: Mean rate (Hz).
        duration_ms: The train ends here (ms).
        modulation_Hz: Frequency of the modulation (Hz); None for a steady rate.
        depth: Of the modulation, from 0 to 1.

    Returns:
        Times in ascending order (ms).

    Raises:
        ModelError: a negative rate, a frequency that is not positive, or a depth not between 0 and 1.
    """
    _check_rate(rate_Hz, modulation_Hz, depth)
    if rate_Hz == 0.0 or duration_ms <= 0.0:
        return np.empty(0)
    steady = modulation_Hz is None or depth == 0.0
    # Time in which a steady train would be as far as the modulated one is at the end.
    end_ms = duration_ms if steady else _steady_time(duration_ms, modulation_Hz or 0.0, depth)
    times = 1000.0 / rate_Hz * _unit_arrivals(generator, rate_Hz * end_ms / 1000.0)
    times = times[times < end_ms]
    if not steady:
        times = _modulated_time(times, modulation_Hz or 0.0, depth)
    return times[times < duration_ms]


def _check_rate(rate_Hz: float, modulation_Hz: float | None, depth: float) -> None:
    if not (rate_Hz >= 0.0 and math.isfinite(rate_Hz)):
        raise ModelError(f"a Poisson train needs a rate that is not negative, got {rate_Hz:g} Hz")
    if modulation_Hz is not None and not modulation_Hz > 0.0:
        raise ModelError(f"the rate of a Poisson train goes up and down at more than 0 Hz, got {modulation_Hz:g} Hz")
    if not 0.0 <= depth <= 1.0:
        raise ModelError(f"the rate of a Poisson train is modulated by a depth from 0 to 1, got {depth:g}")


def _unit_arrivals(generator: np.random.Generator, until: float) -> NDArray[np.float64]:
    """Arrivals of a Poisson process of rate 1 until then, and one or more after it."""
    gaps = generator.standard_exponential(int(until + 4.0 * math.sqrt(until)) + 4)
    arrivals = np.cumsum(gaps)
    while arrivals[-1] < until:
        gaps = np.concatenate((gaps, generator.standard_exponential(len(gaps))))
        arrivals = np.cumsum(gaps)
    return arrivals


def _steady_time(time_ms: float, modulation_Hz: float, depth: float) -> float:
    """Integral of 1 + depth sin(2 pi modulation_Hz t)."""
    omega = 2e-3 * math.pi * modulation_Hz
    return time_ms + depth * (1.0 - math.cos(omega * time_ms)) / omega


def _modulated_time(steady_ms: NDArray[np.float64], modulation_Hz: float, depth: float) -> NDArray[np.float64]:
    """Inverse of `_steady_time`.

    With E = omega t + pi/2 that is Kepler's equation, E - depth sin(E) = M. Newton's method from above the solution,
    where the left side is convex, comes down to it without fail.
    """
    omega = 2e-3 * math.pi * modulation_Hz
    anomaly = omega * steady_ms - depth + 0.5 * math.pi
    turns = np.round(anomaly / (2.0 * math.pi))
    anomaly = anomaly - 2.0 * math.pi * turns
    wanted = np.abs(anomaly)
    solution = np.minimum(wanted + depth, math.pi)
    moving = np.ones(len(solution), bool)  # each stops for itself, so that the others cannot change it by a bit
    for _ in range(_LARGEST_NUMBER_OF_STEPS):
        excess = solution - depth * np.sin(solution) - wanted
        change = np.where(moving, excess / np.maximum(1.0 - depth * np.cos(solution), 1e-12), 0.0)
        solution = solution - change
        moving = np.abs(change) > 1e-13
        if not moving.any():
            break
    times: NDArray[np.float64] = (np.copysign(solution, anomaly) + 2.0 * math.pi * turns - 0.5 * math.pi) / omega
    return np.maximum(times, 0.0)


def volley_times(generator: np.random.Generator, volleys: SpikeVolleys) -> NDArray[np.float64]:
    """Spikes of one fibre.

    Every volley takes the same number of draws, so a change of one leaves the others alone.

    Args:
        generator: One for each fibre; see `random_streams.random_generator`.
        volleys: The stimulus.

    Returns:
        Times in ascending order (ms); those that jitter would put before 0 are lost.

    Raises:
        ModelError: a number of participations that fits the volleys not, one outside 0 to 1, or a negative jitter.
    """
    chances = np.asarray(volleys.participation, float)
    if len(chances) not in (1, len(volleys.times_ms)) or not np.all((chances >= 0.0) & (chances <= 1.0)):
        raise ModelError(
            f"the stimulus '{volleys.name}' needs one participation from 0 to 1 for all volleys, or one for each of "
            f"the {len(volleys.times_ms)}, got {', '.join(f'{chance:g}' for chance in chances) or 'none'}"
        )
    if not volleys.jitter_ms >= 0.0:
        raise ModelError(f"the jitter of '{volleys.name}' must not be negative, got {volleys.jitter_ms:g} ms")
    fires = generator.random(len(volleys.times_ms)) < chances
    times = np.asarray(volleys.times_ms, float) + volleys.jitter_ms * generator.standard_normal(len(fires))
    return np.sort(times[fires & (times >= 0.0)])


class PlayedSpikes:
    """Spikes at given times, as a source for NetCons: h.NetCon(played.source, target).

    The mechanisms of `circuit_mechanisms` must have been loaded.

    Attributes:
        source: NEURON's artificial cell.
    """

    def __init__(self, times_ms: ArrayLike = ()) -> None:
        from neuron import h

        self.source: Any = h.PlayedSpikes()
        self.set_times(times_ms)

    def set_times(self, times_ms: ArrayLike) -> None:
        """Choose the times (ms), in any order; they count from the next time that NEURON is initialised.

        Raises:
            ModelError: a time that is negative or not a number.
        """
        from neuron import h

        times = np.sort(np.asarray(times_ms, float))
        if times.ndim != 1 or not np.all(np.isfinite(times)) or np.any(times < 0.0):
            raise ModelError("spikes can only be played at times that are numbers and not negative")
        self.source.play(h.Vector(times))
