"""Feature targets: what a model has to reach, with the stimuli under which it was measured."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import FeatureError
from rheobase.features.measurement import MeasurementSettings

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "rheobase.targets/1"

# Hyperpolarisation at which the input resistance is taken, in recordings and models alike.
INPUT_RESISTANCE_DEFLECTION_mV = 5.0

# Properties of the cell itself, searched for before any step is given.
INTRINSIC_UNITS = {
    "resting_potential": "mV",
    "input_resistance": "MOhm",
    "holding_current": "nA",
    "threshold_current": "nA",
}


@dataclass(frozen=True)
class FeatureTarget:
    """One measured quantity.

    Attributes:
        feature: eFEL's name, or one of INTRINSIC_UNITS.
        mean: Mean over cells.
        std: Standard deviation, never below the floor it was extracted with.
        unit: Unit of mean and std.
        cells: Number of cells it was measured in.
        sweeps: Number of sweeps it was measured in.
    """

    feature: str
    mean: float
    std: float
    unit: str = ""
    cells: int = 0
    sweeps: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise FeatureError(
                f"the target of {self.feature} must be finite with a standard deviation above zero, "
                f"got {self.mean} +- {self.std}"
            )


@dataclass(frozen=True)
class ProtocolTargets:
    """A step stimulus and the features measured under it.

    Attributes:
        name: Protocol and level, for example "IDrest_150".
        amplitude_percent: Step above holding in % of the cell's threshold current.
        amplitude_nA: Mean of the recorded steps (nA), for reference and plots.
        duration_ms: Length of the step (ms).
        features: What was measured.
        settings: How.
    """

    name: str
    amplitude_percent: float
    amplitude_nA: float
    duration_ms: float
    features: tuple[FeatureTarget, ...]
    settings: MeasurementSettings = MeasurementSettings()


@dataclass(frozen=True)
class CellSummary:
    """One recorded cell: what its sweeps are scaled by."""

    name: str
    rheobase_nA: float
    holding_current_nA: float
    holding_voltage_mV: float
    sweeps: int
    bracketed: bool


@dataclass(frozen=True)
class FeatureTargets:
    """Everything that a cell model is fitted to.

    Attributes:
        holding_voltage_mV: Voltage that the holding current keeps the cell at before a step (mV).
        threshold_duration_ms: Length of the steps that define the threshold current (ms).
        intrinsic: Resting potential, input resistance, holding and threshold current, as far as measured.
        protocols: The steps and their features.
        junction_potential_mV: Liquid-junction potential that was subtracted (mV).
        cells: The cells it was measured in.
        notes: What was left out, and why.
    """

    holding_voltage_mV: float
    threshold_duration_ms: float
    intrinsic: tuple[FeatureTarget, ...]
    protocols: tuple[ProtocolTargets, ...]
    junction_potential_mV: float = 0.0
    cells: tuple[CellSummary, ...] = ()
    notes: tuple[str, ...] = ()
    settings: MeasurementSettings = field(default_factory=MeasurementSettings)

    @property
    def objectives(self) -> dict[str, FeatureTarget]:
        """Targets by objective name: "threshold_current", "IDrest_150.soma.v.mean_frequency"."""
        named = {target.feature: target for target in self.intrinsic}
        for protocol in self.protocols:
            named.update({objective_name(protocol.name, target.feature): target for target in protocol.features})
        return named

    @property
    def groups(self) -> dict[str, str]:
        """Protocol of each objective, "intrinsic" for properties of the cell itself."""
        named = dict.fromkeys((target.feature for target in self.intrinsic), "intrinsic")
        for protocol in self.protocols:
            named.update({objective_name(protocol.name, target.feature): protocol.name for target in protocol.features})
        return named


def objective_name(protocol: str, feature: str, location: str = "soma") -> str:
    """Name of an objective as users of BluePyOpt know it."""
    return f"{protocol}.{location}.v.{feature}"


def write_targets(targets: FeatureTargets, path: Path) -> None:
    """Write targets as JSON; never a bare NaN."""
    content = {"schema": SCHEMA, **dataclasses.asdict(targets)}
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_targets(path: Path) -> FeatureTargets:
    """Read what `write_targets` wrote.

    Raises:
        FeatureError: not such a file; the message names the path and the key.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FeatureError(f"the targets file {path} does not exist") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise FeatureError(f"{path} is not a JSON file of targets: {error}") from error
    if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
        raise FeatureError(f'{path}: expected \'"schema": "{SCHEMA}"\'; extract the targets again with this version')
    try:
        return FeatureTargets(
            **{
                **content,
                "intrinsic": _features(content["intrinsic"]),
                "protocols": tuple(
                    ProtocolTargets(
                        **{
                            **entry,
                            "features": _features(entry["features"]),
                            "settings": _settings(entry["settings"]),
                        }
                    )
                    for entry in content["protocols"]
                ),
                "cells": tuple(CellSummary(**entry) for entry in content["cells"]),
                "notes": tuple(content["notes"]),
                "settings": _settings(content["settings"]),
            }
        )
    except (KeyError, TypeError, ValueError, FeatureError) as error:
        raise FeatureError(f"{path}: not the targets that rheobase writes: {error}") from error


def _features(entries: list[dict[str, Any]]) -> tuple[FeatureTarget, ...]:
    return tuple(FeatureTarget(**entry) for entry in entries)


def _settings(entry: dict[str, Any]) -> MeasurementSettings:
    return MeasurementSettings(**{**entry, "efel": tuple((name, value) for name, value in entry["efel"])})
