"""BluePyEModel's FitnessCalculatorConfiguration: one JSON file with the lists "efeatures" and "protocols"."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rheobase.features.formats.assembly import Source, assemble
from rheobase.features.formats.bluepyefe import DEFAULT_SETTINGS
from rheobase.features.formats.differences import differences
from rheobase.features.formats.feature_names import role
from rheobase.features.formats.json_nodes import Node, read_json
from rheobase.features.formats.recording_sites import describe_site, read_sites
from rheobase.features.formats.table import ProtocolRow, RowEntry, Table, weight_of
from rheobase.features.formats.waveform_writing import describe_waveform
from rheobase.features.formats.waveforms import NotExpressible, Waveform, read_waveform, tidy_ms
from rheobase.features.formats.writing import (
    REST,
    efel_settings,
    holding_nA,
    holding_voltage_std,
    is_rest,
    mean_of,
    sample_size,
)
from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets

_REST = "RMPProtocol"
_REST_MS = 500.0  # how long BluePyEModel lets a model rest
_DEFAULT_STD = 1e-3
_PROPERTIES = {
    "resting_potential": (_REST, "steady_state_voltage_stimend"),
    "input_resistance": ("RinProtocol", "ohmic_input_resistance_vb_ssse"),
    "holding_current": ("SearchHoldingCurrent", "bpo_holding_current"),
    "threshold_current": ("SearchThresholdCurrent", "bpo_threshold_current"),
}


def read_bluepyemodel(path: Path, holding_voltage_mV: float | None = None) -> FeatureTargets:
    """Read what BluePyEModel stores after an extraction, or what `write_bluepyemodel` wrote.

    Args:
        path: The file.
        holding_voltage_mV: Voltage at which cells were held (mV), used where the table does not say it.

    Returns:
        The targets. Everything that has no place in them stands in their notes, by name.

    Raises:
        FeatureError: Not such a file; the message names the key.
    """
    content = read_json(path)
    table = Table()
    for entry in content.need("protocols").elements():
        _read_protocol(entry, table)
    for entry in content.need("efeatures").elements():
        _read_feature(entry, table)
    if any(row.protocol == REST for row in table.rows) and REST not in table.protocols:
        table.protocols[REST] = ProtocolRow(_rest(), 0.0, 0.0)
        table.notes.append(f"{REST}: without any current for {_REST_MS:g} ms, the default of BluePyEModel's {_REST}")
    return assemble(table, Source(path, holding_voltage_mV))


def write_bluepyemodel(targets: FeatureTargets, path: Path) -> tuple[str, ...]:
    """Write targets as BluePyEModel stores them.

    Args:
        targets: The targets.
        path: The file; its folder is made when it is not there.

    Returns:
        What the file lost or changed, and what BluePyEModel could not run.
    """
    efeatures = [_property(target) for target in targets.intrinsic] + [_holding_voltage(targets)]
    protocols, remarks = [], []
    for protocol in targets.protocols:
        name = _REST if is_rest(protocol) else protocol.name
        efeatures += [_describe(name, target, efel_settings(protocol, target)) for target in protocol.features]
        if name != _REST:
            described, remark = _describe_protocol(targets, protocol)
            protocols.append(described)
            remarks += [f"{protocol.name}: {remark}"] if remark else []
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"efeatures": efeatures, "protocols": protocols}
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return (*remarks, *differences(targets, read_bluepyemodel(path)))


def _read_protocol(entry: Node, table: Table) -> None:
    name = entry.need("name").text()
    try:
        wave = _stimulus(name, entry)
    except NotExpressible as reason:
        table.notes.append(f"the stimulus of {name} cannot be given: {reason}")
        return
    recordings = entry.get("recordings_from_config") or entry.get("recordings")
    sites = read_sites(name, recordings, table.notes)
    trunk = [site.name for site in sites.values() if site.along == "apical_trunk"]
    if trunk:
        table.notes.append(f"{name} {', '.join(trunk)}: BluePyEModel's radial distance is taken as path distance")
    table.protocols[name] = ProtocolRow(wave.stimulus, wave.delay_ms, wave.amplitude_nA, sites)
    if entry.value.get("validation"):
        table.notes.append(f"{name} is for validation only in BluePyEModel: hold it out of a fit")
    if entry.value.get("stochasticity"):
        table.notes.append(f"{name}: BluePyEModel runs it with stochastic channels")


def _stimulus(name: str, entry: Node) -> Waveform:
    stimuli = entry.need("stimuli")
    steps = [stimuli] if stimuli.is_object else stimuli.elements()
    kind = entry.get("protocol_type")
    said = "ThresholdBasedProtocol" if kind is None else kind.text()
    if said not in ("Protocol", "ThresholdBasedProtocol"):
        raise NotExpressible(f"it is a {said}")
    for step in steps:
        place = step.get("location")
        if place is not None and place.value != "soma" and (not place.is_object or _not_soma(place)):
            raise NotExpressible("the current is not injected into the soma")
    wave = read_waveform(steps, name, "percent" if said == "ThresholdBasedProtocol" else "nA")
    stimulus = wave.stimulus
    if stimulus.unit == "nA":
        stimulus = replace(stimulus, holding_nA=steps[0].number_or_none("holding_current") or 0.0)
    if "bAP" in name and stimulus.after_ms:  # BluePyEModel measures these to the end of the sweep
        stimulus = replace(stimulus, window_ms=(0.0, tidy_ms(stimulus.duration_ms + stimulus.after_ms)))
    return replace(wave, stimulus=stimulus)


def _not_soma(place: Node) -> bool:
    return bool(place.value.get("location") != "soma")


def _read_feature(entry: Node, table: Table) -> None:
    protocol, feature = entry.need("protocol_name").text(), entry.need("efel_feature_name").text()
    recording = entry.need("recording_name")
    name = entry.get("efeature_name")
    if recording.is_object and set(recording.value) != {""}:
        table.notes.append(f"{protocol} {name.text() if name else feature} left out: it compares several recordings")
        return
    table.add(
        RowEntry(
            REST if protocol == _REST and role(protocol, feature) is None else protocol,
            (recording.need("") if recording.is_object else recording).text(),
            feature,
            entry.need("mean") if entry.get("mean") is not None else Node(None, entry.path, entry.keys),
            _std(entry),
            sweeps=entry.count_at("sample_size"),
            weight=weight_of(entry),
            name="" if name is None or role(protocol, feature) else name.text(),
            settings=entry.get("efel_settings"),
            base=DEFAULT_SETTINGS,
        )
    )


def _std(entry: Node) -> Node:
    """The standard deviation as it acts: raised to `threshold_efeature_std` times the mean, where that is given."""
    found = entry.get("original_std") or entry.get("std")
    fraction = entry.number_or_none("threshold_efeature_std")
    if found is None or not found.is_number or fraction is None:
        return found or Node(None, entry.path, entry.keys)
    default = entry.number_or_none("default_std_value")
    mean = entry.number_at("mean")
    if mean == 0.0:
        return replace(found, value=fraction or (_DEFAULT_STD if default is None else default))
    return replace(found, value=max(found.number(), abs(fraction * mean)))


def _rest() -> ProtocolStimulus:
    return ProtocolStimulus((TargetPiece(0.0, _REST_MS, 0.0, 0.0),), "nA", before_ms=0.0, after_ms=0.0, holding_nA=0.0)


def _property(target: FeatureTarget) -> dict[str, Any]:
    protocol, feature = _PROPERTIES[target.feature]
    return _describe(protocol, replace(target, feature=feature), {})


def _holding_voltage(targets: FeatureTargets) -> dict[str, Any]:
    return {
        "efel_feature_name": "steady_state_voltage_stimend",
        "protocol_name": "SearchHoldingCurrent",
        "recording_name": "soma.v",
        "threshold_efeature_std": None,
        "default_std_value": _DEFAULT_STD,
        "mean": targets.holding_voltage_mV,
        "original_std": holding_voltage_std(targets),
        "sample_size": len(targets.cells),
        "efeature_name": None,
        "weight": 1.0,
        "efel_settings": {},
    }


def _describe(protocol: str, target: FeatureTarget, settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "efel_feature_name": target.feature,
        "protocol_name": protocol,
        "recording_name": f"{target.location}.{target.variable}",
        "threshold_efeature_std": None,
        "default_std_value": _DEFAULT_STD,
        "mean": target.mean,
        "original_std": target.std,
        "sample_size": sample_size(target),
        "efeature_name": target.name or None,
        "weight": target.weight,
        "efel_settings": settings,
    }


def _describe_protocol(targets: FeatureTargets, protocol: ProtocolTargets) -> tuple[dict[str, Any], str]:
    stimuli, remark = describe_waveform(protocol, mean_of(targets, "threshold_current"))
    current_nA = holding_nA(targets, protocol)
    percent = protocol.stimulus.unit == "percent"
    return {
        "name": protocol.name,
        "stimuli": [{**stimulus, "holding_current": current_nA} for stimulus in stimuli],
        "recordings_from_config": _recordings(targets, protocol),
        "validation": False,
        "protocol_type": "ThresholdBasedProtocol" if percent else "Protocol",
        "stochasticity": False,
    }, remark


def _recordings(targets: FeatureTargets, protocol: ProtocolTargets) -> list[dict[str, Any]]:
    places = {(target.location, target.variable) for target in protocol.features}
    sites = {site.name: site for site in targets.sites}
    recordings: list[dict[str, Any]] = []
    for location, variable in [("soma", "v"), *sorted(places - {("soma", "v")})]:
        name = f"{protocol.name}.{location}.{variable}"
        if location == "soma":
            recordings.append({"type": "CompRecording", "name": name, "location": "soma", "variable": variable})
        else:
            recordings.append({"name": name, "var": variable, **describe_site(sites[location])})
    return recordings
