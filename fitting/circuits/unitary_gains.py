"""Gains at which unitary potentials have given sizes, by simulation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.fitting.circuits.unitary import DEFAULT_RECORDING, unitary_potentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.circuits.blueprint import CircuitBlueprint
    from rheobase.fitting.circuits.unitary import PairedRecording

_INSIDE = 0.01  # of a limit: a gain kept at it is then within, whatever is rounded
_LEAST_SLOPE = 0.3  # of the logarithms: a potential that grows less than this with its gain tells nothing


@dataclass(frozen=True)
class GainRange:
    """Gains of a projection between which its unitary potential lies within limits.

    Attributes:
        described_mV: Mean potential at a gain of 1, of either sign (mV).
        smallest: Gain at the lower limit.
        largest: Gain at the upper limit.
    """

    described_mV: float
    smallest: float
    largest: float


def gain_ranges(
    blueprint: CircuitBlueprint,
    limits_mV: Mapping[str, tuple[float, float]],
    recording: PairedRecording = DEFAULT_RECORDING,
) -> dict[str, GainRange | None]:
    """Gains at which mean unitary potentials reach their limits.

    A potential is nearly proportional to its gain. This gives a first gain for each limit; the potential is simulated
    there, and one step along the line through both points on logarithmic axes makes it better. Gains stay inside the
    limits by a hundredth.

    Args:
        blueprint: The circuit.
        limits_mV: Smallest and largest size of the mean potential (mV), by name of the projection.
        recording: How potentials are measured.

    Returns:
        A range for each projection; None where the potential cannot be measured.

    Raises:
        ModelError: as `unitary_potentials`.
    """
    inside = {name: _within(low, high) for name, (low, high) in limits_mV.items()}
    at_one = _sizes_mV(blueprint, dict.fromkeys(limits_mV, 1.0), recording)
    known = {name: size for name, size in at_one.items() if size}
    sides: list[dict[str, float]] = []
    for side in (0, 1):
        gains = {name: inside[name][side] / abs(size) for name, size in known.items()}
        reached = _sizes_mV(blueprint, gains, recording)
        sides.append({name: _better(gains[name], known[name], reached[name], inside[name][side]) for name in gains})
    return {
        name: GainRange(known[name], sides[0][name], sides[1][name]) if name in known else None for name in limits_mV
    }


def _within(low_mV: float, high_mV: float) -> tuple[float, float]:
    """Limits a little inside others; of narrow ones the middle half."""
    part = math.exp(min(math.log1p(_INSIDE), 0.25 * math.log(high_mV / low_mV)))
    return low_mV * part, high_mV / part


def _better(gain: float, at_one_mV: float, reached_mV: float | None, wanted_mV: float) -> float:
    """One step from a gain to the one wanted."""
    if not reached_mV or abs(math.log(gain)) < 1e-3:
        return gain
    slope = math.log(abs(reached_mV / at_one_mV)) / math.log(gain)
    return gain * math.exp(math.log(wanted_mV / abs(reached_mV)) / max(slope, _LEAST_SLOPE))


def _sizes_mV(
    blueprint: CircuitBlueprint, gains: Mapping[str, float], recording: PairedRecording
) -> dict[str, float | None]:
    parameters = {f"weight:{name}": gain for name, gain in gains.items()}
    found = unitary_potentials(blueprint, parameters, recording, tuple(gains))
    return {one.projection: one.mean_mV for one in found}
