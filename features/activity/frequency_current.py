"""How the rate of a neuron or a population grows with the current (or any drive) it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class FrequencyCurrentLine:
    """Straight line through the spiking part of an f-I curve.

    Attributes:
        slope_Hz_per_nA: Gain.
        onset_nA: Current at which the line reaches 0 Hz; None for a line that does not rise.
        points: Number of points it was fitted to.
    """

    slope_Hz_per_nA: float
    onset_nA: float | None
    points: int


def frequency_current_line(currents_nA: Sequence[float], rates_Hz: Sequence[float]) -> FrequencyCurrentLine | None:
    """Least-squares line through the points of an f-I curve that have spikes.

    Silent points are left out, so that the slope does not depend on how far below threshold the steps begin
    (as IPFX and Gouwens et al. 2019, Nat Neurosci 22:1182, do).

    Args:
        currents_nA: Current of each point (nA), in any order.
        rates_Hz: Rate at each point (Hz).

    Returns:
        The line; None with spikes at fewer than two different currents.

    Raises:
        FeatureError: Lists of different lengths, values that are not finite, or negative rates.
    """
    currents, rates = np.asarray(currents_nA, dtype=np.float64), np.asarray(rates_Hz, dtype=np.float64)
    if currents.shape != rates.shape or currents.ndim != 1:
        raise FeatureError(f"an f-I curve has one rate a current, got {currents.size} currents and {rates.size} rates")
    if not (np.all(np.isfinite(currents)) and np.all(np.isfinite(rates)) and np.all(rates >= 0)):
        raise FeatureError("an f-I curve has finite currents, and finite rates of 0 Hz or more")
    spiking = rates > 0
    x, y = currents[spiking], rates[spiking]
    if len(np.unique(x)) < 2:
        return None
    deviation = x - x.mean()
    slope = float(deviation @ (y - y.mean()) / (deviation @ deviation))
    onset = float(x.mean() - y.mean() / slope) if slope > 0 else None
    return FrequencyCurrentLine(slope, onset, int(spiking.sum()))
