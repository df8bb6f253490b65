"""What the report shows of gains, backgrounds and unitary potentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.report.data import BackgroundFactor, ProjectionGain, UnitaryPotential
from rheobase.objectives.limits import DataLimits, judge_limits
from rheobase.objectives.noise import Repeated

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.folder import CircuitFolder
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.subject import Subject


def reported_unitary(campaign: CircuitCampaign, folder: CircuitFolder) -> tuple[UnitaryPotential, ...]:
    """Unitary potentials of the tuned circuit beside those that were measured in paired recordings."""
    path = folder.unitary
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
                measured.allowed_factor if measured is not None else None,
            )
        )
    return tuple(potentials)


def judged_unitary(potentials: tuple[UnitaryPotential, ...]) -> tuple[Repeated, ...]:
    """Unitary potentials held against the range of what was measured, where that is a target."""
    found = []
    for one in potentials:
        if one.measured_mV is not None and one.factor is not None:
            limits = DataLimits(one.measured_mV / one.factor, one.measured_mV * one.factor, "mV")
            size = None if one.model_mV is None else abs(one.model_mV)
            judged = judge_limits("unitary potential", size, limits, f"{one.source}->{one.target}")
            found.append(Repeated(judged, (size,), None))
    return tuple(found)


def reported_gains(subject: Subject, parameters: dict[str, float]) -> list[ProjectionGain]:
    """By names alone, so that circuits of others are shown too; conductances are those of ours."""
    ours = subject.blueprint.projections if subject.blueprint is not None else ()
    conductances_nS = {one.name: one.conductance_nS for one in ours}
    found = []
    for name in subject.parameters:
        kind, _, projection = name.partition(":")
        source, arrow, target = projection.partition("->")
        if kind == "weight" and arrow:
            factor, described_nS = parameters.get(name, 1.0), conductances_nS.get(projection)
            found.append(
                ProjectionGain(source, target, factor, None if described_nS is None else factor * described_nS)
            )
    return found


def reported_backgrounds(subject: Subject, parameters: dict[str, float]) -> list[BackgroundFactor]:
    """What tuning did to backgrounds; by names alone, too."""
    found = []
    for name in subject.parameters:
        kind, _, rest = name.partition(":")
        if kind == "background":
            population, _, which = rest.partition(":")
            found.append(BackgroundFactor(population, parameters.get(name, 1.0), which or "background"))
    return found
