"""Who is in the NEURON of this process.

NEURON integrates all that it has together, so a second model would cost its time, and change CVODE's steps for the
first: there is one occupant, a cell or a circuit, and the next one closes it.
"""

from __future__ import annotations

from typing import Protocol


class Occupant(Protocol):
    """Whatever has sections in NEURON."""

    def close(self) -> None:
        """Remove its sections, and `leave`."""


_occupants: list[Occupant] = []


def vacate() -> None:
    """Close whoever is in NEURON."""
    while _occupants:
        _occupants[-1].close()


def occupy(newcomer: Occupant) -> None:
    """Close whoever is in NEURON, and note who comes."""
    vacate()
    _occupants.append(newcomer)


def leave(occupant: Occupant) -> None:
    """Note that it is no longer in NEURON."""
    _occupants.remove(occupant)


def is_inside(occupant: Occupant) -> bool:
    """Whether nobody else came since."""
    return any(other is occupant for other in _occupants)
