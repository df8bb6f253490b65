"""The part of a circuit's campaign file that says what the circuit is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rheobase.campaigns.circuits.schema_stimuli import StimulusKeys
from rheobase.campaigns.schema_types import (
    Celsius,
    DensitySiemens,
    Hertz,
    Micrometres,
    MicrometresPerMillisecond,
    Milliseconds,
    Millivolts,
    Nanosiemens,
    Paths,
    Percent,
    Seconds,
    Section,
    Span,
)

_NOT_IN_NAMES = "/:*?[]>"


def check_name(name: str) -> None:
    """The name of a population or stimulus is part of those of parameters and patterns, and of groups in SONATA files.

    Raises:
        ValueError: it cannot be.
    """
    if not name or name in (".", "..") or set(name) & set(_NOT_IN_NAMES):
        raise ValueError(
            f"the name of a population or stimulus has none of {' '.join(_NOT_IN_NAMES)}, got '{name}'; rename it, as "
            "in L23_E for layer 2/3"
        )


class ReceptorKeys(Section):
    """A receptor: two time constants, a reversal potential, and its share of the synapse's peak conductance."""

    rise: Milliseconds = Field(gt=0)
    decay: Milliseconds = Field(gt=0)
    reversal: Millivolts
    share: float = Field(1.0, ge=0)


class PlasticityKeys(Section):
    """Short-term plasticity (Tsodyks, Pawelzik and Markram 1998)."""

    use: float = Field(gt=0, le=1)
    recovery: Milliseconds = Field(ge=0)
    facilitation: Milliseconds = Field(0.0, ge=0)


class SynapseKeys(Section):
    """What contacts are like."""

    receptors: dict[Literal["AMPA", "NMDA", "GABA_A", "GABA_B"], ReceptorKeys]
    plasticity: PlasticityKeys | None = None
    release_sites: int = Field(0, ge=0)


class TemplateKeys(Section):
    """Cells of a hoc template: one model for each morphology.

    Attributes:
        file: The hoc file.
        morphology: File of the morphology, or several.
        mechanisms: Folder of its .mod files, beside those that come with rheobase.
        name: Of the template, where the file has several.
        arguments: What its `init` is given, of folder and file of the morphology, its path, and the number 0.
    """

    file: Path
    morphology: Paths
    mechanisms: Path | None = None
    name: str | None = None
    arguments: tuple[Literal["folder", "file", "path", "number"], ...] = ("folder", "file")


class PopulationKeys(Section):
    """A population.

    Attributes:
        layer: Name of its layer.
        cells: An ensemble that comes with rheobase, or a campaign's folder that has one.
        template: A hoc template instead.
        size: Number of cells.
        upright: Whether apical axes point to the surface.
    """

    layer: str
    cells: str | None = None
    template: TemplateKeys | None = None
    size: int = Field(ge=1)
    upright: bool = True

    @model_validator(mode="after")
    def _one_kind(self) -> PopulationKeys:
        if (self.cells is None) == (self.template is None):
            raise ValueError("give either 'cells', an ensemble, or 'template', a hoc file")
        return self


class ConnectionRule(Section):
    """How the connections between populations are made.

    Of the rules without `in_degree` the first one whose patterns fit a pair with a probability holds for it; of those
    with `in_degree` the first one that fits makes the connections of a pair without.

    Attributes:
        source: Pattern of names of presynaptic populations ("*_E"), or a stimulus.
        target: Pattern of names of postsynaptic ones.
    """

    source: str
    target: str
    synapse: str
    conductance: Nanosiemens = Field(ge=0)
    conductance_cv: float = Field(0.0, ge=0)
    contacts: int = Field(1, ge=1)
    sections: tuple[str, ...] = ("basal",)
    distances: Span = (0.0, float("inf"))
    delay: Milliseconds = Field(0.5, ge=0)
    velocity: MicrometresPerMillisecond = Field(300.0, gt=0)
    falloff: Micrometres | None = None
    in_degree: int | None = Field(None, ge=1)


class ConnectionKeys(Section):
    """Rules, and probabilities by target and source population; what has none is not connected."""

    rules: tuple[ConnectionRule, ...] = ()
    probabilities: dict[str, dict[str, float]] = Field(default_factory=dict)


class FluctuatingKeys(Section):
    """An Ornstein-Uhlenbeck conductance; with `shared`, one that all cells with this name have in common."""

    mean: Nanosiemens = Field(ge=0)
    std_ratio: float = Field(0.3, ge=0)
    correlation: Milliseconds = Field(2.7, gt=0)
    reversal: Millivolts = 0.0
    sections: tuple[str, ...] = ("somatic",)
    shared: str | None = None


class PoissonKeys(Section):
    """Poisson trains onto synapses of their own."""

    synapse: str
    conductance: Nanosiemens = Field(ge=0)
    trains: int = Field(ge=1)
    rate: Hertz = Field(ge=0)
    sections: tuple[str, ...] = ("basal",)
    modulation: Hertz | None = None
    depth: Percent = Field(0.0, ge=0, le=100)


class TonicKeys(Section):
    """A constant inhibition."""

    conductance: DensitySiemens = Field(ge=0)
    reversal: Millivolts = -75.0


class BackgroundKeys(Section):
    """What populations get from outside; one of the three kinds."""

    target: str
    name: str = "background"
    fluctuating: FluctuatingKeys | None = None
    poisson: PoissonKeys | None = None
    tonic: TonicKeys | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> BackgroundKeys:
        if sum(kind is not None for kind in (self.fluctuating, self.poisson, self.tonic)) != 1:
            raise ValueError("give one of 'fluctuating', 'poisson' and 'tonic'")
        return self


class CircuitKeys(Section):
    """The circuit.

    Attributes:
        scale: Leaves so many of its cells, and keeps mean and variance of their input.
        coreneuron: Whether CoreNEURON computes trials without signals; the spikes are the same.
    """

    radius: Micrometres = Field(150.0, gt=0)
    temperature: Celsius = 34.0
    initial_voltage: Millivolts = -75.0
    time_step: Milliseconds = Field(0.1, gt=0, le=1.0)
    seed: int = Field(1, ge=0)
    scale: float = Field(1.0, gt=0, le=1)
    coreneuron: bool = False
    layers: dict[str, Span]
    populations: dict[str, PopulationKeys]
    synapses: dict[str, SynapseKeys] = Field(default_factory=dict)
    connections: ConnectionKeys = ConnectionKeys()
    background: tuple[BackgroundKeys, ...] = ()
    stimuli: dict[str, StimulusKeys] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_are_known(self) -> CircuitKeys:
        for name, population in self.populations.items():
            if population.layer not in self.layers:
                raise ValueError(
                    f"the population '{name}' lies in '{population.layer}', which is no layer; there are "
                    f"{', '.join(self.layers)}"
                )
        used = [rule.synapse for rule in self.connections.rules]
        used += [entry.poisson.synapse for entry in self.background if entry.poisson is not None]
        for synapse in used:
            if synapse not in self.synapses:
                raise ValueError(
                    f"'{synapse}' is no synapse; there are {', '.join(self.synapses) or 'none'} (circuit.synapses)"
                )
        return self


class ExternalLayerKeys(Section):
    """Populations of a layer that are tuned together."""

    excitatory: tuple[str, ...] = ()
    inhibitory: tuple[str, ...] = ()


class ExternalKeys(Section):
    """A circuit of somebody else's: a command, or a Python function.

    Attributes:
        command: What is called with the path of each trial; see fitting/circuits/trial_files.py.
        function: "module:function" that takes a trial and returns its response.
        populations: Number of cells of each population.
        parameters: Names of the parameters. The recipe finds projections and backgrounds by their names:
            "weight:SOURCE->TARGET", "background:POPULATION", "modulation:POPULATION".
        layers: The populations of each layer, in the order of the column.
        time_limit: Of one call of the command.
    """

    command: tuple[str, ...] = ()
    function: str | None = None
    populations: dict[str, Annotated[int, Field(ge=1)]]
    parameters: tuple[str, ...]
    layers: dict[str, ExternalLayerKeys]
    time_limit: Seconds = Field(3600.0, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> ExternalKeys:
        if bool(self.command) == (self.function is not None):
            raise ValueError("give either 'command' or 'function'")
        named = [name for layer in self.layers.values() for name in (*layer.excitatory, *layer.inhibitory)]
        if sorted(named) != sorted(self.populations):
            raise ValueError(
                f"the layers hold {', '.join(sorted(named)) or 'nothing'}, but the populations are "
                f"{', '.join(sorted(self.populations))}; each belongs to one layer"
            )
        return self
