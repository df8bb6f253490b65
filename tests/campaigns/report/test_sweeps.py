"""Thinning out a trace loses no spike; the words under a trace say what is in it."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.campaigns.report.sweeps import (
    MOST_SWEEPS,
    decimate,
    describe_sweeps,
    gather_sweeps,
    spike_peaks,
)
from tests.campaigns.report.example import example_data

DATA = example_data(evaluations=20, members=3, recorded_samples=4000, simulated_samples=4000)
PROTOCOLS = {protocol.name: protocol for protocol in DATA.targets.protocols}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    samples=st.integers(2, 6000),
    spikes=st.integers(0, 60),
    bins=st.integers(1, 500),
    even=st.booleans(),
)
def test_decimation_keeps_every_spike_and_the_range(seed, samples, spikes, bins, even):
    rng = np.random.default_rng(seed)
    time = np.arange(samples, dtype=float) if even else np.cumsum(rng.exponential(1.0, samples) + 1e-9)
    voltage = rng.normal(-70.0, 2.0, samples)
    voltage[rng.integers(0, samples, spikes)] = rng.uniform(-10.0, 50.0, spikes)
    peaks = spike_peaks(voltage, -20.0)

    thin_time, thin_voltage = decimate(time, voltage, bins, -20.0)

    kept = set(zip(thin_time, thin_voltage, strict=True))
    assert kept <= set(zip(time, voltage, strict=True))
    assert all((time[peak], voltage[peak]) in kept for peak in peaks)
    assert (np.diff(thin_time) > 0).all()
    assert (thin_time[0], thin_time[-1]) == (time[0], time[-1])
    assert (thin_voltage.min(), thin_voltage.max()) == (voltage.min(), voltage.max())
    assert len(thin_time) <= 2 * bins + 2 + len(peaks)


def test_decimation_stays_within_the_envelope_of_every_bin():
    time = np.linspace(0.0, 1000.0, 20001)
    voltage = -70.0 + 5.0 * np.sin(time / 7.0)
    thin_time, thin_voltage = decimate(time, voltage, 400, -20.0)
    assert len(thin_time) <= 802
    assert np.abs(np.interp(time, thin_time, thin_voltage) - voltage).max() < 5.0 / 7.0 * 2.5


def test_peaks_are_the_highest_samples_of_their_excursions():
    voltage = np.array([-10.0, 5.0, -70.0, -5.0, 20.0, 10.0, -70.0, 0.0])
    assert spike_peaks(voltage, -20.0).tolist() == [1, 4, 7]


def test_words_of_a_spiking_step():
    text = describe_sweeps(gather_sweeps(DATA, PROTOCOLS["IDrest_150"]))
    assert text.startswith("Spikes during the step: recordings 1")
    assert "best model 1" in text
    assert "5 recorded sweeps of 5 cells." in text


def test_words_of_a_silent_step():
    text = describe_sweeps(gather_sweeps(DATA, PROTOCOLS["IV_-100"]))
    assert text.startswith("No spikes. Deflection at the end of the step: recordings −2")


def test_what_is_missing_is_said():
    name = "IDrest_150"
    bare = dataclasses.replace(DATA, recorded={}, simulated={name: DATA.simulated[name][1:]})
    text = describe_sweeps(gather_sweeps(bare, PROTOCOLS[name]))
    assert "No recorded sweep is at hand" in text
    assert "The best model has no trace here" in text


def test_many_sweeps_are_thinned_cell_by_cell():
    name = "IV_-100"
    data = dataclasses.replace(DATA, recorded={name: DATA.recorded[name] * 6})
    sweeps = gather_sweeps(data, PROTOCOLS[name])
    assert len(sweeps.recordings) == MOST_SWEEPS
    assert {sweep.label for sweep in sweeps.recordings} == {f"cell_{cell}" for cell in range(5)}
    assert f"({30 - MOST_SWEEPS} more not drawn)" in describe_sweeps(sweeps)


def test_a_short_step_is_zoomed_and_a_bad_sample_left_out():
    name = "APWaveform_280"
    trace = DATA.recorded[name][0]
    trace.voltage_mV[100] = np.nan
    sweeps = gather_sweeps(DATA, PROTOCOLS[name])
    assert sweeps.window_ms == (-5.0, 70.0)
    assert not sweeps.train
    assert all(np.isfinite(sweep.voltage_mV).all() for sweep in sweeps.recordings)
