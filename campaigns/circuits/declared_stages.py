"""Stages that a campaign declares, and what it changes of those of the recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.durations import rest_ms
from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.judging import check_duration
from rheobase.fitting.tuning.effects import expected_effects
from rheobase.fitting.tuning.recipe import FRESH_SEEDS, RecipeSettings, rate_limits
from rheobase.fitting.tuning.stage import Knob, Simulated, TuningStage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.schema_stages import StageKeys
    from rheobase.campaigns.circuits.subject import Subject
    from rheobase.fitting.circuits.judging import CircuitTargets
    from rheobase.fitting.tuning.targets import TuningTarget


@dataclass(frozen=True)
class StageParts:
    """What declared stages are made from.

    Attributes:
        campaign: The campaign.
        subject: The circuit.
        circuit_targets: What it should do.
        targets: The same, as the tuner knows it.
        settings: Of the recipe.
    """

    campaign: CircuitCampaign
    subject: Subject
    circuit_targets: CircuitTargets
    targets: tuple[TuningTarget, ...]
    settings: RecipeSettings


def with_declared(recipe: Sequence[TuningStage], parts: StageParts) -> tuple[TuningStage, ...]:
    """The recipe's stages, changed, with the campaign's own among them; fresh seeds come after all of these.

    Args:
        recipe: Stages of the recipe; none if the campaign has only its own.
        parts: What the campaign has.

    Raises:
        CampaignError: a stage that cannot be; the message names the key.
    """
    stages = {stage.name: stage for stage in recipe}
    own: list[str] = []
    before = next((stage.name for stage in reversed(recipe) if stage.name != FRESH_SEEDS), None)
    for name, keys in parts.campaign.tuning.stages.items():
        with parts.campaign.blamed("tuning", "stages", name):
            if not keys.is_own and name not in stages:
                raise CampaignError(
                    f"there is no stage '{name}'; there are {', '.join(stages) or 'none'}. A stage of your own needs "
                    "'targets'"
                )
            if keys.is_own:
                after = stages[name].after if name in stages else (() if before is None else (before,))
                stages[name] = _own(name, keys, after, parts)
                before = name
                own.append(name)
            else:
                stages[name] = _changed(stages[name], keys, parts)
    if not stages:
        raise CampaignError(
            f"{parts.campaign.where('tuning', 'stages')}: without the recipe there must be stages of your own, each "
            "with 'targets'"
        )
    return _with_fresh_seeds_last(stages, own, recipe)


def _with_fresh_seeds_last(
    stages: dict[str, TuningStage], own: Sequence[str], recipe: Sequence[TuningStage]
) -> tuple[TuningStage, ...]:
    """The recipe's fresh seeds start from all that was declared, unless it was declared itself or comes before."""
    last = stages.get(FRESH_SEEDS)
    if last is None or FRESH_SEEDS in own or not recipe:
        return tuple(stages.values())
    known = {stage.name for stage in recipe}
    added = [name for name in own if name not in known and FRESH_SEEDS not in stages[name].after]
    stages[FRESH_SEEDS] = replace(last, after=(*last.after, *(name for name in added if name not in last.after)))
    return tuple(stages.values())


def _own(name: str, keys: StageKeys, after: tuple[str, ...], parts: StageParts) -> TuningStage:
    settings = parts.settings
    accept = keys.accept
    fraction = 1.0 if accept is None else accept.tolerance
    wanted = _chosen(keys.targets or (), parts.targets)
    constraints = [
        replace(one, constraint=True) for one in _chosen(keys.constraints, parts.targets) if one not in wanted
    ]
    targets = tuple(replace(one, tolerance=fraction * one.tolerance) for one in (*wanted, *constraints))
    simulated = _simulated(keys, targets, parts)
    seeds = settings.seeds if accept is None else accept.seeds
    confirming = settings.confirming_seeds if accept is None else accept.confirming_seeds
    return TuningStage(
        name,
        _knobs(name, keys, targets, simulated.connected, parts),
        targets,
        simulated,
        seeds=seeds,
        confirming_seeds=confirming,
        budget=max(keys.trials or settings.budget, 0 if keys.trials else seeds + confirming),
        patience=keys.patience,
        proposals=keys.proposals or settings.proposals,
        after=after if keys.after is None else keys.after,
        required=bool(keys.required),
    )


def _changed(stage: TuningStage, keys: StageKeys, parts: StageParts) -> TuningStage:
    """A stage of the recipe with what the campaign says of it."""
    if keys.constraints or keys.simulated is not None or keys.replayed is not None or keys.connected is not None:
        raise CampaignError(
            "'constraints', 'simulated', 'replayed' and 'connected' belong to a stage of your own: give 'targets' too"
        )
    if keys.accept is not None:
        fraction = keys.accept.tolerance
        targets = tuple(replace(one, tolerance=fraction * one.tolerance) for one in stage.targets)
        stage = replace(
            stage,
            targets=targets,
            seeds=keys.accept.seeds,
            confirming_seeds=keys.accept.confirming_seeds,
            budget=max(stage.budget, keys.accept.seeds + keys.accept.confirming_seeds),
        )
    if keys.free is not None:
        stage = replace(stage, free=_knobs(stage.name, keys, stage.targets, stage.simulated.connected, parts))
    if keys.duration is not None:
        duration_ms = parts.settings.dropped_ms + keys.duration
        _check_duration(duration_ms, stage.simulated.signals, parts)
        stage = replace(stage, simulated=replace(stage.simulated, duration_ms=duration_ms))
    return replace(
        stage,
        budget=keys.trials or stage.budget,
        patience=stage.patience if keys.patience is None else keys.patience,
        proposals=keys.proposals or stage.proposals,
        after=stage.after if keys.after is None else keys.after,
        required=stage.required if keys.required is None else keys.required,
    )


def _chosen(patterns: Sequence[str], targets: Sequence[TuningTarget]) -> tuple[TuningTarget, ...]:
    """Targets that patterns of their keys fit, in their order."""
    for pattern in patterns:
        if not any(fnmatchcase(target.key, pattern) for target in targets):
            keys = ", ".join(target.key for target in targets)
            raise CampaignError(f"'{pattern}' is none of the campaign's targets; there are {keys}")
    return tuple(one for one in targets if any(fnmatchcase(one.key, pattern) for pattern in patterns))


def _populations(patterns: Sequence[str], parts: StageParts) -> tuple[str, ...]:
    known = parts.subject.populations
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise CampaignError(f"'{pattern}' is no population; there are {', '.join(known)}")
    return tuple(name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns))


def _simulated(keys: StageKeys, targets: Sequence[TuningTarget], parts: StageParts) -> Simulated:
    settings, subject = parts.settings, parts.subject
    names = _populations(keys.simulated or ("*",), parts)
    for target in targets:
        if target.population is not None and target.population not in names:
            raise CampaignError(
                f"{target.key} is a target, but '{target.population}' is not simulated; there are {', '.join(names)}"
            )
    signals = any(target.population is None for target in targets)
    # How many cells are silent, for example, depends on how long one looks: as long as in the end.
    by_rates = all(target.name == "rate" for target in targets)
    alone_ms = settings.duration_ms if by_rates else rest_ms(parts.campaign)
    ordinary_ms = settings.spectrum_ms if signals else alone_ms
    duration_ms = ordinary_ms if keys.duration is None else settings.dropped_ms + keys.duration
    _check_duration(duration_ms, signals, parts)
    connected = keys.connected is not False
    replayed, recorded = _replayed(keys.replayed or {}, names, parts)
    rates = [target for target in parts.targets if target.name == "rate" and target.population in names]
    limits = rate_limits(rates, subject.populations) if connected else None
    if limits is not None and settings.rest_ms is not None:
        limits = replace(limits, until_ms=settings.rest_ms)
    return Simulated(
        duration_ms,
        settings.dropped_ms,
        () if len(names) == len(subject.populations) else names,
        replayed,
        {name: settings.recorded[name] for name in recorded},
        connected,
        limits,
        signals,
    )


def _check_duration(duration_ms: float, signals: bool, parts: StageParts) -> None:
    needed_ms = parts.settings.spectrum_ms
    if signals and parts.circuit_targets.evoked and duration_ms < needed_ms:
        raise CampaignError(
            f"its trials last {duration_ms:g} ms with the transient, but stimuli have been responded to only after "
            f"{needed_ms:g} ms; leave 'duration' out"
        )
    spectrum = parts.circuit_targets.spectrum
    if signals and spectrum is not None:
        check_duration(spectrum, duration_ms - parts.settings.dropped_ms)


def _replayed(
    wanted: Mapping[str, str | float], simulated: Sequence[str], parts: StageParts
) -> tuple[dict[str, float], list[str]]:
    """Rates of the populations that are played at one (Hz), and those that are played from records."""
    rates_Hz = {one.population: one.target for one in parts.targets if one.name == "rate" and one.population}
    replayed: dict[str, float] = {}
    recorded: list[str] = []
    for pattern, how in wanted.items():
        for name in _populations((pattern,), parts):
            if name in simulated:
                raise CampaignError(f"'{name}' is simulated, so it cannot be replayed; leave it out of one of these")
            if name in replayed or name in recorded:
                continue  # an earlier pattern says how
            if how == "recorded":
                if name not in parts.settings.recorded:
                    raise CampaignError(f"'{name}' is to be replayed as recorded, but tuning.recorded has no '{name}'")
                recorded.append(name)
            elif how == "target":
                if name not in rates_Hz:
                    raise CampaignError(f"'{name}' is to be replayed at its target, but targets.rates has no '{name}'")
                replayed[name] = rates_Hz[name]
            else:
                replayed[name] = float(how)
    return replayed, recorded


def _knobs(
    stage: str, keys: StageKeys, targets: Sequence[TuningTarget], connected: bool, parts: StageParts
) -> tuple[Knob, ...]:
    knobs = []
    for name, entry in (keys.free or {}).items():
        with parts.campaign.blamed("tuning", "stages", stage, "free", name):
            knob = Knob(name, entry.parameters, (entry.smallest, entry.largest))
            matched = knob.matches(parts.subject.parameters)
        driving = [parameter for parameter in matched if parameter not in parts.settings.kept]
        effects = expected_effects(driving, targets, parts.subject.layers, connected)
        coupling = any(parameter.startswith("weight:") for parameter in matched)
        knobs.append(replace(knob, effects=effects, coupling=coupling))
    return tuple(knobs)
