from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import efel
import numpy as np
import pytest
from numpy.typing import NDArray

from rheobase.features.catalogue import CURRENT_FEATURES, feature_names
from rheobase.features.errors import FeatureError
from rheobase.features.measurement import MeasurementSettings, measure, measure_values, settings_from_efel
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
    "irregularity_index", "number_initial_spikes", "depol_block_bool",
)  # fmt: skip


def library_features() -> set[str]:
    words = {word for path in LIBRARY.glob("*.yaml") for word in re.findall(r"[A-Za-z]\w+", path.read_text())}
    return words & set(feature_names())


def direct(
    recording: Recording, step: Step, names: Sequence[str], settings: MeasurementSettings
) -> dict[str, NDArray[np.float64]]:
    """Features as a user of eFEL measures them."""
    efel.get_settings().reset_to_default()  # efel.reset() does more, for twenty milliseconds a call
    for name, value in settings.as_efel.items():
        efel.set_setting(name, value)
    trace = {
        "T": times(recording),
        "V": recording.voltage_mV,
        "I": recording.current_nA,
        "stim_start": [step.onset_ms],
        "stim_end": [step.offset_ms],
        "stimulus_current": [step.amplitude_nA],
    }
    (values,) = efel.get_feature_values([trace], list(names), raise_warnings=False)
    efel.get_settings().reset_to_default()
    return {name: np.array([] if values[name] is None else values[name], dtype=float).reshape(-1) for name in names}


def sweeps() -> list[Recording]:
    cell = rat(("IDrest", "IV", "APWaveform"), ("C060114A5",))
    chosen = [
        [recording for recording in cell if recording.protocol == protocol][place]
        for protocol, place in (("IDrest", 0), ("IDrest", 5), ("IV", 0), ("APWaveform", 6))
    ]
    return [*chosen, *[recording for recording in igor() if recording.cell != "B8"][::3]]


def times(recording: Recording) -> NDArray[np.float64]:
    return np.arange(len(recording.voltage_mV)) * recording.time_step_ms


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("settings", "chosen"),
    [
        (MeasurementSettings(), slice(None)),
        (MeasurementSettings(-30.0, 0.025, strict_stimulus_interval=False), slice(1, 4)),
    ],
)
def test_identical_to_direct_calls_of_efel(settings: MeasurementSettings, chosen: slice) -> None:
    """But for rounding, one call for all features that campaigns use against one call for each."""
    names = sorted(library_features() | set(MORE))
    assert len(library_features()) >= 8
    measured: set[str] = set()
    for recording in sweeps()[chosen]:
        samples = (times(recording), recording.voltage_mV, step_of(recording))
        found = measure_values(*samples, names, settings)
        means = measure(*samples, names, settings)
        assert list(found) == list(means) == names
        for name in names:
            expected = direct(recording, step_of(recording), [name], settings)[name]
            # On some processors eFEL's interpolation rounds in another way from call to call.
            np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-12, err_msg=name)
            kept = expected[~np.isnan(expected)]
            finite = len(kept) > 0 and np.isfinite(kept.mean())
            assert means[name] == (pytest.approx(kept.mean(), rel=1e-9, abs=1e-12) if finite else None), name
            measured |= {name} if finite else set()
    assert len(set(names) - measured) <= 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "settings",
    [
        MeasurementSettings(),
        MeasurementSettings(-30.0, 0.05, False, (("DerivativeThreshold", 20.0), ("ignore_first_ISI", False))),
    ],
)
def test_every_feature_that_efel_has(settings: MeasurementSettings) -> None:
    """To the last bit when eFEL is asked the same; asked for one alone it interpolates less often, at 1e-7 the same."""
    measured: set[str] = set()
    for place, recording in enumerate(sweeps()[1 : 4 if settings.interpolation_step_ms == 0.1 else 3]):
        step = step_of(recording)
        samples = (times(recording), recording.voltage_mV, step)
        found = measure_values(*samples, feature_names(), settings, recording.current_nA)
        together = direct(recording, step, feature_names(), settings)
        for name in feature_names():
            np.testing.assert_array_equal(found[name], together[name], err_msg=name)
            if place == 1:
                alone = direct(recording, step, [name], settings)[name]
                np.testing.assert_allclose(found[name], alone, rtol=1e-7, err_msg=name)
            measured |= {name} if len(found[name]) else set()
    assert len(measured) > 130
    assert measured >= CURRENT_FEATURES


@pytest.mark.filterwarnings("ignore")
def test_only_features_of_the_current_need_it() -> None:
    recording = sweeps()[1]
    samples = (times(recording), recording.voltage_mV, step_of(recording))
    without = measure(*samples, feature_names(), MeasurementSettings())
    with_current = measure(*samples, feature_names(), MeasurementSettings(), recording.current_nA)
    assert {name for name in feature_names() if without[name] != with_current[name]} <= CURRENT_FEATURES
    assert all(without[name] is None for name in CURRENT_FEATURES)


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
        settings = MeasurementSettings(
            efel=(("DerivativeThreshold", 5.0), ("initial_perc", 0.3), ("decay_end_after_stim", 3.0))
        )
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
        arguments = (times(recording), recording.voltage_mV, step_of(recording), ["Spikecount", "AP_begin_voltage"])
        efel.reset()
        expected = measure(*arguments, MeasurementSettings())
        efel.set_setting("Threshold", 1000.0)
        efel.set_setting("DerivativeThreshold", 200.0)
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


def test_no_noise_about_what_a_trace_does_not_have(
    caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    recording = made_up(0.2, spikes=2)
    names = ["burst_number", "ISI_log_slope", "Spikecount", "irregularity_index", "strict_burst_number"]
    measure(times(recording), recording.voltage_mV, step_of(recording), names, MeasurementSettings())
    assert not caplog.records
    assert not recwarn.list


def test_a_trace_without_the_feature() -> None:
    recording = made_up(-0.1)
    found = measure(
        times(recording), recording.voltage_mV, step_of(recording), ["AP_width", "voltage_base"], MeasurementSettings()
    )
    assert found["AP_width"] is None
    assert found["voltage_base"] == pytest.approx(-70.0, abs=0.2)


def test_messages_of_efel_do_not_pile_up() -> None:
    """A search measures millions of traces in one process."""
    silent = made_up(0.05, 0)
    times_ms = np.arange(len(silent.voltage_mV)) * silent.time_step_ms
    measure(times_ms, silent.voltage_mV, Step(100.0, 300.0, 0.05, 0.0), ["AP_amplitude"], MeasurementSettings())
    assert efel.cppcore.getgError() == ""


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


class TestSettings:
    def test_from_efels_names(self) -> None:
        given = {"Threshold": -30, "interp_step": 0.025, "strict_stiminterval": False, "DerivativeThreshold": 5}
        settings = settings_from_efel(given)
        assert settings == MeasurementSettings(-30.0, 0.025, False, (("DerivativeThreshold", 5.0),))
        assert settings.as_efel == given
        assert settings_from_efel({"Threshold": -10.0}, settings).as_efel == {**given, "Threshold": -10.0}
        assert settings_from_efel(settings.as_efel) == settings

    def test_the_same_in_another_order_are_equal(self) -> None:
        pair = (("sahp_start", 5.0), ("DerivativeThreshold", 5))
        assert MeasurementSettings(efel=pair) == MeasurementSettings(efel=pair[::-1])
        assert MeasurementSettings(efel=pair).efel == (("DerivativeThreshold", 5.0), ("sahp_start", 5.0))

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("DerivativThreshold", 5.0, "no setting 'DerivativThreshold'; did you mean DerivativeThreshold"),
            ("qqq", 5.0, "no setting 'qqq'; there are AP_phaseslope_range"),
            ("DerivativeThreshold", "5", "DerivativeThreshold must be a number, got '5'"),
            ("DerivativeThreshold", True, "must be a number, got True"),
            ("DerivativeWindow", 2.5, "DerivativeWindow must be a whole number, got 2.5"),
            ("ignore_first_ISI", 2, "ignore_first_ISI must be true or false, got 2"),
            ("voltage_base_mode", "mode", "voltage_base_mode must be mean or median, got 'mode'"),
            ("voltage_base_mode", 1, "voltage_base_mode must be mean or median, got 1"),
            ("dependencyfile_path", "x", "no setting 'dependencyfile_path'"),
            ("Threshold", -30.0, "eFEL's setting Threshold is called spike_threshold here"),
        ],
    )
    def test_wrong_ones(self, name: str, value: float | str, message: str) -> None:
        with pytest.raises(FeatureError, match=message):
            MeasurementSettings(efel=((name, value),))

    def test_whole_numbers_as_files_write_them(self) -> None:
        settings = MeasurementSettings(efel=(("DerivativeWindow", 3.0), ("ignore_first_ISI", 1)))
        assert settings.efel == (("DerivativeWindow", 3), ("ignore_first_ISI", True))
        assert [type(value) for _, value in settings.efel] == [int, bool]

    def test_interpolation_step(self) -> None:
        with pytest.raises(FeatureError, match="interpolation step must be above 0 ms, got 0 ms"):
            MeasurementSettings(interpolation_step_ms=0.0)

    def test_of_the_core_reach_it(self) -> None:
        recording = rat(("IV",), ("C060114A5",))[0]
        samples = (times(recording), recording.voltage_mV, step_of(recording), ["decay_time_constant_after_stim"])
        usual = measure(*samples, MeasurementSettings())["decay_time_constant_after_stim"]
        early = measure(*samples, MeasurementSettings(efel=(("decay_end_after_stim", 3.0),)))
        assert usual is not None
        assert early["decay_time_constant_after_stim"] not in (None, usual)


def test_values_that_are_no_numbers_are_left_out_of_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in BluePyEfe; a mean that is infinite is none."""
    found = {"AP_width": np.array([1.0, np.nan, 3.0]), "ISI_CV": np.array([np.nan]), "peak_time": np.array([np.inf])}
    monkeypatch.setattr(efel, "get_feature_values", lambda *_, **__: [found])
    recording = made_up(0.2, spikes=2)
    means = measure(times(recording), recording.voltage_mV, step_of(recording), list(found), MeasurementSettings())
    assert means == {"AP_width": 2.0, "ISI_CV": None, "peak_time": None}
