"""Current source density of laminar potentials: where current flows into and out of cells, by depth.

Nicholson C, Freeman JA (1975) Theory of current source-density analysis and determination of conductivity tensor for
anuran cerebellum. Journal of Neurophysiology 38:356 (second derivative).
Vaknin G, DiScenna PG, Teyler TJ (1988) A method for calculating current source density analysis without resorting
to recording sites outside the sampling volume. Journal of Neuroscience Methods 24:131 (ends of the probe).
Pettersen KH, Devor A, Ulbert I, Dale AM, Einevoll GT (2006) Current-source density estimation based on inversion of
electrostatic forward solution. Journal of Neuroscience Methods 154:116 (delta-iCSD).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.features.signals.signal import Signal

UNIT = "uA/mm^3"
# 1 mV S/m over um^2 is 1e-3 / 1e-12 = 1e9 A/m^3, and 1 uA/mm^3 is 1e3 A/m^3.
_PER_mV_UM2 = 1e6


@dataclass(frozen=True)
class DiscSources:
    """What delta-iCSD assumes: current in infinitely thin discs, one at the depth of each contact.

    Attributes:
        diameter_um: Of the discs (um): how far the activity extends sideways.
        conductivity_S_per_m: Of the tissue (S/m).
        conductivity_above_S_per_m: Above the surface, at depth 0 (S/m): as that of the tissue, 0 for oil or air, or
            1.7 for saline.
    """

    diameter_um: float = 500.0
    conductivity_S_per_m: float = 0.3
    conductivity_above_S_per_m: float = 0.3

    def __post_init__(self) -> None:
        if not (self.diameter_um > 0.0 and self.conductivity_S_per_m > 0.0 and self.conductivity_above_S_per_m >= 0.0):
            raise FeatureError(
                "expected discs of a diameter and a tissue of a conductivity above zero, got "
                f"{self.diameter_um} um, {self.conductivity_S_per_m} and {self.conductivity_above_S_per_m} S/m"
            )


DEFAULT_DISCS = DiscSources()


def second_derivative_csd(
    potential: Signal,
    spacing_um: float,
    conductivity_S_per_m: float = 0.3,
    ends: Literal["omit", "vaknin"] = "omit",
) -> Signal:
    """-conductivity times the second spatial difference of the potential.

    Exact for sources that extend infinitely sideways. Sources (current out of cells) are positive, sinks negative.

    Args:
        potential: Channels in the order of depth, evenly spaced, any unit of voltage; continuous or in epochs.
        spacing_um: Distance between neighbouring contacts (um).
        conductivity_S_per_m: Of the tissue along the probe (S/m).
        ends: "omit": no value at the first and last contact; "vaknin": the potential beyond an end is taken to be
            that of the end, which gives a value there.

    Returns:
        Density in uA/mm^3, with two channels less for "omit".

    Raises:
        FeatureError: Fewer than three channels, or a spacing or conductivity that is not positive.
        UnitError: The signal is not a voltage.
    """
    if ends not in ("omit", "vaknin"):
        raise FeatureError(f"the ends are to 'omit' or to treat as 'vaknin', got '{ends}'")
    if len(potential.channels) < 3:
        raise FeatureError(f"a second derivative needs at least three contacts, got {len(potential.channels)}")
    if not (spacing_um > 0.0 and conductivity_S_per_m > 0.0):
        raise FeatureError(
            f"expected a spacing and a conductivity above zero, got {spacing_um} um and {conductivity_S_per_m} S/m"
        )
    values = potential.converted("mV").values
    channels = potential.channels[1:-1]
    if ends == "vaknin":
        values = np.concatenate((values[..., :1, :], values, values[..., -1:, :]), axis=-2)
        channels = potential.channels
    curvature = np.diff(values, n=2, axis=-2) / spacing_um**2
    density = np.asarray(-conductivity_S_per_m * _PER_mV_UM2 * curvature)
    return replace(potential, values=density, unit=UNIT, channels=channels)


def delta_icsd(potential: Signal, depths_um: NDArray[np.float64], sources: DiscSources = DEFAULT_DISCS) -> Signal:
    """Current of discs at the contacts that would give exactly the recorded potential (delta-iCSD).

    Takes into account that the activity does not extend infinitely, and what lies above the surface; gives a value
    at every contact. The current per area of each disc is divided by the distance of the contacts.

    Args:
        potential: Channels in the order of `depths_um`, any unit of voltage; continuous or in epochs.
        depths_um: Depth of each contact below the surface (um), increasing in even steps, none at a negative depth.
        sources: Size and surroundings of the discs.

    Returns:
        Density in uA/mm^3 with the same channels; sources positive, sinks negative.

    Raises:
        FeatureError: Depths that do not fit the channels or are uneven, or that leave the sources undetermined.
        UnitError: The signal is not a voltage.
    """
    spacing_um = _check_depths(depths_um, len(potential.channels))
    forward = disc_potentials(depths_um, depths_um, sources)
    if np.linalg.cond(forward) > 1e12:
        raise FeatureError(
            "the potentials of these discs are too much alike to tell them apart: state a smaller diameter, or "
            "fewer contacts"
        )
    planar = np.linalg.solve(forward, potential.converted("mV").values)
    # mV S/m over um is 1e-3 / 1e-6 = 1e3 A/m^2; over the spacing in um the same factor as above.
    density = np.asarray(planar / spacing_um * _PER_mV_UM2, dtype=np.float64)
    return replace(potential, values=density, unit=UNIT)


def disc_potentials(
    depths_um: NDArray[np.float64], disc_depths_um: NDArray[np.float64], sources: DiscSources = DEFAULT_DISCS
) -> NDArray[np.float64]:
    """Potential on the axis of discs of uniform current density, in mV for a density of 1 mV S/m / um (1e3 A/m^2).

    Pettersen et al. 2006, their equations for the delta method: each disc of radius R gives
    (sqrt(d^2 + R^2) - |d|) / (2 conductivity) at the distance d, and its image above the surface the same times
    (conductivity - conductivity above) / (conductivity + conductivity above).

    Returns:
        Shape (depths, discs).
    """
    radius_um = 0.5 * sources.diameter_um
    below, above = sources.conductivity_S_per_m, sources.conductivity_above_S_per_m
    image = (below - above) / (below + above)
    distances = depths_um[:, np.newaxis] - disc_depths_um
    mirrored = depths_um[:, np.newaxis] + disc_depths_um
    return np.asarray((_disc(distances, radius_um) + image * _disc(mirrored, radius_um)) / (2.0 * below))


def _disc(distance_um: NDArray[np.float64], radius_um: float) -> NDArray[np.float64]:
    return np.asarray(np.hypot(distance_um, radius_um) - np.abs(distance_um))


def _check_depths(depths_um: NDArray[np.float64], channels: int) -> float:
    """Distance between neighbouring contacts (um)."""
    if depths_um.shape != (channels,) or channels < 2:
        raise FeatureError(
            f"expected the depth of each of {channels} contacts (two or more), got an array of shape {depths_um.shape}"
        )
    steps = np.diff(depths_um)
    if not np.all(np.isfinite(depths_um)) or depths_um[0] < 0.0 or np.any(steps <= 0.0):
        raise FeatureError("depths must be numbers of at least 0 um that increase; order the channels by depth")
    if np.ptp(steps) > 1e-3 * float(steps.mean()):
        raise FeatureError(f"depths must be evenly spaced, they differ between {steps.min():g} and {steps.max():g} um")
    return float(steps.mean())
