"""Fewer cells with the same input: mean and variance of what each cell receives are kept.

van Albada SJ, Helias M, Diesmann M (2015) Scalability of asynchronous networks is limited by one-to-one mapping between
effective connectivity and correlations. PLoS Computational Biology 11:e1004490. With K presynaptic cells instead of
K_full, weights grow by sqrt(K_full / K), which keeps the variance; the mean that is then missing is added as a constant
conductance. Correlations are not kept: cells share more of their input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.blueprint import Background, FluctuatingConductance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.circuits.blueprint import CircuitBlueprint, Projection
    from rheobase.fitting.circuits.synapses import Receptor, SynapseKind

# The magnesium block of NMDA receptors is taken as it is here, near the threshold of neocortical cells.
_BLOCKED_AT_MV = -60.0
# A connection this much stronger than in the full circuit is told of: single spikes then begin to matter.
_STRONG = 3.0


@dataclass(frozen=True)
class _Scaled:
    """A projection of the smaller circuit, and by how much its in-degree is smaller."""

    projection: Projection
    full_in_degree: float
    ratio: float


def scale_circuit(blueprint: CircuitBlueprint, factor: float, rates_Hz: Mapping[str, float]) -> CircuitBlueprint:
    """A circuit with fewer cells; stimuli and background stay, as they are for each cell.

    The conductances added are backgrounds of their own, named "lost SOURCE RECEPTOR". They belong to the weights as
    described: a gain of a projection does not move them, and trials without projections are without them.

    Args:
        blueprint: The full circuit.
        factor: Number of cells, as a part of the full number, above 0 and at most 1.
        rates_Hz: Rate of each population in the full circuit (Hz), which says how much input is lost.

    Returns:
        The smaller circuit; its notes say what could not be kept.

    Raises:
        ModelError: a factor that is not above 0 and at most 1, a population without a rate, or a projection that would
            have less than one presynaptic cell for each target.
    """
    if not 0.0 < factor <= 1.0:
        raise ModelError(
            f"a circuit can be scaled by a factor above 0 and up to 1, got {factor:g}; with more cells the mean input "
            "could only be kept by a negative conductance"
        )
    sizes = {population.name: max(round(factor * population.size), 1) for population in blueprint.populations}
    scaled = [_scaled(projection, blueprint, sizes) for projection in blueprint.projections]
    _check_possible(scaled)
    lost = [background for one in scaled if one.ratio < 1.0 for background in _lost_input(one, rates_Hz)]
    return replace(
        blueprint,
        name=f"{blueprint.name}_scaled_{factor:g}",
        populations=tuple(replace(one, size=sizes[one.name]) for one in blueprint.populations),
        projections=tuple(one.projection for one in scaled),
        backgrounds=(*blueprint.backgrounds, *lost),
        notes=(*blueprint.notes, *_notes(scaled, factor)),
    )


def _scaled(projection: Projection, blueprint: CircuitBlueprint, sizes: Mapping[str, int]) -> _Scaled:
    if projection.source not in sizes:  # fibres from outside are as many as before
        return _Scaled(projection, 0.0, 1.0)
    itself = int(projection.source == projection.target)
    full, fewer = blueprint.population(projection.source).size - itself, sizes[projection.source] - itself
    if projection.probability is not None:
        near = mean_falloff(projection.falloff_um, blueprint.radius_um)
        in_degree, ratio = near * projection.probability * full, fewer / full if full else 1.0
        changed = projection
    else:
        in_degree = float(projection.in_degree or 0)
        wanted = min(round(in_degree * fewer / full), fewer) if full else 0
        ratio = wanted / in_degree if in_degree else 1.0
        changed = replace(projection, in_degree=wanted)
    if ratio in (0.0, 1.0):
        return _Scaled(changed, in_degree, ratio)
    return _Scaled(replace(changed, conductance_nS=projection.conductance_nS / math.sqrt(ratio)), in_degree, ratio)


def _check_possible(scaled: list[_Scaled]) -> None:
    for one in scaled:
        # A projection that is sparse already cannot be blamed on the scaling.
        left = one.full_in_degree * one.ratio
        if one.ratio < 1.0 and left < min(1.0, one.full_in_degree):
            smallest = min(1.0, 1.0 / one.full_in_degree)
            raise ModelError(
                f"{one.projection.name}: {one.full_in_degree:g} presynaptic cells for each would become {left:.2g}, "
                f"too few to keep the variance of the input; scale by at least {smallest:.2g}, or merge populations"
            )


def _lost_input(scaled: _Scaled, rates_Hz: Mapping[str, float]) -> list[Background]:
    """The part of the mean conductance that weights grown by the root of the ratio do not bring back."""
    projection = scaled.projection
    if projection.source not in rates_Hz:
        raise ModelError(
            f"scaling needs the rate of '{projection.source}' in the full circuit, to know how much input is lost; "
            f"rates are given for {', '.join(rates_Hz) or 'none'}"
        )
    rate = rates_Hz[projection.source]
    root = math.sqrt(scaled.ratio)
    # The conductance of the full circuit is that of the smaller one times the root.
    released = scaled.full_in_degree * projection.contacts * root * projection.conductance_nS
    released *= rate / 1000.0 * mean_release(projection.synapse, rate)
    return [
        Background(
            projection.target,
            FluctuatingConductance(
                mean_nS=(1.0 - root) * released * _area_ms(receptor) * _unblocked(receptor),
                std_ratio=0.0,
                correlation_ms=1.0,
                reversal_mV=receptor.reversal_mV,
                sections=projection.sections,
            ),
            f"lost {projection.source} {receptor.name}",
            replaces_projections=True,
        )
        for receptor in projection.synapse.receptors
    ]


def mean_falloff(falloff_um: float | None, radius_um: float) -> float:
    """Mean of exp(-r^2 / (2 falloff^2)) over pairs of cells in a column, r their horizontal distance.

    Distances of two points on a disc have the density of Crofton (Solomon H, 1978, Geometric Probability, SIAM, p. 35).

    Args:
        falloff_um: How probabilities fall off (um); None for not at all.
        radius_um: Radius of the column (um).
    """
    if falloff_um is None:
        return 1.0
    from scipy.integrate import quad

    def weighted(part: float) -> float:  # of the diameter
        density = 16.0 / math.pi * part * (math.acos(part) - part * math.sqrt(1.0 - part * part))
        return density * math.exp(-0.5 * (2.0 * radius_um * part / falloff_um) ** 2)

    # Where it is far from 0, the exponential lies within a few falloffs.
    return float(quad(weighted, 0.0, 1.0, points=[min(0.5, falloff_um / radius_um)], limit=200)[0])


def mean_release(kind: SynapseKind, rate_Hz: float) -> float:
    """Mean of what each spike of a Poisson train releases, as a part of all resources.

    Exact for depression alone (Tsodyks & Markram 1997, PNAS 94:719); with facilitation, use and resources are taken as
    independent of each other.
    """
    plasticity = kind.plasticity
    if plasticity is None:
        return 1.0
    rate = rate_Hz / 1000.0
    # Means of exp(-interval / time constant) over the intervals of the train.
    kept = rate * plasticity.facilitation_ms / (1.0 + rate * plasticity.facilitation_ms)
    missing = rate * plasticity.recovery_ms / (1.0 + rate * plasticity.recovery_ms)
    use = plasticity.use / (1.0 - (1.0 - plasticity.use) * kept)
    return use * (1.0 - missing) / (1.0 - missing * (1.0 - use))


def _area_ms(receptor: Receptor) -> float:
    """Integral of the conductance after a release of 1 (ms)."""
    rise, decay = receptor.rise_ms, receptor.decay_ms
    peak_ms = rise * decay / (decay - rise) * math.log(decay / rise)
    peak = math.exp(-peak_ms / decay) - math.exp(-peak_ms / rise)
    return receptor.share * (decay - rise) / peak


def _unblocked(receptor: Receptor) -> float:
    """Part of the conductance that magnesium leaves open (Jahr & Stevens 1990, J Neurosci 10:3178; 1 mM)."""
    return 1.0 / (1.0 + math.exp(-0.062 * _BLOCKED_AT_MV) / 3.57) if receptor.name == "NMDA" else 1.0


def _notes(scaled: list[_Scaled], factor: float) -> list[str]:
    smaller = [one for one in scaled if one.ratio < 1.0]
    if not smaller:
        return []
    notes = [
        f"scaled to {100.0 * factor:g} % of the cells: mean and variance of the input are kept at the rates given, "
        "correlations are not, for cells share more of their input"
    ]
    if any(receptor.name == "NMDA" for one in smaller for receptor in one.projection.synapse.receptors):
        notes.append(
            f"the lost input through NMDA receptors is a conductance without block, as at {_BLOCKED_AT_MV:g} mV"
        )
    strong = [one for one in smaller if one.ratio > 0.0 and 1.0 / math.sqrt(one.ratio) > _STRONG]
    if strong:
        most = min(strong, key=lambda one: one.ratio)
        notes.append(
            f"{len(strong)} projections are more than {_STRONG:g} times as strong as in the full circuit, "
            f"{most.projection.name} {1.0 / math.sqrt(most.ratio):.1f} times: single spikes matter more"
        )
    return notes
