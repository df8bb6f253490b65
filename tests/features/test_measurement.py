from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import efel
import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.features.errors import FeatureError
from rheobase.features.measurement import (
    SPIKE_SHAPE_FEATURES,
    MeasurementSettings,
    check_feature_name,
    feature_names,
    measure,
    measure_values,
    unit,
)
from rheobase.features.recording import Recording, Step
from rheobase.features.stimulus import detect_step
from tests.features.recorded import igor, made_up, rat

LIBRARY = Path(__file__).resolve().parents[2] / "campaigns" / "library"
MORE = (
    "Spikecount", "peak_time", "peak_voltage", "AP_width", "AP_begin_voltage", "AP_begin_indices", "spike_half_width",
    "min_AHP_values", "AHP_depth_abs", "AHP_depth_abs_slow", "AHP_slow_time", "AHP_time_from_peak", "ISI_values",
    "ISI_log_slope", "all_ISI_values", "time_to_last_spike", "inv_second_ISI", "inv_last_ISI", "doublet_ISI",
    "AP2_AP1_diff", "AP_duration_change", "AP_rise_time", "AP_fall_time", "AP_phaseslope", "maximum_voltage",
    "minimum_voltage", "steady_state_voltage", "steady_state_voltage_stimend", "decay_time_constant_after_stim",
    "sag_amplitude", "voltage_deflection", "voltage_after_stim", "burst_number", "adaptation_index",
    "irregularity_index",
    "number_initial_spikes",
    "depol_block_bool",
)  # fmt: skip


def library_features() -> set[str]:
    words = {word for path in LIBRARY.glob("*.yaml") for word in re.findall(r"[A-Za-z]\w+", path.read_text())}
    return words & set(feature_names())


def direct(
    time_ms: NDArray[np.float64], recording: Recording, step: Step, name: str, settings: MeasurementSettings
) -> NDArray[np.float64]:
    """One feature as a user of eFEL measures it."""
    efel.reset()
    efel.set_setting("Threshold", settings.spike_threshold_mV)
    efel.set_setting("interp_step", settings.interpolation_step_ms)
    efel.set_setting("strict_stiminterval", settings.strict_stimulus_interval)
    trace = {
        "T": time_ms,
        "V": recording.voltage_mV,
        "stim_start": [step.onset_ms],
        "stim_end": [step.offset_ms],
        "stimulus_current": [step.amplitude_nA],
    }
    values = efel.get_feature_values([trace], [name], raise_warnings=False)[0][name]
    efel.reset()
    return np.array([] if values is None else values, dtype=float).reshape(-1)


def sweeps() -> list[Recording]:
    cell = rat(("IDrest", "IV", "APWaveform"), ("C060114A5",))
    chosen = [
        [recording for recording in cell if recording.protocol == protocol][place]
        for protocol, place in (("IDrest", 0), ("IDrest", 5), ("IV", 0), ("APWaveform", 6))
    ]
    return [*chosen, *[recording for recording in igor() if recording.cell != "B8"][::3]]


def times(recording: Recording) -> NDArray[np.float64]:
    return np.arange(len(recording.voltage_mV)) * recording.time_step_ms


@pytest.mark.parametrize(
    "settings", [MeasurementSettings(), MeasurementSettings(-30.0, 0.025, strict_stimulus_interval=False)]
)
def test_identical_to_direct_calls_of_efel(settings: MeasurementSettings) -> None:
    names = sorted(library_features() | set(MORE))
    assert len(library_features()) >= 8
    measured: set[str] = set()
    for recording in sweeps():
        step = detect_step(recording.current_nA, recording.time_step_ms)
        assert isinstance(step, Step)
        found = measure_values(times(recording), recording.voltage_mV, step, names, settings)
        means = measure(times(recording), recording.voltage_mV, step, names, settings)
        assert list(found) == list(means) == names
        for name in names:
            expected = direct(times(recording), recording, step, name, settings)
            np.testing.assert_array_equal(found[name], expected, err_msg=name)
            finite = len(expected) > 0 and np.isfinite(expected.mean())
            assert means[name] == (expected.mean() if finite else None), name
            measured |= {name} if finite else set()
    assert set(names) - measured <= {"doublet_ISI"}


def step_of(recording: Recording) -> Step:
    step = detect_step(recording.current_nA, recording.time_step_ms)
    assert isinstance(step, Step)
    return step


class TestGlobalSettings:
    def odd(self) -> dict[str, object]:
        efel.reset()
        efel.set_setting("Threshold", -33.0)
        efel.set_setting("interp_step", 0.07)
        efel.set_setting("initial_perc", 0.2)
        return dataclasses.asdict(efel.get_settings())

    def test_put_back(self) -> None:
        before = self.odd()
        recording = made_up(0.2, spikes=3)
        settings = MeasurementSettings(efel=(("DerivativeThreshold", 5.0), ("initial_perc", 0.3)))
        measure(times(recording), recording.voltage_mV, step_of(recording), ["Spikecount"], settings)
        assert dataclasses.asdict(efel.get_settings()) == before
        efel.reset()

    def test_put_back_after_an_error(self) -> None:
        before = self.odd()
        recording = made_up(0.2, spikes=3)
        with pytest.raises(Exception, match="nonsense"):
            measure(times(recording), recording.voltage_mV, step_of(recording), ["nonsense"], MeasurementSettings())
        assert dataclasses.asdict(efel.get_settings()) == before
        efel.reset()

    def test_what_others_set_does_not_matter(self) -> None:
        recording = made_up(0.2, spikes=5)
        arguments = (times(recording), recording.voltage_mV, step_of(recording), ["Spikecount", "AP_width"])
        efel.reset()
        expected = measure(*arguments, MeasurementSettings())
        efel.set_setting("Threshold", 1000.0)
        assert measure(*arguments, MeasurementSettings()) == expected
        assert expected["Spikecount"] == 5.0
        efel.reset()

    def test_further_settings_reach_efel(self) -> None:
        recording = made_up(0.2, spikes=5)
        arguments = (times(recording), recording.voltage_mV, step_of(recording), ["AP_begin_voltage"])
        early = measure(*arguments, MeasurementSettings(efel=(("DerivativeThreshold", 5.0),)))["AP_begin_voltage"]
        late = measure(*arguments, MeasurementSettings(efel=(("DerivativeThreshold", 50.0),)))["AP_begin_voltage"]
        assert early is not None
        assert late is not None
        assert early < late - 5.0


def test_a_trace_without_the_feature() -> None:
    recording = made_up(-0.1)
    found = measure(
        times(recording), recording.voltage_mV, step_of(recording), ["AP_width", "voltage_base"], MeasurementSettings()
    )
    assert found["AP_width"] is None
    assert found["voltage_base"] == pytest.approx(-70.0, abs=0.2)


def test_shifting_time_changes_nothing_but_times() -> None:
    recording = made_up(0.2, spikes=6)
    step = step_of(recording)
    later = Step(step.onset_ms + 512.0, step.offset_ms + 512.0, step.amplitude_nA, step.holding_nA)
    names = [
        "Spikecount",
        "mean_frequency",
        "AP_amplitude",
        "time_to_first_spike",
        "ISI_CV",
        "AHP_depth",
        "voltage_base",
    ]
    here = measure(times(recording), recording.voltage_mV, step, names, MeasurementSettings())
    there = measure(times(recording) + 512.0, recording.voltage_mV, later, names, MeasurementSettings())
    assert None not in here.values()
    for name in names:  # eFEL's baseline is the last tenth of the time before the step, counted from zero
        assert there[name] == pytest.approx(here[name], rel=0.01), name


def test_uneven_times_as_of_a_variable_time_step() -> None:
    recording = made_up(0.2, spikes=6)
    step = step_of(recording)
    keep = np.sort(
        np.random.default_rng(1).permutation(len(recording.voltage_mV))[: len(recording.voltage_mV) * 9 // 10]
    )
    names = ["Spikecount", "mean_frequency", "voltage_base", "AP_amplitude"]
    even = measure(times(recording), recording.voltage_mV, step, names, MeasurementSettings())
    uneven = measure(times(recording)[keep], recording.voltage_mV[keep], step, names, MeasurementSettings())
    for name in names:
        assert uneven[name] == pytest.approx(even[name], rel=0.02), name


class TestNames:
    def test_known(self) -> None:
        for name in library_features() | set(MORE) | SPIKE_SHAPE_FEATURES:
            check_feature_name(name)

    @pytest.mark.parametrize(
        ("name", "hint"),
        [("AP_amplitud", "did you mean AP_amplitude"), ("meanfrequency", "mean_frequency"), ("qqqqq", "eFEL's list")],
    )
    def test_unknown(self, name: str, hint: str) -> None:
        with pytest.raises(FeatureError, match=f"there is no feature '{name}'; .*{hint}"):
            check_feature_name(name)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("AP_amplitude", "mV"),
            ("mean_frequency", "Hz"),
            ("time_to_first_spike", "ms"),
            ("sag_ratio1", ""),
            ("Spikecount", ""),
            ("ISI_CV", ""),
        ],
    )
    def test_units(self, name: str, expected: str) -> None:
        assert unit(name) == expected
