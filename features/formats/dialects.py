"""Targets from a file in any of the known formats, recognised by what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.features.errors import FeatureError
from rheobase.features.formats.bluepyefe import read_bluepyefe, write_bluepyefe
from rheobase.features.formats.bluepyemodel import read_bluepyemodel, write_bluepyemodel
from rheobase.features.formats.json_nodes import Node, read_json
from rheobase.features.formats.legacy import read_legacy
from rheobase.features.targets_file import read_targets, write_targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rheobase.features.targets import FeatureTargets

_KNOWN = (
    "rheobase's targets, BluePyEfe's or the older features.json with its protocols.json, "
    "or BluePyEModel's file with 'efeatures' and 'protocols'"
)
_PROTOCOLS = "protocols by name, each with 'stimuli' or 'step' (the features come first, the protocols second)"


def read_any_targets(
    features_path: Path, protocols_path: Path | None = None, holding_voltage_mV: float | None = None
) -> FeatureTargets:
    """Read targets as rheobase, BluePyEfe, BluePyEModel or the tools before them write them.

    Args:
        features_path: The targets or features.
        protocols_path: The protocols, for those formats that have them in a file of their own.
        holding_voltage_mV: Voltage at which cells were held (mV), used where the table does not say it.

    Raises:
        FeatureError: None of these formats, or a fault in the file; the message names file and key.
    """
    content = read_json(features_path)
    if not content.is_object or not content.value:
        raise content.error(_KNOWN)
    alone = "schema" in content.value or "efeatures" in content.value
    if alone and protocols_path is not None:
        raise FeatureError(f"{features_path} holds its protocols itself; leave {protocols_path} out")
    if "schema" in content.value:
        return read_targets(features_path)
    if "efeatures" in content.value:
        return read_bluepyemodel(features_path, holding_voltage_mV)
    _check_features(content)
    if protocols_path is None:
        raise FeatureError(f"{features_path} holds features only; give the file of their protocols with it")
    read = read_legacy if _is_legacy(read_json(protocols_path)) else read_bluepyefe
    return read(features_path, protocols_path, holding_voltage_mV)


def write_any_targets(targets: FeatureTargets, path: Path, kind: str) -> tuple[str, ...]:
    """Write targets in one of `KINDS`.

    Args:
        targets: The targets.
        path: A file; for "bluepyefe" a folder. Made with the folders above it.
        kind: The format.

    Returns:
        What the format lost or changed.

    Raises:
        FeatureError: The place cannot be written to.
    """
    if kind != "bluepyefe" and path.is_dir():
        raise FeatureError(f"{path} is a folder; give the file to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return KINDS[kind](targets, path)
    except OSError as error:
        raise FeatureError(f"cannot write to {path}: {error.strerror or error}") from None


def _write_own(targets: FeatureTargets, path: Path) -> tuple[str, ...]:
    write_targets(targets, path)
    return ()


# Formats that can be written.
KINDS: dict[str, Callable[[FeatureTargets, Path], tuple[str, ...]]] = {
    "rheobase": _write_own,
    "bluepyefe": write_bluepyefe,
    "bluepyemodel": write_bluepyemodel,
}


def _check_features(content: Node) -> None:
    for _, locations in content.members():
        if not locations.is_object:
            raise content.error(_KNOWN)
        for _, found in locations.members():
            if not isinstance(found.value, list | dict):
                raise content.error(_KNOWN)


def _is_legacy(protocols: Node) -> bool:
    """Whether protocols are of the older kind: their stimuli stand under "stimuli", BluePyEfe's under "step"."""
    entries = list(protocols.members())
    for _, entry in entries:
        if not entry.is_object:
            raise protocols.error(_PROTOCOLS)
        if "stimuli" in entry.value:
            return True
        if "step" in entry.value:
            return False
    raise protocols.error(_PROTOCOLS)
