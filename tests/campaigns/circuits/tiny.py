"""A circuit small enough for tests: twelve interneurons of two classes in one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.schema import CircuitCampaign
from rheobase.campaigns.loading import load_any_campaign

if TYPE_CHECKING:
    from pathlib import Path

TINY = """\
rheobase: 1
name: tiny_circuit
seed: 3
circuit:
  radius: 50 um
  time_step: 0.1 ms
  layers: {L4: 100 um to 200 um}
  populations:
    L4_A: {layer: L4, cells: etype_bac, size: 8}
    L4_B: {layer: L4, cells: etype_dstut, size: 4}
  synapses:
    excitation: {receptors: {AMPA: {rise: 0.2 ms, decay: 1.7 ms, reversal: 0 mV}}}
    inhibition: {receptors: {GABA_A: {rise: 0.2 ms, decay: 8 ms, reversal: -80 mV}}}
  connections:
    rules:
      - {source: "*_A", target: "*", synapse: excitation, conductance: 0.3 nS, contacts: 2}
      - {source: "*_B", target: "*", synapse: inhibition, conductance: 0.5 nS, contacts: 2}
    probabilities:
      L4_A: {L4_A: 0.3, L4_B: 0.5}
      L4_B: {L4_A: 0.5}
  background:
    - {target: "*_A", fluctuating: {mean: 2 nS, std_ratio: 0.4}}
    - {target: "*_B", fluctuating: {mean: 8 nS, std_ratio: 0.4}}
targets:
  rates: {L4_A: 12 Hz, L4_B: {mean: 10 Hz, std: 12 Hz, units: 9}}
  tolerance: 40 %
tuning: {duration: 400 ms, transient: 100 ms, trials: 16, final_seeds: 2}
"""


def write_tiny_circuit(folder: Path, *changes: tuple[str, str]) -> Path:
    """The campaign's file, with changes of its text that must fit."""
    text = TINY
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = folder / "tiny_circuit.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load_circuit(path: Path) -> CircuitCampaign:
    """The campaign in a file, which must be one of a circuit."""
    campaign = load_any_campaign(path)
    assert isinstance(campaign, CircuitCampaign)
    return campaign
