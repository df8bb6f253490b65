"""The current dipole moment of a circuit: p = sum of r_n I_n over segments.

Hagen E, Naess S, Ness TV, Einevoll GT (2018) Multimodal modeling of neural network activity: computing LFP, ECoG, EEG,
and MEG signals with LFPy 2.0. Frontiers in Neuroinformatics 12:92. It does not depend on the origin, since the membrane
currents of a cell add up to zero; an electrode's current is none of them, so cells must not have any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.readout import CurrentReadout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rheobase.fitting.circuits.readout import SegmentGeometry

UNIT = "nA um"
CHANNELS = ("x", "y", "z")
_RESOLUTION_nA_UM = 2.0**-24


def dipole_readout(geometry: SegmentGeometry) -> CurrentReadout:
    """What accumulates the dipole of these segments, from samples of their membrane currents (nA um)."""
    return CurrentReadout(geometry.middles_um, geometry, _RESOLUTION_nA_UM)


def dipole_signal(samples: NDArray[np.float64], sampling_interval_ms: float, start_ms: float) -> Signal:
    """The dipole as a signal with the channels x, y and z.

    Args:
        samples: Dipole at each time (nA um), shape (samples, 3).
        sampling_interval_ms: Time between samples (ms).
        start_ms: Time of the first sample (ms).

    Raises:
        ModelError: Not three components, or a dipole that is not a number: the simulation went astray.
    """
    if samples.ndim != 2 or samples.shape[1] != 3:
        raise ModelError(f"expected x, y and z of the dipole at each time, got an array of shape {samples.shape}")
    if not np.all(np.isfinite(samples)):
        raise ModelError("the current dipole is not a number at some time: the simulation went astray")
    return Signal(samples.T.copy(), 1000.0 / sampling_interval_ms, UNIT, CHANNELS, start_ms)
