"""What a model costs, from a few milliseconds of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.simulation import SomaClamp

if TYPE_CHECKING:
    from rheobase.fitting.cells.evaluator import EvaluationSettings
    from rheobase.fitting.cells.model import CellModel

_SIMULATED_MS = 100.0
_DRIVE_nA = 2.0  # enough to make most cells fire: firing is what costs with a variable time step


@dataclass(frozen=True)
class Cost:
    """Size and price of a model.

    Attributes:
        sections: Number of sections.
        segments: Number of segments.
        cpu_seconds_per_simulated_second: While strongly driven, with parameters in the middle of their bounds.
    """

    sections: int
    segments: int
    cpu_seconds_per_simulated_second: float


class CostProbe:
    """Builds a model, which proves that it can be built, and simulates a little of it."""

    def __init__(self, model: CellModel, settings: EvaluationSettings) -> None:
        self._instance = CellInstance(model, coreneuron=settings.integrator == "coreneuron")
        self._clamp = SomaClamp(self._instance, settings.clamp_integrator)
        self._middle = {p.name: p.dimension.value(0.5) for p in model.free_parameters}
        self._instance.set_parameters(self._middle)

    def measure(self) -> Cost:
        """Cost of the model."""
        begin = time.process_time()
        self._clamp.settle(_DRIVE_nA, _SIMULATED_MS)
        seconds = (time.process_time() - begin) / _SIMULATED_MS * 1000.0
        sections = list(self._instance.cell.all)
        return Cost(len(sections), sum(section.nseg for section in sections), seconds)
