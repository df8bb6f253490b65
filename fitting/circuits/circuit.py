"""What can be tuned: anything that answers a trial with spikes and signals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.features.signals.signal import Signal


@dataclass(frozen=True)
class RateLimits:
    """When a trial is plainly off, and is stopped.

    Attributes:
        largest_Hz: Mean rate of each population in any check interval that must not be exceeded (Hz).
        after_ms: Checks begin here: the first transient is over (ms).
        every_ms: Length of a check interval (ms).
        silent_ms: Populations without a single spike this long after `after_ms` end the trial; 0 for never (ms).
        expected_Hz: Rate of each simulated population that a silence would contradict; those not named may be silent.
        until_ms: Checks end here: stimuli come then; None for never (ms).
    """

    largest_Hz: Mapping[str, float]
    after_ms: float = 200.0
    every_ms: float = 100.0
    silent_ms: float = 0.0
    expected_Hz: Mapping[str, float] = field(default_factory=dict)
    until_ms: float | None = None


@dataclass(frozen=True)
class Trial:
    """One simulation that is asked for. The response depends on nothing else.

    Attributes:
        parameters: Value of each parameter that is not as described, by name; the others are 1.
        seed: Of everything that is left to chance during the simulation.
        duration_ms: How long is simulated (ms).
        dropped_ms: Transient at the start that is no part of the response (ms).
        simulated: Populations with cells; the others have none. Empty for all.
        replayed: Mean rate (Hz) of each population that is not simulated but sends independent Poisson spikes
            instead; those that are neither simulated nor replayed are absent.
        recorded: Spike trains to replay instead, by population; they must last as long as the simulation.
        connected: Whether projections exist; without them only the background acts.
        limits: When to stop early; None for never.
        signals: Whether the current dipole is recorded.
        electrodes_um: Depths at which the local field potential is recorded (um); none if empty.
    """

    parameters: Mapping[str, float]
    seed: int
    duration_ms: float
    dropped_ms: float = 0.0
    simulated: tuple[str, ...] = ()
    replayed: Mapping[str, float] = field(default_factory=dict)
    recorded: Mapping[str, SpikeTrains] = field(default_factory=dict)
    connected: bool = True
    limits: RateLimits | None = None
    signals: bool = False
    electrodes_um: tuple[float, ...] = ()


@dataclass(frozen=True)
class CircuitResponse:
    """What a circuit did.

    Attributes:
        spikes: Spikes of all simulated cells, from `dropped_ms` to the end or to where it was stopped; times count
            from the start of the simulation.
        stopped: Why it was stopped early, in words; None if it was not.
        dipole: Current dipole moment, channels "x", "y", "z" (nA um; z points to the surface), from `dropped_ms` on;
            None if not asked for or stopped.
        potential: Local field potential, one channel for each electrode (mV); None likewise.
        simulated_ms: How long was simulated (ms).
        cpu_seconds: CPU time that the simulation took (s).
    """

    spikes: SpikeTrains
    stopped: str | None = None
    dipole: Signal | None = None
    potential: Signal | None = None
    simulated_ms: float = 0.0
    cpu_seconds: float = 0.0


class Circuit(Protocol):
    """A circuit of whatever kind: NEURON's, a Python callable, an external command."""

    @property
    def populations(self) -> Mapping[str, int]:
        """Number of cells of each population."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters that a trial may set."""

    def simulate(self, trial: Trial) -> CircuitResponse:
        """Simulate a trial.

        Raises:
            ModelError: an unknown parameter or population.
        """
