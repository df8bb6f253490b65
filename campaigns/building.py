"""From a campaign's text to the objects that the rooms below work with."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from rheobase.campaigns.loading import channel_sets, read_yaml
from rheobase.features.errors import CampaignError, ModelError
from rheobase.features.layout import RecordingFolder
from rheobase.fitting.cells.evaluator import EvaluationSettings
from rheobase.fitting.cells.mechanisms import Mechanism, bundled_mechanisms, read_mechanisms
from rheobase.fitting.cells.model import CellModel, Distribution
from rheobase.fitting.cells.morphology import read_morphology, section_lists
from rheobase.fitting.cells.parameters import ParameterText, build_parameters, used_mechanisms

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.campaigns.schema import Campaign, MeasurementKeys, Model, ParameterEntry
    from rheobase.campaigns.schema_features import Features


def build_model(campaign: Campaign) -> CellModel:
    """The cell model of a campaign, self-contained.

    Raises:
        ModelError: the morphology, a mechanism or a parameter; the message names the key.
    """
    config = campaign.model
    with campaign.blamed("model", "morphology"):
        morphology = read_morphology(config.morphology)
    with campaign.blamed("model", "mechanisms"):
        mechanisms = _mechanisms(config)
    with campaign.blamed("model", "channels"):
        distributions, texts = _channel_set(config, section_lists(morphology, replace_axon=config.axon == "stub"))
    distributions.update({name: Distribution(name, text) for name, text in config.distributions.items()})
    for name, entry in config.parameters.items():
        if entry is None:
            texts.pop(name, None)
        else:
            texts[name] = _text(entry)
    try:
        parameters = build_parameters(texts, tuple(distributions.values()), mechanisms)
    except ModelError as error:
        name, colon, reason = str(error).partition(": ")
        if not colon or name not in texts:
            raise ModelError(f"{campaign.where('model', 'parameters')}: {error}") from error
        raise ModelError(f"{campaign.where('model', 'parameters', name)}: {reason}") from error
    used = {parameter.distribution for parameter in parameters}
    return CellModel(
        name=campaign.name.replace("-", "_"),
        morphology=morphology,
        mechanisms=used_mechanisms(parameters, mechanisms),
        parameters=parameters,
        distributions=tuple(item for name, item in distributions.items() if name in used),
        replace_axon=config.axon == "stub",
        temperature_degC=config.temperature,
        initial_voltage_mV=config.initial_voltage,
        segment_length_um=config.segment_length,
    )


def build_settings(campaign: Campaign) -> EvaluationSettings:
    """How candidates are simulated."""
    config = campaign.evaluation
    return EvaluationSettings(
        settle_ms=config.settle,
        before_step_ms=config.before_step,
        after_step_ms=config.after_step,
        threshold_precision=config.threshold_precision / 100.0,
        largest_current_nA=config.largest_current,
        stage_limit=config.stage_limit,
        ectopic_limit=config.ectopic_limit,
        integrator=config.integrator,
        absolute_tolerance=config.absolute_tolerance,
        time_step_ms=config.time_step,
    )


def build_folder(campaign: MeasurementKeys, surrogates: Path) -> RecordingFolder:
    """Where the recordings lie: the campaign's folder, or that of its surrogates."""
    config = campaign.recordings
    assert config is not None  # a campaign on a table of targets reads none
    return RecordingFolder(
        folder=config.folder or surrogates,
        pattern=config.files if config.folder else "{cell}.nwb",
        junction_potential_mV=config.junction_potential,
        protocols=config.protocols or _protocols_wanted(campaign.features),
        cells=config.cells,
        strict=not config.skip_unreadable,
        table=config.table,
    )


def _protocols_wanted(config: Features) -> tuple[str, ...] | None:
    """Protocols that the features name; None when they name none, which means all."""
    if not config.protocols:
        return None
    named = [entry.protocol or name for name, entry in config.protocols.items()]
    return tuple(dict.fromkeys([*named, *config.rheobase_protocols]))


def _mechanisms(config: Model) -> dict[str, Mechanism]:
    """Ours, and the user's own, which win."""
    own = read_mechanisms(config.mechanisms) if config.mechanisms is not None else {}
    return {**bundled_mechanisms(), **own}


def _channel_set(config: Model, present: set[str]) -> tuple[dict[str, Distribution], dict[str, ParameterText]]:
    """A ready set's distributions and parameters, without those for section lists that the morphology lacks."""
    if config.channels is None:
        return {}, {}
    ready = channel_sets()
    if config.channels not in ready:
        close = difflib.get_close_matches(config.channels, ready, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(ready)}"
        raise CampaignError(f"there is no set '{config.channels}'; {hint}")
    content = read_yaml(ready[config.channels])
    distributions = {name: Distribution(name, text) for name, text in content.get("distributions", {}).items()}
    texts = {}
    for name, value in content["parameters"].items():
        place = name.rpartition(".")[2]
        if place in present or place.startswith("distribution_"):
            entry = value if isinstance(value, dict) else {"value": value}
            texts[name] = ParameterText(
                str(entry["value"]),
                entry.get("scale", "linear") == "logarithmic",
                entry.get("distribution", "uniform"),
            )
    return distributions, texts


def _text(entry: ParameterEntry) -> ParameterText:
    return ParameterText(entry.value, entry.scale == "logarithmic", entry.distribution)
