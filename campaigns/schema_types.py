"""Building blocks of the campaign file: quantities with units, names of features, sections that know their keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationInfo

from rheobase.features.catalogue import check_feature_name
from rheobase.features.errors import RheobaseError
from rheobase.features.units import parse_quantity, parse_range

CANONICAL = {"canonical": True}  # validation context of values that were parsed before: plain numbers


def reader(read: Callable[[Any], Any]) -> BeforeValidator:
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
    return reader(lambda value: parse_quantity(value, unit) / divisor)


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


def _several(value: object) -> object:
    """One path, or a list of them."""
    return [value] if isinstance(value, str | Path) else value


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Paths = Annotated[tuple[Path, ...], Field(min_length=1), BeforeValidator(_several)]
Milliseconds = Annotated[float, _quantity("ms")]
Seconds = Annotated[float, _quantity("ms", 1000.0)]
Millivolts = Annotated[float, _quantity("mV")]
Microvolts = Annotated[float, _quantity("uV")]
Degrees = Annotated[float, _quantity("deg")]
Femtoteslas = Annotated[float, _quantity("fT")]
Nanoamperes = Annotated[float, _quantity("nA")]
Micrometres = Annotated[float, _quantity("um")]
Percent = Annotated[float, _quantity("%")]
Kilohertz = Annotated[float, _quantity("Hz", 1000.0)]
Hertz = Annotated[float, _quantity("Hz")]
Nanosiemens = Annotated[float, _quantity("nS")]
DensitySiemens = Annotated[float, _quantity("S/cm2")]
MicrometresPerMillisecond = Annotated[float, _quantity("um/ms")]
Span = Annotated[tuple[float, float], reader(lambda value: parse_range(value, "um"))]
Celsius = Annotated[float, reader(_temperature)]
Window = Annotated[tuple[float, float], reader(lambda value: parse_range(value, "ms"))]
Feature = Annotated[str, reader(_feature)]
Text = Annotated[str, BeforeValidator(_text)]
Intrinsic = Literal["resting_potential", "input_resistance", "holding_current", "threshold_current"]


class Section(BaseModel):
    """A part of the campaign file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Placed(Section):
    """A whole file, which knows where its keys are."""

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
