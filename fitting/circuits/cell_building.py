"""Many cells in one process: each morphology is read once, its sections are then copied for every cell."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.cells.ephys import insertions
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.model import SECTION_LISTS
from rheobase.fitting.cells.occupancy import vacate
from rheobase.fitting.cells.parameter_targets import ParameterTargets
from rheobase.fitting.circuits.shapes import CellShape, SectionShape
from rheobase.fitting.circuits.templates import HocTemplate, TemplateCell

if TYPE_CHECKING:
    from rheobase.fitting.cells.model import CellModel
    from rheobase.fitting.circuits.blueprint import CellVariant


_shapes: dict[tuple[object, ...], CellShape] = {}


def cell_shape(model: CellModel | HocTemplate) -> CellShape:
    """The sections of a model; each morphology is read once in a process.

    Raises:
        ModelError: the morphology, a mechanism or a parameter that NEURON refuses.
    """
    # The section lists that are looked for in a model are part of what can go wrong.
    key: tuple[object, ...] = (
        (model.name, model.text, model.morphology, model.arguments)
        if isinstance(model, HocTemplate)
        else (model.morphology, model.replace_axon, model.segment_length_um, tuple(insertions(model)))
    )
    if key not in _shapes:
        built = _built_alone(model)
        try:
            _shapes[key] = _read_shape(built)
        finally:
            built.close()
    return _shapes[key]


def _built_alone(model: CellModel | HocTemplate) -> CellInstance | TemplateCell:
    if not isinstance(model, HocTemplate):
        return CellInstance(model)
    vacate()
    load_mechanisms(model.mechanisms)
    return TemplateCell(model)


class CircuitCell:
    """A cell of a circuit in NEURON, with all parameters set; it leaves NEURON with the last reference to it.

    Its electrical behaviour is that of a `CellInstance` with the same parameters; a template builds its own.

    Args:
        variant: The model and its parameters; its mechanisms have been loaded.
        name: Prefix of the names of its sections.

    Raises:
        ModelError: a parameter that is missing or unknown.
    """

    def __init__(self, variant: CellVariant, name: str) -> None:
        from neuron import h

        self.shape = cell_shape(variant.model)
        if isinstance(variant.model, HocTemplate):
            self._template = TemplateCell(variant.model)  # whose last reference takes the sections along
            self.sections = _parents_first(list(self._template.cell.all), self._template.soma)
        else:
            self.sections = _copied_sections(self.shape, name)
            lists = {name: [self.sections[place] for place in self.shape.of_list(name)] for name in SECTION_LISTS}
            copied = _CopiedCell(variant.model, h, SimpleNamespace(**lists), self.sections[0])
            for mechanism, section_list in insertions(variant.model):
                for section in lists[section_list]:
                    section.insert(mechanism)
            try:
                ParameterTargets(copied).set(variant.parameters)
            except ModelError as error:
                raise ModelError(f"{variant.name}: {error}") from error
        self.h = h
        self.soma = self.sections[0]

    @property
    def segments(self) -> list[Any]:
        """All segments, section after section as in the shape."""
        return [segment for section in self.sections for segment in section]

    def segment(self, section: int, position: float) -> Any:
        """The segment at a position (0 to 1) of a section."""
        return self.sections[section](position)


@dataclass
class _CopiedCell:
    """What `ParameterTargets` sets the parameters of."""

    model: CellModel
    h: Any
    cell: Any
    soma: Any


def _copied_sections(shape: CellShape, name: str) -> list[Any]:
    sections = [_new_section(one, f"{name}.{one.name}") for one in shape.sections]
    for section, one in zip(sections, shape.sections, strict=True):
        if one.parent is not None:
            section.connect(sections[one.parent](one.parent_position), 0)
    for section, one in zip(sections, shape.sections, strict=True):
        _give_form(section, one)
    return sections


def _new_section(shape: SectionShape, name: str) -> Any:
    from neuron import h

    section = h.Section(name=name)
    section.nseg = shape.segments
    return section


def _give_form(section: Any, shape: SectionShape) -> None:
    if not shape.drawn:
        section.L, section.diam = shape.length_um, shape.diameter_um
        return
    for x, y, z, diameter in shape.points_um.tolist():
        section.pt3dadd(x, y, z, diameter)


def _read_shape(instance: CellInstance | TemplateCell) -> CellShape:
    h = instance.h
    sections = _parents_first(list(instance.cell.all), instance.soma)
    place_of = {section: place for place, section in enumerate(sections)}
    lists = {name: set(getattr(instance.cell, name)) for name in SECTION_LISTS}
    drawn = [section.n3d() > 0 for section in sections]
    sizes = [(float(section.L), float(section.diam)) for section in sections]
    h.distance(0, 0.5, sec=instance.soma)
    begins = [0.0 if section == instance.soma else float(h.distance(section(0))) for section in sections]
    h.define_shape()  # gives points to sections without any
    shapes = []
    for place, section in enumerate(sections):
        parent = section.parentseg()
        shapes.append(
            SectionShape(
                name=section.name().rpartition(".")[2],
                lists=frozenset(name for name in SECTION_LISTS if section in lists[name]),
                parent=None if parent is None else place_of[parent.sec],
                parent_position=0.0 if parent is None else float(parent.x),
                segments=int(section.nseg),
                points_um=np.array(
                    [(section.x3d(n), section.y3d(n), section.z3d(n), section.diam3d(n)) for n in range(section.n3d())]
                ),
                drawn=drawn[place],
                length_um=sizes[place][0],
                diameter_um=sizes[place][1],
                begin_um=begins[place],
            )
        )
    return CellShape(tuple(shapes))


def _parents_first(sections: list[Any], soma: Any) -> list[Any]:
    """The soma, then the other sections in their order, none of them before its parent."""
    ordered, waiting = [soma], [section for section in sections if section != soma]
    while waiting:
        ready = [section for section in waiting if section.parentseg().sec in ordered]
        ordered += ready
        waiting = [section for section in waiting if section not in ready]
    return ordered
