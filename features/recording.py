"""A current-clamp sweep, as it came from a file and as rheobase uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Channel:
    """One signal of a file, in the file's own unit.

    Attributes:
        values: Samples, shape (samples,).
        unit: Unit as the file spells it, for example "A", "mV", "pA".
        time_step_ms: Sampling interval (ms).
        name: The file's name of the channel, for messages.
    """

    values: NDArray[np.float64]
    unit: str
    time_step_ms: float
    name: str = ""


@dataclass(frozen=True, eq=False)
class RawSweep:
    """What a reader yields: the channels of one sweep, and what the file says about it (None: nothing).

    Igor waves hold one channel a file: such readers yield sweeps of one channel, joined later by the file's name.

    Attributes:
        channels: Signals of the sweep; empty when it is left out or has a problem.
        cell: Name of the cell; None: the file is one cell, named after the file.
        protocol: Name of the stimulus protocol.
        sweep: Name of the sweep, unique within the file.
        left_out: Why a sweep that is in the file is no recording of current clamp, for the report.
        problem: Why a sweep cannot be read although the rest of its file can.
        note: What was changed in the sweep, for the report, for example padding that was cut off.
    """

    channels: tuple[Channel, ...]
    cell: str | None = None
    protocol: str | None = None
    sweep: str | None = None
    left_out: str | None = None
    problem: str | None = None
    note: str | None = None


@dataclass(frozen=True, eq=False)
class Recording:
    """One current-clamp sweep of one cell.

    Attributes:
        cell: Name of the cell.
        protocol: Name of the stimulus protocol, for example "IDrest".
        sweep: Name of the sweep, unique within cell and protocol.
        time_step_ms: Sampling interval (ms), the same for both signals.
        voltage_mV: Membrane potential (mV), liquid-junction potential subtracted, shape (samples,).
        current_nA: Injected current (nA), shape (samples,).
        source: The file or files it came from, for messages.
    """

    cell: str
    protocol: str
    sweep: str
    time_step_ms: float
    voltage_mV: NDArray[np.float64]
    current_nA: NDArray[np.float64]
    source: str

    @property
    def duration_ms(self) -> float:
        """Length of the sweep (ms)."""
        return self.time_step_ms * len(self.voltage_mV)


@dataclass(frozen=True, slots=True)
class Step:
    """A current step as it was found in a current trace.

    Attributes:
        onset_ms: Start of the step (ms from the start of the sweep).
        offset_ms: End of the step (ms).
        amplitude_nA: Plateau above holding (nA): median of the plateau minus median of the baseline.
        holding_nA: Current outside the step (nA): median of the baseline.
    """

    onset_ms: float
    offset_ms: float
    amplitude_nA: float
    holding_nA: float

    @property
    def duration_ms(self) -> float:
        """Length of the step (ms)."""
        return self.offset_ms - self.onset_ms
