"""Finding the segment of a cell that a recording site means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rheobase.features.errors import ModelError

if TYPE_CHECKING:
    from rheobase.features.sites import RecordingSite
    from rheobase.fitting.cells.instance import CellInstance


def find_segment(instance: CellInstance, site: RecordingSite) -> Any:
    """NEURON's segment at a site.

    A distance is a path distance from the middle of the soma. "any": the first section of the list, in the
    morphology's order, that reaches it; "apical_trunk": the section on the way from the soma to the apical point, the
    end of the apical dendrite farthest from the soma.

    Raises:
        ModelError: the cell has no such section, or none that reaches so far.
    """
    sections = list(getattr(instance.cell, site.section_list))
    where = f"{instance.model.name}: site '{site.name}'"
    if not sections:
        raise ModelError(f"{where}: {instance.model.morphology.name} has no {site.section_list} sections")
    if site.distance_um is None:
        if site.section >= len(sections):
            raise ModelError(f"{where}: section {site.section} of {len(sections)} {site.section_list} sections")
        return sections[site.section](site.position)
    h = instance.h
    h.distance(0, 0.5, sec=instance.soma)
    if site.along == "apical_trunk":
        sections = _trunk(instance, sections)
    for section in sections:
        begin, end = h.distance(section(0)), h.distance(section(1))
        if begin <= site.distance_um <= end:
            return section((site.distance_um - begin) / (end - begin))
    farthest = max(h.distance(section(1)) for section in sections)
    raise ModelError(
        f"{where}: no {site.section_list} section reaches {site.distance_um:g} um from the soma "
        f"(the farthest end lies at {farthest:.0f} um); choose a nearer site or leave out its features"
    )


def _trunk(instance: CellInstance, sections: list[Any]) -> list[Any]:
    """Sections from the soma to the end that lies farthest from it."""
    h = instance.h
    section = max(sections, key=lambda candidate: h.distance(candidate(1)))
    trunk = [section]
    while (parent := h.SectionRef(sec=section)).has_parent():
        section = parent.parent
        if section not in sections:
            break
        trunk.insert(0, section)
    return trunk
