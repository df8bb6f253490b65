"""From a campaign's text ("gNaTgbar_NaTg.axonal: 0 to 1 S/cm2") to the parameters of a cell model."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.errors import ModelError, UnitError
from rheobase.features.units import parse_quantity, parse_range
from rheobase.fitting.cells.mechanisms import BUILT_IN_VARIABLES, SECTION_VARIABLES, Mechanism
from rheobase.fitting.cells.model import SECTION_LISTS, UNIFORM, CellParameter, Distribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_RANGE_WORD = re.compile(r"\sto\s")


@dataclass(frozen=True)
class ParameterText:
    """A parameter as the campaign writes it.

    Attributes:
        value: "0.1 S/cm2" (frozen) or "0 to 1 S/cm2" (free).
        logarithmic: Whether a search moves it on a logarithmic scale.
        distribution: Name of the distribution over the section list.
    """

    value: str
    logarithmic: bool = False
    distribution: str = UNIFORM


def build_parameters(
    texts: Mapping[str, ParameterText], distributions: Sequence[Distribution], mechanisms: Mapping[str, Mechanism]
) -> tuple[CellParameter, ...]:
    """Parameters in the order in which they are applied: those of all sections before those of one list.

    Raises:
        ModelError: an unknown name, unit, section list or distribution, or bounds that make no sense; the message
            begins with the parameter's name.
    """
    by_name = {distribution.name: distribution for distribution in distributions}
    parameters = []
    for name, text in texts.items():
        try:
            parameters.append(_build(name, text, by_name, mechanisms))
        except (ModelError, UnitError) as error:
            raise ModelError(f"{name}: {error}") from error
    _check_distribution_parameters(parameters, by_name)
    order = {section_list: rank for rank, section_list in enumerate(SECTION_LISTS)}
    return tuple(sorted(parameters, key=lambda parameter: order.get(parameter.section_list, len(order))))


def used_mechanisms(parameters: Sequence[CellParameter], mechanisms: Mapping[str, Mechanism]) -> tuple[Mechanism, ...]:
    """The mechanisms that the parameters need, NEURON's built-in ones left out, sorted by name."""
    names = {parameter.mechanism for parameter in parameters if parameter.mechanism is not None}
    return tuple(mechanisms[name] for name in sorted(names) if name not in BUILT_IN_VARIABLES)


def parse_bounds(text: str, unit: str, logarithmic: bool) -> tuple[float, float]:
    """Bounds of a free parameter, such as "0 to 1 S/cm2".

    Args:
        text: The range.
        unit: Unit of the parameter, "" where it has none.
        logarithmic: Whether a search moves it on a logarithmic scale.

    Raises:
        UnitError: not a range, or a wrong unit.
        ModelError: bounds that make no sense.
    """
    if unit == "":
        parts = _RANGE_WORD.split(text, maxsplit=1)
        if len(parts) != 2:
            raise ModelError(f"this parameter has no unit: expected a range of numbers, such as '0 to 1', got '{text}'")
        low, high = (_number(part) for part in parts)
        if not low < high:
            raise ModelError(f"the lower bound must be below the upper one, got '{text}'")
    else:
        low, high = parse_range(text, unit)
    if logarithmic and low <= 0:
        raise ModelError(f"a logarithmic scale needs a lower bound above zero, got '{text}'")
    return low, high


def _build(
    name: str, text: ParameterText, distributions: Mapping[str, Distribution], mechanisms: Mapping[str, Mechanism]
) -> CellParameter:
    variable, dot, section_list = name.rpartition(".")
    if not dot:
        raise ModelError("expected a name like gNaTgbar_NaTg.somatic: the variable, a dot, the section list")
    if section_list.startswith("distribution_"):
        unit, mechanism = _distribution_variable(variable, section_list, distributions), None
    elif section_list not in SECTION_LISTS:
        raise ModelError(
            f"'{section_list}' is not a section list{_meant(section_list, SECTION_LISTS)}; "
            f"expected one of {', '.join(SECTION_LISTS)}"
        )
    else:
        unit, mechanism = _find_variable(variable, mechanisms)
    if text.distribution != UNIFORM and text.distribution not in distributions:
        raise ModelError(
            f"the distribution '{text.distribution}' is not defined{_meant(text.distribution, distributions)}; "
            f"defined: {', '.join([UNIFORM, *distributions])}"
        )
    if variable == "Ra" and text.distribution != UNIFORM:
        raise ModelError("NEURON has one axial resistivity per section; it cannot follow a distribution")
    value, bounds = _value_or_bounds(text, unit)
    return CellParameter(variable, section_list, unit, value, bounds, text.logarithmic, text.distribution, mechanism)


def _value_or_bounds(text: ParameterText, unit: str) -> tuple[float | None, tuple[float, float] | None]:
    free = _RANGE_WORD.search(text.value) is not None
    if not free:
        if text.logarithmic:
            raise ModelError("a frozen value has no scale; remove 'scale' or give a range")
        return (_number(text.value) if unit == "" else parse_quantity(text.value, unit)), None
    return None, parse_bounds(text.value, unit, text.logarithmic)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ModelError(f"this parameter has no unit: expected a plain number or a range of numbers, got '{text}'")
    return number


def _distribution_variable(variable: str, owner: str, distributions: Mapping[str, Distribution]) -> str:
    distribution = distributions.get(owner.removeprefix("distribution_"))
    if distribution is None or variable not in distribution.parameters:
        raise ModelError(
            f"no distribution '{owner.removeprefix('distribution_')}' with a parameter '{{{variable}}}' is defined"
        )
    return ""


def _find_variable(variable: str, mechanisms: Mapping[str, Mechanism]) -> tuple[str, str | None]:
    if variable in SECTION_VARIABLES:
        return SECTION_VARIABLES[variable], None
    offered = {name: dict(mechanism.variables) for name, mechanism in mechanisms.items()} | BUILT_IN_VARIABLES
    for name, variables in offered.items():
        if variable in variables:
            return variables[variable], name
    owner = next((name for name in sorted(offered, key=len, reverse=True) if variable.endswith(f"_{name}")), None)
    if owner is not None:
        raise ModelError(
            f"the mechanism '{owner}' has no parameter '{variable}'{_meant(variable, offered[owner])}; "
            f"it has {', '.join(sorted(offered[owner])) or 'none'}"
        )
    everything = [*SECTION_VARIABLES, *(word for variables in offered.values() for word in variables)]
    raise ModelError(
        f"no mechanism declares '{variable}'{_meant(variable, everything)}; "
        f"known mechanisms: {', '.join(sorted(offered))} (add your own with model.mechanisms: FOLDER)"
    )


def _meant(word: str, known: object) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)  # type: ignore[call-overload]
    return f" (did you mean '{close[0]}'?)" if close else ""


def _check_distribution_parameters(parameters: list[CellParameter], distributions: Mapping[str, Distribution]) -> None:
    given = {parameter.name for parameter in parameters}
    used = {parameter.distribution for parameter in parameters}
    for name in sorted(used - {UNIFORM}):
        distributions[name].check()
        for inner in distributions[name].parameters:
            if f"{inner}.distribution_{name}" not in given:
                raise ModelError(
                    f"distribution '{name}' needs a value or a range for the parameter '{inner}.distribution_{name}'"
                )
