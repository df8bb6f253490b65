"""Receptors on a segment, and the contacts that open them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rheobase.fitting.circuits.random_streams import stream_number

if TYPE_CHECKING:
    from rheobase.fitting.circuits.synapses import SynapseKind

# Places in a NetCon's weight vector: see NET_RECEIVE of mod/ExcitatoryReceptors.mod.
_CONDUCTANCE, _USE, _RECOVERY, _FACILITATION, _SITES, _CONTACT = range(6)
_LARGEST_NUMBER = 2**32


@dataclass(frozen=True)
class Contact:
    """One contact of a presynaptic on a postsynaptic cell.

    Attributes:
        conductance_uS: Peak conductance of a receptor with share 1, if a spike used all resources (uS). With short-term
            plasticity, the first spike after a long silence opens this times `use`.
        number: Which contact of the circuit it is: tells its random stream apart from all others, so it must not depend
            on the number of processes; below 2^32.
    """

    conductance_uS: float
    number: int


@dataclass(frozen=True)
class ReceptorSite:
    """Receptors of one kind on one segment, shared by all contacts there.

    Short-term plasticity and release belong to each contact, so kinds that have equal `receptors` can share one point
    process: ReceptorSite(other_site.point_process, kind).

    Attributes:
        point_process: NEURON's; it must be the target of the contacts' NetCons.
        kind: What the contacts are like.
    """

    point_process: Any
    kind: SynapseKind

    def connect(self, netcon: Any, contact: Contact) -> None:
        """Make a NetCon, which ends here, a contact of this kind."""
        if not 0 <= contact.number < _LARGEST_NUMBER:
            raise ValueError(f"expected the number of a contact from 0 to 2^32 - 1, got {contact.number}")
        weight = netcon.weight
        plasticity = self.kind.plasticity
        weight[_CONDUCTANCE] = contact.conductance_uS
        weight[_USE] = plasticity.use if plasticity else 1.0
        weight[_RECOVERY] = plasticity.recovery_ms if plasticity else 0.0
        weight[_FACILITATION] = plasticity.facilitation_ms if plasticity else 0.0
        weight[_SITES] = self.kind.release_sites
        weight[_CONTACT] = contact.number

    def restart(self, seed: int) -> None:
        """Choose the random release of the next run; call it before NEURON is initialised."""
        self.point_process.seed = stream_number(seed, "release")


def place_receptors(segment: Any, kind: SynapseKind) -> ReceptorSite:
    """Put the receptors of a kind of synapse on a segment.

    Each call makes a new point process; conductances add, so one for all contacts of the same receptors is enough.
    The mechanisms of `circuit_mechanisms` must have been loaded.

    Args:
        segment: A segment of a NEURON section.
        kind: The kind of synapse.
    """
    from neuron import h

    point_process = (h.ExcitatoryReceptors if kind.is_excitatory else h.InhibitoryReceptors)(segment)
    for name in ("ampa", "nmda") if kind.is_excitatory else ("gaba_a", "gaba_b"):
        setattr(point_process, f"share_{name}", 0.0)
    for receptor in kind.receptors:
        name = receptor.name.lower()
        setattr(point_process, f"share_{name}", receptor.share)
        setattr(point_process, f"rise_{name}", receptor.rise_ms)
        setattr(point_process, f"decay_{name}", receptor.decay_ms)
        setattr(point_process, f"e_{name}", receptor.reversal_mV)
    return ReceptorSite(point_process, kind)


def set_conductance(netcon: Any, conductance_uS: float) -> None:
    """Scale a contact in place: its new conductance (uS; see `Contact`)."""
    netcon.weight[_CONDUCTANCE] = conductance_uS
