"""The tuned circuit on seeds that the tuning has not seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.circuits.durations import limit_s, rest_ms, signals_ms
from rheobase.campaigns.circuits.response_file import read_response, write_response
from rheobase.campaigns.pool import Task
from rheobase.campaigns.progress import bar
from rheobase.campaigns.writing import write_whole
from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.circuit import CircuitResponse, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rheobase.campaigns.circuits.folder import CircuitFolder
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.pool import Pool

_UNITARY_LIMIT_S = 3600.0
_UNSEEN = 20_000  # part of the seed of these runs, which no stage has


def final_trials(campaign: CircuitCampaign, parameters: Mapping[str, float]) -> tuple[Trial, ...]:
    """One trial for each unseen seed: as long as those of the spectrum or of evoked responses where there are any."""
    tuning = campaign.tuning
    with_signals = campaign.targets.spectrum is not None or bool(campaign.targets.evoked)
    duration_ms = signals_ms(campaign) if with_signals else rest_ms(campaign)
    seeds = np.random.SeedSequence([campaign.seed, _UNSEEN]).generate_state(tuning.final_seeds)
    return tuple(
        Trial(
            dict(parameters),
            int(seed) >> 1,
            duration_ms,
            tuning.transient,
            signals=with_signals,
            electrodes_um=campaign.electrodes,
        )
        for seed in seeds
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
        for old in (*folder.final.glob("seed-*.npz"), folder.unitary):
            old.unlink(missing_ok=True)
        write_whole(mark, content)
    trials = final_trials(campaign, parameters)
    waiting = [place for place in range(len(trials)) if not _path(folder, place).exists()]
    if not (folder.unitary).exists():
        waiting.append(len(trials))
    missing = set(waiting)
    progress = bar("unseen seeds", len(missing), "tasks")
    while missing and not stop():
        while waiting and pool.free:
            place = waiting.pop(0)
            if place == len(trials):
                pool.submit(Task(place, "unitary", (dict(parameters),), _UNITARY_LIMIT_S))
            else:
                seconds = limit_s(campaign, trials[place].duration_ms)
                pool.submit(Task(place, "respond", (trials[place],), seconds))
        for outcome in pool.wait(0.5):
            if outcome.value is None:
                raise CampaignError(f"the simulation of the tuned circuit failed: {outcome.failure}")
            if outcome.key == len(trials):
                write_whole(folder.unitary, json.dumps(outcome.value, indent=1))
            else:
                write_response(outcome.value, _path(folder, outcome.key))
            missing.discard(outcome.key)
            progress.update()
    progress.close()
    return not missing


def read_final(folder: CircuitFolder) -> tuple[CircuitResponse, ...]:
    """What the tuned circuit did with each unseen seed."""
    return tuple(read_response(path) for path in sorted(folder.final.glob("seed-*.npz")))


def _path(folder: CircuitFolder, place: int) -> Path:
    return folder.final / f"seed-{place:02d}.npz"
