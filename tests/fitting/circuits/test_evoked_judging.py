from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import FeatureError, ModelError
from rheobase.features.signals.components import MISMATCH_NEGATIVITY, N1
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.circuit import CircuitResponse
from rheobase.fitting.circuits.evoked_judging import EvokedTarget, judge_evoked
from rheobase.fitting.circuits.head import eeg_lead_field
from rheobase.fitting.circuits.judging import CircuitTargets, judge, judge_seeds
from rheobase.objectives.evoked import ComponentTarget, SteadyStateTarget
from rheobase.objectives.objective import Target

DROPPED_MS, DURATION_MS = 500.0, 6500.0
STANDARDS_MS, DEVIANTS_MS = (100.0, 1000.0, 2000.0, 4000.0, 5000.0), (3000.0, 6000.0)
TIMES_MS = np.arange(DROPPED_MS, DURATION_MS)
# Dipoles along z that give 1 uV.
NA_UM_PER_UV = 1e-3 / eeg_lead_field()[2]
COMPONENT = ComponentTarget(N1, "uV", Target(-4.0, 0.5), Target(100.0, 10.0))


def response(microvolts: np.ndarray, seed: int = 0, noise_uV: float = 0.2) -> CircuitResponse:
    values = np.zeros((3, len(TIMES_MS)))
    values[2] = NA_UM_PER_UV * (microvolts + noise_uV * np.random.default_rng(seed).normal(size=len(TIMES_MS)))
    spikes = SpikeTrains(np.zeros(0), np.zeros(0, dtype=int), Units.from_sizes({"E": 1}), DROPPED_MS, DURATION_MS)
    return CircuitResponse(spikes, dipole=Signal(values, 1000.0, "nA um", ("x", "y", "z"), DROPPED_MS))


def oddballs() -> np.ndarray:
    """An N1 of -4 uV to all stimuli, and a later wave of -3 uV to deviants."""
    waves = [(onset, 100.0, -4.0) for onset in STANDARDS_MS + DEVIANTS_MS] + [
        (onset, 180.0, -3.0) for onset in DEVIANTS_MS
    ]
    return np.sum([size * np.exp(-0.5 * ((TIMES_MS - onset - at) / 15.0) ** 2) for onset, at, size in waves], axis=0)


def trains() -> np.ndarray:
    """40 Hz for half a second after each onset."""
    during = np.zeros(len(TIMES_MS))
    for onset in STANDARDS_MS + DEVIANTS_MS:
        first = max(round(onset - DROPPED_MS), 0)
        during[first : first + 500] = 1.0
    return during * np.sin(2.0 * np.pi * 0.04 * TIMES_MS)


def test_components_of_the_average_over_onsets_and_seeds() -> None:
    target = EvokedTarget(STANDARDS_MS, components=(COMPONENT,))
    amplitude, latency = judge_evoked([response(oddballs(), seed) for seed in range(3)], target)
    assert (amplitude.value, latency.value) == (pytest.approx(-4.0, abs=0.4), pytest.approx(100.0, abs=8.0))
    assert amplitude.met
    assert latency.met


def test_the_mismatch_negativity_is_a_difference() -> None:
    mismatch = ComponentTarget(MISMATCH_NEGATIVITY, "uV", Target(-3.0, 0.4), Target(180.0, 10.0))
    target = EvokedTarget(DEVIANTS_MS, components=(mismatch,), subtracted_onsets_ms=STANDARDS_MS)
    judged = judge_evoked([response(oddballs(), seed, 0.05) for seed in range(2)], target)
    assert all(one.met for one in judged)
    # Without the subtraction the N1 is larger.
    (amplitude, _) = judge_evoked([response(oddballs(), 0, 0.05)], replace(target, subtracted_onsets_ms=()))
    assert amplitude.value == pytest.approx(-4.0, abs=0.2)


def test_trains_are_followed() -> None:
    followed = SteadyStateTarget(40.0, Target(1.0, 0.1), Target(40.0, 20.0), (0.0, 500.0))
    target = EvokedTarget(STANDARDS_MS, (-50.0, 500.0), steady_state=followed)
    assert all(one.met for one in judge_evoked([response(trains())], target))
    coherence, _ = judge_evoked([response(0.0 * TIMES_MS)], target)
    assert not coherence.met
    (one_train, _) = judge_evoked([response(trains())], replace(target, onsets_ms=(1000.0,)))
    assert one_train.value is None  # of one train there is no coherence
    flat, _ = judge_evoked([response(0.0 * TIMES_MS, noise_uV=0.0)], target)
    assert flat.value is None  # nor of a circuit that does nothing


def test_evoked_responses_are_among_the_targets_of_a_circuit() -> None:
    targets = CircuitTargets(evoked=(EvokedTarget(STANDARDS_MS, components=(COMPONENT,)),))
    responses = [response(oddballs(), seed) for seed in range(4)]
    assert [one.key for one in judge(responses[0], targets)] == ["N1_amplitude", "N1_latency"]
    amplitude, _ = judge_seeds(responses, targets)
    assert amplitude.judged.value == pytest.approx(-4.0, abs=0.3)
    assert len(amplitude.per_seed) == 4
    assert amplitude.standard_error is not None
    assert 0.0 < amplitude.standard_error < 0.3
    assert targets.of((), with_spectrum=True).evoked == targets.evoked


def test_a_stopped_run_has_no_response() -> None:
    stopped = replace(response(oddballs()), stopped="E ran away", dipole=None)
    target = EvokedTarget(DEVIANTS_MS, components=(COMPONENT,), subtracted_onsets_ms=STANDARDS_MS)
    assert all(one.value is None for one in judge_evoked([response(oddballs()), stopped], target))


def test_refuses_what_cannot_be_judged() -> None:
    with pytest.raises(ModelError, match="needs onsets"):
        EvokedTarget((), components=(COMPONENT,))
    with pytest.raises(ModelError, match="something to measure"):
        EvokedTarget((100.0,))
    target = EvokedTarget((100.0,), components=(COMPONENT,))
    with pytest.raises(FeatureError, match="none of 1 events 'stimulus' has a whole epoch"):
        judge_evoked([response(oddballs())], target)
    with pytest.raises(ModelError, match="set `signals` of the trial"):
        judge_evoked([replace(response(oddballs()), dipole=None)], target)
