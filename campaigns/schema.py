"""The campaign file: every key, its unit and its default. Unknown keys are errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationInfo, model_validator

from rheobase.features.errors import RheobaseError
from rheobase.features.measurement import check_feature_name
from rheobase.features.units import parse_quantity, parse_range

CANONICAL = {"canonical": True}  # validation context of values that were parsed before: plain numbers


def _reader(read: Callable[[Any], Any]) -> BeforeValidator:
    """Parse text with `read`, its complaint becoming pydantic's."""

    def parse(value: object, info: ValidationInfo) -> Any:
        if info.context == CANONICAL:
            return value
        try:
            return read(value)
        except RheobaseError as error:
            raise ValueError(str(error)) from error

    return BeforeValidator(parse)


def _quantity(unit: str, divisor: float = 1.0) -> BeforeValidator:
    return _reader(lambda value: parse_quantity(value, unit) / divisor)


def _temperature(value: object) -> float:
    text = str(value).strip()
    for unit in ("degC", "°C"):
        with suppress(ValueError):
            if text.endswith(unit) and math.isfinite(number := float(text.removesuffix(unit))):
                return number
    raise ValueError(f"expected a temperature such as '34 degC', got {value!r}")


def _feature(value: object) -> str:
    check_feature_name(str(value))
    return str(value)


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Milliseconds = Annotated[float, _quantity("ms")]
Seconds = Annotated[float, _quantity("ms", 1000.0)]
Millivolts = Annotated[float, _quantity("mV")]
Nanoamperes = Annotated[float, _quantity("nA")]
Micrometres = Annotated[float, _quantity("um")]
Percent = Annotated[float, _quantity("%")]
Kilohertz = Annotated[float, _quantity("Hz", 1000.0)]
Celsius = Annotated[float, _reader(_temperature)]
Window = Annotated[tuple[float, float], _reader(lambda value: parse_range(value, "ms"))]
Feature = Annotated[str, _reader(_feature)]
Text = Annotated[str, BeforeValidator(_text)]
Intrinsic = Literal["resting_potential", "input_resistance", "holding_current", "threshold_current"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class SurrogateProtocol(_Section):
    """A step protocol that virtual cells are recorded under."""

    levels: tuple[Percent, ...]
    duration: Milliseconds = Field(500.0, gt=0)
    sampling: Kilohertz = Field(20.0, gt=0)


class Surrogates(_Section):
    """Virtual recordings of a hidden, varied parameter set: to try a campaign where the answer is known."""

    cells: int = Field(5, ge=1, le=1000)
    hidden: dict[str, Text]
    spread: Percent = Field(10.0, ge=0, le=50)
    noise: Millivolts = Field(0.1, ge=0)
    holding_voltage: Millivolts = -80.0
    protocols: dict[str, SurrogateProtocol]


class Recordings(_Section):
    """Where recordings come from."""

    folder: Path | None = None
    files: str | None = None
    junction_potential: Millivolts = 0.0
    protocols: tuple[str, ...] | None = None
    cells: tuple[str, ...] | None = None
    skip_unreadable: bool = False
    surrogates: Surrogates | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Recordings:
        if (self.folder is None) == (self.surrogates is None):
            raise ValueError("give either 'folder', where the recordings lie, or 'surrogates'")
        return self


class ProtocolFeatures(_Section):
    """Features wanted of one protocol."""

    levels: tuple[Percent, ...] = Field(min_length=1)
    features: tuple[Feature, ...] = ()
    features_below: tuple[Feature, ...] | None = None
    tolerance: Percent = Field(10.0, gt=0)
    window: Window | None = None
    spike_threshold: Millivolts | None = None
    interpolation_step: Milliseconds | None = Field(None, gt=0)


class Statistics(_Section):
    """How sweeps and cells become means and standard deviations."""

    over: Literal["cells", "sweeps"] = "cells"
    minimum_cells: int = Field(1, ge=1)
    smallest_std_fraction: float = Field(0.05, ge=0)
    smallest_std: dict[str, float] = {"mV": 0.5, "Hz": 0.5}


class Features(_Section):
    """What is measured, in recordings and models alike."""

    spike_threshold: Millivolts = -20.0
    interpolation_step: Milliseconds = Field(0.1, gt=0)
    rheobase_protocols: tuple[str, ...] = ()
    intrinsic: tuple[Intrinsic, ...] = (
        "resting_potential",
        "input_resistance",
        "holding_current",
        "threshold_current",
    )
    statistics: Statistics = Statistics()
    protocols: dict[str, ProtocolFeatures] = {}


class ParameterEntry(_Section):
    """A parameter with a scale or a distribution."""

    value: Text
    scale: Literal["linear", "logarithmic"] = "linear"
    distribution: str = "uniform"


def _parameter_entry(value: object) -> object:
    return {"value": value} if isinstance(value, str | int | float) and not isinstance(value, bool) else value


Parameters = dict[str, Annotated[ParameterEntry | None, BeforeValidator(_parameter_entry)]]


class Model(_Section):
    """The cell model."""

    morphology: Path
    axon: Literal["stub", "keep"] = "stub"
    channels: str | None = None
    mechanisms: Path | None = None
    temperature: Celsius = 34.0
    initial_voltage: Millivolts = -80.0
    segment_length: Micrometres = Field(40.0, gt=0)
    distributions: dict[str, str] = {}
    parameters: Parameters = {}

    @model_validator(mode="after")
    def _something_to_fit(self) -> Model:
        if self.channels is None and not self.parameters:
            raise ValueError("give 'channels', a ready set (see `rheobase library`), or 'parameters', or both")
        return self


class Evaluation(_Section):
    """How a candidate is simulated."""

    settle: Milliseconds = Field(1000.0, gt=0)
    before_step: Milliseconds = Field(100.0, gt=0)
    after_step: Milliseconds = Field(100.0, gt=0)
    threshold_precision: Percent = Field(2.0, gt=0)
    largest_current: Nanoamperes = Field(5.0, gt=0)
    stage_limit: float = Field(20.0, gt=0)
    absolute_tolerance: float = Field(1e-3, gt=0)
    time_limit: Seconds = Field(120.0, gt=0)


class Search(_Section):
    """The evolutionary search."""

    algorithm: Literal["ibea", "nsga2"] = "ibea"
    population: int = Field(50, ge=4)
    selection: Literal["protocols", "features"] = "protocols"
    deterministic: bool = False
    evaluations: int = Field(2000, ge=1)
    wall_time: Seconds | None = Field(None, gt=0)


class Ensemble(_Section):
    """The models chosen in the end."""

    size: int = Field(20, ge=1)
    largest_score: float = Field(5.0, gt=0)


class Cluster(_Section):
    """Where the workers run."""

    workers: int | None = Field(None, ge=1)
    address: str = "local"


class Campaign(_Section):
    """A whole campaign."""

    rheobase: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z][\w-]*$")
    description: str = ""
    seed: int = Field(1, ge=0)
    recordings: Recordings
    features: Features = Features()
    model: Model
    evaluation: Evaluation = Evaluation()
    search: Search = Search()
    ensemble: Ensemble = Ensemble()
    cluster: Cluster = Cluster()
    _place: Callable[[tuple[str, ...]], str] = PrivateAttr(default=".".join)

    def read_from(self, place: Callable[[tuple[str, ...]], str]) -> None:
        """Keep who knows where in a file the keys are."""
        self._place = place

    def where(self, *key: str) -> str:
        """Place of a key for messages: file, line and key, or the key alone when there is no file."""
        return self._place(key)

    @contextmanager
    def blamed(self, *key: str) -> Iterator[None]:
        """Put the place of a key in front of errors, for what only building shows to be wrong."""
        try:
            yield
        except RheobaseError as error:
            raise type(error)(f"{self.where(*key)}: {error}") from error

    def essence(self) -> dict[str, Any]:
        """What the record depends on: a campaign in a folder may be resumed only with the same."""
        content = self.model_dump(mode="json")
        for key in ("description", "ensemble", "cluster"):
            del content[key]
        for key in ("evaluations", "wall_time"):
            del content["search"][key]
        del content["evaluation"]["time_limit"]
        return content
