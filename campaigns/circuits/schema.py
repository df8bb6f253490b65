"""The campaign file of a circuit: every key, its unit and its default. Unknown keys are errors."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from rheobase.campaigns.circuits.schema_circuit import CircuitKeys
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
    circuit: CircuitKeys
    targets: CircuitTargetKeys
    tuning: Tuning = Tuning()
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _targets_of_populations(self) -> CircuitCampaign:
        unknown = sorted(set(self.targets.rates) - set(self.circuit.populations))
        if unknown:
            raise ValueError(
                f"targets.rates names '{unknown[0]}', which is no population; there are "
                f"{', '.join(self.circuit.populations)}"
            )
        return self

    def essence(self) -> dict[str, Any]:
        """What the record of trials depends on: a campaign in a folder may be resumed only with the same."""
        content = self.model_dump(mode="json")
        for key in ("description", "cluster"):
            del content[key]
        del content["tuning"]["wall_time"]
        return content
