"""What every reader of spikes and rates does with what it read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import FeatureError, RecordingError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rheobase.features.activity.populations import Units

_NOTHING = {"", "nan", "na", "n/a", "none", "null", "unknown", "<na>"}


def has_no_text(text: str) -> bool:
    """Whether a cell of a table stands for nothing."""
    return text.strip().lower() in _NOTHING


def spike_trains_of_file(
    path: Path,
    times_ms: NDArray[np.float64],
    unit_of_spike: NDArray[np.intp],
    units: Units,
    observed_ms: tuple[float, float],
) -> SpikeTrains:
    """Spike trains read from a file; what is wrong with them is wrong with the file.

    Their source is the name of the file without its folder, which means nothing on another machine.

    Raises:
        RecordingError: Spikes beyond the observation, or an observation that ends before it starts.
    """
    try:
        trains = SpikeTrains(times_ms, unit_of_spike, units, *observed_ms, source=str(path))
    except FeatureError as error:
        raise RecordingError(str(error)) from None
    return replace(trains, source=path.name)
