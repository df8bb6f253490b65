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
        scores: Score of every objective (standard deviations); of a candidate that was excluded, lower bounds of
            those that are known by then, the others absent.
        failure: Why the model could not be evaluated to the end, None when it could.
        excluded: Whether the evaluation was ended because the candidate could not be chosen any more.
        cpu_seconds: CPU time it took.
        traces: (time in ms, voltage in mV) by protocol, when asked for.
    """

    features: dict[str, float]
    scores: dict[str, float]
    failure: str | None = None
    excluded: bool = False
    cpu_seconds: float = 0.0
    traces: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict, compare=False)


class Bound(Protocol):
    """What a search knows about candidates that it will not choose, whatever their remaining scores are."""

    def excludes(self, scores: Mapping[str, float]) -> bool:
        """Whether a candidate is out for certain.

        Args:
            scores: Lower bounds of its final scores by objective; of those absent nothing is known but that they
                are zero or more.
        """


class Evaluator(Protocol):
    """Anything that turns parameters into scores; it depends on them alone, not on what it evaluated before."""

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of all objectives, in a fixed order."""

    def evaluate(
        self, parameters: Mapping[str, float], keep_traces: bool = False, bound: Bound | None = None
    ) -> Evaluation:
        """Evaluate one set of parameters. A model that fails gets failure scores; nothing is raised.

        Args:
            parameters: Value of each free parameter, by name.
            keep_traces: Whether to return voltage traces.
            bound: Ends the evaluation as soon as it excludes the candidate; scores of those that it does not exclude
                are the same with and without it.
        """
