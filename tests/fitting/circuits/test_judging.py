from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import FeatureError, ModelError
from rheobase.features.signals.signal import Signal
from rheobase.features.signals.spectral_measurement import SpectralPlan
from rheobase.features.signals.spectral_targets import SpectralTargets, spectral_targets
from rheobase.features.signals.welch import WelchSettings, power_spectrum
from rheobase.fitting.circuits.circuit import CircuitResponse
from rheobase.fitting.circuits.head import FourSphereHead
from rheobase.fitting.circuits.judging import CircuitTargets, SpectrumTarget, judge, judge_seeds
from rheobase.objectives.objective import Target
from rheobase.objectives.rates import PopulationTarget
from rheobase.objectives.spectra import SpectralTolerances
from tests.features.signals.made_signals import power_law_noise

SIZES = {"E": 40, "I": 10}
RATES_HZ = {"E": 5.0, "I": 20.0}
DURATION_MS = 20_000.0
PLAN = SpectralPlan(aperiodic_range_Hz=(3.0, 40.0))
POPULATIONS = (
    PopulationTarget("E", rate_Hz=Target(5.0, 0.5), cv_isi=Target(1.0, 0.15), fraction_silent=Target(0.0, 0.05)),
    PopulationTarget("I", rate_Hz=Target(10.0, 2.0), synchrony=Target(0.3, 0.1)),
)


def spikes(seed: int, stop_ms: float = DURATION_MS, rates_Hz: dict[str, float] = RATES_HZ) -> SpikeTrains:
    """Poisson spikes."""
    random = np.random.default_rng(seed)
    rates = np.repeat([rates_Hz[name] for name in SIZES], list(SIZES.values()))
    counts = random.poisson(rates * stop_ms / 1000.0)
    times = random.uniform(0.0, stop_ms, counts.sum())
    return SpikeTrains(times, np.repeat(np.arange(50), counts), Units.from_sizes(SIZES), 0.0, stop_ms)


def dipole(seed: int, exponent: float = 1.2) -> Signal:
    """Along z, a power law with a rhythm of 10 Hz."""
    noise = power_law_noise(exponent, seed, DURATION_MS / 1000.0, 1000.0).values[0]
    rhythm = np.sin(2.0 * np.pi * 10.0 * np.arange(len(noise)) / 1000.0 + 3.0 * np.sin(np.arange(len(noise)) / 700.0))
    values = np.zeros((3, len(noise)))
    values[2] = 50.0 * (noise + 0.3 * rhythm)
    values[0] = 500.0 * np.random.default_rng(seed).normal(size=len(noise))  # does not reach the electrode
    return Signal(values, 1000.0, "nA um", ("x", "y", "z"))


def response(seed: int, exponent: float = 1.2) -> CircuitResponse:
    return CircuitResponse(spikes(seed), dipole=dipole(seed, exponent), simulated_ms=DURATION_MS)


def recordings() -> SpectralTargets:
    """EEG of subjects: the same processes in other units."""
    welch = WelchSettings(0.5)
    return spectral_targets([power_spectrum(dipole(seed).pick("z"), welch) for seed in range(100, 106)], PLAN)


@pytest.fixture(scope="module")
def spectrum_target() -> SpectrumTarget:
    tolerances = SpectralTolerances(2.0, exponent=0.15, measures=("aperiodic_exponent", "alpha_peak", "spectral_shape"))
    return SpectrumTarget(recordings(), tolerances, welch=WelchSettings(0.5))


def test_every_target_is_judged_in_order(spectrum_target: SpectrumTarget) -> None:
    judged = judge(response(1), CircuitTargets(POPULATIONS, spectrum_target))
    assert [one.key for one in judged] == [
        "rate:E", "cv_isi:E", "fraction_silent:E", "rate:I", "synchrony:I",
        "aperiodic_exponent", "alpha_peak", "spectral_shape",
    ]  # fmt: skip
    by_key = {one.key: one for one in judged}
    assert by_key["rate:E"].value == pytest.approx(5.0, rel=0.1)
    assert by_key["cv_isi:E"].value == pytest.approx(1.0, abs=0.1)
    assert by_key["fraction_silent:E"].value == 0.0
    assert by_key["rate:I"].deviation == pytest.approx(5.0, abs=0.5)
    assert by_key["synchrony:I"].value == pytest.approx(1.0 / np.sqrt(10.0), abs=0.03)
    assert by_key["aperiodic_exponent"].met
    assert by_key["alpha_peak"].met
    assert [one.key for one in judged if not one.met] == ["rate:I"]


def test_the_head_changes_the_amplitude_alone(spectrum_target: SpectrumTarget) -> None:
    others = replace(spectrum_target, sensor=FourSphereHead(conductivities_S_per_m=(0.47, 1.71, 0.02, 0.41)))
    first, second = (judge(response(1), CircuitTargets(spectrum=target)) for target in (spectrum_target, others))
    assert [one.value for one in first] == pytest.approx([one.value for one in second], rel=1e-6)


def test_of_a_stopped_run_the_rates_until_then_count(spectrum_target: SpectrumTarget) -> None:
    stopped = CircuitResponse(spikes(1, 400.0, {"E": 5.0, "I": 90.0}), "I ran away", simulated_ms=400.0)
    by_key = {one.key: one for one in judge(stopped, CircuitTargets(POPULATIONS, spectrum_target))}
    assert by_key["rate:I"].value == pytest.approx(90.0, rel=0.15)
    missing = [key for key, one in by_key.items() if one.value is None]
    assert missing == [
        "cv_isi:E", "fraction_silent:E", "synchrony:I", "aperiodic_exponent", "alpha_peak", "spectral_shape",
    ]  # fmt: skip


def test_a_silent_population_has_a_rate_but_no_irregularity() -> None:
    silent = CircuitResponse(spikes(1, 1000.0, {"E": 0.0, "I": 20.0}))
    by_key = {one.key: one for one in judge(silent, CircuitTargets(POPULATIONS))}
    assert (by_key["rate:E"].value, by_key["rate:E"].deviation) == (0.0, -10.0)
    assert by_key["fraction_silent:E"].value == 1.0
    assert by_key["cv_isi:E"].value is None


def test_seeds_are_averaged_and_their_noise_known(spectrum_target: SpectrumTarget) -> None:
    responses = [response(seed) for seed in range(1, 6)]
    repeated = judge_seeds(responses, CircuitTargets(POPULATIONS, spectrum_target))
    by_key = {one.judged.key: one for one in repeated}
    rates = [response.spikes.of("E").counts.mean() / 20.0 for response in responses]
    assert by_key["rate:E"].per_seed == pytest.approx(rates)
    assert by_key["rate:E"].judged.value == pytest.approx(np.mean(rates))
    assert by_key["rate:E"].standard_error == pytest.approx(np.std(rates, ddof=1) / np.sqrt(5.0))
    exponent = by_key["aperiodic_exponent"]
    assert exponent.judged.value == pytest.approx(1.2, abs=0.1)
    assert len([value for value in exponent.per_seed if value is not None]) == 5
    assert exponent.standard_error is not None
    # 0.033 is the standard deviation between 40 groups of five such runs (the jackknife of these is 0.039 on average).
    assert 0.011 < exponent.standard_error < 0.1


def test_one_seed_has_no_noise_and_a_stopped_one_no_spectrum(spectrum_target: SpectrumTarget) -> None:
    targets = CircuitTargets(POPULATIONS, spectrum_target)
    alone = judge_seeds([response(1)], targets)
    assert [one.judged for one in alone] == list(judge(response(1), targets))
    assert all(one.standard_error is None for one in alone)
    stopped = CircuitResponse(spikes(2, 400.0), "I ran away")
    both = {one.judged.key: one for one in judge_seeds([response(1), stopped], targets)}
    assert both["aperiodic_exponent"].judged.value is None
    assert both["aperiodic_exponent"].per_seed[1] is None
    assert both["rate:E"].judged.value is not None


def test_a_stage_takes_the_targets_of_what_it_simulates(spectrum_target: SpectrumTarget) -> None:
    targets = CircuitTargets(POPULATIONS, spectrum_target)
    assert [one.population for one in targets.of(("I",)).populations] == ["I"]
    assert targets.of(("I",)).spectrum is None
    assert targets.of((), with_spectrum=True).spectrum == spectrum_target


def test_refuses_what_cannot_be_judged(spectrum_target: SpectrumTarget) -> None:
    with pytest.raises(ModelError, match="'X', which was not simulated; simulated were E, I"):
        judge(response(1), CircuitTargets((PopulationTarget("X", Target(1.0, 0.1)),)))
    with pytest.raises(ModelError, match="set `signals` of the trial"):
        judge(CircuitResponse(spikes(1)), CircuitTargets(spectrum=spectrum_target))
    with pytest.raises(ModelError, match="one target for each population"):
        CircuitTargets((POPULATIONS[0], POPULATIONS[0]))
    with pytest.raises(ModelError, match="targets of a circuit are empty"):
        CircuitTargets()
    with pytest.raises(ModelError, match="at least one seed"):
        judge_seeds([], CircuitTargets(POPULATIONS))
    short = Signal(np.ones((3, 100)), 1000.0, "nA um", ("x", "y", "z"))
    with pytest.raises(FeatureError, match="resolution"):
        judge(CircuitResponse(spikes(1), dipole=short), CircuitTargets(spectrum=spectrum_target))
