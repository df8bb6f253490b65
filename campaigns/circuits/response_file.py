"""What a circuit did, kept as arrays in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.campaigns.writing import replacing
from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.circuit import CircuitResponse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


def write_response(response: CircuitResponse, path: Path) -> None:
    """Keep a response as arrays."""
    spikes = response.spikes
    arrays = {
        "times_ms": spikes.times_ms,
        "unit_of_spike": spikes.unit_of_spike,
        "population_of": spikes.units.population_of,
        "populations": np.array(spikes.units.populations),
        "interval_ms": np.array([spikes.start_ms, spikes.stop_ms]),
        "simulated_ms": np.array(response.simulated_ms),
        "cpu_seconds": np.array(response.cpu_seconds),
        "stopped": np.array(response.stopped or ""),
    }
    for name, signal in (("dipole", response.dipole), ("potential", response.potential)):
        if signal is not None:
            arrays[name] = signal.values
            arrays[f"{name}_sampling_Hz"] = np.array(signal.sampling_rate_Hz)
            arrays[f"{name}_start_ms"] = np.array(signal.start_ms)
            arrays[f"{name}_unit"] = np.array(signal.unit)
            arrays[f"{name}_channels"] = np.array(signal.channels)
    with replacing(path) as aside, aside.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_response(path: Path) -> CircuitResponse:
    """Read what `write_response` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        populations = [str(name) for name in arrays["populations"]]
        counts = np.bincount(arrays["population_of"], minlength=len(populations))
        units = Units.from_sizes({name: int(count) for name, count in zip(populations, counts, strict=True)})
        start_ms, stop_ms = arrays["interval_ms"].tolist()
        spikes = SpikeTrains(arrays["times_ms"], arrays["unit_of_spike"], units, start_ms, stop_ms, path.name)
        return CircuitResponse(
            spikes,
            str(arrays["stopped"]) or None,
            _signal(arrays, "dipole"),
            _signal(arrays, "potential"),
            float(arrays["simulated_ms"]),
            float(arrays["cpu_seconds"]),
        )


def _signal(arrays: Mapping[str, NDArray[Any]], name: str) -> Signal | None:
    if name not in arrays:
        return None
    # Files written before there were potentials do not name the dipole's channels.
    channels = [str(one) for one in arrays[f"{name}_channels"]] if f"{name}_channels" in arrays else ["x", "y", "z"]
    return Signal(
        arrays[name],
        float(arrays[f"{name}_sampling_Hz"]),
        str(arrays[f"{name}_unit"]),
        tuple(channels),
        float(arrays[f"{name}_start_ms"]),
    )
