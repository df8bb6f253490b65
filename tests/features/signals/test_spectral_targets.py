from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.signals.bands import ALPHA, THETA, Band
from rheobase.features.signals.peaks import Absence, NoPeak
from rheobase.features.signals.shape import log_shape
from rheobase.features.signals.spectral_measurement import SpectralPlan, measure_spectrum
from rheobase.features.signals.spectral_targets import SpectralTarget, spectral_targets
from rheobase.features.signals.spectral_targets_file import read_spectral_targets, write_spectral_targets
from rheobase.features.signals.spectrum import Spectrum
from rheobase.features.signals.spectrum_files import read_spectrum_text
from tests.shared_data import shared

PLAN = SpectralPlan(bands=(THETA, ALPHA, Band("low beta", 12.0, 21.0)), aperiodic_range_Hz=(3.0, 35.0))


def subject(exponent, alpha_Hz, amplitude=1.0, step_Hz=0.5):
    frequencies = np.arange(0.0, 60.0, step_Hz)
    log_power = -exponent * np.log10(np.maximum(frequencies, step_Hz)) + np.log10(amplitude)
    if alpha_Hz is not None:
        log_power += 0.8 * np.exp(-0.5 * ((frequencies - alpha_Hz) / 1.2) ** 2)
    return Spectrum(frequencies, 10.0 ** log_power[np.newaxis], "uV^2/Hz", ("mean",))


def test_targets_are_means_over_subjects():
    spectra = [subject(1.0, 9.0), subject(1.2, 10.0, 50.0), subject(1.4, 11.0, 1e-3)]
    targets = spectral_targets(spectra, PLAN, source="three subjects")
    measured = [measure_spectrum(spectrum, PLAN) for spectrum in spectra]
    assert targets.n == 3
    assert targets.aperiodic_exponent.mean == pytest.approx(1.2, abs=0.01)
    assert targets.aperiodic_exponent.std == pytest.approx(0.2, abs=0.01)
    assert (targets.alpha_peak.mean, targets.alpha_peak.std) == pytest.approx((10.0, 1.0), abs=0.02)
    assert (targets.alpha_peak.unit, targets.alpha_peak.n) == ("Hz", 3)
    assert [target.name for target in targets.relative_band_powers] == ["theta", "alpha", "low beta"]
    for target in targets.relative_band_powers:
        shares = [found.relative_band_power[target.name] for found in measured]
        assert (target.mean, target.std) == pytest.approx(
            (np.mean(shares), max(np.std(shares, ddof=1), 0.05 * np.mean(shares)))
        )
    assert sum(target.mean for target in targets.relative_band_powers) == pytest.approx(1.0)
    grid = np.array(targets.shape.frequencies_Hz)
    assert (grid[0], grid[-1]) == (3.0, 35.0)
    expected = np.mean([log_shape(spectrum, grid) for spectrum in spectra], axis=0)
    assert targets.shape.log10_power == pytest.approx(expected)


def test_subjects_without_a_peak_are_counted():
    one = spectral_targets([subject(1.0, None), subject(1.0, 10.0), subject(1.0, None)], PLAN)
    assert (one.alpha_peak.mean, one.alpha_peak.n, one.n) == (pytest.approx(10.0, abs=0.02), 1, 3)
    assert one.alpha_peak.std == pytest.approx(0.05 * one.alpha_peak.mean)
    none = spectral_targets([subject(1.0, None)], PLAN)
    assert none.alpha_peak == NoPeak((7.0, 13.0), "Hz", Absence.BELOW_THRESHOLD)


def test_spectra_of_different_resolution_share_the_coarser_grid():
    targets = spectral_targets([subject(1.0, 10.0, step_Hz=0.25), subject(1.0, 10.0, step_Hz=1.0)], PLAN)
    assert targets.shape.frequencies_Hz == tuple(np.arange(3.0, 36.0))


@pytest.mark.parametrize("alpha_Hz", [10.0, None])
def test_what_is_written_is_read(tmp_path, alpha_Hz):
    targets = spectral_targets([subject(1.0, alpha_Hz), subject(1.3, alpha_Hz)], PLAN, source="two subjects")
    write_spectral_targets(targets, tmp_path / "spectrum.json")
    assert read_spectral_targets(tmp_path / "spectrum.json") == targets
    content = json.loads((tmp_path / "spectrum.json").read_text())
    assert content["schema"] == "rheobase.spectrum/1"
    assert "NaN" not in (tmp_path / "spectrum.json").read_text()


def test_targets_of_two_resting_subjects(tmp_path):
    spectra = [
        read_spectrum_text(shared("eeg_meg", f"ds004504_sub-{number}_psd_matrix.csv"), np.arange(251.0)).mean()
        for number in ("037", "038")
    ]
    targets = spectral_targets(spectra, SpectralPlan(aperiodic_range_Hz=(3.0, 35.0)), source="ds004504, two controls")
    assert targets.alpha_peak.mean == pytest.approx(0.5 * (8.45 + 10.13), abs=0.01)
    alpha = next(target for target in targets.relative_band_powers if target.name == "alpha")
    assert 0.3 < alpha.mean < 0.7
    write_spectral_targets(targets, tmp_path / "spectrum.json")
    assert read_spectral_targets(tmp_path / "spectrum.json") == targets


def broken(folder, change):
    path = folder / "spectrum.json"
    write_spectral_targets(spectral_targets([subject(1.0, 10.0)], PLAN), path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(schema="rheobase.targets/1"), 'expected \'"schema": "rheobase.spectrum/1"\''),
        (lambda content: content.pop("n"), "n: Field required"),
        (lambda content: content.update(colour="red"), "colour: Unexpected keyword argument"),
        (lambda content: content["aperiodic_exponent"].update(mean="steep"), "aperiodic_exponent.mean: "),
        (lambda content: content["aperiodic_exponent"].update(mean=float("nan")), "expected finite numbers, got NaN"),
        (
            lambda content: content["aperiodic_exponent"].update(std=0.0),
            "the target of aperiodic_exponent must .* above zero",
        ),
        (
            lambda content: content["shape"]["log10_power"].pop(),
            "expected one power for each of 65 frequencies, got 64",
        ),
        (lambda content: content["plan"]["bands"].clear(), "a plan needs bands of different names, got none"),
    ],
)
def test_files_that_are_no_targets(tmp_path, change, message):
    with pytest.raises(FeatureError, match=rf"spectrum\.json: {message}|spectrum\.json is not .*{message}"):
        read_spectral_targets(broken(tmp_path, change))


def test_files_that_are_not_there_or_no_json(tmp_path):
    with pytest.raises(FeatureError, match=r"spectral targets .*a\.json does not exist"):
        read_spectral_targets(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(FeatureError, match=r"a\.json is not a JSON file of spectral targets"):
        read_spectral_targets(tmp_path / "a.json")


def test_targets_that_cannot_be_collected():
    with pytest.raises(FeatureError, match="at least one spectrum, got none"):
        spectral_targets([])
    with pytest.raises(FeatureError, match="floor of the standard deviation must be above zero, got 0"):
        spectral_targets([subject(1.0, 10.0)], PLAN, smallest_std_fraction=0.0)
    with pytest.raises(FeatureError, match=r"needs 3 to 80 Hz, the spectrum covers 0 to 59\.5 Hz"):
        spectral_targets([subject(1.0, 10.0)], dataclasses.replace(PLAN, aperiodic_range_Hz=(3.0, 80.0)))
    with pytest.raises(FeatureError, match="bands of different names, got alpha, alpha"):
        SpectralPlan(bands=(ALPHA, ALPHA))
    with pytest.raises(FeatureError, match="the target of alpha must be finite"):
        SpectralTarget("alpha", float("nan"), 1.0, "", 3)


def test_where_rhythms_are_named_the_exponent_is_that_of_a_line_outside_them(tmp_path):
    plan = dataclasses.replace(PLAN, rhythms_Hz=((5.0, 15.0),))
    spectrum = subject(1.2, 10.0)
    found = measure_spectrum(spectrum, plan)
    assert found.aperiodic_exponent == pytest.approx(1.2, abs=1e-4)
    assert found.alpha_peak.centre_Hz == pytest.approx(10.0, abs=0.05)
    elsewhere = dataclasses.replace(plan, rhythms_Hz=((20.0, 30.0),))
    assert measure_spectrum(spectrum, elsewhere).aperiodic_exponent > 1.25  # the rhythm tilts the line
    write_spectral_targets(spectral_targets([spectrum], plan), tmp_path / "line.json")
    assert read_spectral_targets(tmp_path / "line.json").plan == plan
