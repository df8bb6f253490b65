"""What a circuit did, kept as arrays in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.writing import replacing
from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.circuit import CircuitResponse

if TYPE_CHECKING:
    from pathlib import Path


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
    if response.dipole is not None:
        arrays["dipole"] = response.dipole.values
        arrays["dipole_sampling_Hz"] = np.array(response.dipole.sampling_rate_Hz)
        arrays["dipole_start_ms"] = np.array(response.dipole.start_ms)
        arrays["dipole_unit"] = np.array(response.dipole.unit)
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
        dipole = None
        if "dipole" in arrays:
            dipole = Signal(
                arrays["dipole"],
                float(arrays["dipole_sampling_Hz"]),
                str(arrays["dipole_unit"]),
                ("x", "y", "z"),
                float(arrays["dipole_start_ms"]),
            )
        return CircuitResponse(
            spikes,
            str(arrays["stopped"]) or None,
            dipole,
            None,
            float(arrays["simulated_ms"]),
            float(arrays["cpu_seconds"]),
        )
