from __future__ import annotations

import numpy as np
import pytest

from rheobase.features.errors import ModelError
from rheobase.features.recording import Recording, Step
from rheobase.features.stimulus import detect_step
from rheobase.fitting.cells.surrogates import SurrogatePlan, SurrogateRecorder, SurrogateStep
from tests.fitting.cells import small_cell

STEPS = (
    SurrogateStep("IDrest", (-50.0, 95.0, 105.0, 200.0), 200.0, 10.0),
    SurrogateStep("APWaveform", (250.0,), 50.0, 50.0),
)


def record(junction_mV: float = 0.0, noise_mV: float = 0.0, seed: int = 1) -> list[Recording]:
    plan = SurrogatePlan(STEPS, -84.0, junction_mV, noise_mV, settle_ms=300.0)
    return SurrogateRecorder(small_cell.model(), plan).record("virtual", small_cell.HIDDEN, seed)


def test_same_seed_same_recordings() -> None:
    one, again, other = record(14.0, 0.1, 1), record(14.0, 0.1, 1), record(14.0, 0.1, 2)
    for first, second, third in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(first.voltage_mV, second.voltage_mV)
        np.testing.assert_array_equal(first.current_nA, second.current_nA)
        assert (first.voltage_mV != third.voltage_mV).mean() > 0.99


def test_noise_and_junction_potential() -> None:
    for clean, noisy in zip(record(0.0, 0.0), record(14.0, 0.3), strict=True):
        added = noisy.voltage_mV - clean.voltage_mV
        assert added.mean() == pytest.approx(14.0, abs=0.03)
        assert added.std() == pytest.approx(0.3, rel=0.05)


def test_sweeps_are_steps_in_percent_of_the_cells_threshold() -> None:
    recordings = record()
    assert [(item.protocol, item.sweep) for item in recordings] == [
        ("IDrest", "0"), ("IDrest", "1"), ("IDrest", "2"), ("IDrest", "3"), ("APWaveform", "0"),
    ]  # fmt: skip
    assert [item.time_step_ms for item in recordings] == [0.1, 0.1, 0.1, 0.1, 0.02]
    steps = [detect_step(item.current_nA, item.time_step_ms) for item in recordings]
    amplitudes = [step.amplitude_nA for step in steps if isinstance(step, Step)]
    threshold_nA = amplitudes[3] / 2.0
    np.testing.assert_allclose(np.array(amplitudes) / threshold_nA, [-0.5, 0.95, 1.05, 2.0, 2.5], rtol=0.01)
    peaks = [item.voltage_mV.max() for item in recordings]
    assert max(peaks[:2]) < -20.0 < min(peaks[2:])


def test_a_hidden_model_that_does_not_spike() -> None:
    plan = SurrogatePlan(STEPS, -84.0, 0.0, 0.0, settle_ms=300.0)
    recorder = SurrogateRecorder(small_cell.model(), plan)
    with pytest.raises(ModelError, match=r"hidden model of virtual does not spike up to 5 nA; change recordings\.surr"):
        recorder.record("virtual", {**small_cell.HIDDEN, "gNaTgbar_NaTg.somatic": 0.0, "g_pas.all": 0.01}, 1)
