"""Steady-state responses: how strongly, and how reliably from trial to trial, a signal follows a rhythmic stimulus.

Tallon-Baudry C, Bertrand O, Delpuech C, Pernier J (1996) Stimulus specificity of phase-locked and non-phase-locked
40 Hz visual responses in human. Journal of Neuroscience 16:4240 (phase-locking factor).
Delorme A, Makeig S (2004) EEGLAB. Journal of Neuroscience Methods 134:9 (inter-trial coherence).
Vinck M, van Wingerden M, Womelsdorf T, Fries P, Pennartz CMA (2010) The pairwise phase consistency. NeuroImage
51:112 (its square without the bias of few trials).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError
from rheobase.features.signals.welch import squared_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.signals.signal import Signal


@dataclass(frozen=True, eq=False)
class SteadyStateResponse:
    """Response at one frequency; arrays have the shape (channels,).

    Attributes:
        frequency_Hz: The bin that was measured (Hz), the stimulus frequency to within a hundredth of a bin.
        evoked_power: Power of the average over trials, what is locked to the stimulus: half the squared amplitude
            of the sinusoid. It holds `noise_power` too.
        total_power: Average of the power over trials, locked or not.
        noise_power: Power of the average over trials in the bins around: what evoked_power is without a response.
        background_power: Average over trials of the power in the bins around; noise_power is about this / trials.
        coherence: Inter-trial coherence, the length of the mean phase vector, 0 to 1. Without a response its
            square is 1 / trials on average.
        phase_consistency: Its square without that bias, (trials coherence^2 - 1) / (trials - 1): 0 on average
            without a response, so somewhat negative at times; 1 when all phases are equal.
        trials: Number of trials.
        unit: Unit of the powers.
        channels: Name of each channel.
    """

    frequency_Hz: float
    evoked_power: NDArray[np.float64]
    total_power: NDArray[np.float64]
    noise_power: NDArray[np.float64]
    background_power: NDArray[np.float64]
    coherence: NDArray[np.float64]
    phase_consistency: NDArray[np.float64]
    trials: int
    unit: str
    channels: tuple[str, ...]

    def critical_coherence(self, probability: float = 0.05) -> float:
        """Coherence that is exceeded with this probability without a response (Rayleigh test, large n)."""
        if not 0.0 < probability < 1.0:
            raise FeatureError(f"expected a probability between 0 and 1, got {probability}")
        return min(1.0, math.sqrt(-math.log(probability) / self.trials))


def steady_state_response(
    trials: Signal,
    frequency_Hz: float,
    window_ms: tuple[float, float] | None = None,
    noise_bins: int = 4,
) -> SteadyStateResponse:
    """Evoked power and inter-trial coherence at a stimulus frequency.

    Fourier coefficients of a window that is cut to whole cycles of the stimulus, so that a bin falls on its
    frequency and none of it leaks into the bins around.

    Args:
        trials: Epochs that begin alike relative to the stimulus.
        frequency_Hz: Frequency of the stimulus (Hz), for example 40.
        window_ms: What to take of each epoch, from and to (ms); None for all. Leave the onset response out.
        noise_bins: Number of bins on each side that the noise is taken from; the nearest on each side is skipped.

    Raises:
        FeatureError: Fewer than two epochs, a frequency beyond half the sampling rate, a window with too few
            cycles, or a silent trial.
    """
    if trials.values.ndim != 3 or trials.epochs < 2:
        raise FeatureError("expected a signal of at least two epochs, one a trial; cut it first (cut_epochs)")
    if not 0.0 < frequency_Hz < 0.5 * trials.sampling_rate_Hz:
        raise FeatureError(
            f"expected a frequency between 0 and {0.5 * trials.sampling_rate_Hz:g} Hz, half the sampling rate, "
            f"got {frequency_Hz:g}"
        )
    values = _window(trials, window_ms)
    cycles, samples = _whole_cycles(values.shape[-1], trials.sampling_rate_Hz, frequency_Hz, noise_bins)
    # Scaled so that the squared modulus is the mean square of the sinusoid.
    coefficients = math.sqrt(2.0) * np.fft.rfft(values[..., :samples], axis=-1) / samples
    response = coefficients[..., cycles]
    if not np.all(np.abs(response) > 0.0):
        raise FeatureError(f"a trial has no power at {frequency_Hz:g} Hz, so no phase: leave silent channels out")
    distance = np.arange(2, noise_bins + 2)
    alone = coefficients[..., np.concatenate((cycles - distance, cycles + distance))]
    around = alone.mean(axis=0)
    coherence = np.abs((response / np.abs(response)).mean(axis=0))
    n = trials.epochs
    return SteadyStateResponse(
        frequency_Hz=cycles * trials.sampling_rate_Hz / samples,
        evoked_power=np.abs(response.mean(axis=0)) ** 2,
        total_power=(np.abs(response) ** 2).mean(axis=0),
        noise_power=(np.abs(around) ** 2).mean(axis=-1),
        background_power=(np.abs(alone) ** 2).mean(axis=(0, -1)),
        coherence=coherence,
        phase_consistency=(n * coherence**2 - 1.0) / (n - 1.0),
        trials=n,
        unit=squared_unit(trials.unit),
        channels=trials.channels,
    )


def _window(trials: Signal, window_ms: tuple[float, float] | None) -> NDArray[np.float64]:
    if window_ms is None:
        return trials.by_epoch
    low, high = window_ms
    first, last = float(trials.times_ms[0]), float(trials.times_ms[-1])
    step = 1000.0 / trials.sampling_rate_Hz
    if not (first - 0.5 * step <= low < high <= last + 1.5 * step):
        raise FeatureError(
            f"the window from {low:g} to {high:g} ms is not within the epochs, which last from {first:g} to "
            f"{last + step:g} ms"
        )
    within = (trials.times_ms >= low - 0.5 * step) & (trials.times_ms < high - 0.5 * step)
    return trials.by_epoch[..., within]


def _whole_cycles(available: int, rate_Hz: float, frequency_Hz: float, noise_bins: int) -> tuple[int, int]:
    """Number of cycles, and the samples they take: of the longest tenth, those that fit the sampling grid best."""
    if noise_bins < 1:
        raise FeatureError(f"the noise needs at least one bin on each side, got {noise_bins}")
    most = math.floor((available + 0.5) * frequency_Hz / rate_Hz)
    least = max(noise_bins + 2, math.ceil(0.9 * most))
    fitting = [cycles for cycles in range(least, most + 1) if round(cycles * rate_Hz / frequency_Hz) <= available]
    if not fitting:
        raise FeatureError(
            f"a window of {available * 1000.0 / rate_Hz:g} ms holds {most} cycles of {frequency_Hz:g} Hz, at least "
            f"{noise_bins + 2} are needed for a noise floor of {noise_bins} bins on each side: take a longer window"
        )
    best = min(reversed(fitting), key=lambda cycles: round(abs(_misfit(cycles, rate_Hz, frequency_Hz)), 9))
    samples = round(best * rate_Hz / frequency_Hz)
    if best + noise_bins + 1 > samples // 2:
        raise FeatureError(
            f"{frequency_Hz:g} Hz is too near to half the sampling rate ({rate_Hz:g} Hz) for {noise_bins} bins of "
            "noise above it: take fewer noise_bins, or a longer window"
        )
    return best, samples


def _misfit(cycles: int, rate_Hz: float, frequency_Hz: float) -> float:
    """How far a number of cycles is from a whole number of samples (samples)."""
    samples = cycles * rate_Hz / frequency_Hz
    return samples - round(samples)
