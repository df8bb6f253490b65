"""The receptors of a network: one point process for all contacts on a segment whose receptors are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rheobase.fitting.circuits.receptors import ReceptorSite, place_receptors

if TYPE_CHECKING:
    from rheobase.fitting.circuits.cell_building import CircuitCell
    from rheobase.fitting.circuits.synapses import SynapseKind


class ReceptorSites:
    """Places receptors where they are asked for, once."""

    def __init__(self) -> None:
        self._sites: dict[tuple[Any, ...], ReceptorSite] = {}

    def __len__(self) -> int:
        return len(self._sites)

    def site(self, gid: int, cell: CircuitCell, place: tuple[int, float], kind: SynapseKind) -> ReceptorSite:
        """Where a contact of a kind ends.

        Args:
            gid: Number of the cell.
            cell: The cell.
            place: Section and position on it.
            kind: The kind of synapse.
        """
        section, position = place
        segments = cell.shape.sections[section].segments
        key = (gid, section, min(int(position * segments), segments - 1), kind.receptors)
        if key not in self._sites:
            self._sites[key] = place_receptors(cell.sections[section](position), kind)
        found = self._sites[key]
        return found if found.kind == kind else ReceptorSite(found.point_process, kind)

    def restart(self, seed: int) -> None:
        """Choose the random release of the next run."""
        for site in self._sites.values():
            site.restart(seed)
