"""Currents that are no stimulus, or none that is known: a reason, never a guess."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rheobase.features.stimulus import Unrecognised, detect_stimulus
from tests.features.currents import fluctuation, ramp, trace, with_artefacts

SAMPLES = 12000
TIMES_MS = np.arange(SAMPLES) * 0.25
INSIDE = (TIMES_MS >= 700.0) & (TIMES_MS < 2700.0)
SINCE_MS = np.where(INSIDE, TIMES_MS - 700.0, 0.0)


def reason(current: NDArray[np.float64], time_step_ms: float = 0.25) -> str:
    stimulus = detect_stimulus(current, time_step_ms)
    assert isinstance(stimulus, Unrecognised), stimulus
    return stimulus.reason


NOTHING = "no step above the noise, which hides anything below"
NEITHER = "is no plateau, no linear ramp and no noise between two baselines"


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (np.zeros(0), "the sweep has no samples of current"),
        (np.zeros(1), NOTHING),
        (np.zeros(1000), NOTHING),
        (np.full(1000, 0.3), NOTHING),
        (trace(4000, (1000, 4000, 0.1)), "has a baseline on one side only"),
        (trace(4000, (0, 1000, 0.1)), "has a baseline on one side only"),
        (trace(4000, (1000, 1001, 0.1)), "of 100 pA from 250 ms for 0.25 ms is too short for a stimulus"),
        (trace(4000, (1000, 4000, 0.1), (2000, 4000, 0.1)), "baseline"),
        (ramp(4000, 1000, 4000, 0.0, 0.3), NEITHER),
    ],
)
def test_reasons(current: NDArray[np.float64], expected: str) -> None:
    assert expected in reason(current)


# One in thousands does look like a step, so the draws are the same in every run.
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    time_step_ms=st.sampled_from([0.01, 0.05, 0.25]),
    correlation_ms=st.sampled_from([0.0, 0.5, 5.0, 50.0, 500.0]),
    drift_nA=st.sampled_from([0.0, 0.02, 0.1]),
    hum_nA=st.sampled_from([0.0, 0.02]),
)
def test_noise_drift_and_hum(
    seed: int, time_step_ms: float, correlation_ms: float, drift_nA: float, hum_nA: float
) -> None:
    random = np.random.default_rng(seed)
    times_ms = np.arange(0.0, 600.0 if time_step_ms < 0.25 else 3000.0, time_step_ms)
    current = 0.005 * fluctuation(random, len(times_ms), correlation_ms / time_step_ms)
    current += random.normal(0.0, 0.002, len(times_ms))
    current += drift_nA * times_ms / times_ms[-1] + hum_nA * np.sin(2 * np.pi * 0.05 * times_ms)
    assert reason(current, time_step_ms)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), range_nA=st.floats(0.01, 0.1))
def test_random_walks(seed: int, range_nA: float) -> None:
    steps = np.random.default_rng(seed).normal(0.0, range_nA / np.sqrt(SAMPLES), SAMPLES)
    assert reason(np.cumsum(steps))


def postsynaptic(since_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    since_ms = np.maximum(0.0, since_ms)
    return 0.2 * (np.exp(-since_ms / 5.0) - np.exp(-since_ms / 0.5))


def other(kind: str) -> NDArray[np.float64]:
    seconds = TIMES_MS / 1000.0
    since = SINCE_MS / 1000.0
    charging = np.exp(-SINCE_MS / 1.0)
    return {
        "sine": 0.2 * np.sin(2 * np.pi * 2.0 * seconds),
        "windowed sine": np.where(INSIDE, 0.2 * np.sin(2 * np.pi * 20.0 * since), 0.0),
        "sine on a step": np.where(INSIDE, 0.3 + 0.2 * np.sin(2 * np.pi * 8.0 * since), 0.0),
        "chirp": np.where(INSIDE, 0.2 * np.sin(2 * np.pi * 8.0 * since**2), 0.0),
        "triangle": np.interp(seconds, [0.5, 1.5, 2.5], [0.0, 0.5, 0.0]),
        "half a sine": np.where(INSIDE, 0.3 * np.sin(np.pi * since / 2.0), 0.0),
        "synaptic current": np.where(seconds > 0.7, np.exp(-np.maximum(0.0, seconds - 0.7) / 0.3), 0.0),
        "postsynaptic currents": -sum(postsynaptic(TIMES_MS - at_ms) for at_ms in (300.0, 420.0, 900.0, 1700.0)),
        "drift": 0.1 * seconds,
        "drift that sets in": 0.05 * np.maximum(0.0, seconds - 1.0),
        "drift that fades": 0.1 * np.exp(-seconds / 0.5),
        "spikes without a step": with_artefacts(np.zeros(SAMPLES), range(2800, 10800, 700)),
        "voltage clamp, leak and charging": np.where(INSIDE, 0.05 + 0.5 * charging, 0.0)
        - np.where(TIMES_MS >= 2700.0, 0.5 * np.exp(-np.maximum(0.0, TIMES_MS - 2700.0)), 0.0),
        "voltage clamp, active": np.where(
            INSIDE,
            1.5 * (1.0 - np.exp(-SINCE_MS / 5.0)) ** 4 * np.exp(-SINCE_MS / 300.0)
            - 4.0 * SINCE_MS / 0.4 * np.exp(-SINCE_MS / 0.4),
            0.0,
        ),
    }[kind]


OSCILLATIONS = ("windowed sine", "sine on a step", "chirp")
KINDS = (
    *OSCILLATIONS, "sine", "triangle", "half a sine", "synaptic current", "postsynaptic currents", "drift",
    "drift that sets in", "drift that fades", "spikes without a step", "voltage clamp, leak and charging",
    "voltage clamp, active",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise_nA", [0.0, 0.003])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_other_currents(kind: str, noise_nA: float, sign: float) -> None:
    current = sign * other(kind) - 0.05 + np.random.default_rng(2).normal(0.0, noise_nA, SAMPLES)
    text = reason(current)
    if kind in OSCILLATIONS:
        assert "current oscillates from 7" in text
    if kind == "voltage clamp, leak and charging":
        assert "the transients of voltage clamp" in text
