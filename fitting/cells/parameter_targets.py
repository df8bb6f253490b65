"""Where the parameters of a model live in a cell that NEURON has, and setting them in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.model import UNIFORM, CellModel, CellParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# Changing these needs NEURON's own bookkeeping (axial resistances, capacitance), so no pointers for them.
_SECTION_LEVEL = {"Ra", "cm"}


class BuiltCell(Protocol):
    """A cell in NEURON: its model, NEURON's h, its section lists as attributes of `cell`, and its soma."""

    model: CellModel
    h: Any
    cell: Any
    soma: Any


class ParameterTargets:
    """Pointers to all that the parameters of a cell set.

    Args:
        built: The cell, with its mechanisms inserted.

    Raises:
        ModelError: a section list that lacks a parameter's variable.
    """

    def __init__(self, built: BuiltCell) -> None:
        self._model = model = built.model
        self._targets = {
            parameter.name: _Target(built, parameter)
            for parameter in model.parameters
            if not parameter.section_list.startswith("distribution_")
        }
        self._distributions = {distribution.name: distribution for distribution in model.distributions}

    def set(self, free_values: Mapping[str, float]) -> None:
        """Set every parameter: the frozen ones to their values, the free ones as given.

        Args:
            free_values: Value of each free parameter, by name.

        Raises:
            ModelError: a free parameter without a value, or a name that is not one.
        """
        expected = {parameter.name for parameter in self._model.free_parameters}
        if expected != set(free_values):
            missing, unknown = sorted(expected - set(free_values)), sorted(set(free_values) - expected)
            raise ModelError(f"expected a value for each free parameter; missing: {missing}, unknown: {unknown}")
        values = {p.name: free_values[p.name] if p.value is None else p.value for p in self._model.parameters}
        for parameter in self._model.parameters:
            if parameter.name in self._targets:
                self._targets[parameter.name].set(values[parameter.name], self._inner_values(parameter, values))

    def _inner_values(self, parameter: CellParameter, values: Mapping[str, float]) -> dict[str, float]:
        if parameter.distribution == UNIFORM:
            return {}
        names = self._distributions[parameter.distribution].parameters
        return {name: values[f"{name}.distribution_{parameter.distribution}"] for name in names}


class _Target:
    """Where one parameter lives: a pointer to each segment's value, with its distance to the soma."""

    def __init__(self, built: BuiltCell, parameter: CellParameter) -> None:
        h = built.h
        self._parameter = parameter
        self._sections = list(getattr(built.cell, parameter.section_list))
        self._distribution = next(
            (item for item in built.model.distributions if item.name == parameter.distribution), None
        )
        segments = [segment for section in self._sections for segment in section]
        h.distance(0, 0.5, sec=built.soma)
        self._distance_um: NDArray[np.float64] = np.array([h.distance(segment) for segment in segments], dtype=float)
        self._vector = h.Vector(len(segments))
        self._segments = segments
        self._pointers: Any = None
        if parameter.variable in _SECTION_LEVEL or not segments:
            return
        try:
            references = [getattr(segment, f"_ref_{parameter.variable}") for segment in segments]
        except (AttributeError, NameError, LookupError, ValueError) as error:
            raise ModelError(
                f"{parameter.name}: not every {parameter.section_list} section has '{parameter.variable}'; "
                "insert a channel that uses this ion there, or name the section lists that have one"
            ) from error
        self._pointers = h.PtrVector(len(references))
        for index, reference in enumerate(references):
            self._pointers.pset(index, reference)

    def set(self, value: float, inner: dict[str, float]) -> None:
        if self._distribution is None:
            spread = np.full(len(self._segments), value)
        else:
            spread = self._distribution.evaluate(value, self._distance_um, **inner)
        if self._pointers is not None:
            self._vector.from_python(spread)
            self._pointers.scatter(self._vector)
        elif self._parameter.variable == "Ra":
            for section in self._sections:
                section.Ra = value
        else:
            for segment, segment_value in zip(self._segments, spread, strict=True):
                setattr(segment, self._parameter.variable, segment_value)
