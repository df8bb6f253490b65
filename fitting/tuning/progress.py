"""The state of a stage, for reports, dashboards and whoever waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.objectives.objective import Judged


@dataclass(frozen=True)
class Verdict:
    """How a stage ended.

    Attributes:
        met: Whether all targets were met and confirmed.
        sentences: Why not: targets that conflict, knobs at their bounds, noise; or what limits the statement.
    """

    met: bool
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScoredTarget:
    """A target at the best place.

    Attributes:
        judged: Mean over seeds against the target.
        values: The value with each seed.
        error: Standard error of the mean, from the noise of all places, in the target's unit.
        constraint: Whether it only has to stay within its tolerance.
    """

    judged: Judged
    values: tuple[float, ...]
    error: float
    constraint: bool = False


@dataclass(frozen=True)
class Sensitivity:
    """Slope of each target with the logarithm of each factor, at the best place.

    Attributes:
        targets: Keys of the targets; of rates the slope is that of the logarithm.
        knobs: Names of the knobs.
        slopes: A row for each target.
        errors: Standard errors of the slopes.
    """

    targets: tuple[str, ...]
    knobs: tuple[str, ...]
    slopes: tuple[tuple[float, ...], ...]
    errors: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class OriginGain:
    """What one kind of proposal was good for.

    Attributes:
        places: Places that it proposed and that have a result.
        improvements: How many of them were better than all before by more than the noise.
        gain: Sum of the decreases of the logarithm of the loss, log(1 + loss), at those.
    """

    places: int = 0
    improvements: int = 0
    gain: float = 0.0


@dataclass(frozen=True)
class StageProgress:
    """A stage as far as it is.

    Attributes:
        name: Its name.
        state: "waiting", "running", "met", "not met", or "left out" because a required one before it was not met.
        simulations: Simulations told.
        places: Places with a result.
        stopped: Simulations that were stopped early.
        losses: Smallest loss after each simulation, for a plot of convergence.
        best: Targets at the best place; of a stage that is met at the accepted one.
        factors: Factor of each knob there, relative to what earlier stages reached.
        parameters: All parameters of the circuit there that differ from 1.
        verdict: How it ended; None as long as it runs.
        origins: What each kind of proposal was good for.
        sensitivity: Slopes at the best place; None without knobs.
        simulated_ms: Simulated time (ms).
        cpu_seconds: CPU time of its simulations (s).
    """

    name: str
    state: str
    simulations: int = 0
    places: int = 0
    stopped: int = 0
    losses: tuple[float, ...] = ()
    best: tuple[ScoredTarget, ...] = ()
    factors: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    verdict: Verdict | None = None
    origins: Mapping[str, OriginGain] = field(default_factory=dict)
    sensitivity: Sensitivity | None = None
    simulated_ms: float = 0.0
    cpu_seconds: float = 0.0
