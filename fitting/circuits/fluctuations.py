"""Background that fluctuates: Ornstein-Uhlenbeck conductances on a cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.random_streams import stream_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.fitting.circuits.blueprint import FluctuatingConductance

_LARGEST_NUMBER_OF_PLACES = 2**16


@dataclass(frozen=True)
class FluctuationSite:
    """One place that has a fluctuating conductance.

    Attributes:
        point_process: NEURON's.
        gid: Global number of the cell.
        place: Number of the place, unlike all others of the cell.
        shared: Name of the process that it follows, together with others; None for one of its own.
    """

    point_process: Any
    gid: int
    place: int
    shared: str | None = None

    def set_factor(self, factor: float) -> None:
        """Multiply the conductance, its mean and its deviation alike; 1 is as described.

        Raises:
            ModelError: a negative factor.
        """
        if not factor >= 0.0:
            raise ModelError(f"the factor of a background must not be negative, got {factor:g}")
        self.point_process.factor = factor

    def restart(self, seed: int) -> None:
        """Choose the fluctuations of the next run; call it before NEURON is initialised."""
        if self.shared is not None:
            ids = stream_number(seed, f"shared fluctuations {self.shared}"), 0, 0
        else:
            ids = stream_number(seed, "fluctuations"), self.gid, self.place
        self.point_process.noise.set_ids(*ids)


def place_fluctuations(
    segments: Sequence[Any], conductance: FluctuatingConductance, gid: int, background: int = 0
) -> list[FluctuationSite]:
    """Put a fluctuating conductance on a cell, its mean shared equally by all places.

    Each place fluctuates for itself, or all that share a process together, in all cells. Values below 0 are taken as 0:
    with a `std_ratio` of 0.4 the mean of the conductance is 0.1 % larger than that of the process, with 1 it is 8 %.
    The mechanisms of `circuit_mechanisms` must have been loaded.

    Args:
        segments: The places.
        conductance: What it is like.
        gid: Global number of the cell; places fluctuate as (seed, gid, background, place) say.
        background: Which of the cell's backgrounds this is, so that several are independent.

    Raises:
        ModelError: no place, or a mean, ratio or time constant that cannot be.
    """
    from neuron import h

    if not segments:
        raise ModelError(f"cell {gid}: a fluctuating conductance needs at least one place, got none")
    if len(segments) > _LARGEST_NUMBER_OF_PLACES:
        raise ModelError(f"cell {gid}: at most {_LARGEST_NUMBER_OF_PLACES} places fluctuate, got {len(segments)}")
    _check(conductance)
    mean_uS = 1e-3 * conductance.mean_nS / len(segments)
    sites = []
    for place, segment in enumerate(segments):
        point_process = h.FluctuatingConductance(segment)
        point_process.mean = mean_uS
        point_process.deviation = conductance.std_ratio * mean_uS
        point_process.correlation = conductance.correlation_ms
        point_process.e = conductance.reversal_mV
        number = _LARGEST_NUMBER_OF_PLACES * background + place
        site = FluctuationSite(point_process, gid, number, conductance.shared)
        site.restart(0)
        sites.append(site)
    return sites


def _check(conductance: FluctuatingConductance) -> None:
    ok = conductance.mean_nS >= 0.0 and conductance.std_ratio >= 0.0 and conductance.correlation_ms > 0.0
    if not ok or not math.isfinite(conductance.correlation_ms):
        raise ModelError(
            "a fluctuating conductance needs a mean and a ratio that are not negative and a time constant above 0, got "
            f"mean_nS {conductance.mean_nS:g}, std_ratio {conductance.std_ratio:g} and correlation_ms "
            f"{conductance.correlation_ms:g}"
        )
