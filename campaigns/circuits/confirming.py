"""The tuned circuit on seeds that the tuning has not seen, and the files that others can use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.campaigns.circuits.report.data import UnitaryPotential
from rheobase.campaigns.pool import Task
from rheobase.campaigns.progress import bar
from rheobase.campaigns.writing import replacing, write_whole
from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import CampaignError
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.circuit import CircuitResponse, Trial
from rheobase.fitting.circuits.network import plan_circuit
from rheobase.fitting.circuits.sonata_saving import save_sonata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rheobase.campaigns.circuits.folder import CircuitFolder
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.subject import Subject
    from rheobase.campaigns.pool import Pool

_LIMIT_S_PER_SIMULATED_S = 300.0
_UNITARY, _UNITARY_LIMIT_S = "unitary.json", 3600.0
_UNSEEN = 20_000  # part of the seed of these runs, which no stage has


def final_trials(campaign: CircuitCampaign, parameters: Mapping[str, float]) -> tuple[Trial, ...]:
    """One trial for each unseen seed: as long as those of the spectrum where there is one."""
    tuning = campaign.tuning
    with_spectrum = campaign.targets.spectrum is not None
    duration_ms = tuning.transient + (tuning.spectrum_duration if with_spectrum else tuning.duration)
    seeds = np.random.SeedSequence([campaign.seed, _UNSEEN]).generate_state(tuning.final_seeds)
    return tuple(
        Trial(dict(parameters), int(seed) >> 1, duration_ms, tuning.transient, signals=with_spectrum) for seed in seeds
    )


def confirm(
    campaign: CircuitCampaign,
    parameters: Mapping[str, float],
    pool: Pool,
    folder: CircuitFolder,
    stop: Callable[[], bool],
) -> bool:
    """Simulate the final trials; those that the folder has already are not done again.

    Returns:
        Whether all are there; False when stopped before.

    Raises:
        CampaignError: a simulation was lost.
    """
    folder.final.mkdir(exist_ok=True)
    mark = folder.final / "parameters.json"
    content = json.dumps(dict(sorted(parameters.items())))
    if not mark.exists() or mark.read_text(encoding="utf-8") != content:
        for old in (*folder.final.glob("seed-*.npz"), folder.final / _UNITARY):
            old.unlink(missing_ok=True)
        write_whole(mark, content)
    trials = final_trials(campaign, parameters)
    waiting = [place for place in range(len(trials)) if not _path(folder, place).exists()]
    if not (folder.final / _UNITARY).exists():
        waiting.append(len(trials))
    missing = set(waiting)
    progress = bar("unseen seeds", len(missing), "tasks")
    while missing and not stop():
        while waiting and pool.free:
            place = waiting.pop(0)
            if place == len(trials):
                pool.submit(Task(place, "unitary", (dict(parameters),), _UNITARY_LIMIT_S))
            else:
                limit_s = _LIMIT_S_PER_SIMULATED_S * trials[place].duration_ms / 1000.0
                pool.submit(Task(place, "respond", (trials[place],), limit_s))
        for outcome in pool.wait(0.5):
            if outcome.value is None:
                raise CampaignError(f"the simulation of the tuned circuit failed: {outcome.failure}")
            if outcome.key == len(trials):
                write_whole(folder.final / _UNITARY, json.dumps(outcome.value, indent=1))
            else:
                write_response(outcome.value, _path(folder, outcome.key))
            missing.discard(outcome.key)
            progress.update()
    progress.close()
    return not missing


def read_final(folder: CircuitFolder) -> tuple[CircuitResponse, ...]:
    """What the tuned circuit did with each unseen seed."""
    return tuple(read_response(path) for path in sorted(folder.final.glob("seed-*.npz")))


def read_unitary(campaign: CircuitCampaign, folder: CircuitFolder) -> tuple[UnitaryPotential, ...]:
    """Unitary potentials of the tuned circuit beside those that were measured in paired recordings."""
    path = folder.final / _UNITARY
    found: dict[str, float | None] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    potentials = []
    for name, model_mV in found.items():
        source, _, target = name.partition("->")
        measured = campaign.targets.unitary_of(name)
        potentials.append(
            UnitaryPotential(
                source,
                target,
                model_mV,
                measured.amplitude if measured is not None else None,
                measured.factor if measured is not None else None,
            )
        )
    return tuple(potentials)


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


def save_tuned(
    campaign: CircuitCampaign, subject: Subject, parameters: Mapping[str, float], folder: CircuitFolder
) -> None:
    """The tuned circuit as YAML, every projection and background with its factor; and as SONATA, if it is ours."""
    from ruamel.yaml import YAML

    content: dict[str, Any] = {
        "schema": "rheobase.tuned_circuit/1",
        "name": campaign.name,
        "parameters": {name: float(f"{parameters.get(name, 1.0):.6g}") for name in subject.parameters},
    }
    if subject.blueprint is not None:
        content["conductances_nS"] = {
            one.name: float(f"{one.conductance_nS * parameters.get(f'weight:{one.name}', 1.0):.6g}")
            for one in subject.blueprint.projections
        }
    with replacing(folder.tuned) as aside, aside.open("w", encoding="utf-8") as stream:
        YAML().dump(content, stream)
    if subject.blueprint is not None:
        responses = read_final(folder)
        spikes = responses[0].spikes if responses else None
        save_sonata(plan_circuit(subject.blueprint), parameters, folder.network, spikes)


def _path(folder: CircuitFolder, place: int) -> Path:
    return folder.final / f"seed-{place:02d}.npz"
