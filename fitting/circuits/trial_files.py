"""The files by which an external command is asked for a trial and answers it.

Written by rheobase into the folder of the trial:

- trial.json: {"schema": "rheobase.trial/1", "parameters": {name: value of all of them}, "seed", "duration_ms",
  "dropped_ms", "populations": {name: cells}, "simulated": [names], "replayed": {name: Hz}, "recorded": file or null,
  "connected": bool, "limits": {...} or null, "signals": bool, "electrodes_um": [depths], "nodes": file, "spikes": file,
  "arrays": file, "response": file}; the last four are names in the same folder.
- nodes.h5: SONATA nodes of all simulated populations, with ids from 0.
- recorded.h5: SONATA spikes of populations to replay, if there are any.

Written by the command:

- spikes.h5: SONATA spikes from the start of the simulation, a group for each simulated population, also if silent.
- arrays.npz or arrays.h5, if signals or electrodes are asked for: "dipole" (3, samples) in nA um and "potential"
  (electrodes, samples) in mV, each from the start of the simulation, and "sampling_rate_Hz".
- response.json, if it likes: {"stopped": why it was stopped early or null, "simulated_ms", "cpu_seconds"}.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.activity.sonata import read_sonata_spikes, write_sonata_spikes
from rheobase.features.activity.sonata_nodes import SonataNodes
from rheobase.features.activity.spike_trains import merged
from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.circuit import CircuitResponse
from rheobase.fitting.circuits.dipole import dipole_signal
from rheobase.fitting.circuits.line_sources import potential_signal
from rheobase.fitting.circuits.trial_checks import simulated_populations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from rheobase.fitting.circuits.circuit import Trial

SCHEMA = "rheobase.trial/1"
TRIAL, NODES, RECORDED, SPIKES, RESPONSE = "trial.json", "nodes.h5", "recorded.h5", "spikes.h5", "response.json"
ARRAYS = ("arrays.npz", "arrays.h5")


def write_trial(trial: Trial, populations: Mapping[str, int], parameters: tuple[str, ...], folder: Path) -> Path:
    """Write what a command needs to know; the path of trial.json.

    Args:
        trial: What is asked for.
        populations: Number of cells of each population of the circuit.
        parameters: Names of all its parameters; those that the trial does not set are 1.
        folder: Where.
    """
    simulated = simulated_populations(trial, populations)
    _write_nodes({name: populations[name] for name in simulated}, folder / NODES)
    if trial.recorded:
        trains = [trains.of(name).between(0.0, trial.duration_ms) for name, trains in trial.recorded.items()]
        write_sonata_spikes(merged(trains), folder / RECORDED)
    content = {
        "schema": SCHEMA,
        "parameters": {name: float(trial.parameters.get(name, 1.0)) for name in parameters},
        "seed": int(trial.seed),
        "duration_ms": float(trial.duration_ms),
        "dropped_ms": float(trial.dropped_ms),
        "populations": dict(populations),
        "simulated": list(simulated),
        "replayed": {name: float(rate_Hz) for name, rate_Hz in trial.replayed.items()},
        "recorded": RECORDED if trial.recorded else None,
        "connected": trial.connected,
        "limits": None if trial.limits is None else asdict(trial.limits),
        "signals": trial.signals,
        "electrodes_um": [float(depth) for depth in trial.electrodes_um],
        "nodes": NODES,
        "spikes": SPIKES,
        "arrays": ARRAYS[0],
        "response": RESPONSE,
    }
    path = folder / TRIAL
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def read_response(trial: Trial, populations: Mapping[str, int], folder: Path) -> CircuitResponse:
    """Read what a command wrote.

    Raises:
        ModelError: Files or values that are missing or of another kind.
        RecordingError: Spikes that are no SONATA file, or of cells that there are not.
    """
    about = _read_about(folder / RESPONSE, trial)
    if not (folder / SPIKES).is_file():
        raise ModelError(f"the command has ended without writing {folder / SPIKES} (SONATA spikes)")
    whole = read_sonata_spikes(folder / SPIKES, (0.0, about.simulated_ms), [SonataNodes(folder / NODES)])
    order = simulated_populations(trial, populations)
    start_ms = trial.dropped_ms if about.simulated_ms > trial.dropped_ms else 0.0
    spikes = whole.of(*order).between(start_ms, about.simulated_ms)
    if about.stopped is not None:
        return CircuitResponse(spikes, about.stopped, None, None, about.simulated_ms, about.cpu_seconds)
    dipole = potential = None
    if trial.signals or trial.electrodes_um:
        arrays = _read_arrays(folder)
        rate_Hz, first = _sampling(arrays, trial, folder)
        first_ms = first * 1000.0 / rate_Hz
        if trial.signals:
            samples = _array(arrays, "dipole", 3, folder)[:, first:]
            dipole = dipole_signal(samples.T, 1000.0 / rate_Hz, first_ms)
        if trial.electrodes_um:
            samples = _array(arrays, "potential", len(trial.electrodes_um), folder)[:, first:]
            potential = potential_signal(samples.T, trial.electrodes_um, 1000.0 / rate_Hz, first_ms)
    return CircuitResponse(spikes, None, dipole, potential, about.simulated_ms, about.cpu_seconds)


@dataclass(frozen=True)
class _About:
    stopped: str | None
    simulated_ms: float
    cpu_seconds: float


def _read_about(path: Path, trial: Trial) -> _About:
    if not path.is_file():
        return _About(None, trial.duration_ms, 0.0)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        stopped = content.get("stopped")
        about = _About(
            None if stopped is None else str(stopped),
            float(content.get("simulated_ms", trial.duration_ms)),
            float(content.get("cpu_seconds", 0.0)),
        )
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path}: expected an object with 'stopped', 'simulated_ms', 'cpu_seconds': {error}"
        ) from error
    whole = about.simulated_ms == trial.duration_ms
    if not 0.0 < about.simulated_ms <= trial.duration_ms or (about.stopped is None and not whole):
        raise ModelError(
            f"{path}: {trial.duration_ms:g} ms were to be simulated, it says {about.simulated_ms:g} ms; where it was "
            "stopped early, 'stopped' says why"
        )
    return about


def _read_arrays(folder: Path) -> dict[str, NDArray[np.float64]]:
    import h5py

    path = next((folder / name for name in ARRAYS if (folder / name).is_file()), None)
    if path is None:
        raise ModelError(
            f"the trial asks for signals, but the command wrote neither {' nor '.join(ARRAYS)} to {folder}"
        )
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: np.asarray(file[name], dtype=np.float64) for name in file.files}
        with h5py.File(path, "r") as file:
            return {name: np.asarray(file[name][()], dtype=np.float64) for name in file}
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise ModelError(f"{path} cannot be read as arrays of numbers: {error}") from error


def _sampling(arrays: dict[str, NDArray[np.float64]], trial: Trial, folder: Path) -> tuple[float, int]:
    """Sampling rate (Hz), and the first sample that is not dropped."""
    rate = arrays.get("sampling_rate_Hz")
    if rate is None or rate.size != 1 or not float(rate.reshape(-1)[0]) > 0.0:
        raise ModelError(f"the arrays in {folder} need 'sampling_rate_Hz', one number above zero, got {rate}")
    rate_Hz = float(rate.reshape(-1)[0])
    return rate_Hz, round(trial.dropped_ms * rate_Hz / 1000.0)


def _array(arrays: dict[str, NDArray[np.float64]], name: str, rows: int, folder: Path) -> NDArray[np.float64]:
    found = arrays.get(name)
    if found is None or found.ndim != 2 or found.shape[0] != rows:
        got = "none" if found is None else f"the shape {found.shape}"
        raise ModelError(f"the arrays in {folder} need '{name}' of the shape ({rows}, samples), got {got}")
    return found


def _write_nodes(sizes: Mapping[str, int], path: Path) -> None:
    """The least that SONATA asks for: one group, one type."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["magic"] = np.uint32(0x0A7A)
        file.attrs["version"] = np.array([0, 1], dtype=np.uint32)
        for name, size in sizes.items():
            group = file.create_group(f"nodes/{name}")
            group.create_dataset("node_type_id", data=np.zeros(size, dtype=np.int64))
            group.create_dataset("node_id", data=np.arange(size, dtype=np.int64))
            group.create_dataset("node_group_id", data=np.zeros(size, dtype=np.int64))
            group.create_dataset("node_group_index", data=np.arange(size, dtype=np.int64))
            group.create_group("0")
