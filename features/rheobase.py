"""Rheobase: the smallest long step that makes a cell fire, by one of three definitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rheobase.features.sweeps import SweepMeasurement

LONG_STEP_MS = 100.0  # shorter ones need more current the shorter they are


@dataclass(frozen=True)
class RheobaseSettings:
    """How the rheobase is found.

    Attributes:
        protocols: Protocols whose steps define it, upper or lower case alike; empty: every step of 100 ms or more.
        method: "lowest": the smallest step that made the cell fire.
            "majority": the smallest amplitude such that of all steps from there up to any larger amplitude more than
            half made the cell fire; steps closer than `same_amplitude_nA` are one amplitude, which is their mean.
            A single spike below a row of silent steps does not count, as it does not in BluePyEfe's majority (which
            looks at one amplitude only and gives the middle of its bin).
            "interpolated": where the line from the highest silent step below the lowest firing one (no spike) to that
            one (n spikes) reaches one spike. BluePyEfe fits a line through all steps above and takes it at one spike.
        same_amplitude_nA: Width within which steps are one amplitude, for "majority" (nA).
    """

    protocols: tuple[str, ...] = ()
    method: Literal["lowest", "majority", "interpolated"] = "lowest"
    same_amplitude_nA: float = 0.01

    def __post_init__(self) -> None:
        if self.method not in ("lowest", "majority", "interpolated"):
            raise FeatureError(f"the rheobase is 'lowest', 'majority' or 'interpolated', got '{self.method}'")


@dataclass(frozen=True, slots=True)
class Rheobase:
    """A cell's rheobase.

    Attributes:
        value_nA: The rheobase (nA above holding).
        highest_silent_nA: Largest step below it that did not make the cell fire (nA above holding); None: there was
            none, and the true rheobase may be lower.
    """

    value_nA: float
    highest_silent_nA: float | None

    @property
    def bracketed(self) -> bool:
        """Whether a smaller step was given that did not make the cell fire."""
        return self.highest_silent_nA is not None


def find_rheobase(sweeps: Iterable[SweepMeasurement], settings: RheobaseSettings) -> Rheobase | None:
    """Rheobase of a cell from its depolarising steps; None when none of them made it fire.

    Args:
        sweeps: The cell's sweeps, of all protocols.
        settings: Which of them, and how.
    """
    steps = sorted((sweep.step.amplitude_nA, sweep.spikes) for sweep in defining_steps(sweeps, settings))
    steps = [step for step in steps if step[0] > 0]
    lowest = _majority(steps, settings.same_amplitude_nA) if settings.method == "majority" else _lowest(steps)
    if lowest is None:
        return None
    silent_nA = max((amplitude for amplitude, spikes in steps if not spikes and amplitude < lowest), default=None)
    if settings.method == "interpolated" and silent_nA is not None:
        spikes = next(count for amplitude, count in steps if amplitude == lowest and count)
        return Rheobase(silent_nA + (lowest - silent_nA) / spikes, silent_nA)
    return Rheobase(lowest, silent_nA)


def defining_steps(sweeps: Iterable[SweepMeasurement], settings: RheobaseSettings) -> list[SweepMeasurement]:
    """Sweeps whose stimulus can say something about the rheobase: single steps of the protocols that define it."""
    chosen = {name.lower() for name in settings.protocols}
    return [
        sweep
        for sweep in sweeps
        if sweep.stimulus.kind in ("step", "pulse")
        and (sweep.protocol.lower() in chosen if chosen else sweep.step.duration_ms >= LONG_STEP_MS)
    ]


def _lowest(steps: Sequence[tuple[float, int]]) -> float | None:
    return min((amplitude for amplitude, spikes in steps if spikes), default=None)


def _majority(steps: Sequence[tuple[float, int]], same_amplitude_nA: float) -> float | None:
    groups: list[list[tuple[float, int]]] = []
    for step in steps:
        if groups and step[0] - groups[-1][0][0] <= same_amplitude_nA:
            groups[-1].append(step)
        else:
            groups.append([step])
    excess = [sum(1 if spikes else -1 for _, spikes in group) for group in groups]
    for place, group in enumerate(groups):
        if min(np.cumsum(excess[place:])) > 0:
            return float(np.mean([amplitude for amplitude, _ in group]))
    return None
