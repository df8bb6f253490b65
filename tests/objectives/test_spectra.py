from __future__ import annotations

import numpy as np
import pytest

from rheobase.features.errors import FeatureError
from rheobase.features.signals.parameterisation import parameterise
from rheobase.features.signals.spectral_measurement import SpectralPlan
from rheobase.features.signals.spectral_targets import SpectralTargets, spectral_targets
from rheobase.features.signals.spectrum import Spectrum
from rheobase.features.signals.welch import WelchSettings, power_spectrum
from rheobase.objectives.objective import Judged
from rheobase.objectives.scores import FAILURE_SCORE
from rheobase.objectives.spectra import SpectralTolerances, judge_spectrum, mean_spectrum, shape_distance
from tests.features.signals.made_signals import power_law_noise

PLAN = SpectralPlan(aperiodic_range_Hz=(3.0, 35.0))
TOLERANCES = SpectralTolerances(exponent=0.1, peak_Hz=0.5, shape_log10=0.2)


def spectrum(exponent: float, peak_Hz: float | None, amplitude: float = 1.0, unit: str = "uV^2/Hz") -> Spectrum:
    frequencies = np.arange(0.0, 60.0, 0.5)
    log_power = -exponent * np.log10(np.maximum(frequencies, 0.5)) + np.log10(amplitude)
    if peak_Hz is not None:
        log_power += 0.8 * np.exp(-0.5 * ((frequencies - peak_Hz) / 1.2) ** 2)
    return Spectrum(frequencies, 10.0 ** log_power[np.newaxis], unit, ("mean",))


@pytest.fixture
def targets() -> SpectralTargets:
    return spectral_targets([spectrum(1.1, 9.5), spectrum(1.3, 10.5)], PLAN)


def by_name(judged: tuple[Judged, ...]) -> dict[str, Judged]:
    return {one.key: one for one in judged}


def test_the_spectrum_of_the_recordings_meets_everything_at_any_amplitude(targets: SpectralTargets) -> None:
    for amplitude in (1.0, 1e-18):
        judged = judge_spectrum(spectrum(1.2, 10.0, amplitude, "mV^2/Hz"), targets, TOLERANCES)
        assert [one.name for one in judged] == [
            "delta", "theta", "alpha", "beta", "aperiodic_exponent", "alpha_peak", "spectral_shape",
        ]  # fmt: skip
        assert all(one.met for one in judged)


def test_what_is_off_shows_with_its_sign(targets: SpectralTargets) -> None:
    found = by_name(judge_spectrum(spectrum(1.6, 8.5), targets, TOLERANCES))
    assert found["aperiodic_exponent"].deviation == pytest.approx(4.0, abs=0.2)
    assert found["alpha_peak"].deviation == pytest.approx(-3.0, abs=0.2)
    assert found["spectral_shape"].value == pytest.approx(shape_distance(spectrum(1.6, 8.5), targets))
    assert found["delta"].deviation > 1.0


def test_tolerances_are_standard_deviations_of_the_recordings(targets: SpectralTargets) -> None:
    found = by_name(judge_spectrum(spectrum(1.2, 10.0), targets, SpectralTolerances(2.0)))
    assert found["alpha"].tolerance == 2.0 * targets.relative_band_powers[2].std
    assert found["aperiodic_exponent"].tolerance == 2.0 * targets.aperiodic_exponent.std


def test_no_peak_is_worse_than_a_peak_anywhere_in_the_range(targets: SpectralTargets) -> None:
    wanted = SpectralTolerances(peak_Hz=0.5, measures=("alpha_peak",))
    (missing,) = judge_spectrum(spectrum(1.2, None), targets, wanted)
    (at_edge,) = judge_spectrum(spectrum(1.2, 7.2), targets, wanted)
    assert missing.value is None
    assert not missing.met
    assert 1.0 < abs(at_edge.deviation) < abs(missing.deviation) < 20.0


def test_a_peak_that_the_recordings_do_not_have() -> None:
    targets = spectral_targets([spectrum(1.2, None)], PLAN)
    wanted = SpectralTolerances(measures=("alpha_peak",))
    (without,) = judge_spectrum(spectrum(1.2, None), targets, wanted)
    (with_one,) = judge_spectrum(spectrum(1.2, 10.0), targets, wanted)
    assert (without.name, without.value, without.met) == ("alpha_peak_height", 0.0, True)
    assert with_one.value == pytest.approx(0.8, abs=0.05)
    assert not with_one.met


def test_without_a_spectrum_all_is_missing(targets: SpectralTargets) -> None:
    silent = Spectrum(np.arange(0.0, 60.0, 0.5), np.zeros((1, 120)), "mV^2/Hz", ("EEG",))
    for nothing in (None, silent):
        judged = judge_spectrum(nothing, targets)
        assert len(judged) == 7
        assert all(one.value is None and one.deviation == -FAILURE_SCORE for one in judged)


def test_shape_is_the_root_mean_square_of_logarithms(targets: SpectralTargets) -> None:
    one = spectral_targets([spectrum(1.0, None)], PLAN)
    assert shape_distance(spectrum(1.0, None, 1e6), one) == pytest.approx(0.0, abs=1e-12)
    frequencies = np.array(one.shape.frequencies_Hz)
    expected = 0.5 * np.std(np.log10(frequencies))  # another slope: half a decade for each
    assert shape_distance(spectrum(1.5, None), one) == pytest.approx(expected)


def test_the_mean_of_spectra_has_less_noise_than_any() -> None:
    spectra = [power_spectrum(power_law_noise(1.0, seed, duration_s=20.0), WelchSettings(0.5)) for seed in range(12)]
    alone = np.std([parameterise(one, (3.0, 40.0)).exponent for one in spectra])
    assert mean_spectrum(spectra).power == pytest.approx(np.mean([one.power for one in spectra], axis=0))
    assert abs(parameterise(mean_spectrum(spectra), (3.0, 40.0)).exponent - 1.0) < alone
    assert mean_spectrum(spectra[:1]).power.tolist() == spectra[0].power.tolist()


def test_refuses_what_does_not_fit(targets: SpectralTargets) -> None:
    with pytest.raises(FeatureError, match="no spectral measure 'gamma'; there are delta, theta"):
        judge_spectrum(spectrum(1.2, 10.0), targets, SpectralTolerances(measures=("gamma",)))
    with pytest.raises(FeatureError, match="above zero"):
        SpectralTolerances(peak_Hz=-1.0)
    with pytest.raises(FeatureError, match="at least one spectrum"):
        mean_spectrum([])
    with pytest.raises(FeatureError, match="same frequencies, unit and channels"):
        mean_spectrum([spectrum(1.0, 10.0), spectrum(1.0, 10.0, unit="mV^2/Hz")])
    coarse = Spectrum(np.arange(0.0, 60.0, 20.0), np.ones((1, 3)), "mV^2/Hz", ("EEG",))
    with pytest.raises(FeatureError):
        judge_spectrum(coarse, targets)
