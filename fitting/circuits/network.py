"""A circuit, or a part of it, in NEURON: built once, then set in place for every trial.

Each process builds the cells that are its share; whatever the share, a cell, its inputs and its random numbers are the
same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import ModelError
from rheobase.fitting.cells.compilation import load_mechanisms
from rheobase.fitting.cells.occupancy import is_inside, leave, occupy, vacate
from rheobase.fitting.circuits.backgrounds import BackgroundStart, PlacedBackground, new_background
from rheobase.fitting.circuits.cell_building import CircuitCell, cell_shape
from rheobase.fitting.circuits.connecting import Contacts, connect
from rheobase.fitting.circuits.mechanisms import circuit_mechanisms
from rheobase.fitting.circuits.placing import PlacedCell, place_cells, segments_in_space
from rheobase.fitting.circuits.random_streams import random_generator
from rheobase.fitting.circuits.receptor_sites import ReceptorSites
from rheobase.fitting.circuits.receptors import Contact, set_conductance
from rheobase.fitting.circuits.spike_record import SpikeRecord
from rheobase.fitting.circuits.spike_sources import PlayedSpikes, poisson_times, volley_times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.cells.mechanisms import Mechanism
    from rheobase.fitting.circuits.blueprint import CircuitBlueprint
    from rheobase.fitting.circuits.circuit import Trial
    from rheobase.fitting.circuits.readout import SegmentGeometry


@dataclass(frozen=True, eq=False)
class CircuitPlan:
    """A circuit in numbers.

    Attributes:
        blueprint: What it follows.
        placed: All cells, by population.
        contacts: All contacts, by projection.
    """

    blueprint: CircuitBlueprint
    placed: Mapping[str, tuple[PlacedCell, ...]]
    contacts: Mapping[str, Contacts]


def plan_circuit(blueprint: CircuitBlueprint) -> CircuitPlan:
    """Place and connect all cells of a circuit; it needs NEURON to read morphologies.

    Raises:
        ModelError: a cell that cannot be built, or connections that cannot be made.
    """
    load_mechanisms(blueprint_mechanisms(blueprint))
    placed = place_cells(blueprint, cell_shape)
    return CircuitPlan(blueprint, placed, connect(blueprint, placed))


@dataclass(frozen=True)
class NetworkParts:
    """What of a circuit is built.

    Attributes:
        simulated: Populations that have cells.
        played: Populations and stimuli whose spikes are played.
        connected: Whether there are projections.
    """

    simulated: tuple[str, ...]
    played: tuple[str, ...]
    connected: bool


class Network:
    """Cells, contacts and background in the NEURON of this process, as long as nobody else comes there.

    Args:
        plan: The circuit.
        parts: What of it to build.

    Raises:
        ModelError: a cell or a background that cannot be built.
    """

    def __init__(self, plan: CircuitPlan, parts: NetworkParts) -> None:
        from neuron import h

        vacate()
        self.plan, self.parts = plan, parts
        self.context: Any = h.ParallelContext()
        occupy(self)
        self._receptors = ReceptorSites()
        self._netcons: dict[str, list[Any]] = {}
        self._gains: dict[str, float] = {}
        self._players: dict[tuple[str, int], PlayedSpikes] = {}
        try:
            self.cells = self._build_cells()
            self.spikes = SpikeRecord(self.context, {name: plan.placed[name] for name in parts.simulated})
            self._backgrounds = self._build_backgrounds()
            if parts.connected:
                self._connect()
        except BaseException:
            self.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether it is still in NEURON."""
        return is_inside(self)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of cells of each simulated population, those of all processes."""
        return {name: len(self.plan.placed[name]) for name in self.parts.simulated}

    def segments_geometry(self) -> SegmentGeometry | None:
        """Where the segments of the cells of this process are, cell after cell; None if it has no cells."""
        placed = [placed for placed, _ in self.cells.values()]
        return segments_in_space(placed) if placed else None

    def segments(self) -> list[Any]:
        """NEURON's segments in the same order."""
        return [segment for _, cell in self.cells.values() for segment in cell.segments]

    def prepare(self, trial: Trial) -> None:
        """Set all that a trial sets; call it before NEURON is initialised."""
        for name, netcons in self._netcons.items():
            gain = trial.parameters.get(f"weight:{name}", 1.0)
            if gain != self._gains[name]:
                conductances_uS = 1e-3 * gain * self.plan.contacts[name].conductance_nS
                for netcon, conductance_uS in zip(netcons, conductances_uS.tolist(), strict=True):
                    if netcon is not None:
                        set_conductance(netcon, conductance_uS)
                self._gains[name] = gain
        self._receptors.restart(trial.seed)
        for background, placed in self._backgrounds:
            factor, modulation = (
                trial.parameters.get(name, 1.0) for name in (background.parameter, background.modulation_parameter)
            )
            placed.start(BackgroundStart(trial.seed, trial.duration_ms, factor, modulation))
        self._play(trial)

    def close(self) -> None:
        """Remove everything from NEURON; the network cannot be used any more."""
        if not self.is_open:
            return
        leave(self)
        self.context.gid_clear()
        self._netcons, self._players, self._backgrounds = {}, {}, []
        self._receptors = ReceptorSites()
        self.cells = {}

    def _build_cells(self) -> dict[int, tuple[PlacedCell, CircuitCell]]:
        """The cells of this process, by number; large and small ones dealt out evenly."""
        from neuron import h

        everyone = [cell for name in self.parts.simulated for cell in self.plan.placed[name]]
        everyone.sort(key=lambda cell: -len(cell.shape.segments.cells))
        host, hosts = int(self.context.id()), int(self.context.nhost())
        cells = {}
        for placed in sorted(everyone[host::hosts], key=lambda cell: cell.gid):
            cell = CircuitCell(placed.variant, f"{placed.population}[{placed.index}]")
            cells[placed.gid] = (placed, cell)
            self.context.set_gid2node(placed.gid, host)
            detector = h.NetCon(cell.soma(0.5)._ref_v, None, sec=cell.soma)
            detector.threshold = self.plan.blueprint.spike_threshold_mV
            self.context.cell(placed.gid, detector)
        return cells

    def _build_backgrounds(self) -> list[tuple[Any, PlacedBackground]]:
        found = []
        for number, background in enumerate(self.plan.blueprint.backgrounds):
            acts = self.parts.connected or not background.replaces_projections
            if acts and background.population in self.parts.simulated:
                built = new_background(self.plan.blueprint, number, self._receptors)
                for placed, cell in self.cells.values():
                    if placed.population == background.population:
                        built.add(placed, cell)
                found.append((background, built))
        return found

    def _connect(self) -> None:
        for name, contacts in self.plan.contacts.items():
            source, target = contacts.projection.source, contacts.projection.target
            if target in self.parts.simulated and source in (*self.parts.simulated, *self.parts.played):
                self._netcons[name] = self._connect_projection(contacts)
                self._gains[name] = 1.0

    def _connect_projection(self, contacts: Contacts) -> list[Any]:
        """NetCons of a projection, None for those that end in another process."""
        projection = contacts.projection
        targets = self.plan.placed[projection.target]
        columns = (contacts.source, contacts.target, contacts.section, contacts.position, contacts.delay_ms)
        netcons: list[Any] = []
        rows = zip(*(column.tolist() for column in (*columns, contacts.conductance_nS)), strict=True)
        for number, (source, target, section, position, delay, conductance) in enumerate(rows, contacts.first_number):
            gid = targets[target].gid
            if gid not in self.cells:
                netcons.append(None)
                continue
            site = self._receptors.site(gid, self.cells[gid][1], (section, position), projection.synapse)
            netcon = self._new_netcon(projection.source, source, site.point_process)
            netcon.delay = delay
            site.connect(netcon, Contact(1e-3 * conductance, number))
            netcons.append(netcon)
        return netcons

    def _new_netcon(self, population: str, index: int, point_process: Any) -> Any:
        from neuron import h

        if population in self.parts.simulated:
            return self.context.gid_connect(self.plan.placed[population][index].gid, point_process)
        # Played spikes are the same in all processes, so each has its own source: nothing needs to be exchanged.
        key = (population, index)
        if key not in self._players:
            self._players[key] = PlayedSpikes()
        return h.NetCon(self._players[key].source, point_process)

    def _play(self, trial: Trial) -> None:
        stimuli = {stimulus.name: stimulus for stimulus in self.plan.blueprint.stimuli}
        recorded = {name: trains.of(name) for name, trains in trial.recorded.items()}
        for (name, index), player in self._players.items():
            if name in stimuli:
                player.set_times(volley_times(random_generator(trial.seed, "volleys", name, index), stimuli[name]))
            elif name in recorded:
                times = recorded[name].train(index)
                player.set_times(times[(times >= 0.0) & (times < trial.duration_ms)])
            else:
                generator = random_generator(trial.seed, "replay", name, index)
                player.set_times(poisson_times(generator, trial.replayed[name], trial.duration_ms))


def blueprint_mechanisms(blueprint: CircuitBlueprint) -> tuple[Mechanism, ...]:
    """Those of all cells and of circuits: one library for all.

    Raises:
        ModelError: two models with different mechanisms of one name.
    """
    found: dict[str, Mechanism] = {mechanism.name: mechanism for mechanism in circuit_mechanisms()}
    for population in blueprint.populations:
        for variant in population.variants:
            for mechanism in variant.model.mechanisms:
                other = found.setdefault(mechanism.name, mechanism)
                if other.text != mechanism.text:
                    raise ModelError(
                        f"{variant.name}: its mechanism '{mechanism.name}' ({mechanism.source}) differs from that of "
                        f"other cells ({other.source}); NEURON can have only one of a name: rename one of them"
                    )
    return tuple(found.values())
