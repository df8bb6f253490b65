"""The description of a circuit: populations, projections, background, stimuli. Nothing is built here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rheobase.features.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rheobase.fitting.cells.model import CellModel
    from rheobase.fitting.circuits.synapses import SynapseKind
    from rheobase.fitting.circuits.templates import HocTemplate


# Section lists that contacts and background can lie on.
CONTACT_SECTIONS = ("somatic", "basal", "apical", "axonal")
_EXCITES_ABOVE_MV = -40.0  # thresholds of spikes lie below
_NOTHING = 1e-9  # a factor that leaves nothing


@dataclass(frozen=True)
class CellVariant:
    """One model of an ensemble with all its values, or a template.

    Attributes:
        model: The cell model.
        parameters: Value of each of its free parameters, by name; a template has none.
        name: Where it comes from, for example "etype_cnac 17".
    """

    model: CellModel | HocTemplate
    parameters: Mapping[str, float]
    name: str


@dataclass(frozen=True)
class Population:
    """Cells of one type in one layer.

    Attributes:
        name: Its name, for example "L4_PV".
        layer: Name of the layer.
        size: Number of cells.
        variants: Models that the cells are taken from in turn, after a shuffle by the circuit's seed.
        depths_um: Depth of the somata below the surface (um), from the shallowest to the deepest.
        upright: Whether the apical axis points to the surface; else cells are turned around at random.
    """

    name: str
    layer: str
    size: int
    variants: tuple[CellVariant, ...]
    depths_um: tuple[float, float]
    upright: bool = True

    def __post_init__(self) -> None:
        shallow, deep = self.depths_um
        if self.size < 1 or not self.variants or not 0.0 <= shallow <= deep:
            raise ModelError(
                f"the population '{self.name}' needs at least one cell, one model, and depths of at least 0 um, the "
                f"smaller one first; got {self.size} cells, {len(self.variants)} models and {shallow:g} to {deep:g} um"
            )


@dataclass(frozen=True)
class Projection:
    """All contacts of one population on another.

    Exactly one of `probability` and `in_degree` is given.

    Attributes:
        source: Presynaptic population.
        target: Postsynaptic population.
        synapse: What its contacts are like.
        conductance_nS: Peak conductance of one contact (nS), before gains; the mean where `conductance_cv` is not 0.
        probability: Of a pair of cells to be connected, at distance 0.
        in_degree: Number of presynaptic cells of each cell.
        falloff_um: Probability falls with horizontal distance r as exp(-r^2 / (2 falloff^2)); None for not at all (um).
        contacts: Contacts of each connected pair.
        sections: Section lists that contacts lie on ("somatic", "basal", "apical", "axonal").
        distances_um: Path distance to the soma within which contacts lie (um).
        delay_ms: Synaptic delay (ms).
        velocity_um_per_ms: Axonal conduction velocity; the delay grows with the distance of the somata (um/ms).
        conductance_cv: Standard deviation over mean of the conductances over connections (log-normal).
    """

    source: str
    target: str
    synapse: SynapseKind
    conductance_nS: float
    probability: float | None = None
    in_degree: int | None = None
    falloff_um: float | None = None
    contacts: int = 1
    sections: tuple[str, ...] = ("basal",)
    distances_um: tuple[float, float] = (0.0, float("inf"))
    delay_ms: float = 0.5
    velocity_um_per_ms: float = 300.0
    conductance_cv: float = 0.0

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise ModelError(f"the projection {self.name} {problem}")

    @property
    def name(self) -> str:
        """source->target."""
        return f"{self.source}->{self.target}"


def _problem(projection: Projection) -> str | None:
    """What is wrong with a projection."""
    one = projection
    if (one.probability is None) == (one.in_degree is None):
        return "needs either a probability or an in-degree"
    if one.probability is not None and not 0.0 <= one.probability <= 1.0:
        return f"needs a probability from 0 to 1, got {one.probability:g}"
    if (one.in_degree is not None and one.in_degree < 0) or one.contacts < 1:
        return f"needs an in-degree of at least 0 and at least one contact, got {one.in_degree} and {one.contacts}"
    if not (one.conductance_nS >= 0.0 and one.conductance_cv >= 0.0):
        return f"needs a conductance that is not negative, got {one.conductance_nS:g} nS, cv {one.conductance_cv:g}"
    positive = (one.delay_ms, one.velocity_um_per_ms, 1.0 if one.falloff_um is None else one.falloff_um)
    if not min(positive) > 0.0:
        return "needs a delay, a velocity and a falloff above 0"
    unknown = [name for name in one.sections if name not in CONTACT_SECTIONS]
    if unknown or not one.sections:
        return f"needs section lists among {', '.join(CONTACT_SECTIONS)}, got {', '.join(unknown) or 'none'}"
    return None


@dataclass(frozen=True)
class FluctuatingConductance:
    """Background as an Ornstein-Uhlenbeck conductance at each place (Destexhe et al. 2001, Neuroscience 107:13).

    Attributes:
        mean_nS: Mean for the whole cell, shared equally by its places (nS).
        std_ratio: Standard deviation over mean, at each place.
        correlation_ms: Time constant (ms).
        reversal_mV: Reversal potential (mV).
        sections: Section lists that it lies on: one place in the middle of each section.
        shared: Name of a process that all cells with the same name follow, of whatever population: input that they
            have in common, and that the EEG sees above all. None: each place fluctuates for itself.
    """

    mean_nS: float
    std_ratio: float
    correlation_ms: float
    reversal_mV: float = 0.0
    sections: tuple[str, ...] = ("somatic",)
    shared: str | None = None


@dataclass(frozen=True)
class PoissonInput:
    """Background as Poisson trains onto synapses, each cell with its own.

    Attributes:
        synapse: What its contacts are like.
        conductance_nS: Peak conductance of one contact (nS).
        trains: Independent trains onto each cell, one contact each.
        rate_Hz: Mean rate of each train (Hz).
        sections: Section lists that the contacts lie on.
        modulation_Hz: Frequency at which the rate goes up and down (Hz), together in all cells; None for a steady one.
        modulation_depth: How far: 0 for a steady rate, 1 for down to zero.
    """

    synapse: SynapseKind
    conductance_nS: float
    trains: int
    rate_Hz: float
    sections: tuple[str, ...] = ("basal",)
    modulation_Hz: float | None = None
    modulation_depth: float = 0.0


@dataclass(frozen=True)
class TonicInhibition:
    """A constant conductance of extrasynaptic GABA-A receptors, on all sections.

    Attributes:
        conductance_S_per_cm2: Its density (S/cm2).
        reversal_mV: Reversal potential (mV).
    """

    conductance_S_per_cm2: float
    reversal_mV: float = -75.0


@dataclass(frozen=True)
class Background:
    """What a population gets from outside the circuit.

    Attributes:
        population: The population.
        source: What it is.
        name: Told apart by this, where a population has several.
        replaces_projections: Whether it stands in for input from within the circuit (see `scale_circuit`): trials
            without projections are without it.
    """

    population: str
    source: FluctuatingConductance | PoissonInput | TonicInhibition
    name: str = "background"
    replaces_projections: bool = False

    @property
    def place(self) -> str:
        """Its population, with its name where that is not "background"."""
        return self.population if self.name == "background" else f"{self.population}:{self.name}"

    @property
    def parameter(self) -> str:
        """Name of the parameter that multiplies it."""
        return f"background:{self.place}"

    @property
    def modulation_parameter(self) -> str:
        """Name of the parameter that multiplies the depth of its modulation."""
        return f"modulation:{self.place}"

    @property
    def is_modulated(self) -> bool:
        """Whether its rate goes up and down."""
        return isinstance(self.source, PoissonInput) and self.source.modulation_Hz is not None

    @property
    def drives(self) -> bool:
        """Whether more of it is more excitation from outside the circuit."""
        if self.replaces_projections or isinstance(self.source, TonicInhibition):
            return False
        if isinstance(self.source, PoissonInput):
            return self.source.synapse.is_excitatory
        return self.source.reversal_mV > _EXCITES_ABOVE_MV


@dataclass(frozen=True)
class SpikeVolleys:
    """A stimulus: volleys of spikes of outside fibres (thalamic volleys, click trains, oddball sequences).

    Attributes:
        name: Its name; a projection may have it as its source.
        fibres: Number of fibres.
        times_ms: When volleys arrive (ms from the start of the simulation).
        jitter_ms: Standard deviation of the spikes of a volley around its time (ms).
        participation: Part of the fibres that fire in a volley, each by chance; one for all volleys, or one for each.
    """

    name: str
    fibres: int
    times_ms: tuple[float, ...]
    jitter_ms: float = 0.0
    participation: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class CircuitBlueprint:
    """Everything that a worker needs to build a circuit, self-contained: no paths.

    Its parameters, all factors with 1 for "as described", are: "weight:SOURCE->TARGET" of each projection,
    "background:POPULATION" (or "background:POPULATION:NAME" for one not named "background") and, for Poisson input
    with a modulation, "modulation:POPULATION" (or with NAME).

    Attributes:
        name: Its name.
        populations: All populations.
        projections: All projections; the source may be a stimulus.
        backgrounds: What populations get from outside.
        stimuli: Volleys.
        radius_um: Radius of the column (um).
        seed: Of positions, connections and which cell is which model: part of what the circuit is.
        temperature_degC: Temperature (degC).
        initial_voltage_mV: Voltage at the start (mV).
        time_step_ms: Fixed time step (ms).
        spike_threshold_mV: A cell spikes when its soma crosses this voltage upwards (mV).
        notes: What a user should know, for example what its scaling could not keep.

    Raises:
        ModelError: names that are not unique or not known, a delay shorter than the time step.
    """

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()
    backgrounds: tuple[Background, ...] = ()
    stimuli: tuple[SpikeVolleys, ...] = ()
    radius_um: float = 150.0
    seed: int = 1
    temperature_degC: float = 34.0
    initial_voltage_mV: float = -75.0
    time_step_ms: float = 0.1
    spike_threshold_mV: float = -20.0
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        populations = {population.name for population in self.populations}
        sources = [*(population.name for population in self.populations), *(one.name for one in self.stimuli)]
        _check_unique("population or stimulus", sources)
        _check_unique("projection", (projection.name for projection in self.projections))
        _check_unique("parameter", self.parameters)
        for projection in self.projections:
            _check_known(f"the projection {projection.name}", projection.source, sources)
            _check_known(f"the projection {projection.name}", projection.target, populations)
            if projection.delay_ms < self.time_step_ms:
                raise ModelError(
                    f"the projection {projection.name} has a delay of {projection.delay_ms:g} ms, which is less than "
                    f"the time step of {self.time_step_ms:g} ms; raise it or shorten the time step"
                )
        for background in self.backgrounds:
            _check_known(f"the background '{background.name}'", background.population, populations)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return (
            *(f"weight:{projection.name}" for projection in self.projections),
            *(background.parameter for background in self.backgrounds),
            *(background.modulation_parameter for background in self.backgrounds if background.is_modulated),
        )

    @property
    def drives(self) -> tuple[str, ...]:
        """Parameters of the backgrounds that excite."""
        return tuple(background.parameter for background in self.backgrounds if background.drives)

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of parameters that cannot have any: a modulation is no deeper than the rate."""
        depths = {
            background.modulation_parameter: background.source.modulation_depth
            for background in self.backgrounds
            if isinstance(background.source, PoissonInput) and background.is_modulated
        }
        return {name: (_NOTHING, 1.0 / depth) for name, depth in depths.items() if depth > 0.0}

    def population(self, name: str) -> Population:
        """A population by its name.

        Raises:
            ModelError: there is none.
        """
        for population in self.populations:
            if population.name == name:
                return population
        raise ModelError(
            f"there is no population '{name}'; there are {', '.join(one.name for one in self.populations)}"
        )


def _check_unique(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ModelError(f"two have the name '{repeated[0]}': each {what} needs its own")


def _check_known(who: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ModelError(f"{who} names '{name}', which is not there; there are {', '.join(sorted(known))}")
