"""From the text of a circuit's campaign to the objects that the rooms below work with."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase.campaigns.building import build_model
from rheobase.campaigns.circuits.distributions import build_distributions
from rheobase.campaigns.circuits.durations import rest_ms
from rheobase.campaigns.circuits.evoked import build_evoked
from rheobase.campaigns.circuits.sensors import build_sensor
from rheobase.campaigns.circuits.stimuli import fibre_names, volleys
from rheobase.features.errors import CampaignError
from rheobase.features.signals.spectral_targets_file import read_spectral_targets
from rheobase.fitting.cells.mechanisms import read_mechanisms
from rheobase.fitting.cells.morphology import read_morphology
from rheobase.fitting.circuits.blueprint import (
    Background,
    CellVariant,
    CircuitBlueprint,
    FluctuatingConductance,
    PoissonInput,
    Population,
    Projection,
    TonicInhibition,
)
from rheobase.fitting.circuits.judging import CircuitTargets, SpectrumTarget, check_duration
from rheobase.fitting.circuits.scaling import scale_circuit
from rheobase.fitting.circuits.synapses import Receptor, ShortTermPlasticity, SynapseKind
from rheobase.fitting.circuits.templates import read_template
from rheobase.objectives.objective import Target
from rheobase.objectives.rates import PopulationTarget
from rheobase.objectives.spectra import SpectralTolerances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.schema_circuit import BackgroundKeys, ConnectionRule, SynapseKeys, TemplateKeys
    from rheobase.fitting.circuits.blueprint import SpikeVolleys


def build_blueprint(campaign: CircuitCampaign) -> CircuitBlueprint:
    """The circuit of a campaign, self-contained.

    Raises:
        RheobaseError: an ensemble, a synapse or a connection that cannot be; the message names the key.
    """
    keys = campaign.ours
    synapses = {}
    for name, entry in keys.synapses.items():
        with campaign.blamed("circuit", "synapses", name):
            synapses[name] = _synapse(name, entry)
    variants = _variants(campaign)
    blueprint = CircuitBlueprint(
        name=campaign.name,
        populations=tuple(
            Population(name, entry.layer, entry.size, variants[name], keys.layers[entry.layer], entry.upright)
            for name, entry in keys.populations.items()
        ),
        projections=_projections(campaign, synapses),
        backgrounds=tuple(
            background for entry in keys.background for background in _backgrounds(campaign, entry, synapses)
        ),
        stimuli=_stimuli(campaign),
        radius_um=keys.radius,
        seed=keys.seed,
        temperature_degC=keys.temperature,
        initial_voltage_mV=keys.initial_voltage,
        time_step_ms=keys.time_step,
    )
    if keys.scale == 1.0:
        return blueprint
    with campaign.blamed("circuit", "scale"):
        return scale_circuit(blueprint, keys.scale, {name: rate.mean for name, rate in campaign.targets.rates.items()})


def build_targets(campaign: CircuitCampaign) -> CircuitTargets:
    """What the circuit of a campaign should do.

    Raises:
        RheobaseError: a file of spectral targets that cannot be read, or measures that it does not have; stimuli of
            evoked responses that do not exist, or windows that do not fit.
    """
    keys = campaign.targets
    further: dict[str, dict[str, Target]] = {}
    for entry in keys.measures:
        if entry.population not in keys.rates:
            raise CampaignError(
                f"{campaign.where('targets', 'measures')}: '{entry.population}' has no rate to be tuned to; there are "
                f"{', '.join(keys.rates)}"
            )
        further.setdefault(entry.population, {})[entry.measure] = Target(entry.value, entry.tolerance)
    distributions = build_distributions(campaign)
    populations = tuple(
        PopulationTarget(
            name,
            rate_Hz=Target(rate.mean, keys.tolerance_Hz(name)),
            rates=distributions.get(name),
            **further.get(name, {}),
        )
        for name, rate in keys.rates.items()
    )
    spectrum = None
    if keys.spectrum is not None:
        sensor = build_sensor(campaign, keys.spectrum.signal)
        with campaign.blamed("targets", "spectrum", "file"):
            tolerances = SpectralTolerances(
                exponent=keys.spectrum.exponent_tolerance,
                peak_Hz=keys.spectrum.alpha_tolerance,
                shape_log10=keys.spectrum.shape_tolerance,
                band_relative=None if keys.spectrum.band_tolerance is None else 0.01 * keys.spectrum.band_tolerance,
                measures=keys.spectrum.measures,
            )
            spectrum = SpectrumTarget(read_spectral_targets(keys.spectrum.file), tolerances, sensor)
        with campaign.blamed("tuning", "spectrum_duration"):
            check_duration(spectrum, campaign.tuning.spectrum_duration)
    evoked = build_evoked(campaign)
    return CircuitTargets(populations, spectrum, evoked, rest_ms=rest_ms(campaign) if evoked else None)


def _variants(campaign: CircuitCampaign) -> dict[str, tuple[CellVariant, ...]]:
    """The models of each population; populations of one ensemble share them."""
    ensembles: dict[str, tuple[CellVariant, ...]] = {}
    found = {}
    for name, population in campaign.ours.populations.items():
        if population.template is not None:
            with campaign.blamed("circuit", "populations", name, "template"):
                found[name] = template_variants(population.template)
            continue
        assert population.cells is not None  # the schema asks for one or the other
        if population.cells not in ensembles:
            with campaign.blamed("circuit", "populations", name, "cells"):
                ensembles[population.cells] = read_variants(population.cells)
        found[name] = ensembles[population.cells]
    return found


def template_variants(keys: TemplateKeys) -> tuple[CellVariant, ...]:
    """One model for each morphology of a template.

    Raises:
        ModelError: a file that cannot be read, or no such template in it.
    """
    own = {} if keys.mechanisms is None else read_mechanisms(keys.mechanisms)
    found = []
    for path in keys.morphology:
        template = read_template(keys.file, read_morphology(path), own, keys.name, keys.arguments)
        found.append(CellVariant(template, {}, f"{template.name} {path.stem}"))
    return tuple(found)


def read_variants(cells: str) -> tuple[CellVariant, ...]:
    """All models of an ensemble.

    Args:
        cells: Name of an ensemble that comes with rheobase, or the folder of a campaign that has ended.

    Raises:
        CampaignError: neither.
    """
    from rheobase.campaigns.loading import find_campaign, library_ensemble, library_ensembles, load_campaign
    from rheobase.campaigns.status import open_folder
    from rheobase.fitting.ensembles.ensemble import read_ensemble

    if cells in library_ensembles():
        campaign, ensemble = load_campaign(find_campaign(cells)), library_ensemble(cells)
    elif Path(cells).is_dir():
        campaign, folder = open_folder(Path(cells))
        ensemble = read_ensemble(folder.ensemble)
    else:
        raise CampaignError(
            f"'{cells}' is neither the folder of a campaign nor an ensemble that comes with rheobase; there are "
            f"{', '.join(library_ensembles()) or 'none'}"
        )
    model = build_model(campaign)
    return tuple(
        CellVariant(model, member.parameters, f"{campaign.name} {member.search} {member.number}")
        for member in ensemble.members
    )


def _stimuli(campaign: CircuitCampaign) -> tuple[SpikeVolleys, ...]:
    found: list[SpikeVolleys] = []
    for name, entry in campaign.ours.stimuli.items():
        with campaign.blamed("circuit", "stimuli", name):
            found += volleys(name, entry)
    return tuple(found)


def _synapse(name: str, entry: SynapseKeys) -> SynapseKind:
    receptors = tuple(
        Receptor(kind, one.rise, one.decay, one.reversal, one.share) for kind, one in entry.receptors.items()
    )
    plasticity = None
    if entry.plasticity is not None:
        plasticity = ShortTermPlasticity(entry.plasticity.use, entry.plasticity.recovery, entry.plasticity.facilitation)
    return SynapseKind(name, receptors, plasticity, entry.release_sites)


def _projections(campaign: CircuitCampaign, synapses: Mapping[str, SynapseKind]) -> tuple[Projection, ...]:
    keys = campaign.ours
    sources = [*keys.populations, *(one for name, entry in keys.stimuli.items() for one in fibre_names(name, entry))]
    found = []
    for target, row in keys.connections.probabilities.items():
        for source, probability in row.items():
            place = ("circuit", "connections", "probabilities", target, source)
            if target not in keys.populations or source not in sources:
                unknown = target if target not in keys.populations else source
                raise CampaignError(
                    f"{campaign.where(*place)}: '{unknown}' is no population; there are {', '.join(sources)}"
                )
            if not 0.0 <= probability <= 1.0:
                raise CampaignError(f"{campaign.where(*place)}: a probability lies between 0 and 1, got {probability}")
            if probability > 0.0:
                rule = _rule(campaign, source, target, place)
                found.append(_projection(rule, source, target, probability, synapses))
    by_in_degree = _by_in_degree(campaign, sources, synapses)
    twice = next((projection.name for projection in found if projection.name in by_in_degree), None)
    if twice is not None:
        raise CampaignError(
            f"{campaign.where('circuit', 'connections')}: {twice} is connected by a probability and by a rule with "
            "'in_degree'; keep one of them"
        )
    return (*found, *by_in_degree.values())


def _by_in_degree(
    campaign: CircuitCampaign, sources: Sequence[str], synapses: Mapping[str, SynapseKind]
) -> dict[str, Projection]:
    """Projections by their names, each made by the first rule with an in-degree that fits it."""
    found: dict[str, Projection] = {}
    for rule in campaign.ours.connections.rules:
        if rule.in_degree is None:
            continue
        for target, source in product(campaign.ours.populations, sources):
            if _fits(rule, source, target):
                made = _projection(rule, source, target, None, synapses)
                found.setdefault(made.name, made)
    return found


def _rule(campaign: CircuitCampaign, source: str, target: str, place: tuple[str, ...]) -> ConnectionRule:
    for rule in campaign.ours.connections.rules:
        if rule.in_degree is None and _fits(rule, source, target):
            return rule
    raise CampaignError(
        f"{campaign.where(*place)}: no rule says what {source}->{target} is like; add one to "
        "circuit.connections.rules, such as {source: '*_E', target: '*', synapse: ..., conductance: 0.5 nS}"
    )


def _fits(rule: ConnectionRule, source: str, target: str) -> bool:
    return fnmatchcase(source, rule.source) and fnmatchcase(target, rule.target)


def _projection(
    rule: ConnectionRule, source: str, target: str, probability: float | None, synapses: Mapping[str, SynapseKind]
) -> Projection:
    return Projection(
        source=source,
        target=target,
        synapse=synapses[rule.synapse],
        conductance_nS=rule.conductance,
        probability=probability,
        in_degree=rule.in_degree,
        falloff_um=rule.falloff,
        contacts=rule.contacts,
        sections=rule.sections,
        distances_um=rule.distances,
        delay_ms=rule.delay,
        velocity_um_per_ms=rule.velocity,
        conductance_cv=rule.conductance_cv,
    )


def _backgrounds(
    campaign: CircuitCampaign, entry: BackgroundKeys, synapses: Mapping[str, SynapseKind]
) -> list[Background]:
    source: FluctuatingConductance | PoissonInput | TonicInhibition
    if entry.fluctuating is not None:
        one = entry.fluctuating
        source = FluctuatingConductance(
            one.mean, one.std_ratio, one.correlation, one.reversal, one.sections, one.shared
        )
    elif entry.poisson is not None:
        train = entry.poisson
        source = PoissonInput(
            synapses[train.synapse],
            train.conductance,
            train.trains,
            train.rate,
            train.sections,
            train.modulation,
            train.depth / 100.0,
        )
    else:
        assert entry.tonic is not None
        source = TonicInhibition(entry.tonic.conductance, entry.tonic.reversal)
    names = [name for name in campaign.ours.populations if fnmatchcase(name, entry.target)]
    if not names:
        raise CampaignError(
            f"{campaign.where('circuit', 'background')}: '{entry.target}' is none of the populations; there are "
            f"{', '.join(campaign.ours.populations)}"
        )
    return [Background(name, source, entry.name) for name in names]
