"""What cells get from outside the circuit, placed on them and started for each trial."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.blueprint import FluctuatingConductance, PoissonInput, TonicInhibition
from rheobase.fitting.circuits.fluctuations import FluctuationSite, place_fluctuations
from rheobase.fitting.circuits.random_streams import random_generator
from rheobase.fitting.circuits.receptors import Contact, set_conductance
from rheobase.fitting.circuits.spike_sources import PlayedSpikes, poisson_times
from rheobase.fitting.circuits.tonic import TonicSites, place_tonic_inhibition

if TYPE_CHECKING:
    from rheobase.fitting.circuits.blueprint import Background, CircuitBlueprint
    from rheobase.fitting.circuits.cell_building import CircuitCell
    from rheobase.fitting.circuits.placing import PlacedCell
    from rheobase.fitting.circuits.receptor_sites import ReceptorSites

# Contacts of Poisson trains are numbered from here on, those of projections from 0.
_FIRST_NUMBER = 2**31
_ROUNDING = 1e-9


@dataclass(frozen=True)
class BackgroundStart:
    """How a background begins in a trial.

    Attributes:
        seed: The trial's seed.
        duration_ms: How long it lasts (ms).
        factor: Multiplies it.
        modulation: Multiplies the depth of its modulation.
    """

    seed: int
    duration_ms: float
    factor: float = 1.0
    modulation: float = 1.0


class PlacedBackground(Protocol):
    """A background of one population, on those of its cells that are in this process."""

    def add(self, placed: PlacedCell, cell: CircuitCell) -> None:
        """Place it on one more cell."""

    def start(self, start: BackgroundStart) -> None:
        """Make it ready for a trial."""


def new_background(blueprint: CircuitBlueprint, number: int, receptors: ReceptorSites) -> PlacedBackground:
    """A background, on no cell yet.

    Args:
        blueprint: The circuit.
        number: Place of the background among all of the circuit.
        receptors: Where its contacts go.
    """
    background = blueprint.backgrounds[number]
    if isinstance(background.source, FluctuatingConductance):
        return _Fluctuating(background.source, number)
    if isinstance(background.source, TonicInhibition):
        return _Tonic(background.source)
    first = _FIRST_NUMBER
    for earlier in blueprint.backgrounds[:number]:
        if isinstance(earlier.source, PoissonInput):
            first += earlier.source.trains * blueprint.population(earlier.population).size
    return _Poisson(background, background.source, _PoissonPlaces(blueprint.seed, first, receptors))


@dataclass
class _Fluctuating:
    source: FluctuatingConductance
    number: int
    sites: list[FluctuationSite] = field(default_factory=list)

    def add(self, placed: PlacedCell, cell: CircuitCell) -> None:
        segments = [section(0.5) for section in _sections(placed, cell, self.source.sections)]
        self.sites += place_fluctuations(segments, self.source, placed.gid, self.number)

    def start(self, start: BackgroundStart) -> None:
        for site in self.sites:
            site.set_factor(start.factor)
            site.restart(start.seed)


@dataclass
class _Tonic:
    source: TonicInhibition
    sites: list[TonicSites] = field(default_factory=list)

    def add(self, placed: PlacedCell, cell: CircuitCell) -> None:  # noqa: ARG002
        self.sites.append(place_tonic_inhibition(cell.sections, self.source))

    def start(self, start: BackgroundStart) -> None:
        for site in self.sites:
            site.set_factor(start.factor)


@dataclass(frozen=True)
class _PoissonPlaces:
    """What places the contacts of a Poisson input: the circuit's seed, the first contact's number, the receptors."""

    seed: int
    first_number: int
    receptors: ReceptorSites


@dataclass(frozen=True)
class _Train:
    """Trains that end at the same contact, as one."""

    key: tuple[int, int]
    trains: int
    spikes: PlayedSpikes
    netcon: Any


@dataclass
class _Poisson:
    background: Background
    source: PoissonInput
    places: _PoissonPlaces
    trains: list[_Train] = field(default_factory=list)
    factor: float = 1.0

    def add(self, placed: PlacedCell, cell: CircuitCell) -> None:
        stretches = placed.shape.stretches(self.source.sections, (0.0, np.inf))
        if not len(stretches.section):
            raise _no_place(placed, self.source.sections)
        generator = random_generator(self.places.seed, "Poisson contacts", self.background.place, placed.index)
        sections, positions = stretches.choose(generator, self.source.trains)
        for train, number in self._shared(placed, sections, positions).items():
            self._add_train(placed, cell, (train, number), (int(sections[train]), float(positions[train])))

    def _shared(self, placed: PlacedCell, sections: Any, positions: Any) -> dict[int, int]:
        """Number of trains that one contact stands for, by the first of them.

        Contacts on one segment that do not remember their spikes are one contact with the trains of all: Poisson
        trains together are a Poisson train.
        """
        if self.source.synapse.plasticity is not None or self.source.synapse.release_sites:
            return dict.fromkeys(range(self.source.trains), 1)
        segments = np.array([section.segments for section in placed.shape.sections])[sections]
        places = np.stack([sections, np.minimum((positions * segments).astype(int), segments - 1)])
        _, first, counts = np.unique(places, axis=1, return_index=True, return_counts=True)
        return dict(sorted(zip(first.tolist(), counts.tolist(), strict=True)))

    def _add_train(
        self, placed: PlacedCell, cell: CircuitCell, train: tuple[int, int], place: tuple[int, float]
    ) -> None:
        from neuron import h

        number, together = train
        site = self.places.receptors.site(placed.gid, cell, place, self.source.synapse)
        spikes = PlayedSpikes()
        netcon = h.NetCon(spikes.source, site.point_process)
        contact = self.places.first_number + placed.index * self.source.trains + number
        site.connect(netcon, Contact(1e-3 * self.source.conductance_nS, contact))
        self.trains.append(_Train((placed.index, number), together, spikes, netcon))

    def start(self, start: BackgroundStart) -> None:
        source = self.source
        depth = source.modulation_depth * start.modulation
        if source.modulation_Hz is not None and depth > 1.0 + _ROUNDING:
            raise ModelError(
                f"{self.background.modulation_parameter} of {start.modulation:g} makes a modulation depth of "
                f"{depth:g}, which cannot exceed 1; its largest is {1.0 / source.modulation_depth:g}"
            )
        depth = min(depth, 1.0)
        for train in self.trains:
            generator = random_generator(start.seed, "Poisson", self.background.place, *train.key)
            rate = train.trains * source.rate_Hz
            train.spikes.set_times(poisson_times(generator, rate, start.duration_ms, source.modulation_Hz, depth))
            if start.factor != self.factor:
                set_conductance(train.netcon, 1e-3 * source.conductance_nS * start.factor)
        self.factor = start.factor


def _sections(placed: PlacedCell, cell: CircuitCell, lists: tuple[str, ...]) -> list[Any]:
    found = sorted({place for name in lists for place in placed.shape.of_list(name)})
    if not found:
        raise _no_place(placed, lists)
    return [cell.sections[place] for place in found]


def _no_place(placed: PlacedCell, lists: tuple[str, ...]) -> ModelError:
    return ModelError(
        f"the background of {placed.population} lies on {' and '.join(lists)} sections, of which {placed.variant.name} "
        f"({placed.variant.model.morphology.name}) has none; choose others"
    )
