"""The spectrum in the report is the one that is judged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rheobase.campaigns.circuits.report.outcomes import outcomes
from rheobase.campaigns.circuits.reporting import _measured
from rheobase.campaigns.loading import LIBRARY_FOLDER
from rheobase.features.signals.spectral_targets_file import read_spectral_targets
from rheobase.features.signals.spectrum import Spectrum
from rheobase.fitting.circuits.judging import CircuitTargets, SpectrumTarget
from rheobase.objectives.spectra import SpectralTolerances, judge_spectrum
from tests.campaigns.circuits.report.example import example_data

WANTED = read_spectral_targets(LIBRARY_FOLDER / "targets" / "eeg_rest_sub038.json")


def spectrum(scale: float = 1.0) -> Spectrum:
    frequencies_Hz = np.arange(0.0, 100.5, 0.5)
    power = scale * np.maximum(frequencies_Hz, 0.5) ** -1.2
    power *= 1.0 + 3.0 * np.exp(-0.5 * ((frequencies_Hz - 10.0) / 1.5) ** 2)
    return Spectrum(frequencies_Hz, power[np.newaxis], "mV^2/Hz", ("EEG",))


@pytest.mark.parametrize("rhythms_Hz", [None, ((7.0, 13.0),)])
def test_the_exponent_shown_is_the_one_judged(rhythms_Hz: tuple[tuple[float, float], ...] | None) -> None:
    targets = dataclasses.replace(WANTED, plan=dataclasses.replace(WANTED.plan, rhythms_Hz=rhythms_Hz))
    shown = _measured(spectrum(), CircuitTargets(spectrum=SpectrumTarget(targets)))
    (judged,) = judge_spectrum(spectrum(), targets, SpectralTolerances(measures=("aperiodic_exponent",)))
    assert shown is not None
    assert shown.exponent == judged.value
    assert shown.offset_log10 is not None


def test_a_spectrum_without_power_is_shown_without_a_line() -> None:
    shown = _measured(spectrum(0.0), CircuitTargets(spectrum=SpectrumTarget(WANTED)))
    assert shown is not None
    assert (shown.exponent, shown.offset_log10, shown.peak_Hz) == (None, None, None)


def test_what_is_not_wanted_is_not_judged() -> None:
    data = dataclasses.replace(example_data(duration_ms=50.0), others=())
    assert data.spectrum_target is not None
    assert not [one.what for one in outcomes(data) if "exponent" in one.what or "spectrum" in one.what]
