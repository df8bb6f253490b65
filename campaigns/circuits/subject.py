"""What a campaign tunes: a circuit of ours, or somebody else's; what all rooms need to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.building import build_blueprint
from rheobase.fitting.circuits.callable_circuit import CallableCircuit, find_function
from rheobase.fitting.circuits.command_circuit import CommandCircuit, ExternalCommand
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from rheobase.fitting.tuning.recipe import TuningLayer, check_order, layers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.fitting.circuits.blueprint import CircuitBlueprint
    from rheobase.fitting.circuits.circuit import Circuit


@dataclass(frozen=True)
class Subject:
    """A circuit that is not built yet.

    Attributes:
        populations: Number of cells of each population.
        parameters: Names of its parameters.
        layers: Its layers, in the order of tuning.
        blueprint: What NEURON builds; None for somebody else's.
        command: What simulates somebody else's.
        function: Or the Python function that does, as "module:function".
        coreneuron: Whether CoreNEURON computes what it can.
    """

    populations: Mapping[str, int]
    parameters: tuple[str, ...]
    layers: tuple[TuningLayer, ...]
    blueprint: CircuitBlueprint | None = None
    command: ExternalCommand | None = None
    function: str | None = None
    coreneuron: bool = False

    def build(self) -> Circuit:
        """The circuit, in this process.

        Raises:
            ModelError: it cannot be built.
        """
        if self.blueprint is not None:
            return NeuronCircuit(self.blueprint, coreneuron=self.coreneuron)
        if self.command is not None:
            return CommandCircuit(self.command, self.populations, self.parameters)
        assert self.function is not None  # the schema says so
        return CallableCircuit(find_function(self.function), self.populations, self.parameters)

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of parameters that cannot have any."""
        return {} if self.blueprint is None else self.blueprint.limits

    @property
    def kept_backgrounds(self) -> tuple[str, ...]:
        """Backgrounds that do not drive their population; of somebody else's circuit nothing is known."""
        if self.blueprint is None:
            return ()
        drives = self.blueprint.drives
        return tuple(one.parameter for one in self.blueprint.backgrounds if one.parameter not in drives)

    def layer_of(self, population: str) -> str:
        """Name of the layer of a population."""
        return next(layer.name for layer in self.layers if population in layer.populations)


def make_subject(campaign: CircuitCampaign) -> Subject:
    """The circuit of a campaign.

    Raises:
        RheobaseError: whatever is wrong with it; the message names the key.
    """
    order = campaign.tuning.layers or campaign.layer_names
    if campaign.external is None:
        blueprint = build_blueprint(campaign)
        with campaign.blamed("tuning", "layers"):
            layers = layers_of(blueprint, order)
        sizes = {population.name: population.size for population in blueprint.populations}
        return Subject(sizes, blueprint.parameters, layers, blueprint, coreneuron=campaign.ours.coreneuron)
    keys = campaign.external
    with campaign.blamed("tuning", "layers"):
        check_order(order, tuple(keys.layers))
    with campaign.blamed("external"):
        layers = tuple(TuningLayer(name, keys.layers[name].excitatory, keys.layers[name].inhibitory) for name in order)
        command = ExternalCommand(keys.command, keys.time_limit) if keys.command else None
        if keys.function is not None:
            find_function(keys.function)
    return Subject(keys.populations, keys.parameters, layers, None, command, keys.function)
