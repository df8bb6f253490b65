"""BluePyEfe 2: features.json, protocols.json and holding_threshold_currents.json.

{protocol: {location: [{"feature", "val": [mean, std], "n", "efel_settings", "efeature_name"}]}} and
{protocol: {"holding": {"amp"}, "step": {"delay", "amp", "thresh_perc", "duration", "totduration"}}}.
What these have no place for stands under keys that BluePyEfe's and BluePyEModel's readers pass over: "n_cells",
"n_sweeps" and "extra_recordings".
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rheobase.features.formats.assembly import Source, assemble
from rheobase.features.formats.differences import differences
from rheobase.features.formats.feature_names import without_level
from rheobase.features.formats.json_nodes import Node, read_json
from rheobase.features.formats.recording_sites import describe_site, read_sites
from rheobase.features.formats.table import ProtocolRow, RowEntry, Table, mean_and_std, weight_of
from rheobase.features.formats.waveform_writing import AFTER_MS, DELAY_MS, describe_waveform, total_duration
from rheobase.features.formats.waveforms import NotExpressible, read_waveform
from rheobase.features.formats.writing import (
    REST,
    efel_settings,
    holding_nA,
    holding_voltage_std,
    intrinsic,
    is_rest,
    mean_of,
    sample_size,
)
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.targets import INPUT_RESISTANCE_DEFLECTION_mV

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets

FEATURES_FILE = "features.json"
PROTOCOLS_FILE = "protocols.json"
CURRENTS_FILE = "holding_threshold_currents.json"

# BluePyEfe's and BluePyEModel's, where their user set nothing else.
DEFAULT_SETTINGS = MeasurementSettings(interpolation_step_ms=0.025)

# The cell at rest: BluePyEModel compares names by what stands before and behind the last "_".
_REST_0 = f"{REST}_0"

# Length of the steps under which resting potential and input resistance are written (ms).
_PROPERTY_STEP_MS = 1000.0


def read_bluepyefe(
    features_path: Path, protocols_path: Path, holding_voltage_mV: float | None = None
) -> FeatureTargets:
    """Read what BluePyEfe 2 or `write_bluepyefe` wrote.

    Holding and threshold current are read from CURRENTS_FILE, where it stands beside the features.

    Args:
        features_path: The features.
        protocols_path: The protocols.
        holding_voltage_mV: Voltage at which cells were held (mV), used where the table does not say it.

    Returns:
        The targets. Everything that has no place in them stands in their notes, by name.

    Raises:
        FeatureError: Not such files; the message names file and key.
    """
    table = Table()
    _read_protocols(read_json(protocols_path), table)
    for name, locations in read_json(features_path).members():
        protocol = _protocol_name(name)
        for recording, found in locations.members():
            for entry in found.elements():
                table.add(_row_entry(protocol, recording, entry))
    currents_path = features_path.with_name(CURRENTS_FILE)
    if currents_path.exists():
        _read_currents(read_json(currents_path), table)
    return assemble(table, Source(features_path, holding_voltage_mV))


def write_bluepyefe(targets: FeatureTargets, folder: Path) -> tuple[str, ...]:
    """Write targets as BluePyEfe 2 would.

    Resting potential, input resistance and holding voltage become the protocols "RMP_0" and "Rin_...", which
    BluePyEModel's settings `name_rmp_protocol` and `name_Rin_protocol` are to name.

    Args:
        targets: The targets.
        folder: Where the three files go; made when it is not there.

    Returns:
        What the files lost or changed, and what BluePyEModel could not run.
    """
    features: dict[str, Any] = {}
    protocols: dict[str, Any] = {}
    remarks: list[str] = []
    for protocol in targets.protocols:
        written: dict[str, list[dict[str, Any]]] = {}
        for target in protocol.features:
            written.setdefault(_recording(target), []).append(
                _describe(target, target.feature, efel_settings(protocol, target))
            )
        name = _REST_0 if is_rest(protocol) else protocol.name
        features[name] = written
        protocols[name], remark = _describe_protocol(targets, protocol)
        remarks += [f"{protocol.name}: {remark}"] if remark else []
    _add_resting_potential(targets, features, protocols)
    _add_input_resistance(targets, features, protocols)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        (FEATURES_FILE, features),
        (PROTOCOLS_FILE, protocols),
        (CURRENTS_FILE, _currents(targets)),
    ):
        (folder / name).write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    reread = read_bluepyefe(folder / FEATURES_FILE, folder / PROTOCOLS_FILE)
    return (*remarks, *differences(targets, reread))


def _row_entry(protocol: str, recording: str, entry: Node) -> RowEntry:
    mean, std = mean_and_std(entry.need("val"))
    name = entry.get("efeature_name")
    return RowEntry(
        protocol,
        recording,
        entry.need("feature").text(),
        mean,
        std,
        cells=entry.count_at("n_cells"),
        sweeps=entry.count_at("n_sweeps" if "n_sweeps" in entry.value else "n"),
        weight=weight_of(entry),
        name="" if name is None else name.text(),
        settings=entry.get("efel_settings"),
        base=DEFAULT_SETTINGS,
    )


def _protocol_name(name: str) -> str:
    """Name of a protocol; that of the cell at rest without its level."""
    return REST if without_level(name) == REST else name


def _read_protocols(content: Node, table: Table) -> None:
    held = []
    for name, entry in content.members():
        step, holding = entry.need("step"), entry.get("holding")
        current_nA = None if holding is None else holding.number_or_none("amp")
        try:
            wave = read_waveform([step] if step.is_object else step.elements(), name)
        except NotExpressible as reason:
            table.notes.append(f"the stimulus of {name} cannot be given: {reason}")
            continue
        stimulus = wave.stimulus
        if stimulus.unit == "nA":
            stimulus = replace(stimulus, holding_nA=current_nA)
        elif current_nA is not None:
            held.append(f"{name} {current_nA:g}")
        sites = read_sites(name, entry.get("extra_recordings"), table.notes)
        table.protocols[_protocol_name(name)] = ProtocolRow(stimulus, wave.delay_ms, wave.amplitude_nA, sites)
    if held:
        table.notes.append(f"holding currents given (nA); the holding voltage counts: {', '.join(held)}")


def _read_currents(content: Node, table: Table) -> None:
    for key, protocol, feature in (
        ("holding_current", "SearchHoldingCurrent", "bpo_holding_current"),
        ("threshold_current", "SearchThresholdCurrent", "bpo_threshold_current"),
    ):
        found = content.get(key)
        if found is not None:
            mean, std = mean_and_std(found)
            by_cell = content.get(f"all_{key}")
            found_in = [] if by_cell is None else [f"{cell} {value.value}" for cell, value in by_cell.members()]
            if found_in:
                table.notes.append(f"{key} of single cells (nA) is not used: {', '.join(found_in)}")
            cells = len(found_in)
            table.add(RowEntry(protocol, "soma", feature, mean, std, cells=cells))


def _recording(target: FeatureTarget) -> str:
    plain = (target.location, target.variable) == ("soma", "v")
    return "soma" if plain else f"{target.location}.{target.variable}"


def _describe(target: FeatureTarget, feature: str, settings: dict[str, Any]) -> dict[str, Any]:
    described = {
        "feature": feature,
        "val": [target.mean, target.std],
        "n": sample_size(target),
        "efel_settings": settings,
        "efeature_name": target.name or feature,
        "n_cells": target.cells,
        "n_sweeps": target.sweeps,
    }
    return described if target.weight == 1.0 else {**described, "weight": target.weight}


def _describe_protocol(targets: FeatureTargets, protocol: ProtocolTargets) -> tuple[dict[str, Any], str]:
    steps, remark = describe_waveform(protocol, mean_of(targets, "threshold_current"))
    total_ms = total_duration(protocol.stimulus)
    described: dict[str, Any] = {
        "holding": _holding(holding_nA(targets, protocol), total_ms),
        "step": steps[0] if len(steps) == 1 else steps,
    }
    places = {(target.location, target.variable) for target in protocol.features if target.location != "soma"}
    if places:
        sites = {site.name: site for site in targets.sites}
        described["extra_recordings"] = [
            {"name": location, "var": variable, **describe_site(sites[location])}
            for location, variable in sorted(places)
        ]
    return described, remark


def _holding(current_nA: float | None, total_ms: float) -> dict[str, Any]:
    return {"delay": 0.0, "amp": current_nA, "duration": total_ms, "totduration": total_ms}


def _add_resting_potential(targets: FeatureTargets, features: dict[str, Any], protocols: dict[str, Any]) -> None:
    rest = intrinsic(targets, "resting_potential")
    if rest is not None:
        others = features.get(_REST_0, {}).get("soma", [])
        features[_REST_0] = {"soma": [_describe(rest, "voltage_base", {}), *others]}
        protocols.setdefault(_REST_0, _property_protocol(0.0, 0.0, 0.0))


def _add_input_resistance(targets: FeatureTargets, features: dict[str, Any], protocols: dict[str, Any]) -> None:
    """Input resistance with the holding voltage, as a step that hyperpolarises a mean cell by 5 mV."""
    resistance, threshold_nA = intrinsic(targets, "input_resistance"), mean_of(targets, "threshold_current")
    amplitude_nA = -0.01 if resistance is None else -INPUT_RESISTANCE_DEFLECTION_mV / resistance.mean
    percent = None if threshold_nA is None else 100.0 * amplitude_nA / threshold_nA
    name = f"Rin_{amplitude_nA:.3g}" if percent is None else f"Rin_{percent:.0f}"
    written = [] if resistance is None else [_describe(resistance, "ohmic_input_resistance_vb_ssse", {})]
    voltage = {
        "feature": "voltage_base",
        "val": [targets.holding_voltage_mV, holding_voltage_std(targets)],
        "n": len(targets.cells),
        "efel_settings": {},
        "efeature_name": "voltage_base",
    }
    features[name] = {"soma": [*written, voltage]}
    protocols[name] = _property_protocol(amplitude_nA, percent, mean_of(targets, "holding_current"))


def _property_protocol(amplitude_nA: float, percent: float | None, current_nA: float | None) -> dict[str, Any]:
    total_ms = DELAY_MS + _PROPERTY_STEP_MS + AFTER_MS
    step = {
        "delay": DELAY_MS,
        "amp": amplitude_nA,
        "thresh_perc": percent,
        "duration": _PROPERTY_STEP_MS,
        "totduration": total_ms,
    }
    return {"holding": _holding(current_nA, total_ms), "step": step}


def _currents(targets: FeatureTargets) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for key in ("holding_current", "threshold_current"):
        target = intrinsic(targets, key)
        if target is not None:
            written[key] = [target.mean, target.std]
    written["all_holding_current"] = {cell.name: cell.holding_current_nA for cell in targets.cells}
    written["all_threshold_current"] = {
        cell.name: cell.rheobase_nA for cell in targets.cells if cell.rheobase_nA is not None
    }
    return written
