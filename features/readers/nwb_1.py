"""NWB files of version 1 as the Allen Cell Types Database has them, one cell a file.

An epoch Experiment_N is the part of Sweep_N after the test pulse and before what was not recorded to its end; a
sweep without one is test pulse or quality control and is left out. In files of before version 1.1 of Allen's
pipeline the conversion is there but the data are in volts and amperes already.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import quantity_of
from rheobase.features.recording import Channel, RawSweep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_SWEEP = re.compile(r"Sweep_(\d+)")
_CONVERSION_COUNTS_FROM = (1, 1)
_UNKNOWN_PROTOCOL = {"", "unknown", "none"}


def is_nwb_1(path: Path) -> bool:
    """Whether a file is HDF5 and says that it is NWB of version 1."""
    import h5py

    with h5py.File(path, "r") as file:
        return "nwb_version" in file and _text(file["nwb_version"][()]).upper().startswith("NWB-1")


def read_nwb_1(path: Path) -> Iterator[RawSweep]:
    """Current-clamp sweeps by number, cut to their experiment; the others say why they are left out.

    Raises:
        RecordingError: There are no sweeps.
    """
    import h5py

    with h5py.File(path, "r") as file:
        epochs = file.get("epochs", {})
        numbers = sorted(int(match[1]) for match in map(_SWEEP.fullmatch, epochs) if match)
        if not numbers:
            raise RecordingError(f"{path}: there are no epochs Sweep_N in it, as Allen's files of NWB 1 have them")
        in_si_units = _pipeline_version(file) < _CONVERSION_COUNTS_FROM
        for number in numbers:
            experiment = epochs.get(f"Experiment_{number}")
            left_out = _why_left_out(epochs[f"Sweep_{number}"], experiment)
            protocol = _protocol(file, number)
            if left_out or experiment is None:
                yield RawSweep((), None, protocol, str(number), left_out=left_out)
            else:
                channels = tuple(_channel(experiment[side], in_si_units) for side in ("response", "stimulus"))
                yield RawSweep(channels, None, protocol, str(number))


def _text(value: Any) -> str:
    first = np.asarray(value).ravel()[0] if np.size(value) else ""
    return first.decode() if isinstance(first, bytes) else str(first)


def _pipeline_version(file: Any) -> tuple[int, int]:
    """Version of Allen's pipeline, (0, 0) where the file does not say."""
    table = file.get("general/generated_by")
    keys_and_values = [] if table is None else [_text(item) for item in np.asarray(table[()]).ravel()]
    for key, value in pairwise(keys_and_values):
        numbers = re.findall(r"\d+", value)
        if key == "version" and len(numbers) > 1:
            return int(numbers[0]), int(numbers[1])
    return (0, 0)


def _why_left_out(sweep: Any, experiment: Any) -> str | None:
    stimulus = sweep["stimulus/timeseries"]
    if quantity_of(_text(stimulus["data"].attrs["unit"])) != "current":
        return "voltage clamp"
    return "a test sweep, without an experiment" if experiment is None else None


def _protocol(file: Any, number: int) -> str | None:
    name = file.get(f"stimulus/presentation/Sweep_{number}/aibs_stimulus_name")
    protocol = "" if name is None else _text(name[()]).strip()
    return protocol if protocol.lower() not in _UNKNOWN_PROTOCOL else None


def _channel(epoch: Any, in_si_units: bool) -> Channel:
    """Samples of an epoch's series."""
    series = epoch["timeseries"]
    data, first, count = series["data"], int(epoch["idx_start"][()]), int(epoch["count"][()])
    raw: NDArray[Any] = np.asarray(data[first : first + count])
    if len(raw) != count:
        raise ValueError(f"the series {series.name} has fewer samples than its epoch says")
    scale = 1.0 if in_si_units else float(np.asarray(data.attrs["conversion"]).ravel()[0])
    rate_Hz = float(np.asarray(series["starting_time"].attrs["rate"]).ravel()[0])
    values = raw.astype(np.float64) * scale
    return Channel(values, _text(data.attrs["unit"]), float(f"{1000.0 / rate_Hz:.12g}"), series.name)
