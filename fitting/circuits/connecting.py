"""Which cells are connected, where on the dendrites, how strongly and after which delay. Nothing but numpy.

Each cell draws the contacts that a projection makes on it from a stream of its own, so they stay the same when the
circuit gets other projections or populations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.random_streams import random_generator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.circuits.blueprint import CircuitBlueprint, Projection
    from rheobase.fitting.circuits.placing import PlacedCell
    from rheobase.fitting.circuits.shapes import Stretches


@dataclass(frozen=True, eq=False)
class Contacts:
    """All contacts of a projection, shape (contacts,) each; those on one cell follow each other.

    Attributes:
        projection: The projection.
        first_number: Number of its first contact among all contacts of the circuit.
        source: Presynaptic cell (or fibre), by its index in the population (or stimulus).
        target: Postsynaptic cell, by its index in the population.
        section: Place of the section on the postsynaptic cell.
        position: Position on the section, 0 to 1.
        delay_ms: From the presynaptic spike to the contact (ms).
        conductance_nS: Peak conductance before gains (nS).
    """

    projection: Projection
    first_number: int
    source: NDArray[np.intp]
    target: NDArray[np.intp]
    section: NDArray[np.intp]
    position: NDArray[np.float64]
    delay_ms: NDArray[np.float64]
    conductance_nS: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.source)

    @property
    def connections(self) -> int:
        """Number of connected pairs."""
        return len(np.unique(np.stack([self.source, self.target]), axis=1).T) if len(self) else 0


def connect(blueprint: CircuitBlueprint, placed: Mapping[str, Sequence[PlacedCell]]) -> dict[str, Contacts]:
    """The contacts of every projection, by its name.

    Args:
        blueprint: The circuit.
        placed: Its cells by population.

    Raises:
        ModelError: an in-degree larger than the number of presynaptic cells, or cells that have no place for contacts.
    """
    fibres = {stimulus.name: stimulus.fibres for stimulus in blueprint.stimuli}
    found: dict[str, Contacts] = {}
    first_number = 0
    for projection in blueprint.projections:
        if projection.source in fibres:
            sources = _Sources(fibres[projection.source], None)
        else:
            somata = np.array([cell.position_um for cell in placed[projection.source]])
            sources = _Sources(len(somata), somata)
        contacts = _connect(blueprint.seed, projection, sources, placed[projection.target], first_number)
        found[projection.name] = contacts
        first_number += len(contacts)
    return found


@dataclass(frozen=True, eq=False)
class _Sources:
    """Presynaptic cells: their number, and where their somata are; fibres from outside are nowhere."""

    number: int
    somata_um: NDArray[np.float64] | None


def _connect(
    seed: int, projection: Projection, sources: _Sources, targets: Sequence[PlacedCell], first_number: int
) -> Contacts:
    stretches: dict[int, Stretches] = {}
    columns: list[tuple[NDArray[Any], ...]] = []
    for cell in targets:
        generator = random_generator(seed, "connections", projection.name, cell.index)
        chosen = _choose(generator, projection, sources, cell)
        if not len(chosen):
            continue
        key = id(cell.shape)  # shapes are shared by many cells, and live as long as they
        if key not in stretches:
            stretches[key] = _places(projection, cell)
        section, position = stretches[key].choose(generator, len(chosen) * projection.contacts)
        per_connection = (
            chosen,
            _delays(projection, sources, cell)[chosen],
            _conductances(generator, projection, len(chosen)),
        )
        source, delay, conductance = (np.repeat(values, projection.contacts) for values in per_connection)
        columns.append((source, np.full(len(source), cell.index), section, position, delay, conductance))
    joined = [np.concatenate(column) for column in zip(*columns, strict=True)] or [np.empty(0)] * 6
    whole = [column.astype(np.intp) for column in joined[:3]]
    return Contacts(projection, first_number, whole[0], whole[1], whole[2], joined[3], joined[4], joined[5])


def _choose(
    generator: np.random.Generator, projection: Projection, sources: _Sources, cell: PlacedCell
) -> NDArray[np.intp]:
    """Presynaptic cells of one cell, in ascending order, never itself."""
    log_chance = np.zeros(sources.number)
    if projection.falloff_um is not None and sources.somata_um is not None:
        across = sources.somata_um[:, :2] - cell.position_um[:2]
        log_chance = -(across**2).sum(axis=1) / (2.0 * projection.falloff_um**2)
    if projection.source == projection.target:
        log_chance[cell.index] = -np.inf
    if projection.probability is not None:
        chances = projection.probability * np.exp(log_chance)
        return np.flatnonzero(generator.random(sources.number) < chances)
    wanted = projection.in_degree or 0
    available = int(np.count_nonzero(np.isfinite(log_chance)))
    if wanted > available:
        raise ModelError(
            f"{projection.name}: an in-degree of {wanted} needs as many presynaptic cells, there are {available}; "
            "lower it (and raise the conductance), or give more contacts to each connection"
        )
    # The largest of log chances plus Gumbel noise: a weighted draw without replacement
    # (Yellott 1977, J Math Psychol 15:109).
    keys = log_chance + generator.gumbel(size=sources.number)
    return np.sort(np.argsort(-keys, kind="stable")[:wanted])


def _places(projection: Projection, cell: PlacedCell) -> Stretches:
    places = cell.shape.stretches(projection.sections, projection.distances_um)
    if not len(places.section):
        near, far = projection.distances_um
        morphology = cell.variant.model.morphology.name
        raise ModelError(
            f"{projection.name}: {cell.variant.name} ({morphology}) has no {' or '.join(projection.sections)} section "
            f"from {near:g} to {far:g} um from the soma for its contacts; choose other sections or distances"
        )
    return places


def _delays(projection: Projection, sources: _Sources, cell: PlacedCell) -> NDArray[np.float64]:
    if sources.somata_um is None:
        return np.full(sources.number, projection.delay_ms)
    distances = np.linalg.norm(sources.somata_um - cell.position_um, axis=1)
    return np.asarray(projection.delay_ms + distances / projection.velocity_um_per_ms)


def _conductances(generator: np.random.Generator, projection: Projection, number: int) -> NDArray[np.float64]:
    """Log-normal, with the mean and the ratio of standard deviation to mean that the projection has."""
    if projection.conductance_cv == 0.0:
        return np.full(number, projection.conductance_nS)
    variance = np.log1p(projection.conductance_cv**2)
    factors = np.exp(np.sqrt(variance) * generator.standard_normal(number) - 0.5 * variance)
    return np.asarray(projection.conductance_nS * factors)
