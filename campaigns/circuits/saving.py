"""The tuned circuit for others: YAML, and SONATA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rheobase.campaigns.circuits.confirming import read_final
from rheobase.campaigns.writing import replacing
from rheobase.fitting.circuits.network import plan_circuit
from rheobase.fitting.circuits.sonata_saving import save_sonata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.campaigns.circuits.folder import CircuitFolder
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.subject import Subject


def save_tuned(
    campaign: CircuitCampaign, subject: Subject, parameters: Mapping[str, float], folder: CircuitFolder
) -> None:
    """The tuned circuit as YAML, every projection and background with its factor; and as SONATA, if it is ours."""
    from ruamel.yaml import YAML

    content: dict[str, Any] = {
        "schema": "rheobase.tuned_circuit/1",
        "name": campaign.name,
        "parameters": {name: float(f"{parameters.get(name, 1.0):.6g}") for name in subject.parameters},
    }
    if subject.blueprint is not None:
        content["conductances_nS"] = {
            one.name: float(f"{one.conductance_nS * parameters.get(f'weight:{one.name}', 1.0):.6g}")
            for one in subject.blueprint.projections
        }
    with replacing(folder.tuned) as aside, aside.open("w", encoding="utf-8") as stream:
        YAML().dump(content, stream)
    if subject.blueprint is not None:
        responses = read_final(folder)
        spikes = responses[0].spikes if responses else None
        save_sonata(plan_circuit(subject.blueprint), parameters, folder.network, spikes)
