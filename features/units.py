"""Quantities with units: "0.25 nA", "14 mV", "1e-5 to 1e-3 S/cm2" become numbers in rheobase's own units."""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import UnitError

if TYPE_CHECKING:
    import pint

# The unit that every quantity of a kind is kept in, wherever it travels inside rheobase.
CANONICAL_UNITS = {
    "voltage": "mV",
    "current": "nA",
    "time": "ms",
    "resistance": "MOhm",
    "length": "um",
    "conductance density": "S/cm2",
    "capacitance density": "uF/cm2",
    "resistivity": "ohm cm",
    "concentration": "mM",
    "frequency": "Hz",
    "percent": "%",
}

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_QUANTITY = re.compile(rf"^\s*(?P<number>{_NUMBER})\s*(?P<unit>[^\d\s.+-].*?)?\s*$")
_RANGE = re.compile(
    rf"^\s*(?P<low>{_NUMBER})\s*(?P<low_unit>[^\d\s.+-].*?)??\s+to\s+(?P<high>{_NUMBER})\s*(?P<unit>[^\d\s.+-].*?)?\s*$"
)


@functools.cache
def _registry() -> pint.UnitRegistry[Any]:
    import pint  # imported here: it costs a third of a second, and `rheobase --help` has no use for it

    registry: pint.UnitRegistry[Any] = pint.UnitRegistry()
    registry.define("Ohm = ohm")
    return registry


def _parse_unit(text: str) -> pint.Unit:
    import pint

    # Laboratories write S/cm2 and uF/cm2, pint reads S/cm**2; the micro sign comes in two code points.
    spelled = re.sub(r"(?<=[A-Za-z])(-?\d)", r"**\1", text.replace("µ", "u").replace("μ", "u").replace("Ω", "ohm"))
    try:
        return _registry().Unit(spelled)
    except (
        pint.errors.UndefinedUnitError,
        pint.errors.DefinitionSyntaxError,
        ValueError,
        AssertionError,
    ) as error:
        raise UnitError(f"'{text}' is not a unit that rheobase knows") from error
    except Exception as error:  # pint's tokenizer raises whatever Python's does
        raise UnitError(f"'{text}' cannot be read as a unit") from error


def factor(unit: str, canonical: str) -> float:
    """Number to multiply a value in `unit` with to have it in `canonical`.

    Raises:
        UnitError: `unit` is unknown, or of another dimension.
    """
    if unit == canonical:
        return 1.0
    if canonical == "%":
        raise UnitError(f"expected a value in %, got the unit '{unit}'")
    if unit == "%":
        raise UnitError(f"expected a unit of {canonical}, got '%'")
    source, target = _parse_unit(unit), _parse_unit(canonical)
    if source.dimensionality != target.dimensionality:
        raise UnitError(f"expected a unit like {canonical}, got '{unit}'")
    magnitude = float(_registry().Quantity(1.0, source).to(target).magnitude)
    return float(f"{magnitude:.15g}")  # pint goes through base units: 1 A would be 999999999.9999999 nA


def parse_quantity(value: object, canonical: str) -> float:
    """Number in the unit `canonical` of a quantity written as text, such as "0.25 nA".

    Raises:
        UnitError: no unit, a wrong one, or not a number.
    """
    if isinstance(value, bool) or not isinstance(value, str):
        raise UnitError(f"expected a quantity with its unit, such as '1 {canonical}', got {value!r}")
    match = _QUANTITY.match(value)
    if match is None:
        raise UnitError(f"expected a number and a unit, such as '1 {canonical}', got '{value}'")
    if match["unit"] is None:
        raise UnitError(f"'{value}' has no unit: write '{value.strip()} {canonical}' if that is what is meant")
    return _convert(float(match["number"]), match["unit"], canonical)


def parse_range(value: object, canonical: str) -> tuple[float, float]:
    """Bounds in the unit `canonical` of a range written as text, such as "1e-5 to 1e-3 S/cm2".

    Raises:
        UnitError: not a range, no unit or a wrong one, or the bounds reversed or equal.
    """
    match = _RANGE.match(value) if isinstance(value, str) else None
    if match is None:
        raise UnitError(f"expected a range with its unit, such as '0 to 1 {canonical}', got {value!r}")
    if match["unit"] is None:
        raise UnitError(
            f"'{value}' has no unit: write '{match['low']} to {match['high']} {canonical}' if that is meant"
        )
    low = _convert(float(match["low"]), match["low_unit"] or match["unit"], canonical)
    high = _convert(float(match["high"]), match["unit"], canonical)
    if not low < high:
        raise UnitError(f"the lower bound must be below the upper one, got '{value}'")
    return low, high


def _convert(number: float, unit: str, canonical: str) -> float:
    scale = factor(unit, canonical)
    # Dividing by whole powers of ten keeps 119 pA at exactly 0.119 nA.
    converted = number / round(1 / scale) if scale < 1 and math.isclose(1 / scale, round(1 / scale)) else number * scale
    if not math.isfinite(converted):
        raise UnitError(f"expected a finite quantity in {canonical}, got {number} {unit}")
    return converted
