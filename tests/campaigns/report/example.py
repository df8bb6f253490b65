"""A campaign's outcome made up to look like a real one: a pyramidal cell with adapting spike trains."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from rheobase.campaigns.report.data import ModelTrace, RecordedTrace, ReportData
from rheobase.campaigns.report.stages import FidelityLine, StageLine
from rheobase.features.target_stimuli import ProtocolStimulus
from rheobase.features.targets import (
    CellSummary,
    FeatureTarget,
    FeatureTargets,
    ProtocolTargets,
)
from rheobase.fitting.ensembles.ensemble import Ensemble, Member
from rheobase.fitting.search.space import Dimension
from rheobase.objectives.scores import z_score

STEPS = (
    ("IV_-100", -100.0, 1000.0),
    ("IDrest_110", 110.0, 2000.0),
    ("IDrest_150", 150.0, 2000.0),
    ("IDrest_200", 200.0, 2000.0),
    ("IDrest_300", 300.0, 2000.0),
    ("APWaveform_280", 280.0, 50.0),
)
MANY_STEPS = (
    *STEPS,
    ("IV_-40", -40.0, 1000.0),
    ("IV_20", 20.0, 1000.0),
    ("IDrest_130", 130.0, 2000.0),
    ("IDrest_250", 250.0, 2000.0),
    ("IDhyperpol_200", 200.0, 2000.0),
    ("sAHP_250", 250.0, 400.0),
)
DIMENSIONS = (
    Dimension("gNaTgbar_NaTg.axonal", 1e-2, 1.5),
    Dimension("gNaTgbar_NaTg.somatic", 1e-3, 0.3),
    Dimension("gK_Tstbar_K_Tst.axonal", 1e-4, 0.2, logarithmic=True),
    Dimension("gSKv3_1bar_SKv3_1.somatic", 1e-3, 1.0, logarithmic=True),
    Dimension("gImbar_Im.apical", 1e-6, 1e-3, logarithmic=True),
    Dimension("gCa_HVAbar_Ca_HVA.somatic", 1e-6, 1e-3, logarithmic=True),
    Dimension("decay_CaDynamics_E2.somatic", 20.0, 300.0),
    Dimension("g_pas.all", 1e-5, 6e-5),
    Dimension("e_pas.all", -95.0, -60.0),
)
UNITS = {
    **{dimension.name: "S/cm2" for dimension in DIMENSIONS},
    "decay_CaDynamics_E2.somatic": "ms",
    "e_pas.all": "mV",
}


def membrane_potential(
    step: tuple[str, float, float], rng: np.random.Generator, samples: int, noise_mV: float
) -> tuple[np.ndarray, np.ndarray]:
    """Time from step onset (ms) and voltage (mV) of a cell whose rate and spike shape vary with `rng`."""
    _, percent, length = step
    time = np.linspace(-100.0, length + 100.0, samples)
    rest, tau = rng.normal(-80.0, 0.6), rng.normal(16.0, 1.5)
    final = min(percent, 100.0) * rng.normal(0.22, 0.012)
    charging = np.where(time > 0, 1 - np.exp(-np.clip(time, 0, None) / tau), 0.0)
    falling = np.where(time > length, np.exp(-np.clip(time - length, 0, None) / tau), 1.0)
    voltage = rest + final * charging * falling
    if percent > 100.0:
        at, interval = rng.normal(1800.0, 120.0) / percent, rng.normal(9000.0, 500.0) / (percent - 60.0)
        peak = rng.normal(32.0, 2.0)
        while at < length:
            since = time - at
            spike = (peak - rest - final) * np.exp(-((since / np.where(since < 0, 0.28, 0.55)) ** 2))
            after = -rng.normal(9.0, 0.5) * np.where(since > 0.8, np.exp(-np.clip(since, 0, None) / 25.0), 0.0)
            voltage = voltage + spike + after
            peak += (24.0 - peak) * 0.2
            interval *= 1.03
            at += interval * rng.normal(1.0, 0.03)
    return time, voltage + rng.normal(0.0, noise_mV, samples)


def example_targets(steps: tuple[tuple[str, float, float], ...] = STEPS) -> FeatureTargets:
    protocols = []
    for name, percent, length in steps:
        if percent < 100.0:
            features = [FeatureTarget("voltage_deflection", 0.22 * percent, 1.4, "mV", 5, 14)]
            features += [FeatureTarget("sag_ratio1", 0.12, 0.03, "", 5, 14)] if percent < 0 else []
        elif length <= 100.0:
            features = [
                FeatureTarget("AP_amplitude", 88.2, 4.1, "mV", 5, 10),
                FeatureTarget("AP1_peak", 31.0, 3.2, "mV", 5, 10),
                FeatureTarget("AP_duration_half_width", 0.93, 0.11, "ms", 5, 10),
            ]
        else:
            rate = (percent - 60.0) / 11.0
            features = [
                FeatureTarget("mean_frequency", rate, 0.12 * rate + 0.3, "Hz", 5, 15),
                FeatureTarget("Spikecount", rate * length / 1000, 0.12 * rate + 0.6, "", 5, 15),
                FeatureTarget("AHP_depth", 17.6, 2.1, "mV", 5, 15),
                FeatureTarget("time_to_first_spike", 1800.0 / percent, 1.9, "ms", 5, 15),
                FeatureTarget("adaptation_index2", 0.011, 0.006, "", 5, 15),
            ]
        protocols.append(
            ProtocolTargets(name, ProtocolStimulus.step(percent, length), percent * 0.0021, tuple(features))
        )
    return FeatureTargets(
        holding_voltage_mV=-83.0,
        threshold_duration_ms=2000.0,
        intrinsic=(
            FeatureTarget("resting_potential", -76.4, 2.6, "mV", 5, 5),
            FeatureTarget("input_resistance", 44.1, 6.8, "MOhm", 5, 5),
            FeatureTarget("holding_current", -0.094, 0.03, "nA", 5, 5),
            FeatureTarget("threshold_current", 0.21, 0.034, "nA", 5, 5),
        ),
        protocols=tuple(protocols),
        junction_potential_mV=14.0,
        cells=tuple(
            CellSummary(f"cell_{place}", 0.19 + 0.012 * place, -0.08 - 0.006 * place, -83.0, 14 + place, place != 3)
            for place in range(5)
        ),
        notes=(
            "cell_5: left out, no sweep spikes",
            "IDrest_300: burst_number left out, measured in one cell only",
        ),
    )


def example_record(targets: FeatureTargets, evaluations: int, closeness: float, seed: int = 3) -> pd.DataFrame:
    """Evaluations that get closer to the targets; `closeness` is where the best ends (standard deviations)."""
    rng = np.random.default_rng(seed)
    rows = []
    clock = 1.76e9
    for number in range(evaluations):
        stage, place_in_stage = ("coarse", number) if number < evaluations // 2 else ("fine", number - evaluations // 2)
        distance = closeness * (1.0 + 7.0 * math.exp(-number / (0.25 * evaluations)) + rng.exponential(0.5))
        failure = None
        if rng.random() < 0.05 + 0.3 * math.exp(-number / (0.15 * evaluations)):
            failure = str(
                rng.choice(
                    [
                        "threshold: no spike up to 5 nA",
                        "resting_potential: -41.2 mV is 31 standard deviations off",
                        "holding: the cell fires when held at -83.0 mV",
                    ],
                    p=[0.5, 0.35, 0.15],
                )
            )
        features = {}
        together = {target.feature: rng.normal(0.0, 0.9) for target in targets.objectives.values()}
        for place, (name, target) in enumerate(targets.objectives.items()):
            if failure is None or place < 1:
                deviation = float(together[target.feature] + rng.normal(0.0, 0.4))
                value = target.mean + target.std * distance * deviation
                features[name] = max(value, 0.0) if target.mean > 0 else value
        scores = {
            name: z_score(features.get(name), target.mean, target.std) for name, target in targets.objectives.items()
        }
        excluded = stage == "fine" and number % 9 == 4
        if excluded:  # of its scores, lower bounds of a few are known
            failure = None
            scores = {name: score for place, (name, score) in enumerate(scores.items()) if place < 4}
            features = {name: value for name, value in features.items() if name in scores}
        cpu = float(rng.gamma(3.0, 0.6) if failure else rng.gamma(12.0, 1.0))
        clock += cpu / 2
        rows.append(
            {
                "search": stage, "number": place_in_stage, "failure": failure, "cpu_seconds": cpu, "ended": clock,
                "excluded": excluded, "fidelity": "100 um, 0.001" if stage == "coarse" else "40 um, 0.001",
                **{
                    f"parameter.{entry.name}": entry.value(float(np.clip(rng.normal(0.4, 0.15), 0, 1)))
                    for entry in DIMENSIONS
                },
                **{f"feature.{name}": features.get(name, math.nan) for name in targets.objectives},
                **{f"score.{name}": scores.get(name, math.nan) for name in targets.objectives},
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def example_ensemble(targets: FeatureTargets, record: pd.DataFrame, members: int, largest_score: float) -> Ensemble:
    """The best rows of the second stage."""
    columns = [f"score.{name}" for name in targets.objectives]
    record = record[(record["search"] == "fine") & ~record["excluded"]] if len(record) else record
    scores = record[columns].to_numpy(dtype=float) if len(record) else np.zeros((0, len(columns)))
    chosen = np.argsort(scores.sum(axis=1))[:members]
    models = []
    for place in chosen:
        row = record.iloc[int(place)]
        features = {name: float(row[f"feature.{name}"]) for name in targets.objectives}
        models.append(
            Member(
                number=int(row["number"]),
                parameters={entry.name: float(row[f"parameter.{entry.name}"]) for entry in DIMENSIONS},
                features={name: value for name, value in features.items() if math.isfinite(value)},
                scores={name: float(row[f"score.{name}"]) for name in targets.objectives},
                total=float(scores[place].sum()),
                worst=float(scores[place].max(initial=0.0)),
                accepted=bool(scores[place].max(initial=0.0) <= largest_score),
            )
        )
    accepted = int((scores.max(axis=1, initial=0.0) <= largest_score).sum()) if len(scores) else 0
    return Ensemble("example", largest_score, accepted, tuple(models))


def example_data(
    steps: tuple[tuple[str, float, float], ...] = STEPS,
    evaluations: int = 300,
    members: int = 6,
    closeness: float = 0.9,
    sweeps_per_cell: int = 1,
    recorded_samples: int = 8000,
    simulated_samples: int = 8000,
    noise_mV: float = 0.12,
    surrogates: bool = False,
    name: str = "L5 pyramidal cell, rat",
) -> ReportData:
    """Everything in a report; `closeness` around 1 gives accepted models, around 6 none."""
    targets = example_targets(steps)
    record = example_record(targets, evaluations, closeness)
    ensemble = example_ensemble(targets, record, members, 5.0)
    recorded = {
        step[0]: [
            RecordedTrace(f"cell_{cell}", f"sweep_{sweep}", 0.0021 * step[1], *membrane_potential(
                step, np.random.default_rng([cell, sweep]), recorded_samples, noise_mV
            ))
            for cell in range(5)
            for sweep in range(sweeps_per_cell)
        ]
        for step in steps
    }  # fmt: skip
    simulated = {
        step[0]: [
            ModelTrace(
                member,
                *membrane_potential(step, np.random.default_rng([100 + member]), simulated_samples, 0.0),
            )
            for member in range(len(ensemble.members))
        ]
        for step in steps
    }
    hidden = np.random.default_rng(8)
    return ReportData(
        name=name,
        description="Ion channel densities of thick-tufted layer 5 pyramidal cells, fitted to whole-cell recordings.",
        targets=targets,
        dimensions=DIMENSIONS,
        units=UNITS,
        record=record,
        ensemble=ensemble,
        recorded=recorded,
        simulated=simulated,
        hidden={
            entry.name: [entry.value(float(np.clip(hidden.normal(0.42, 0.05), 0, 1))) for _ in range(5)]
            for entry in DIMENSIONS
        }
        if surrogates
        else {},
        surrogates=surrogates,
        wall_seconds=float(record["ended"].iloc[-1] - record["ended"].iloc[0]) + 9.0 if len(record) else 0.0,
        environment=(
            ("rheobase", "0.1.0"),
            ("NEURON", "9.0.2"),
            ("Python", "3.11.9"),
            ("machine", "Linux, 2 cores"),
        ),
        stages=(
            StageLine("coarse", "ibea", "100 um, 0.001", 27, evaluations // 2, 0, 12, 840.0, 31.4, "its time is over"),
            StageLine("fine", "cma_es", "40 um, 0.001", 27, evaluations - evaluations // 2, 7, 9, 1410.0, 18.2, ""),
        ),
        fidelities=(FidelityLine("100 um, 0.001", 20, 1, -1.24, 6.5, 0.87, 0.42),),
    )
