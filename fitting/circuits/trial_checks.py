"""What every circuit checks: that a trial asks for what there is, and that a foreign response answers it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rheobase.features.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rheobase.features.signals.signal import Signal
    from rheobase.fitting.circuits.circuit import CircuitResponse, Trial

_ROUNDING_MS = 1e-6


def simulated_populations(trial: Trial, populations: Mapping[str, int]) -> tuple[str, ...]:
    """Populations that have cells in a trial, in the order of the circuit."""
    return tuple(name for name in populations if not trial.simulated or name in trial.simulated)


def check_trial(trial: Trial, populations: Mapping[str, int], parameters: Collection[str]) -> None:
    """Check that a circuit can answer a trial.

    Args:
        trial: What is asked for.
        populations: Number of cells of each population of the circuit.
        parameters: Names of all its parameters.

    Raises:
        ModelError: An unknown parameter or population, a value that is not a number, times that cannot be, a
            population both simulated and replayed, or spikes to replay that do not cover the simulation.
    """
    _check_times(trial)
    for name, value in trial.parameters.items():
        if name not in parameters:
            raise ModelError(f"the circuit has no parameter '{name}'; it has {_listed(parameters)}")
        if not math.isfinite(value):
            raise ModelError(f"the parameter '{name}' must be a number, got {value}")
    for name in (*trial.simulated, *trial.replayed, *trial.recorded):
        if name not in populations:
            raise ModelError(f"the circuit has no population '{name}'; it has {_listed(populations)}")
    _check_replayed(trial, simulated_populations(trial, populations))


def check_response(response: CircuitResponse, trial: Trial, populations: Mapping[str, int], source: str) -> None:
    """Check what a foreign circuit returned.

    Args:
        response: What it returned.
        trial: What it was asked for.
        populations: Number of cells of each population of the circuit.
        source: What the circuit is, for messages.

    Raises:
        ModelError: Other populations, another interval, or signals that were asked for and are missing or others.
    """
    spikes = response.spikes
    found = dict(zip(spikes.units.populations, spikes.units.sizes.tolist(), strict=True))
    wanted = {name: populations[name] for name in simulated_populations(trial, populations)}
    if found != wanted:
        raise ModelError(f"{source}: expected spikes of {_sized(wanted)}, got {_sized(found)}")
    off_ms = max(abs(spikes.start_ms - trial.dropped_ms), abs(spikes.stop_ms - trial.duration_ms))
    if response.stopped is None and off_ms > _ROUNDING_MS:
        raise ModelError(
            f"{source}: expected spikes from {trial.dropped_ms:g} to {trial.duration_ms:g} ms, got those from "
            f"{spikes.start_ms:g} to {spikes.stop_ms:g} ms"
        )
    if response.stopped is None:
        channels = len(trial.electrodes_um)
        _check_signal(response.dipole, 3 if trial.signals else 0, f"{source}: the dipole", trial)
        _check_signal(response.potential, channels, f"{source}: the potential at {channels} electrodes", trial)


def _check_signal(signal: Signal | None, channels: int, what: str, trial: Trial) -> None:
    if channels == 0:
        return
    if signal is None:
        raise ModelError(f"{what} is missing, though the trial asks for it")
    if len(signal.channels) != channels:
        raise ModelError(f"{what}: expected {channels} channels, got {len(signal.channels)}")
    step_ms = 1000.0 / signal.sampling_rate_Hz
    duration_ms = trial.duration_ms - trial.dropped_ms
    if abs(signal.start_ms - trial.dropped_ms) > step_ms or abs(signal.samples * step_ms - duration_ms) > 2.0 * step_ms:
        raise ModelError(
            f"{what}: expected {duration_ms:g} ms from {trial.dropped_ms:g} ms on, got {signal.samples * step_ms:g} ms "
            f"from {signal.start_ms:g} ms on"
        )


def _check_times(trial: Trial) -> None:
    if not (math.isfinite(trial.duration_ms) and 0.0 <= trial.dropped_ms < trial.duration_ms):
        raise ModelError(
            f"a trial drops 0 ms or more and lasts longer than that, got {trial.dropped_ms:g} of "
            f"{trial.duration_ms:g} ms"
        )


def _check_replayed(trial: Trial, simulated: tuple[str, ...]) -> None:
    for name in (*trial.replayed, *trial.recorded):
        if name in simulated:
            raise ModelError(
                f"the population '{name}' cannot be simulated and replayed at once; leave out one of these"
            )
    twice = set(trial.replayed) & set(trial.recorded)
    if twice:
        raise ModelError(f"'{min(twice)}' is replayed both at a rate and from spike trains; leave out one of these")
    for name, rate_Hz in trial.replayed.items():
        if not (math.isfinite(rate_Hz) and rate_Hz >= 0.0):
            raise ModelError(f"the replayed rate of '{name}' must be 0 Hz or more, got {rate_Hz}")
    for name, spikes in trial.recorded.items():
        if spikes.start_ms > 0.0 or spikes.stop_ms < trial.duration_ms:
            raise ModelError(
                f"the spikes to replay for '{name}' cover {spikes.start_ms:g} to {spikes.stop_ms:g} ms, the "
                f"simulation lasts from 0 to {trial.duration_ms:g} ms"
            )


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)[:12]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} others" if len(names) > len(shown) else "")


def _sized(populations: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({size})" for name, size in populations.items()) or "no population"
