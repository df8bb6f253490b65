"""The campaign file of a circuit: every key, its unit and its default. Unknown keys are errors."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from rheobase.campaigns.circuits.schema_circuit import CircuitKeys, ExternalKeys
from rheobase.campaigns.circuits.schema_targets import CircuitTargetKeys
from rheobase.campaigns.circuits.schema_tuning import Tuning
from rheobase.campaigns.schema import Cluster
from rheobase.campaigns.schema_types import Placed


class CircuitCampaign(Placed):
    """A campaign that tunes the gains of a circuit."""

    rheobase: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z][\w-]*$")
    description: str = ""
    seed: int = Field(1, ge=0)
    circuit: CircuitKeys | None = None
    external: ExternalKeys | None = None
    targets: CircuitTargetKeys
    tuning: Tuning = Tuning()
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _targets_of_populations(self) -> CircuitCampaign:
        if (self.circuit is None) == (self.external is None):
            raise ValueError("give either 'circuit', which NEURON simulates, or 'external', a command or a function")
        known = self.population_names
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
        content = self.model_dump(mode="json")
        for key in ("description", "cluster"):
            del content[key]
        del content["tuning"]["wall_time"]
        del content["targets"]["source"]
        return _without_later_keys(content)


def _without_later_keys(content: dict[str, Any]) -> dict[str, Any]:
    """Leave out what older files could not say, where it says nothing: they are what they were."""
    unitary = content["targets"].pop("unitary")
    limiting = {name: one for name, one in unitary.items() if one["factor"] or one["std"]}
    if limiting:  # the others are for the report alone
        content["targets"]["unitary"] = limiting
    if not content["targets"]["evoked"]:
        del content["targets"]["evoked"]
    for stimulus in (content["circuit"] or {}).get("stimuli", {}).values():
        for key in ("train", "every", "oddball"):
            if stimulus[key] is None:
                del stimulus[key]
        if stimulus["trains"] == 1:
            del stimulus["trains"]
    return content
