"""A circuit of somebody else's whose EEG answers stimuli, the more the larger one of its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.head import eeg_lead_field
from tests.campaigns.circuits import others

if TYPE_CHECKING:
    from rheobase.fitting.circuits.circuit import CircuitResponse, Trial

ONSETS_MS = (2500.0, 3100.0, 3700.0)
LATENCY_MS, WIDTH_MS = 100.0, 15.0
MICROVOLTS = -2.0  # at a weight of 1
_NA_UM_PER_UV = 1e-3 / eeg_lead_field()[2]


def simulate(trial: Trial) -> CircuitResponse:
    """Spikes as of the circuit without stimuli, and an N1 after each onset."""
    weight = trial.parameters.get("weight:clicks->E", 1.0)
    spikes = {name: value for name, value in trial.parameters.items() if name != "weight:clicks->E"}
    response = others.simulate(replace(trial, parameters=spikes))
    if not trial.signals:
        return response
    times_ms = np.arange(trial.dropped_ms, trial.duration_ms)
    potential_uV = 0.2 * np.random.default_rng(trial.seed).normal(size=len(times_ms))
    for onset_ms in ONSETS_MS:
        wave = np.exp(-0.5 * ((times_ms - onset_ms - LATENCY_MS) / WIDTH_MS) ** 2)
        potential_uV += MICROVOLTS * weight * wave
    values = np.zeros((3, len(times_ms)))
    values[2] = _NA_UM_PER_UV * potential_uV
    return replace(response, dipole=Signal(values, 1000.0, "nA um", ("x", "y", "z"), trial.dropped_ms))
