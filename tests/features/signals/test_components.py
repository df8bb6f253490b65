from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.features.signals.components import (
    MISMATCH_NEGATIVITY,
    N1,
    P300,
    Component,
    EvokedPeak,
    fractional_area_latency_ms,
    mean_amplitude,
    measure_component,
)
from rheobase.features.signals.evoked import difference_wave, evoked_response
from rheobase.features.signals.peaks import Absence, NoPeak
from rheobase.features.signals.signal import Event, Signal
from tests.features.signals.made_signals import curve

TIMES_MS = np.arange(-100.0, 600.0)


def bump(centre_ms, amplitude, deviation_ms):
    return amplitude * np.exp(-0.5 * ((TIMES_MS - centre_ms) / deviation_ms) ** 2)


def response(*bumps):
    return curve(sum(bump(*one) for one in bumps), start_ms=-100.0)


def test_an_average_is_relative_to_its_baseline():
    values = np.array([[[1.0, 3.0, 10.0, 20.0]], [[3.0, 5.0, 20.0, 40.0]]])
    trials = Signal(values, 1000.0, "uV", ("Cz",), start_ms=-2.0, events=(Event("tone", 0.0), Event("tone", 9.0)))
    assert evoked_response(trials, (-2.0, 0.0)).values.tolist() == [[-1.0, 1.0, 12.0, 27.0]]
    assert evoked_response(trials, None).values.tolist() == [[2.0, 4.0, 15.0, 30.0]]
    assert trials.values is values
    assert values[0, 0, 0] == 1.0
    with pytest.raises(FeatureError, match="from -5 to 0 ms is not within the signal, which lasts from -2 to 2 ms"):
        evoked_response(trials, (-5.0, 0.0))
    with pytest.raises(FeatureError, match="expected a signal in epochs"):
        evoked_response(response((100.0, 1.0, 10.0)), None)


def test_components_of_a_response():
    evoked = response((100.0, -6.0, 15.0), (180.0, 3.0, 15.0), (320.0, 9.0, 40.0))
    n1, p300 = (measure_component(evoked, component) for component in (N1, P300))
    assert isinstance(n1, EvokedPeak)
    assert isinstance(p300, EvokedPeak)
    assert (n1.amplitude, n1.latency_ms) == pytest.approx((-6.0, 100.0), abs=0.05)
    assert (p300.amplitude, p300.latency_ms) == pytest.approx((9.0, 320.0), abs=0.05)
    assert p300.mean_amplitude == pytest.approx(bump(320.0, 9.0, 40.0)[370:471].mean(), abs=0.05)
    assert n1.unit == "uV"


def test_the_mismatch_negativity_is_in_the_difference():
    standard = response((100.0, -6.0, 15.0))
    deviant = response((100.0, -6.0, 15.0), (170.0, -4.0, 20.0))
    assert measure_component(standard, MISMATCH_NEGATIVITY).latency_ms == pytest.approx(100.0, abs=1.0)
    mismatch = measure_component(difference_wave(deviant, standard), MISMATCH_NEGATIVITY)
    assert isinstance(mismatch, EvokedPeak)
    assert (mismatch.amplitude, mismatch.latency_ms) == pytest.approx((-4.0, 170.0))


@settings(max_examples=30, deadline=None)
@given(latency_ms=st.integers(80, 145), scale=st.floats(0.01, 100.0), shift_ms=st.integers(-50, 50))
def test_a_component_moves_with_the_response(latency_ms, scale, shift_ms):
    evoked = response((latency_ms, -5.0, 12.0))
    moved = dataclasses.replace(evoked, values=scale * evoked.values, start_ms=evoked.start_ms + shift_ms)
    window = Component("N1", "negative", (75.0 + shift_ms, 150.0 + shift_ms))
    peak = measure_component(moved, window)
    assert isinstance(peak, EvokedPeak)
    assert (peak.amplitude, peak.latency_ms) == pytest.approx((-5.0 * scale, latency_ms + shift_ms))
    turned = dataclasses.replace(moved, values=-moved.values)
    positive = measure_component(turned, dataclasses.replace(window, polarity="positive"))
    assert isinstance(positive, EvokedPeak)
    assert (positive.amplitude, positive.latency_ms) == (-peak.amplitude, peak.latency_ms)


@pytest.mark.parametrize(
    ("evoked", "reason"),
    [
        (response((200.0, -5.0, 20.0)), Absence.NO_EXTREMUM),  # its flank reaches into the window
        (curve(np.zeros(700), start_ms=-100.0), Absence.NO_EXTREMUM),
        (response((110.0, -1.0, 8.0), (110.0, 5.0, 60.0)), Absence.WRONG_POLARITY),  # a dip above the baseline
    ],
)
def test_a_component_that_is_missing(evoked, reason):
    assert measure_component(evoked, N1) == NoPeak((75.0, 150.0), "ms", reason)


def test_a_plateau_counts_from_its_first_sample():
    values = np.zeros(700)
    values[200:205] = -3.0
    assert measure_component(curve(values, start_ms=-100.0), N1).latency_ms == 100.0
    values[200:] = -3.0
    assert measure_component(curve(values, start_ms=-100.0), N1) == NoPeak((75.0, 150.0), "ms", Absence.NO_EXTREMUM)


def test_area_latency_of_a_symmetric_component_is_its_peak():
    evoked = response((320.0, 9.0, 20.0), (100.0, -6.0, 15.0))
    assert fractional_area_latency_ms(evoked, P300) == pytest.approx(320.0, abs=0.5)
    early = fractional_area_latency_ms(evoked, P300, fraction=0.1587)  # one standard deviation before it
    assert early == pytest.approx(300.0, abs=0.2)
    assert fractional_area_latency_ms(response((320.0, -9.0, 30.0)), P300) == NoPeak(
        (250.0, 500.0), "ms", Absence.WRONG_POLARITY
    )


def test_the_mean_of_a_window_is_never_missing():
    evoked = response((200.0, -5.0, 20.0))
    assert mean_amplitude(evoked, (175.0, 225.0)) == pytest.approx(bump(200.0, -5.0, 20.0)[275:325].mean())


def test_what_cannot_be_measured():
    evoked = response((100.0, -6.0, 15.0))
    two = dataclasses.replace(evoked, values=np.vstack([evoked.values] * 2), channels=("Fz", "Cz"))
    assert isinstance(measure_component(two, N1, "Fz"), EvokedPeak)
    with pytest.raises(FeatureError, match="name the channel to measure, one of Fz, Cz"):
        measure_component(two, N1)
    with pytest.raises(FeatureError, match="no channel 'Oz'"):
        measure_component(two, N1, "Oz")
    with pytest.raises(FeatureError, match="measured in averages; average the epochs first"):
        measure_component(dataclasses.replace(evoked, values=evoked.values[np.newaxis]), N1)
    with pytest.raises(FeatureError, match="from 550 to 700 ms is not within the signal"):
        measure_component(evoked, Component("late", "positive", (550.0, 700.0)))
    with pytest.raises(FeatureError, match=r"no sample between 100\.2 and 100\.4 ms at 1000 Hz"):
        mean_amplitude(evoked, (100.2, 100.4))
    with pytest.raises(FeatureError, match="a fraction of the area between 0 and 1, got 50"):
        fractional_area_latency_ms(evoked, N1, 50)
    with pytest.raises(FeatureError, match="N1: the polarity is 'negative' or 'positive', got 'down'"):
        Component("N1", "down", (75.0, 150.0))
    with pytest.raises(FeatureError, match="N1: expected a window with its start before its end"):
        Component("N1", "negative", (150.0, 75.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start_ms": -50.0}, "two responses with the same start_ms, got -100.0 and -50.0"),
        ({"unit": "mV"}, "the same unit, got uV and mV"),
        ({"channels": ("Pz",)}, "the same channels"),
        ({"sampling_rate_Hz": 500.0}, "the same sampling_rate_Hz"),
        ({"values": np.zeros((1, 10))}, "the same samples, got 700 and 10"),
    ],
)
def test_differences_between_what_does_not_match(changes, message):
    evoked = response((100.0, -6.0, 15.0))
    with pytest.raises(FeatureError, match=message):
        difference_wave(evoked, dataclasses.replace(evoked, **changes))
