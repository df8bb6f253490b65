"""A made-up campaign of a circuit of 16 populations and 290 cells, as a real one would fill its report."""

from __future__ import annotations

import math

import numpy as np

from rheobase.campaigns.circuits.report.data import (
    BackgroundFactor,
    CircuitReportData,
    ComponentMark,
    EvokedWave,
    FinalRun,
    LaminarPotential,
    MeasuredSpectrum,
    ProjectionGain,
    RateTarget,
    ReportedPopulation,
    ReportedStage,
    SpectrumTarget,
    StageTrial,
    UnitaryPotential,
)
from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.signals.bands import Band
from rheobase.features.signals.signal import Signal
from rheobase.features.signals.spectral_targets import SpectralShape
from rheobase.features.signals.spectrum import Spectrum
from rheobase.fitting.tuning.progress import Sensitivity
from rheobase.objectives.noise import Repeated
from rheobase.objectives.objective import Judged

# Layer: cells and mean rate (Hz) of E, PV, SST, VIP; rates as in facts of mouse V1 (Billeh et al. 2020).
LAYERS = {
    "L23": ((60, 1.53), (9, 7.93), (5, 3.8), (8, 14.7)),
    "L4": ((62, 3.57), (11, 10.5), (5, 3.8), (4, 3.1)),
    "L5": ((52, 5.71), (9, 12.0), (7, 3.9), (3, 11.6)),
    "L6": ((42, 3.09), (7, 12.3), (4, 10.3), (2, 6.7)),
}
KINDS = ("E", "PV", "SST", "VIP")
CONFLICTS = (
    "rate:L4_PV and rate:L4_E exclude each other: both depend on L4 I->E, L4 E->I",
    "at their bounds: L4 I->I (at its lower bound, 0.25)",
)
QUANTILES = {0.0: 0.0, 0.05: 0.04, 0.25: 0.25, 0.5: 0.62, 0.75: 1.3, 0.95: 3.2, 1.0: 9.0}
BANDS = (("delta", 1.0, 4.0), ("theta", 4.0, 8.0), ("alpha", 8.0, 12.0), ("beta", 12.0, 30.0), ("gamma", 30.0, 80.0))
SEEDS = (101, 102, 103, 104, 105)


def example_data(
    missed: bool = False, duration_ms: float = 3000.0, layers: tuple[str, ...] = tuple(LAYERS)
) -> CircuitReportData:
    """A campaign with everything that a report can show.

    Args:
        missed: Whether a rate is far off and the spectrum has no peak.
        duration_ms: Of the run whose spikes are shown.
        layers: Which layers there are; L4 at least.
    """
    rng = np.random.default_rng(1)
    populations = tuple(
        ReportedPopulation(f"{layer}_{kind}", layer, kind, size)
        for layer in layers
        for kind, (size, _) in zip(KINDS, LAYERS[layer], strict=True)
    )
    means = {f"{layer}_{kind}": mean for layer in layers for kind, (_, mean) in zip(KINDS, LAYERS[layer], strict=True)}
    rates = {name: rate_target(mean, name.endswith("_E")) for name, mean in means.items()}
    factors = {name: 4.0 if missed and name == "L4_PV" else rng.uniform(0.9, 1.1) for name in means}
    runs = tuple(
        FinalRun(
            seed,
            {name: mean * factors[name] * rng.uniform(0.93, 1.07) for name, mean in means.items()},
            measured_spectrum(rng, 0.2, not missed),
        )
        for seed in SEEDS
    )
    return CircuitReportData(
        name="cortical_column",
        description="A column of mouse V1: 290 cells in four layers, tuned to spontaneous rates and a resting EEG.",
        populations=populations,
        rates=rates,
        runs=runs,
        met=not missed,
        sentences=CONFLICTS if missed else (),
        spikes=spike_trains(rng, populations, {name: means[name] * factors[name] for name in means}, duration_ms),
        spectrum_target=spectrum_target(),
        spectrum=measured_spectrum(rng, 0.08, not missed),
        evoked=evoked(rng),
        laminar=laminar(rng),
        others=(
            Repeated(Judged("aperiodic_exponent", 1.17, 1.18, 0.15, ""), (1.2, 1.15, 1.16, 1.19, 1.15), 0.02),
            Repeated(
                Judged("alpha_peak", None if missed else 10.1, 10.1, 1.0, "Hz"), 5 * (None if missed else 10.1,), None
            ),
            Repeated(Judged("spectral_shape", 0.41 if missed else 0.13, 0.0, 0.25, ""), 5 * (0.2,), None),
            Repeated(Judged("cv_isi", 0.93, 1.0, 0.2, "", "L23_E"), (0.9, 0.95, 0.92, 0.94, 0.94), 0.01),
            Repeated(Judged("alpha", 0.31, 0.35, 0.08, ""), (0.29, 0.3, 0.33, 0.34, 0.29), 0.01),
        ),
        stages=stages(rng, missed, layers),
        gains=gains(rng, populations),
        backgrounds=tuple(BackgroundFactor(name, float(rng.lognormal(0.0, 0.4))) for name in means),
        unitary=unitary(),
        sensitivity=sensitivity(rng, tuple(means), layers),
        wall_seconds=2610.0,
        cpu_seconds=4730.0,
        environment=(("rheobase", "0.2.0"), ("NEURON", "9.0.2"), ("Processors", "2")),
        source="Neuropixels recordings of mouse V1, spontaneous (Billeh et al. 2020)",
    )


def rate_target(mean_Hz: float, many: bool) -> RateTarget:
    """Of excitatory populations the quantiles are known too."""
    units, std_Hz = (500, mean_Hz * 1.3) if many else (20, mean_Hz * 0.6)
    quantiles_Hz = {probability: mean_Hz * quantile for probability, quantile in QUANTILES.items()}
    return RateTarget(mean_Hz, max(0.2 * mean_Hz, 0.3), std_Hz, units, quantiles_Hz if many else {})


def measured_spectrum(rng: np.random.Generator, noise: float, peak: bool) -> MeasuredSpectrum:
    """1 / f with a bump at 10 Hz, or without."""
    frequencies_Hz = np.arange(0.0, 100.25, 0.5)
    power = 1e-9 * log_spectrum(np.maximum(frequencies_Hz, 0.5), peak) * rng.lognormal(0.0, noise, len(frequencies_Hz))
    spectrum = Spectrum(frequencies_Hz, power[np.newaxis], "uV^2/Hz", ("EEG",))
    exponent = 1.17 + 0.3 * float(rng.normal(0.0, noise))
    return MeasuredSpectrum(spectrum, exponent, -9.0, 10.1 if peak else None)


def evoked(rng: np.random.Generator) -> tuple[EvokedWave, ...]:
    """A click with an N1, and the difference that deviants make."""
    times_ms = np.arange(-50.0, 400.0)
    found = []
    for name, size, latency_ms in (("clicks", -4.0, 100.0), ("mismatch", -2.0, 170.0)):
        wave = size * np.exp(-0.5 * ((times_ms - latency_ms) / 25.0) ** 2)
        seeds = tuple(wave + rng.normal(0.0, 0.15, len(times_ms)) for _ in SEEDS)
        mark = ComponentMark("N1" if name == "clicks" else "MMN", (latency_ms - 40.0, latency_ms + 60.0),
                             (latency_ms - 10.0, latency_ms + 10.0), (1.1 * size - 0.5, 1.1 * size + 0.5))  # fmt: skip
        found.append(EvokedWave(name, times_ms, np.mean(seeds, axis=0), seeds, "uV", (mark,)))
    return tuple(found)


def laminar(rng: np.random.Generator) -> LaminarPotential:
    """A sink at 400 um, ten times a second."""
    depths_um, times_ms = np.arange(100.0, 1000.0, 100.0), np.arange(500.0, 1500.0)
    rhythm = 0.5 + 0.5 * np.sin(2.0 * np.pi * times_ms / 100.0)
    values = -0.02 * np.exp(-0.5 * ((depths_um[:, None] - 400.0) / 150.0) ** 2) * rhythm
    values += rng.normal(0.0, 2e-4, values.shape)
    signal = Signal(values, 1000.0, "mV", tuple(f"{depth:g} um" for depth in depths_um), 500.0)
    return LaminarPotential(tuple(depths_um.tolist()), signal)


def log_spectrum(frequencies_Hz: np.ndarray, peak: bool = True) -> np.ndarray:
    """Power with or without an alpha peak."""
    bump = 0.75 * np.exp(-0.5 * ((frequencies_Hz - 10.0) / 1.3) ** 2)
    return 10.0 ** (-1.17 * np.log10(frequencies_Hz) + (bump if peak else 0.0))


def spectrum_target() -> SpectrumTarget:
    """With a shape, an alpha peak and bands."""
    grid_Hz = np.arange(3.0, 30.5, 0.5)
    shape = np.log10(log_spectrum(grid_Hz)) + 0.06 * np.sin(grid_Hz / 2.0)
    shape -= shape.mean()
    return SpectrumTarget(
        exponent=1.18,
        exponent_tolerance=0.15,
        peak_Hz=10.1,
        shape=SpectralShape(tuple(grid_Hz.tolist()), tuple(shape.tolist())),
        bands=tuple(Band(*band) for band in BANDS),
        source="resting EEG, eyes closed, 29 subjects",
    )


def spike_trains(
    rng: np.random.Generator,
    populations: tuple[ReportedPopulation, ...],
    rates_Hz: dict[str, float],
    duration_ms: float,
) -> SpikeTrains:
    """Spikes that come a little together, ten times a second; rates differ between cells."""
    sizes = {entry.name: entry.size for entry in populations}
    cell_rates_Hz = np.concatenate([rates_Hz[name] * rng.lognormal(-0.3, 0.8, size) for name, size in sizes.items()])
    counts = rng.poisson(cell_rates_Hz * duration_ms / 1000.0)
    times_ms = rng.uniform(0.0, duration_ms, counts.sum())
    times_ms = np.clip(times_ms + 9.0 * np.sin(2.0 * np.pi * times_ms / 100.0), 0.0, duration_ms)
    return SpikeTrains(
        500.0 + times_ms, np.repeat(np.arange(len(counts)), counts), Units.from_sizes(sizes), 500.0, 500.0 + duration_ms
    )


def stages(rng: np.random.Generator, missed: bool, layers: tuple[str, ...]) -> tuple[ReportedStage, ...]:
    """The standard recipe; where a rate is missed the full circuit is never met."""
    pairs = ("E->E", "E->I", "I->E", "I->I")
    all_pairs = tuple(f"{layer} {pair}" for layer in layers for pair in pairs)
    backgrounds = tuple(f"background {layer}_{kind}" for layer in layers for kind in KINDS)
    plan = [("background", backgrounds, 16, 12, 8.0)]
    for n, layer in enumerate(layers):
        plan.append((f"layer {layer}", tuple(f"{layer} {pair}" for pair in pairs), 4 * (n + 1), 26, 14.0))
    plan += [
        ("full circuit", all_pairs, 16, 48, 10.0),
        ("single projections", ("L4_E->L23_E", "L5_E->L6_PV"), 16, 18, 3.0),
        ("spectrum", ("modulation", "tonic inhibition"), 19, 22, 3.0),
        ("unseen seeds", (), 19, 5, 1.0),
    ]
    return tuple(_stage(rng, entry, missed and place > len(layers)) for place, entry in enumerate(plan))


def _stage(rng: np.random.Generator, entry: tuple[str, tuple[str, ...], int, int, float], bad: bool) -> ReportedStage:
    name, free, targets, count, start = entry
    trials = tuple(_trial(rng, n, count, start, targets, bad) for n in range(count))
    return ReportedStage(
        name=name,
        free=free,
        targets=targets,
        state="not met" if bad else "met",
        simulations=count,
        stopped=sum(one.stopped for one in trials),
        simulated_s=2.5 * count,
        cpu_seconds=14.0 * count,
        wall_seconds=8.0 * count,
        sentences=("rate:L4_PV cannot be 10.5 +- 2.1 Hz",) if bad else (),
        trials=trials,
    )


def _trial(rng: np.random.Generator, n: int, count: int, start: float, targets: int, bad: bool) -> StageTrial:
    origin = ("jacobian", "jacobian_sampled", "optuna_tpe")[n % 3] if n else "probe"
    if n and rng.random() < 0.08:
        return StageTrial(n + 1, math.inf, math.inf, origin)
    worst = (2.5 if bad else 0.4) + start * math.exp(-4.0 * n / count) * rng.lognormal(0.0, 0.4)
    return StageTrial(n + 1, worst, targets * (0.45 * worst) ** 2, origin)


def gains(rng: np.random.Generator, populations: tuple[ReportedPopulation, ...]) -> tuple[ProjectionGain, ...]:
    """All pairs but those from VIP cells to others than SST."""
    conductance_nS = {"E": 0.3, "PV": 0.8, "SST": 0.6, "VIP": 0.35}
    found = [
        ProjectionGain(source.name, target.name, factor, conductance_nS[source.kind] * factor * rng.uniform(0.7, 1.4))
        for source in populations
        for target in populations
        if (source.kind != "VIP" or target.kind == "SST") and (source.layer == target.layer or rng.random() < 0.6)
        for factor in (float(rng.lognormal(0.0, 0.45)),)
    ]
    found += [ProjectionGain("thalamus", f"L4_{kind}", float(rng.lognormal(0.0, 0.2)), 0.5) for kind in ("E", "PV")]
    return tuple(found)


def unitary() -> tuple[UnitaryPotential, ...]:
    """Measured values from the paired recordings that facts name; one is known of the model alone."""
    return (
        UnitaryPotential("L4_E", "L4_E", 0.41, 0.36, 3.0),
        UnitaryPotential("L5_E", "L5_E", 0.22, 0.31, 3.0),
        UnitaryPotential("L23_E", "L23_PV", 0.55, 0.38, 3.0),
        UnitaryPotential("L4_E", "L4_PV", 0.71, 0.62, 3.0),
        UnitaryPotential("L23_E", "L23_SST", 0.16, 0.30, 3.0),
        UnitaryPotential("L4_PV", "L4_E", -0.92, 0.60, 3.0),
        UnitaryPotential("L23_PV", "L23_PV", -0.48, 0.65, None),
        UnitaryPotential("L23_SST", "L23_E", -0.33, 0.29, 3.0),
        UnitaryPotential("L6_E", "L6_PV", 0.44),
    )


def sensitivity(rng: np.random.Generator, populations: tuple[str, ...], layers: tuple[str, ...]) -> Sensitivity:
    """Rates and the spectrum against sixteen factors."""
    knobs = tuple(f"{layer} {pair}" for layer in layers for pair in ("E->E", "E->I", "I->E", "I->I"))
    targets = (*(f"rate:{name}" for name in populations), "aperiodic_exponent", "alpha_peak")
    slopes = rng.normal(0.0, 0.15, (len(targets), len(knobs)))
    for row, target in enumerate(targets):
        for column, knob in enumerate(knobs):
            if target[5:].startswith(knob.split(" ")[0]):
                slopes[row, column] += (0.9, 0.5, -0.8, -0.3)[column % 4] * (1.0 if target.endswith("_E") else 0.5)
    errors = np.full_like(slopes, 0.12)
    return Sensitivity(targets, knobs, tuple(map(tuple, slopes.tolist())), tuple(map(tuple, errors.tolist())))
