"""What is asked for, what came of it, and the places of a stage with all their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.circuits.circuit import Trial


@dataclass(frozen=True)
class Asked:
    """One simulation that is asked for.

    Attributes:
        number: Its number, in the order of asking, over all stages.
        stage: Name of the stage.
        place: Number of its place within the stage; several simulations of one place differ in their seeds.
        position: Natural logarithm of the factor of each knob of the stage.
        origin: Where the place comes from: "reference", "root", "jacobian", "optuna_tpe", ...
        repetition: Which seed of this place it is, from 0.
        trial: What to simulate.
    """

    number: int
    stage: str
    place: int
    position: tuple[float, ...]
    origin: str
    repetition: int
    trial: Trial


@dataclass(frozen=True)
class Outcome:
    """What came of a simulation.

    Attributes:
        values: Measured values by the keys of targets ("rate:L4_E"); None for what has no value, absent for what was
            not measured. Of a stopped trial those measured until then: the rates of what ran away, or fell silent.
        stopped: Why it was stopped early; None if it was not.
        simulated_ms: How long was simulated (ms).
        cpu_seconds: CPU time (s).
    """

    values: Mapping[str, float | None]
    stopped: str | None = None
    simulated_ms: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Told:
    """A line of the record: enough, with those before it, to be where the tuning was.

    Attributes:
        number: Which of the simulations asked for.
        asked_before: How many had been asked for when this one was told.
        position: Its position, to find out whether a record belongs to these stages and seed.
        outcome: What came of it.
    """

    number: int
    asked_before: int
    position: tuple[float, ...]
    outcome: Outcome


@dataclass
class Place:
    """A place of a stage and what is known of it.

    Attributes:
        number: Its number within the stage.
        position: Natural logarithm of each knob's factor.
        origin: Where it comes from.
        asked: How many simulations of it were asked for.
        outcomes: What came of them, by repetition.
    """

    number: int
    position: tuple[float, ...]
    origin: str
    asked: int = 0
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    @property
    def stopped(self) -> bool:
        """Whether any of its simulations was stopped."""
        return any(outcome.stopped is not None for outcome in self.outcomes.values())

    @property
    def repetitions(self) -> int:
        """How many simulations of it have ended."""
        return len(self.outcomes)

    def values(self, key: str, first: int = 0) -> list[float]:
        """Values of one target, by repetition, those that are there; from the `first` repetition on."""
        return [value for value in self._measured(key, first) if value is not None]

    def mean(self, key: str, first: int = 0) -> float | None:
        """Mean over seeds; None where it was not measured, or has no value with one of the seeds."""
        measured = self._measured(key, first)
        values = [value for value in measured if value is not None]
        return sum(values) / len(values) if values and len(values) == len(measured) else None

    def _measured(self, key: str, first: int) -> list[float | None]:
        wanted = (self.outcomes[n].values for n in sorted(self.outcomes) if n >= first)
        return [values[key] for values in wanted if key in values]
