"""Every objective can be reached from a campaign's file, and tuner and final scoring mean the same by it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from rheobase.campaigns.circuits.building import build_targets
from rheobase.campaigns.circuits.durations import signals_ms
from rheobase.campaigns.circuits.schema import CircuitCampaign
from rheobase.campaigns.circuits.stages import build_stages
from rheobase.campaigns.circuits.subject import make_subject
from rheobase.campaigns.loading import LIBRARY_FOLDER
from rheobase.features.activity.activity import Activity, PopulationActivity, distribution
from rheobase.features.activity.activity_file import write_activity
from rheobase.features.activity.populations import Units
from rheobase.features.activity.unit_values import UnitValues
from rheobase.features.errors import RheobaseError
from rheobase.features.signals.peaks import Absence, NoPeak
from rheobase.features.signals.spectral_targets_file import read_spectral_targets, write_spectral_targets
from rheobase.fitting.circuits.circuit import Trial
from rheobase.fitting.circuits.judging import judge, judge_seeds
from tests.campaigns.circuits import evoking
from tests.campaigns.circuits.tiny import load_circuit

SPECTRUM = LIBRARY_FOLDER / "targets" / "eeg_rest_sub038.json"
MEASURED = Path(__file__).parents[4] / "shared" / "data" / "mouse_v1_rates" / "OSI_DSI_neuropixels_v4.csv"
EVERYTHING = """\
rheobase: 1
name: everything
external:
  populations: {E: 80, I: 20}
  parameters: ["weight:E->E", "weight:I->E", "weight:clicks->E", "background:E", "background:I"]
  layers: {all: {excitatory: [E], inhibitory: [I]}}
  function: tests.campaigns.circuits.evoking:simulate
targets:
  rates: {E: {mean: 2 Hz, std: 1 Hz, units: 40}, I: 6 Hz}
  distributions:
    E: {rates: [0.5 Hz, 1 Hz, 2 Hz, 4 Hz], factor: 1.8}
    I: {rates: [4 Hz, 6 Hz, 8 Hz], tolerance: 2 Hz}
  measures:
    - {population: E, measure: cv_isi, value: 1.0, tolerance: 0.2}
    - {population: E, measure: fraction_silent, value: 0.1, tolerance: 0.1}
    - {population: I, measure: synchrony, value: 0.1, tolerance: 0.1}
  spectrum:
    file: SPECTRUM
    measures: [delta, theta, alpha, beta, aperiodic_exponent, alpha_peak, spectral_shape]
    band_tolerance: 30 %
  evoked:
    - {name: click, onsets: [2500 ms, 3100 ms, 3700 ms], components: [{name: N1, polarity: negative, window: 60 ms to 150 ms, amplitude: {value: -5 uV, tolerance: 0.5 uV}}]}
tuning: {duration: 2 s, transient: 100 ms, spectrum_duration: 2400 ms}
"""  # noqa: E501
KEYS = {
    "rate:E", "rate:I", "rate_distribution:E", "rate_distribution:I", "cv_isi:E", "fraction_silent:E", "synchrony:I",
    "delta", "theta", "alpha", "beta", "aperiodic_exponent", "alpha_peak", "spectral_shape", "click.N1_amplitude",
}  # fmt: skip


def _campaign(folder: Path, *changes: tuple[str, str]) -> CircuitCampaign:
    text = EVERYTHING.replace("SPECTRUM", str(SPECTRUM))
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = folder / "everything.yaml"
    path.write_text(text, encoding="utf-8")
    return load_circuit(path)


def _wanted(campaign: CircuitCampaign) -> dict[str, tuple[float, float, str]]:
    stages = build_stages(campaign, make_subject(campaign), build_targets(campaign))
    return {one.key: (one.target, one.tolerance, one.unit) for one in stages[-1].targets}


def _judged(campaign: CircuitCampaign) -> dict[str, tuple[float, float, str]]:
    response = evoking.simulate(Trial({}, 1, signals_ms(campaign), 100.0, signals=True))
    return {one.key: (one.target, one.tolerance, one.unit) for one in judge(response, build_targets(campaign))}


def test_all_objectives_are_targets_of_stages_and_of_the_final_scoring_alike(tmp_path: Path) -> None:
    campaign = _campaign(tmp_path)
    wanted = _wanted(campaign)
    assert set(wanted) == KEYS
    assert wanted == _judged(campaign)
    assert wanted["alpha"][1] == pytest.approx(0.3 * wanted["alpha"][0])
    assert wanted["rate_distribution:E"] == (0.0, pytest.approx(math.log10(1.8)), "decades")
    assert wanted["rate_distribution:I"] == (0.0, 2.0, "Hz")
    responses = [evoking.simulate(Trial({}, seed, signals_ms(campaign), 100.0, signals=True)) for seed in (1, 2)]
    repeated = {one.judged.key: one for one in judge_seeds(responses, build_targets(campaign))}
    assert set(repeated) == KEYS
    assert all(value.judged.value is not None for key, value in repeated.items() if key != "alpha_peak")


def test_recordings_without_an_alpha_peak_want_none(tmp_path: Path) -> None:
    absent = dataclasses.replace(
        read_spectral_targets(SPECTRUM), alpha_peak=NoPeak((7.0, 13.0), "Hz", Absence.NO_EXTREMUM)
    )
    write_spectral_targets(absent, tmp_path / "absent.json")
    campaign = _campaign(tmp_path, (str(SPECTRUM), "absent.json"))
    wanted = _wanted(campaign)
    assert "alpha_peak" not in wanted
    assert wanted["alpha_peak_height"][0] == 0.0
    assert wanted == _judged(campaign)


def test_the_distance_of_logarithms_is_a_factor(tmp_path: Path) -> None:
    """All rates times two are a factor of two away, whatever they are."""
    doubled = ("rates: [0.5 Hz, 1 Hz, 2 Hz, 4 Hz]", "rates: [1 Hz, 2 Hz, 4 Hz, 8 Hz]")
    one, other = (build_targets(_campaign(tmp_path, *changes)).populations[0].rates for changes in ((), (doubled,)))
    assert one is not None
    assert other is not None
    from rheobase.objectives.rates import log_distance

    assert log_distance(one.rates, other.rates, 0.1) == pytest.approx(math.log10(2.0), rel=0.03)
    assert log_distance(one.rates, other.rates, 100.0) == 0.0, "below the floor all rates are alike"


def test_distributions_come_from_tables_and_from_what_was_extracted(tmp_path: Path) -> None:
    table = tmp_path / "units.csv"
    table.write_text("kind,rate (Hz)\nexc,1\nexc,3\nexc,5\nfast,10\nfast,30\n", encoding="utf-8")
    change = ("rates: [0.5 Hz, 1 Hz, 2 Hz, 4 Hz]", "file: units.csv, population: exc, populations: [kind]")
    found = build_targets(_campaign(tmp_path, change)).populations[0].rates
    assert found is not None
    assert (found.rates.units, found.rates.mean, found.rates.quantile(0.5)) == (3, 3.0, 3.0)
    values = UnitValues("rate", "Hz", np.array([2.0, 4.0]), np.arange(2), Units.from_sizes({"E": 2}))
    write_activity(Activity((PopulationActivity("E", (distribution(values, "E"),)),)), tmp_path / "activity.json")
    found = build_targets(_campaign(tmp_path, (change[0], "file: activity.json"))).populations[0].rates
    assert found is not None
    assert (found.rates.units, found.rates.mean) == (2, 3.0)


@pytest.mark.skipif(not MEASURED.exists(), reason="needs ../shared/data (rates of mouse V1 units)")
def test_the_distribution_of_units_in_mouse_visual_cortex(tmp_path: Path) -> None:
    """503 excitatory units of layer 2/3, mean 1.53 Hz (Siegle et al. 2021)."""
    change = (
        "rates: [0.5 Hz, 1 Hz, 2 Hz, 4 Hz]",
        f'file: {MEASURED}, population: "L2/3 Exc", populations: [cell_type], rate: "Spont_Rate(Hz)"',
    )
    found = build_targets(_campaign(tmp_path, change)).populations[0].rates
    assert found is not None
    assert found.rates.units == 503
    assert found.rates.mean == pytest.approx(1.53, abs=0.01)
    assert found.rates.median < 0.6 * found.rates.mean, "skewed, as rates are"


MISTAKES = {
    "neither file nor rates": (("rates: [4 Hz, 6 Hz, 8 Hz], ", ""), "targets.distributions.I: give either 'file' or"),
    "two tolerances": (("factor: 1.8", "factor: 1.8, tolerance: 1 Hz"), "give either 'tolerance', in Hz, or 'factor'"),
    "no such file": (
        ("rates: [4 Hz, 6 Hz, 8 Hz]", "file: nowhere.csv"),
        "there is no file /.*nowhere",
    ),
    "an unknown format": (("rates: [4 Hz, 6 Hz, 8 Hz]", "file: everything.yaml"), r"rates are read from .csv, .tsv"),
    "a population without a rate": (("    I: {rates: [4", "    J: {rates: [4"), "distributions.J: 'J' has no rate"),
    "a band that is not there": (
        ("[delta, theta", "[gamma, theta"),
        "there is no .* 'gamma'",
    ),
    "an unknown measure": (("measure: synchrony", "measure: syncrony"), "Input should be 'cv_isi', 'synchrony'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_said_with_their_place(tmp_path: Path, mistake: str) -> None:
    change, expected = MISTAKES[mistake]
    with pytest.raises(RheobaseError, match=expected) as caught:
        _wanted(_campaign(tmp_path, change))
    assert "everything.yaml" in str(caught.value)
