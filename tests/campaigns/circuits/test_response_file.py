"""Final runs come back from their files as they were, with their signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from rheobase.campaigns.circuits.building import build_blueprint
from rheobase.campaigns.circuits.confirming import final_trials
from rheobase.campaigns.circuits.response_file import read_response, write_response
from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.circuit import Trial
from rheobase.fitting.circuits.neuron_circuit import NeuronCircuit
from tests.campaigns.circuits.tiny import load_circuit, write_tiny_circuit

if TYPE_CHECKING:
    from pathlib import Path

ELECTRODES = ("seed: 3\n", "seed: 3\nelectrodes: [100 um, 150 um, 0.2 mm]\n")


def test_electrodes_are_recorded_in_final_runs_and_kept(tmp_path: Path) -> None:
    campaign = load_circuit(write_tiny_circuit(tmp_path, ELECTRODES))
    trial = final_trials(campaign, {"background:L4_A": 1.1})[0]
    assert trial.electrodes_um == (100.0, 150.0, 200.0)
    circuit = NeuronCircuit(build_blueprint(campaign))
    response = circuit.simulate(Trial(trial.parameters, trial.seed, 150.0, 50.0, signals=True,
                                      electrodes_um=trial.electrodes_um))  # fmt: skip
    circuit.close()
    write_response(response, tmp_path / "seed.npz")
    again = read_response(tmp_path / "seed.npz")
    assert np.array_equal(again.spikes.times_ms, response.spikes.times_ms)
    for one, other in ((again.dipole, response.dipole), (again.potential, response.potential)):
        assert one is not None
        assert other is not None
        assert np.array_equal(one.values, other.values)
        assert (one.channels, one.unit, one.start_ms) == (other.channels, other.unit, other.start_ms)
    assert again.potential is not None
    assert again.potential.channels == ("100 um", "150 um", "200 um")
    assert np.ptp(again.potential.values) > 0.0


def test_two_electrodes_in_one_place_are_refused(tmp_path: Path) -> None:
    path = write_tiny_circuit(tmp_path, (ELECTRODES[0], ELECTRODES[1].replace("150 um", "100 um")))
    with pytest.raises(CampaignError, match="electrodes lie at different depths, got 100 um, 100 um, 200 um"):
        load_circuit(path)
