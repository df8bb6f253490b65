"""What searches propose and evaluators return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Candidate:
    """A set of parameters that a search wants evaluated.

    Attributes:
        number: Its place in the search's sequence, from 0.
        parameters: Value of each free parameter, by name, in the model's own units.
    """

    number: int
    parameters: dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What came of a candidate.

    Attributes:
        features: Measured values, by objective; those that could not be measured are absent.
        scores: Score of every objective (standard deviations).
        failure: Why the evaluation ended early, None when it did not.
        cpu_seconds: CPU time it took.
        traces: (time in ms, voltage in mV) by protocol, when asked for.
    """

    features: dict[str, float]
    scores: dict[str, float]
    failure: str | None = None
    cpu_seconds: float = 0.0
    traces: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict, compare=False)


class Evaluator(Protocol):
    """Anything that turns parameters into scores; it depends on them alone, not on what it evaluated before."""

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of all objectives, in a fixed order."""

    def evaluate(self, parameters: Mapping[str, float], keep_traces: bool = False) -> Evaluation:
        """Evaluate one set of parameters. A model that fails gets failure scores; nothing is raised."""
