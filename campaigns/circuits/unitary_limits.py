"""Limits of gains by unitary potentials of paired recordings: measured once, before anything is tuned."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rheobase.campaigns.pool import Task
from rheobase.campaigns.writing import write_whole
from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.unitary_gains import GainRange
from rheobase.fitting.tuning.gain_limits import GainLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rheobase.campaigns.circuits.folder import CircuitFolder
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.subject import Subject
    from rheobase.campaigns.pool import Pool

_LIMIT_S = 3600.0


def limits_mV(campaign: CircuitCampaign, subject: Subject) -> dict[str, tuple[float, float]]:
    """Smallest and largest mean unitary potential that data allow (mV), by name of the projection.

    Raises:
        CampaignError: a pattern with a factor that fits no projection, or a circuit of somebody else's, whose unitary
            potentials cannot be measured.
    """
    wanted = {name: keys for name, keys in campaign.targets.unitary.items() if keys.allowed_factor is not None}
    if wanted and subject.blueprint is None:
        raise CampaignError(
            f"{campaign.where('targets', 'unitary')}: unitary potentials of somebody else's circuit cannot be "
            "measured; leave 'factor' and 'std' out, and limit its weights by the bounds of stages of your own"
        )
    projections = [] if subject.blueprint is None else [one.name for one in subject.blueprint.projections]
    found = {}
    for name in projections:
        keys = campaign.targets.unitary_of(name)
        if keys is not None and keys.allowed_factor is not None:
            found[name] = (keys.amplitude / keys.allowed_factor, keys.amplitude * keys.allowed_factor)
    for pattern, keys in wanted.items():
        if not any(campaign.targets.unitary_of(name) is keys for name in projections):
            raise CampaignError(
                f"{campaign.where('targets', 'unitary', pattern)}: no projection is called so, or an earlier pattern "
                f"takes them all; there are {', '.join(projections[:8]) or 'none'}"
            )
    return found


def measure_limits(
    campaign: CircuitCampaign, subject: Subject, pool: Pool, folder: CircuitFolder, stop: Callable[[], bool]
) -> bool:
    """Measure at which gains the limits are reached, where there are any and the folder does not have it yet.

    Returns:
        Whether the folder has it; False when stopped before.

    Raises:
        CampaignError: as `limits_mV`, or the simulation failed.
    """
    wanted = limits_mV(campaign, subject)
    begun = folder.trials.exists() and folder.trials.stat().st_size > 0  # else the campaign may have been mended
    if not wanted or (begun and folder.limits.exists()):
        return True
    waiting = [Task(0, "gain_ranges", (wanted,), _LIMIT_S)]
    while not stop():
        while waiting and pool.free:
            pool.submit(waiting.pop())
        for outcome in pool.wait(0.5):
            if outcome.value is None:
                raise CampaignError(f"unitary potentials could not be measured: {outcome.failure}")
            content = {name: None if one is None else asdict(one) for name, one in outcome.value.items()}
            write_whole(folder.limits, json.dumps(content, indent=1))
            return True
    return False


def read_limits(folder: CircuitFolder) -> dict[str, tuple[float, float]]:
    """Limits of parameters, by their names, as the folder has them; none before they are measured."""
    return {f"weight:{name}": (one.smallest, one.largest) for name, one in _read(folder).items() if one is not None}


def limit_notes(folder: CircuitFolder) -> list[str]:
    """What there is to say once they are measured: gains that were moved at once, and what has no limit."""
    notes = []
    for name, one in _read(folder).items():
        if one is None:
            notes.append(f"{name} has no limit: its unitary potential cannot be measured in the model")
        elif not one.smallest <= 1.0 <= one.largest:
            notes.append(
                f"{name} as described has a unitary potential of {one.described_mV:.2g} mV, beyond its limits: its "
                f"gain is kept from {one.smallest:.3g} to {one.largest:.3g}"
            )
    return notes


def held_sentences(parameters: Mapping[str, float], folder: CircuitFolder) -> list[str]:
    """What tuning would have gone beyond, if data had let it."""
    sentences = []
    for parameter, (value, upper) in GainLimits(read_limits(folder)).at_limits(parameters).items():
        most = "largest" if upper else "smallest"
        sentences.append(
            f"the gain of {parameter.removeprefix('weight:')} ends at {value:.3g}, the {most} that its unitary "
            "potential in paired recordings allows"
        )
    return sentences


def _read(folder: CircuitFolder) -> dict[str, GainRange | None]:
    if not folder.limits.exists():
        return {}
    content = json.loads(folder.limits.read_text(encoding="utf-8"))
    return {name: None if one is None else GainRange(**one) for name, one in content.items()}
