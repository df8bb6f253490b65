from __future__ import annotations

import numpy as np
import pytest

from rheobase.features.errors import FeatureError, UnitError
from rheobase.features.signals.components import N1
from rheobase.features.signals.signal import Signal
from rheobase.objectives.evoked import ComponentTarget, SteadyStateTarget, judge_component, judge_steady_state
from rheobase.objectives.objective import Target
from tests.features.signals.made_signals import curve

TIMES_MS = np.arange(-100.0, 600.0)
TARGET = ComponentTarget(N1, "uV", Target(-6.0, 1.0), Target(100.0, 10.0))


def response(latency_ms: float, amplitude: float) -> Signal:
    return curve(amplitude * np.exp(-0.5 * ((TIMES_MS - latency_ms) / 15.0) ** 2), start_ms=-100.0)


def clicks(phases: np.ndarray, noise: float = 0.5) -> Signal:
    times_s = np.arange(500) / 1000.0
    values = np.sin(2.0 * np.pi * 40.0 * times_s + phases[:, np.newaxis])
    values += noise * np.random.default_rng(4).normal(size=values.shape)
    return Signal(values[:, np.newaxis], 1000.0, "mV", ("EEG",))


def test_amplitude_and_latency_of_a_component() -> None:
    amplitude, latency = judge_component(response(115.0, -6.5), TARGET)
    assert (amplitude.key, amplitude.unit, amplitude.deviation) == ("N1_amplitude", "uV", pytest.approx(-0.5))
    assert (latency.key, latency.unit, latency.deviation) == ("N1_latency", "ms", pytest.approx(1.5))
    millivolts = response(100.0, -6.0).converted("mV")
    assert all(one.met for one in judge_component(millivolts, TARGET))


def test_a_missing_component_is_worse_than_none_at_all() -> None:
    flat_amplitude, flat_latency = judge_component(response(300.0, -6.0), TARGET)
    assert flat_amplitude.value is flat_latency.value is None
    assert flat_amplitude.deviation == pytest.approx(-8.0)  # 6 tolerances to an amplitude of 0, and 2
    assert flat_latency.deviation == pytest.approx(-7.0)  # 5 tolerances to the end of the window, and 2


def test_following_clicks() -> None:
    target = SteadyStateTarget(40.0, Target(1.0, 0.1), Target(20.0, 5.0))
    locked = judge_steady_state(clicks(np.zeros(30)), target)
    assert [one.key for one in locked] == ["coherence_40Hz", "power_ratio_40Hz"]
    assert locked[0].met
    assert locked[1].value is not None
    assert locked[1].value > 20.0
    loose = judge_steady_state(clicks(np.linspace(0.0, 2.0 * np.pi, 30, endpoint=False)), target)
    assert loose[0].deviation < -7.0
    assert loose[1].value is not None
    assert loose[1].value < locked[1].value - 10.0


def test_few_trials_measure_what_many_do() -> None:
    """A seed of a circuit has few trains, all seeds together and recordings have many."""
    target = SteadyStateTarget(40.0, Target(0.7, 0.1), Target(5.0, 1.0))
    rng = np.random.default_rng(1)

    def measured(trials: int, repetitions: int) -> list[float]:
        values = [
            [one.value or 0.0 for one in judge_steady_state(noisy_clicks(rng, trials), target)]
            for _ in range(repetitions)
        ]
        return np.mean(values, axis=0).tolist()

    few, many = measured(6, 120), measured(240, 3)
    assert few[0] == pytest.approx(many[0], abs=0.05)
    assert few[1] == pytest.approx(many[1], abs=1.0)
    assert 0.5 < many[0] < 0.95


def noisy_clicks(rng: np.random.Generator, trials: int) -> Signal:
    """Phases that spread by 0.7 rad, in noise."""
    times_s = np.arange(500) / 1000.0
    values = np.sin(2.0 * np.pi * 40.0 * times_s + rng.normal(0.0, 0.7, (trials, 1)))
    values += 4.0 * rng.normal(size=values.shape)
    return Signal(values[:, np.newaxis], 1000.0, "mV", ("EEG",))


def test_of_a_circuit_that_was_stopped_all_is_missing() -> None:
    judged = judge_component(None, TARGET) + judge_steady_state(None, SteadyStateTarget(40.0, Target(1.0, 0.1)))
    assert [one.key for one in judged] == ["N1_amplitude", "N1_latency", "coherence_40Hz"]
    assert all(one.value is None and not one.met for one in judged)


def test_refuses_targets_that_state_nothing() -> None:
    with pytest.raises(FeatureError, match="N1 states neither"):
        ComponentTarget(N1, "uV")
    with pytest.raises(FeatureError, match="40 Hz states neither"):
        SteadyStateTarget(40.0)
    with pytest.raises(UnitError):
        judge_component(curve(np.zeros(700), start_ms=-100.0, unit="nA m"), TARGET)
    two = Signal(np.zeros((3, 2, 500)), 1000.0, "mV", ("A", "B"))
    with pytest.raises(FeatureError, match="one of A, B"):
        judge_steady_state(two, SteadyStateTarget(40.0, Target(1.0, 0.1)))
