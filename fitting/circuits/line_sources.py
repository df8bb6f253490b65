"""Laminar potentials of a circuit: each segment is a line from which its current flows into the tissue.

Holt GR, Koch C (1999) Electrical interactions via the extracellular potential near cell bodies. Journal of
Computational Neuroscience 6:169. The formula is that of lfpykit (Hagen et al. 2018), called here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.readout import CurrentReadout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.circuits.readout import SegmentGeometry

UNIT = "mV"
CONDUCTIVITY_S_PER_M = 0.3
_RESOLUTION_MV = 2.0**-43
# A segment shorter than this is a point; the formula needs some length.
_SHORTEST_UM = 1e-3


def electrodes_at(depths_um: Sequence[float], radius_um: float = 0.0) -> NDArray[np.float64]:
    """Positions of the contacts of a laminar probe (um), shape (contacts, 3), in the column's frame.

    Args:
        depths_um: Depth of each contact below the surface, which lies at z = 0 (um).
        radius_um: Distance of the probe from the axis of the column (um).

    Raises:
        ModelError: No depths, or one twice.
    """
    if not depths_um or len(set(depths_um)) < len(depths_um):
        raise ModelError(f"expected different depths of electrodes (um), got {list(depths_um)}")
    return np.array([(radius_um, 0.0, -depth) for depth in depths_um])


def transfer_matrix(
    geometry: SegmentGeometry, electrodes_um: NDArray[np.float64], conductivity_S_per_m: float = CONDUCTIVITY_S_PER_M
) -> NDArray[np.float64]:
    """Potential at each electrode for 1 nA of each segment (mV/nA), shape (electrodes, segments).

    An electrode is never nearer to the line of a segment than the segment's radius.

    Args:
        geometry: The segments.
        electrodes_um: Position of each electrode (um), shape (electrodes, 3).
        conductivity_S_per_m: Of the tissue (S/m), the same everywhere.

    Raises:
        ModelError: A conductivity that is not positive.
    """
    from lfpykit import CellGeometry, LineSourcePotential

    if not conductivity_S_per_m > 0.0:
        raise ModelError(f"the conductivity of the tissue must be above 0 S/m, got {conductivity_S_per_m}")
    starts, ends = _with_length(geometry)
    sources = CellGeometry(
        *(np.column_stack((starts[:, axis], ends[:, axis])) for axis in range(3)), geometry.diameters_um
    )
    x, y, z = (np.ascontiguousarray(electrodes_um[:, axis]) for axis in range(3))
    model = LineSourcePotential(sources, x, y, z, float(conductivity_S_per_m))
    return np.asarray(model.get_transformation_matrix())


def potential_readout(
    geometry: SegmentGeometry, electrodes_um: NDArray[np.float64], conductivity_S_per_m: float = CONDUCTIVITY_S_PER_M
) -> CurrentReadout:
    """What accumulates the potentials at electrodes (mV), from samples of the membrane currents."""
    matrix = transfer_matrix(geometry, electrodes_um, conductivity_S_per_m)
    return CurrentReadout(matrix.T, geometry, _RESOLUTION_MV)


def potential_signal(
    samples: NDArray[np.float64], depths_um: Sequence[float], sampling_interval_ms: float, start_ms: float
) -> Signal:
    """Potentials as a signal, channels named by depth ("100 um") from the surface downwards where depths are so.

    Args:
        samples: Potential at each time and electrode (mV), shape (samples, electrodes).
        depths_um: Depth of each electrode (um).
        sampling_interval_ms: Time between samples (ms).
        start_ms: Time of the first sample (ms).

    Raises:
        ModelError: Samples that do not fit the electrodes, or are not numbers: the simulation went astray.
    """
    if samples.ndim != 2 or samples.shape[1] != len(depths_um):
        raise ModelError(
            f"expected the potential at {len(depths_um)} electrodes, got an array of shape {samples.shape}"
        )
    if not np.all(np.isfinite(samples)):
        raise ModelError("the potential is not a number at some time: the simulation went astray")
    channels = tuple(f"{depth:g} um" for depth in depths_um)
    return Signal(samples.T.copy(), 1000.0 / sampling_interval_ms, UNIT, channels, start_ms)


def _with_length(geometry: SegmentGeometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Begins and ends of the segments; those without a length get one that does not matter."""
    starts, ends = geometry.starts_um.copy(), geometry.ends_um.copy()
    short = np.linalg.norm(ends - starts, axis=1) < _SHORTEST_UM
    starts[short] = geometry.middles_um[short] - (0.0, 0.0, 0.5 * _SHORTEST_UM)
    ends[short] = geometry.middles_um[short] + (0.0, 0.0, 0.5 * _SHORTEST_UM)
    return starts, ends
