"""What a group keeps of each of its sweeps: little, as all cells have some."""

from __future__ import annotations

import math
import sys
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.requests import ProtocolRequest
    from rheobase.features.stimuli import Stimulus
    from rheobase.features.sweeps import SweepMeasurement


@dataclass(frozen=True, slots=True)
class GroupedSweep:
    """A sweep of a group.

    Attributes:
        cell: Its cell.
        protocol: The protocol as the recording names it.
        sweep: Its name.
        stimulus: The stimulus found in its current.
        amplitude_nA: Amplitude above holding that the request names it by (nA).
        rheobase_nA: Rheobase of its cell (nA); None where unknown.
        values: Values of the features of the group's level, in the order of its request; NaN where it has none.
        time_step_ms: Sampling interval (ms).
        too_coarse: Features that its sampling is too coarse for.
    """

    cell: str
    protocol: str
    sweep: str
    stimulus: Stimulus
    amplitude_nA: float
    rheobase_nA: float | None
    values: array[float]
    time_step_ms: float
    too_coarse: tuple[str, ...]


def grouped(
    sweep: SweepMeasurement, request: ProtocolRequest, labels: Sequence[str], rheobase_nA: float | None
) -> GroupedSweep:
    """What is kept of a sweep.

    Args:
        sweep: The sweep.
        request: The request that its group answers.
        labels: Features of the group's level.
        rheobase_nA: Rheobase of its cell (nA).
    """
    values = sweep.values(request)
    return GroupedSweep(
        sys.intern(sweep.cell),  # names came back from disk once for every sweep
        sys.intern(sweep.protocol),
        sweep.sweep,
        sweep.stimulus,
        sweep.amplitude_nA(request),
        rheobase_nA,
        array("d", [values.get(label, math.nan) for label in labels]),
        sweep.time_step_ms,
        sweep.too_coarse,
    )
