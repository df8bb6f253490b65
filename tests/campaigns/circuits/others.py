"""A circuit of somebody else's as a Python function: populations whose rates follow their parameters."""

from __future__ import annotations

import numpy as np

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.fitting.circuits.circuit import CircuitResponse, Trial

SIZES = {"E": 80, "I": 20}


def simulate(trial: Trial) -> CircuitResponse:
    """Poisson spikes; the rate of E grows with its own weight and background, that of I with its background."""
    value = {name: trial.parameters.get(name, 1.0) for name in
             ("weight:E->E", "weight:I->E", "background:E", "background:I")}  # fmt: skip
    own = value["weight:E->E"] ** 0.5 * value["weight:I->E"] ** -0.5 if trial.connected else 1.0
    rates_Hz = {"E": 8.0 * value["background:E"] ** 2 * own, "I": 3.0 * value["background:I"] ** 2}
    simulated = trial.simulated or tuple(SIZES)
    rng = np.random.default_rng(trial.seed)
    sizes = {name: SIZES[name] for name in SIZES if name in simulated}
    seconds = (trial.duration_ms - trial.dropped_ms) / 1000.0
    counts = np.concatenate([rng.poisson(rates_Hz[name] * seconds, size) for name, size in sizes.items()])
    times_ms = rng.uniform(trial.dropped_ms, trial.duration_ms, counts.sum())
    unit_of_spike = np.repeat(np.arange(len(counts)), counts)
    spikes = SpikeTrains(times_ms, unit_of_spike, Units.from_sizes(sizes), trial.dropped_ms, trial.duration_ms)
    return CircuitResponse(spikes, simulated_ms=trial.duration_ms, cpu_seconds=0.01)
