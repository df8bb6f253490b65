"""Places of recording as BluePyOpt-based tools describe them, and as `RecordingSite`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rheobase.features.errors import FeatureError
from rheobase.features.sites import RecordingSite, SectionList

if TYPE_CHECKING:
    from rheobase.features.formats.json_nodes import Node

_LISTS = {
    "soma": "somatic", "dend": "basal", "apic": "apical", "axon": "axonal", "myelin": "myelinated",
    "somatic": "somatic", "basal": "basal", "apical": "apical", "axonal": "axonal", "myelinated": "myelinated",
}  # fmt: skip


def split_recording(recording: str) -> tuple[str, str]:
    """Location and variable of a recording: "dend1.v" -> ("dend1", "v"), "soma" -> ("soma", "v")."""
    location, dot, variable = recording.rpartition(".")
    return (location, variable) if dot else (recording, "v")


def read_site(entry: Node, name: str) -> RecordingSite | str:
    """A place from its description; the reason, where it is none that a `RecordingSite` can be."""
    kind = entry.need("type").text()
    if kind == "CompRecording":
        location = entry.need("location").text()
        if location != "ais":
            return f"a CompRecording at '{location}'"
        return RecordingSite(name, "axonal")
    if kind not in ("somadistance", "somadistanceapic", "nrnseclistcomp"):
        return f"a recording of the type {kind}"
    sections = entry.need("seclist_name").text()
    if sections not in _LISTS:
        return f"a recording in the sections '{sections}'"
    section_list = cast("SectionList", _LISTS[sections])
    if kind == "nrnseclistcomp":
        section = entry.count_at("sec_index")
        return RecordingSite(name, section_list, section=section, position=entry.number_at("comp_x"))
    distance_um = entry.number_at("somadistance")
    return RecordingSite(name, section_list, distance_um, "apical_trunk" if kind == "somadistanceapic" else "any")


def read_sites(protocol: str, recordings: Node | None, notes: list[str]) -> dict[str, RecordingSite]:
    """Places of a protocol's recordings by name; what cannot be given goes into the notes.

    Args:
        protocol: Name of the protocol; recordings may carry it before their own, and the variable behind.
        recordings: List of descriptions, if there is one.
        notes: Where to say what was left out.
    """
    sites: dict[str, RecordingSite] = {}
    for recording in recordings.elements() if recordings is not None else ():
        called = recording.need("name").text()
        if called.startswith(f"{protocol}."):
            called, _ = split_recording(called.removeprefix(f"{protocol}."))
        if called == "soma":
            continue
        try:
            site = read_site(recording, called)
        except FeatureError as error:
            raise recording.blame(error) from None
        if isinstance(site, str):
            notes.append(f"{protocol}: the place '{called}' cannot be given: {site}")
        else:
            sites[called] = site
    return sites


def describe_site(site: RecordingSite) -> dict[str, Any]:
    """The description of a place, without the name and variable of the recording."""
    if site.distance_um is None:
        return {
            "type": "nrnseclistcomp",
            "comp_x": site.position,
            "sec_index": site.section,
            "seclist_name": site.section_list,
        }
    kind = "somadistanceapic" if site.along == "apical_trunk" else "somadistance"
    return {"type": kind, "somadistance": site.distance_um, "seclist_name": site.section_list}
