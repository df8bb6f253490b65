"""A cell built once in NEURON, its parameters then set in place for every candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.cells.ephys import ephys_model, insertions
from rheobase.fitting.cells.model import UNIFORM, CellModel, CellParameter
from rheobase.fitting.cells.sites import find_segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rheobase.features.sites import RecordingSite

# Changing these needs NEURON's own bookkeeping (axial resistances, capacitance), so no pointers for them.
_SECTION_LEVEL = {"Ra", "cm"}

# NEURON integrates all cells of a process together: with a second one, CVODE's steps for the first would differ.
_in_neuron: list[CellInstance] = []


class CellInstance:
    """The one cell in the NEURON of this process: building another closes it.

    Args:
        model: What to build.

    Raises:
        ModelError: the morphology, a mechanism or a parameter that NEURON refuses.
    """

    def __init__(self, model: CellModel) -> None:
        from bluepyopt import ephys

        while _in_neuron:
            _in_neuron[-1].close()
        load_mechanisms(model.mechanisms)
        self.model = model
        self.simulator = ephys.simulators.NrnSimulator()
        self.h = self.simulator.neuron.h
        self._ephys = ephys_model(model)
        _in_neuron.append(self)
        try:
            self._ephys.instantiate_morphology(sim=self.simulator)
            self.cell: Any = self._ephys.icell
            for mechanism in self._ephys.mechanisms:
                mechanism.instantiate(sim=self.simulator, icell=self.cell)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(f"NEURON cannot build the model '{model.name}': {error}") from error
        self.soma = self.cell.soma[0]
        self._check_section_lists()
        self._targets = {
            parameter.name: _Target(self, parameter)
            for parameter in model.parameters
            if not parameter.section_list.startswith("distribution_")
        }
        self._distributions = {distribution.name: distribution for distribution in model.distributions}

    def set_parameters(self, free_values: Mapping[str, float]) -> None:
        """Set every parameter: the frozen ones to their values, the free ones as given.

        All are set each time, so what an earlier candidate left cannot show through.

        Args:
            free_values: Value of each free parameter, by name.

        Raises:
            ModelError: a free parameter without a value, or a name that is not one; a cell that is closed.
        """
        if self not in _in_neuron:
            raise ModelError(
                f"the cell '{self.model.name}' is no longer in NEURON, which holds one cell per process here: "
                "it was closed, or another was built since; build it again, or use a process for each"
            )
        expected = {parameter.name for parameter in self.model.free_parameters}
        if expected != set(free_values):
            missing, unknown = sorted(expected - set(free_values)), sorted(set(free_values) - expected)
            raise ModelError(f"expected a value for each free parameter; missing: {missing}, unknown: {unknown}")
        values = {p.name: free_values[p.name] if p.value is None else p.value for p in self.model.parameters}
        for parameter in self.model.parameters:
            if parameter.name in self._targets:
                self._targets[parameter.name].set(values[parameter.name], self._inner_values(parameter, values))

    def reference(self, variable: str, site: RecordingSite | None = None) -> Any:
        """Pointer to a variable at a place, for recording.

        Args:
            variable: As NEURON spells it: "v", "cai", "ica".
            site: The place; None: the middle of the soma.

        Raises:
            ModelError: there is no such place in the model, or no such variable there.
        """
        segment = self.soma(0.5) if site is None else find_segment(self, site)
        try:
            return getattr(segment, f"_ref_{variable}")
        except (AttributeError, NameError, LookupError, ValueError) as error:
            raise ModelError(
                f"{self.model.name}: there is no '{variable}' at '{site.name if site else 'soma'}' ({segment}); "
                "insert a mechanism that has it there, or leave out the features measured from it"
            ) from error

    def _inner_values(self, parameter: CellParameter, values: Mapping[str, float]) -> dict[str, float]:
        if parameter.distribution == UNIFORM:
            return {}
        names = self._distributions[parameter.distribution].parameters
        return {name: values[f"{name}.distribution_{parameter.distribution}"] for name in names}

    def _check_section_lists(self) -> None:
        for name, place in insertions(self.model):
            if sum(1 for _ in getattr(self.cell, place)) == 0:
                raise ModelError(
                    f"'{name}' is to be inserted in the {place} sections, of which "
                    f"{self.model.morphology.name} has none"
                    + (" once the axon is replaced" if place == "myelinated" else "")
                )

    def close(self) -> None:
        """Remove the cell from NEURON; it cannot be used any more."""
        if self not in _in_neuron:
            return
        _in_neuron.remove(self)
        cell = self._ephys.icell
        if cell is not None:
            for section in list(cell.all):
                self.h.delete_section(sec=section)
            self._ephys.destroy(sim=self.simulator)


class _Target:
    """Where one parameter lives: a pointer to each segment's value, with its distance to the soma."""

    def __init__(self, instance: CellInstance, parameter: CellParameter) -> None:
        h = instance.h
        self._parameter = parameter
        self._sections = list(getattr(instance.cell, parameter.section_list))
        self._distribution = next(
            (item for item in instance.model.distributions if item.name == parameter.distribution), None
        )
        segments = [segment for section in self._sections for segment in section]
        h.distance(0, 0.5, sec=instance.soma)
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
