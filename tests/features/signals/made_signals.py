"""Signals whose spectra are known."""

from __future__ import annotations

import numpy as np

from rheobase.features.signals.signal import Signal


def power_law_noise(exponent, seed, duration_s=120.0, sampling_rate_Hz=200.0, channels=1):
    """Gaussian noise with power 1/f^exponent above 0.5 Hz, each channel of variance 1."""
    samples = round(duration_s * sampling_rate_Hz)
    frequencies = np.fft.rfftfreq(samples, 1.0 / sampling_rate_Hz)
    amplitude = np.maximum(frequencies, 0.5) ** (-0.5 * exponent)
    generator = np.random.default_rng(seed)
    spectrum = generator.normal(size=(channels, 2, len(frequencies)))
    values = np.fft.irfft(amplitude * (spectrum[:, 0] + 1j * spectrum[:, 1]), samples)
    values -= values.mean(axis=1, keepdims=True)
    values /= values.std(axis=1, keepdims=True)
    return Signal(values, sampling_rate_Hz, "uV", tuple(f"C{number}" for number in range(channels)))


def white_noise(seed, shape, sampling_rate_Hz=200.0):
    values = np.random.default_rng(seed).normal(size=shape)
    return Signal(values, sampling_rate_Hz, "uV", tuple(f"C{number}" for number in range(shape[-2])))


def curve(values, sampling_rate_Hz=1000.0, start_ms=0.0, unit="uV"):
    """A signal of one channel with these samples."""
    return Signal(np.asarray(values, dtype=float)[np.newaxis], sampling_rate_Hz, unit, ("Cz",), start_ms)
