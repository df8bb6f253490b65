"""Measured sweeps made up for tests."""

from __future__ import annotations

from rheobase.features.stimuli import Kind, Piece, Stimulus
from rheobase.features.sweeps import SweepMeasurement


def step(
    amplitude_nA: float,
    spikes: int = 0,
    sweep: str = "0",
    protocol: str = "IDrest",
    cell: str = "cell",
    duration_ms: float = 500.0,
    features: dict[str, dict[str, float]] | None = None,
) -> SweepMeasurement:
    """A sweep with a single step."""
    kind: Kind = "step" if duration_ms >= 100.0 else "pulse"
    stimulus = Stimulus(kind, (Piece(100.0, 100.0 + duration_ms, amplitude_nA, amplitude_nA),), -0.05)
    return _sweep(stimulus, spikes, sweep, protocol, cell, features)


def pieces(
    amplitudes_nA: tuple[float, ...],
    spikes: int = 0,
    sweep: str = "0",
    protocol: str = "HyperDepol",
    cell: str = "cell",
    features: dict[str, dict[str, float]] | None = None,
) -> SweepMeasurement:
    """A sweep with several steps of 200 ms, one after another."""
    made = tuple(
        Piece(100.0 + 200.0 * place, 300.0 + 200.0 * place, amplitude, amplitude)
        for place, amplitude in enumerate(amplitudes_nA)
    )
    return _sweep(Stimulus("levels", made, -0.05), spikes, sweep, protocol, cell, features)


def _sweep(
    stimulus: Stimulus,
    spikes: int,
    sweep: str,
    protocol: str,
    cell: str,
    features: dict[str, dict[str, float]] | None,
) -> SweepMeasurement:
    return SweepMeasurement(
        cell, protocol, sweep, 0.1, stimulus, stimulus.window(), spikes, -80.0, -75.0, features or {}
    )
