"""The campaign file of a circuit: every key, its unit and its default. Unknown keys are errors."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from rheobase.campaigns.circuits.essence import essence_of
from rheobase.campaigns.circuits.schema_circuit import CircuitKeys, ExternalKeys, check_name
from rheobase.campaigns.circuits.schema_targets import CircuitTargetKeys
from rheobase.campaigns.circuits.schema_tuning import Tuning
from rheobase.campaigns.schema import Cluster
from rheobase.campaigns.schema_types import Micrometres, Placed


class CircuitCampaign(Placed):
    """A campaign that tunes the gains of a circuit.

    Attributes:
        electrodes: Depths at which the tuned circuit's local field potential is recorded in the final runs.
    """

    rheobase: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z][\w-]*$")
    description: str = ""
    seed: int = Field(1, ge=0)
    circuit: CircuitKeys | None = None
    external: ExternalKeys | None = None
    targets: CircuitTargetKeys
    tuning: Tuning = Tuning()
    electrodes: tuple[Micrometres, ...] = ()
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _targets_of_populations(self) -> CircuitCampaign:
        if (self.circuit is None) == (self.external is None):
            raise ValueError("give either 'circuit', which NEURON simulates, or 'external', a command or a function")
        if len(set(self.electrodes)) < len(self.electrodes):
            raise ValueError(
                f"electrodes lie at different depths, got {', '.join(f'{d:g} um' for d in self.electrodes)}"
            )
        known = self.population_names
        for name in (*known, *(() if self.circuit is None else self.circuit.stimuli)):
            check_name(name)
        unknown = sorted(set(self.targets.rates) - set(known))
        if unknown:
            raise ValueError(
                f"targets.rates names '{unknown[0]}', which is no population; there are {', '.join(known)}"
            )
        return self

    @property
    def ours(self) -> CircuitKeys:
        """The circuit that NEURON simulates, where it is not somebody else's."""
        assert self.circuit is not None
        return self.circuit

    @property
    def population_names(self) -> tuple[str, ...]:
        """Names of all populations."""
        subject = self.circuit if self.circuit is not None else self.external
        return tuple(subject.populations) if subject is not None else ()

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of all layers, in the order of the file."""
        subject = self.circuit if self.circuit is not None else self.external
        return tuple(subject.layers) if subject is not None else ()

    def essence(self) -> dict[str, Any]:
        """What the record of trials depends on: a campaign in a folder may be resumed only with the same."""
        return essence_of(self.model_dump(mode="json"))
