"""Power spectra by Welch's method.

Welch PD (1967) The use of fast Fourier transform for the estimation of power spectra. IEEE Transactions on Audio
and Electroacoustics 15:70.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rheobase.features.errors import FeatureError
from rheobase.features.signals.epochs import usable_starts
from rheobase.features.signals.spectrum import Spectrum

if TYPE_CHECKING:
    from rheobase.features.signals.signal import Signal

# Rates such as 600.62 Hz give no segment of exactly 1 s; a difference this small passes.
_RESOLUTION_TOLERANCE = 0.01


@dataclass(frozen=True)
class WelchSettings:
    """How a spectrum is estimated.

    Attributes:
        resolution_Hz: Distance between bins (Hz); a segment lasts 1 / resolution_Hz seconds.
        overlap: Part of a segment that it shares with the next.
        window: Taper of each segment, by scipy.signal.get_window's name.
    """

    resolution_Hz: float = 1.0
    overlap: float = 0.5
    window: str = "hann"

    def __post_init__(self) -> None:
        if not self.resolution_Hz > 0.0:
            raise FeatureError(f"the resolution of a spectrum must be above 0 Hz, got {self.resolution_Hz}")
        if not 0.0 <= self.overlap < 1.0:
            raise FeatureError(f"the overlap of segments must be at least 0 and below 1, got {self.overlap}")


DEFAULT_WELCH = WelchSettings()


def power_spectrum(signal: Signal, settings: WelchSettings = DEFAULT_WELCH) -> Spectrum:
    """One-sided power spectral density of each channel, averaged over segments and epochs.

    The mean of each segment is subtracted before it is tapered. Segments that touch a stretch marked as bad, or a
    cut in the recording, are left out. The sum of the bins times their distance is the variance of the signal.

    Args:
        signal: Continuous or in epochs; no segment reaches from one epoch into the next.
        settings: Segments. The resolution got is `sampling_rate_Hz` over a whole number of samples, at most 1 % off.

    Returns:
        Power in the square of the signal's unit per Hz, shape (channels, bins).

    Raises:
        FeatureError: Nowhere a whole segment: the signal or its epochs are too short for the resolution.
    """
    from scipy.signal import periodogram

    length = _segment_length(signal, settings)
    starts = np.arange(0, signal.samples - length + 1, length - int(settings.overlap * length))
    starts = starts[usable_starts(signal, starts, length)]
    if len(starts) == 0:
        raise FeatureError(
            f"no {length / signal.sampling_rate_Hz:g} s of the recording are free of bad stretches and cuts: "
            "take a coarser resolution_Hz"
        )
    power = []
    for channel in range(len(signal.channels)):  # one by one: the overlapping segments need twice the memory
        segments = sliding_window_view(signal.by_epoch[:, channel], length, axis=-1)[:, starts]
        frequencies, densities = periodogram(segments, signal.sampling_rate_Hz, settings.window, detrend="constant")
        power.append(densities.mean(axis=(0, 1)))
    return Spectrum(np.asarray(frequencies), np.array(power), squared_unit(signal.unit) + "/Hz", signal.channels)


def squared_unit(unit: str) -> str:
    """Square of a unit: "uV^2", "(nA m)^2"."""
    return f"{unit}^2" if re.fullmatch(r"\w+", unit) else f"({unit})^2"


def _segment_length(signal: Signal, settings: WelchSettings) -> int:
    length = round(signal.sampling_rate_Hz / settings.resolution_Hz)
    if length < 4:
        raise FeatureError(
            f"a resolution of {settings.resolution_Hz:g} Hz leaves {length} samples in a segment at "
            f"{signal.sampling_rate_Hz:g} Hz: take a finer one"
        )
    if length <= signal.samples:
        return length
    if length <= signal.samples * (1.0 + _RESOLUTION_TOLERANCE):
        return signal.samples
    whole = "epoch" if signal.values.ndim == 3 else "recording"
    raise FeatureError(
        f"a resolution of {settings.resolution_Hz:g} Hz needs segments of {length} samples, each {whole} has "
        f"{signal.samples}: take resolution_Hz={np.ceil(1000 * signal.sampling_rate_Hz / signal.samples) / 1000:g} "
        "or coarser, or longer epochs"
    )
