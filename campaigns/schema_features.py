"""The section `features` of the campaign file: what is measured, and how it is averaged."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from rheobase.campaigns.schema_types import (
    CANONICAL,
    Feature,
    Intrinsic,
    Milliseconds,
    Millivolts,
    Nanoamperes,
    Section,
    Window,
    reader,
)
from rheobase.features.catalogue import check_feature_name, unit
from rheobase.features.efel_settings import OWN_NAMES, check_setting
from rheobase.features.errors import FeatureError, RheobaseError, UnitError
from rheobase.features.targets import INTRINSIC_UNITS
from rheobase.features.units import parse_quantity, parse_range

EfelValue = float | int | str | bool


def _efel(given: dict[str, EfelValue]) -> dict[str, EfelValue]:
    for name in given:
        if name in OWN_NAMES:
            raise ValueError(f"eFEL's setting {name} is the key '{OWN_NAMES[name]}' here")
    try:
        return {name: check_setting(name, value) for name, value in given.items()}
    except FeatureError as error:
        raise ValueError(str(error)) from error


def _amplitude(value: object, info: ValidationInfo) -> object:
    """Text "150 %" or "0.1 nA" in parts; what was parsed before as it is, a number alone in percent."""
    if info.context == CANONICAL:
        return {"value": value} if isinstance(value, int | float) else value
    in_percent = not isinstance(value, str) or value.strip().endswith("%") or not re.search("[A-Za-z]", value)
    unit_name = "%" if in_percent else "nA"
    try:
        return {"value": parse_quantity(value, unit_name), "unit": "percent" if in_percent else "nA"}
    except RheobaseError as error:
        raise ValueError(str(error)) from error


def _level(value: object, info: ValidationInfo) -> object:
    """An amplitude; or an amplitude and its tolerance, as `_levels` makes them of a mapping."""
    if info.context == CANONICAL:
        return value if isinstance(value, dict) else {"amplitude": {"value": value}}
    if isinstance(value, tuple):
        return {"amplitude": _amplitude(value[0], info), "tolerance": _amplitude(value[1], info)}
    return {"amplitude": _amplitude(value, info)}


def _levels(value: object, info: ValidationInfo) -> object:
    return list(value.items()) if isinstance(value, dict) and info.context != CANONICAL else value


def _feature_entry(value: object) -> object:
    """A feature's name alone, or with keys."""
    if not isinstance(value, str):
        return value
    try:
        check_feature_name(value)
    except RheobaseError as error:
        raise ValueError(str(error)) from error
    return {"feature": value}


def _place(value: object) -> object:
    """Text "piece 2", or a range of times, as an index or as two numbers (ms)."""
    match = re.fullmatch(r"\s*piece\s+([1-9]\d*)\s*", value) if isinstance(value, str) else None
    if match is not None:
        return int(match[1]) - 1
    try:
        return parse_range(value, "ms")
    except UnitError:
        raise ValueError(
            f"expected a piece of the stimulus, such as 'piece 2', or a time from its onset, such as '0 to 50 ms', "
            f"got {value!r}"
        ) from None


def _floors(value: object) -> object:
    """Floors in the unit of each feature."""
    if not isinstance(value, dict):
        return value
    return {name: _floor(str(name), floor) for name, floor in value.items()}


def _floor(name: str, value: object) -> float:
    own_unit = INTRINSIC_UNITS[name] if name in INTRINSIC_UNITS else unit(name)
    if own_unit:
        return parse_quantity(value, own_unit)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise UnitError(f"{name} has no unit: expected a number, got {value!r}")


Efel = Annotated[dict[str, EfelValue], AfterValidator(_efel)]
Place = Annotated[int | tuple[float, float], reader(_place)]
Floors = Annotated[dict[str, Annotated[float, Field(gt=0)]], reader(_floors)]


class Amplitude(Section):
    """A current, in % of the rheobase or in nA."""

    value: float
    unit: Literal["percent", "nA"] = "percent"


AmplitudeText = Annotated[Amplitude, BeforeValidator(_amplitude)]


class LevelEntry(Section):
    """A level, and its own tolerance if it has one."""

    amplitude: Amplitude
    tolerance: Amplitude | None = None


class FeatureEntry(Section):
    """A feature with settings of its own."""

    feature: Feature
    name: str = ""
    weight: float = Field(1.0, ge=0)
    measure_in: Place | None = None
    spike_threshold: Millivolts | None = None
    interpolation_step: Milliseconds | None = Field(None, gt=0)
    strict_stimulus_interval: bool | None = None
    efel: Efel = Field(default_factory=dict)


FeatureText = Annotated[FeatureEntry, BeforeValidator(_feature_entry)]
LevelText = Annotated[LevelEntry, BeforeValidator(_level)]


class ProtocolFeatures(Section):
    """Features wanted of one protocol."""

    protocol: str | None = None
    levels: Annotated[tuple[LevelText, ...], Field(min_length=1), BeforeValidator(_levels)]
    tolerance: AmplitudeText | None = None
    features: tuple[FeatureText, ...] = ()
    features_below: tuple[FeatureText, ...] | None = None
    amplitude_piece: int | None = Field(None, ge=1)
    measure_in: Place | None = None
    gap: Window | None = None
    window: Window | None = None
    spike_threshold: Millivolts | None = None
    interpolation_step: Milliseconds | None = Field(None, gt=0)
    strict_stimulus_interval: bool | None = None
    efel: Efel = Field(default_factory=dict)

    @model_validator(mode="after")
    def _tolerances(self) -> ProtocolFeatures:
        for level in self.levels:
            unit_name = level.amplitude.unit
            tolerance = level.tolerance or self.tolerance
            if tolerance is None and unit_name == "nA":
                raise ValueError("levels in nA need a tolerance, such as 'tolerance: 10 pA'")
            if tolerance is not None and (tolerance.unit != unit_name or not tolerance.value > 0):
                sign = "%" if unit_name == "percent" else "nA"
                raise ValueError(
                    f"the tolerance of level {level.amplitude.value:g} {sign} must be above zero and in {sign} too"
                )
        return self


class Statistics(Section):
    """How sweeps and cells become means and standard deviations."""

    over: Literal["cells", "sweeps"] = "cells"
    minimum_cells: int = Field(1, ge=1)
    minimum_sweeps: int = Field(1, ge=1)
    smallest_std_fraction: float = Field(0.05, ge=0)
    smallest_std: dict[str, float] = Field({"mV": 0.5, "Hz": 0.5})
    smallest_std_of: Floors = Field(default_factory=dict)
    outlier_deviations: float = Field(3.5, gt=0)
    remove_outliers: bool = False
    sweeps_for_own_std: int = Field(5, ge=2)


class Features(Section):
    """What is measured, in recordings and models alike."""

    spike_threshold: Millivolts = -20.0
    interpolation_step: Milliseconds = Field(0.1, gt=0)
    strict_stimulus_interval: bool = True
    efel: Efel = Field(default_factory=dict)
    rheobase_protocols: tuple[str, ...] = ()
    rheobase_method: Literal["lowest", "majority", "interpolated"] = "lowest"
    rheobase_same_amplitude: Nanoamperes = Field(0.01, gt=0)
    cell: str | None = None
    intrinsic: tuple[Intrinsic, ...] = (
        "resting_potential",
        "input_resistance",
        "holding_current",
        "threshold_current",
    )
    statistics: Statistics = Statistics()
    protocols: dict[str, ProtocolFeatures] = Field(default_factory=dict)
