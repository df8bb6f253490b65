"""The report stage of a circuit's campaign: gathers what the folder holds and writes the page."""

from __future__ import annotations

import math
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.confirming import final_trials, read_final
from rheobase.campaigns.circuits.evoked_waves import evoked_waves
from rheobase.campaigns.circuits.report.data import (
    CircuitReportData,
    FinalRun,
    LaminarPotential,
    MeasuredSpectrum,
    RateTarget,
    ReportedPopulation,
    ReportedStage,
    SpectrumTarget,
    StageTrial,
)
from rheobase.campaigns.circuits.report.main import write_main_figure
from rheobase.campaigns.circuits.report.page import render_circuit_report
from rheobase.campaigns.circuits.reported_gains import (
    judged_unitary,
    reported_backgrounds,
    reported_gains,
    reported_unitary,
)
from rheobase.campaigns.circuits.stages import build_stages, tuning_targets
from rheobase.campaigns.circuits.trial_record import read_trials
from rheobase.campaigns.circuits.unitary_limits import held_sentences
from rheobase.campaigns.progress import working
from rheobase.campaigns.writing import replacing, write_whole
from rheobase.features.signals.peaks import NoPeak, SpectralPeak
from rheobase.features.signals.spectral_measurement import measure_spectrum
from rheobase.fitting.circuits.judging import at_rest, judge_seeds, signal_spectrum
from rheobase.objectives.spectra import has_power, mean_spectrum

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.folder import CircuitFolder
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.subject import Subject
    from rheobase.campaigns.circuits.trial_record import RecordedTrial
    from rheobase.features.signals.spectrum import Spectrum
    from rheobase.fitting.circuits.circuit import CircuitResponse
    from rheobase.fitting.circuits.judging import CircuitTargets
    from rheobase.fitting.tuning.progress import Sensitivity, StageProgress
    from rheobase.fitting.tuning.stage import TuningStage
    from rheobase.fitting.tuning.tuner import Tuner
    from rheobase.objectives.noise import Repeated

_PACKAGES = ("rheobase", "neuron", "optuna", "ray", "numpy")


def write_report(
    campaign: CircuitCampaign,
    subject: Subject,
    targets: CircuitTargets,
    tuner: Tuner,
    folder: CircuitFolder,
) -> str:
    """Write report.html and its main figure.

    Returns:
        What there is to say about the result, in one or more lines.
    """
    with working("report"):
        responses = read_final(folder)
        judged = judge_seeds(responses, targets)
        data = gather(campaign, subject, targets, tuner, folder, responses, judged)
        write_whole(folder.report, render_circuit_report(data))
        with replacing(folder.figure) as aside:
            if not write_main_figure(data, aside):
                aside.write_bytes(b"")
    return describe((*judged, *judged_unitary(data.unitary)), data.sentences)


def describe(judged: tuple[Repeated, ...], sentences: tuple[str, ...]) -> str:
    """The verdict in words: what is met with unseen seeds, what is not, and what stands in the way."""
    missed = [one for one in judged if not one.judged.met]
    seeds = max((len(one.per_seed) for one in judged), default=0)
    if not missed:
        return f"All {len(judged)} targets are met, as means over {seeds} seeds that the tuning has not seen"
    lines = [f"Not met with {seeds} unseen seeds: {len(missed)} of {len(judged)} targets"]
    for one in missed:
        value = "none" if one.judged.value is None else f"{one.judged.value:.3g} {one.judged.unit}".strip()
        wanted = f"{one.judged.target:.3g} +- {one.judged.tolerance:.2g} {one.judged.unit}".strip()
        lines.append(f"  {one.judged.key}: {value}, wanted {wanted}")
    return "\n".join([*lines, *(f"  {sentence}" for sentence in sentences)])


def gather(
    campaign: CircuitCampaign,
    subject: Subject,
    targets: CircuitTargets,
    tuner: Tuner,
    folder: CircuitFolder,
    responses: tuple[CircuitResponse, ...],
    judged: tuple[Repeated, ...],
) -> CircuitReportData:
    """Everything that the report shows."""
    parameters = tuner.parameters
    trials = list(read_trials(folder.trials))
    stages = {stage.name: stage for stage in build_stages(campaign, subject, targets)}
    progress = tuner.progress()
    spectra = (
        []
        if targets.spectrum is None
        else [signal_spectrum(at_rest(response, targets), targets.spectrum) for response in responses]
    )
    whole = [spectrum for spectrum in spectra if spectrum is not None]
    return CircuitReportData(
        name=campaign.name,
        description=campaign.description,
        populations=tuple(
            ReportedPopulation(name, subject.layer_of(name), name.rpartition("_")[2], size)
            for name, size in subject.populations.items()
        ),
        rates={
            name: RateTarget(
                rate.mean, campaign.targets.tolerance_Hz(name), rate.std, rate.units, _quantiles_Hz(targets, name)
            )
            for name, rate in campaign.targets.rates.items()
        },
        runs=tuple(
            FinalRun(
                trial.seed, _rates(at_rest(response, targets)), _measured(spectra[place], targets) if spectra else None
            )
            for place, (trial, response) in enumerate(zip(final_trials(campaign, parameters), responses, strict=False))
        ),
        met=all(one.judged.met for one in judged),
        sentences=(
            *(
                f"{stage.name}: {sentence}"
                for stage in progress
                if stage.verdict is not None and not stage.verdict.met
                for sentence in stage.verdict.sentences
            ),
            *held_sentences(parameters, folder),
        ),
        spikes=responses[0].spikes if responses else None,
        spectrum_target=_spectrum_target(campaign, targets),
        spectrum=_measured(mean_spectrum(whole), targets) if whole else None,
        evoked=evoked_waves(responses, targets),
        laminar=_laminar(campaign, responses),
        others=tuple(one for one in judged if one.judged.name != "rate"),
        stages=tuple(_stage(stages[one.name], one, trials, campaign, targets) for one in progress),
        unitary=reported_unitary(campaign, folder),
        gains=tuple(reported_gains(subject, parameters)),
        backgrounds=tuple(reported_backgrounds(subject, parameters)),
        sensitivity=_last_sensitivity(progress),
        wall_seconds=float(folder.base.read_state().get("seconds", 0.0)),
        cpu_seconds=sum(stage.cpu_seconds for stage in progress) + sum(one.cpu_seconds for one in responses),
        environment=(
            ("Python", platform.python_version()),
            *((name, version(name)) for name in _PACKAGES),
            ("machine", f"{platform.system()} {platform.machine()}"),
        ),
        source=campaign.targets.source,
    )


def _laminar(campaign: CircuitCampaign, responses: tuple[CircuitResponse, ...]) -> LaminarPotential | None:
    if not campaign.electrodes or not responses or responses[0].potential is None:
        return None
    return LaminarPotential(campaign.electrodes, responses[0].potential)


def _quantiles_Hz(targets: CircuitTargets, population: str) -> dict[float, float]:
    """Quantiles of the recorded rates by probability; none where only their mean is known."""
    wanted = next((one.rates for one in targets.populations if one.population == population), None)
    return {} if wanted is None else dict(zip(wanted.rates.probabilities, wanted.rates.quantiles, strict=True))


def _rates(response: CircuitResponse) -> dict[str, float]:
    spikes = response.spikes
    return {
        name: float(spikes.counts[spikes.units.population_of == place].mean() / spikes.duration_s)
        for place, name in enumerate(spikes.units.populations)
    }


def _measured(spectrum: Spectrum | None, targets: CircuitTargets) -> MeasuredSpectrum | None:
    if spectrum is None or targets.spectrum is None:
        return None
    wanted = targets.spectrum.targets
    if not has_power(spectrum, wanted):
        return MeasuredSpectrum(spectrum)
    found = measure_spectrum(spectrum, wanted.plan)
    peak_Hz = found.alpha_peak.centre_Hz if isinstance(found.alpha_peak, SpectralPeak) else None
    return MeasuredSpectrum(spectrum, found.aperiodic_exponent, found.aperiodic_offset_log10, peak_Hz)


def _spectrum_target(campaign: CircuitCampaign, targets: CircuitTargets) -> SpectrumTarget | None:
    if targets.spectrum is None or campaign.targets.spectrum is None:
        return None
    wanted, keys = targets.spectrum.targets, campaign.targets.spectrum
    peak = wanted.alpha_peak
    return SpectrumTarget(
        exponent=wanted.aperiodic_exponent.mean,
        exponent_tolerance=keys.exponent_tolerance,
        fitted_Hz=wanted.plan.aperiodic_range_Hz,
        peak_Hz=None if isinstance(peak, NoPeak) or "alpha_peak" not in keys.measures else peak.mean,
        peak_tolerance_Hz=keys.alpha_tolerance,
        shape=wanted.shape,
        bands=wanted.plan.bands,
        source=wanted.source,
    )


def _stage(
    stage: TuningStage,
    progress: StageProgress,
    trials: list[RecordedTrial],
    campaign: CircuitCampaign,
    targets: CircuitTargets,
) -> ReportedStage:
    known = {target.key: target for target in (*tuning_targets(campaign, targets), *stage.targets)}
    wanted = [known[target.key] for target in stage.targets]
    shown = []
    for number, trial in enumerate((trial for trial in trials if trial.stage == stage.name), start=1):
        values = trial.told.outcome.values
        deviations = [target.judged(values.get(target.key)).deviation for target in wanted]
        stopped = trial.told.outcome.stopped is not None
        shown.append(
            StageTrial(
                number,
                math.inf if stopped else max(map(abs, deviations)),
                math.inf if stopped else sum(deviation**2 for deviation in deviations),
                trial.origin,
            )
        )
    ended = [trial.ended for trial in trials if trial.stage == stage.name]
    return ReportedStage(
        name=stage.name,
        free=tuple(knob.name for knob in stage.free),
        targets=len(stage.targets),
        state=progress.state,
        simulations=progress.simulations,
        stopped=progress.stopped,
        simulated_s=progress.simulated_ms / 1000.0,
        cpu_seconds=progress.cpu_seconds,
        wall_seconds=ended[-1] - ended[0] if len(ended) > 1 else None,
        sentences=progress.verdict.sentences if progress.verdict is not None else (),
        trials=tuple(shown),
    )


def _last_sensitivity(progress: tuple[StageProgress, ...]) -> Sensitivity | None:
    """Of the last stage that looked at all gains, not at single projections."""
    chosen = [stage for stage in progress if stage.sensitivity is not None and len(stage.sensitivity.knobs) <= 40]
    return chosen[-1].sensitivity if chosen else None
