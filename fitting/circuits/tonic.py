"""Tonic inhibition: a constant conductance on all sections of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.fitting.circuits.blueprint import TonicInhibition


@dataclass(frozen=True)
class TonicSites:
    """All segments of a cell that have tonic inhibition.

    Attributes:
        mechanisms: NEURON's, one for each segment.
        conductance_S_per_cm2: Its density at factor 1 (S/cm2).
    """

    mechanisms: tuple[Any, ...]
    conductance_S_per_cm2: float

    def set_factor(self, factor: float) -> None:
        """Multiply the conductance; 1 is as described.

        Raises:
            ModelError: a negative factor.
        """
        if not factor >= 0.0:
            raise ModelError(f"the factor of a background must not be negative, got {factor:g}")
        for mechanism in self.mechanisms:
            mechanism.g = factor * self.conductance_S_per_cm2


def place_tonic_inhibition(sections: Sequence[Any], tonic: TonicInhibition) -> TonicSites:
    """Give all segments of the sections tonic inhibition.

    The mechanisms of `circuit_mechanisms` must have been loaded.

    Raises:
        ModelError: a negative conductance, or a section that has tonic inhibition already.
    """
    if not tonic.conductance_S_per_cm2 >= 0.0:
        raise ModelError(
            f"the conductance of tonic inhibition must not be negative, got {tonic.conductance_S_per_cm2:g}"
        )
    mechanisms = []
    for section in sections:
        if section.has_membrane("TonicInhibition"):
            raise ModelError(f"{section.name()} has tonic inhibition already; a population can have it only once")
        section.insert("TonicInhibition")
        for segment in section:
            segment.TonicInhibition.e = tonic.reversal_mV
            mechanisms.append(segment.TonicInhibition)
    sites = TonicSites(tuple(mechanisms), tonic.conductance_S_per_cm2)
    sites.set_factor(1.0)
    return sites
