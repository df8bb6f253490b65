"""The stages of a circuit's campaign: the standard recipe with the campaign's targets and budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.declared_stages import StageParts, with_declared
from rheobase.campaigns.circuits.durations import signals_ms
from rheobase.campaigns.circuits.recorded import check_lengths, read_recorded
from rheobase.campaigns.circuits.stimuli import fibre_names
from rheobase.features.errors import CampaignError
from rheobase.features.signals.peaks import NoPeak
from rheobase.fitting.circuits.evoked_judging import wanted_of
from rheobase.fitting.tuning.recipe import RecipeSettings, standard_recipe
from rheobase.fitting.tuning.stage import Knob, in_order
from rheobase.fitting.tuning.targets import TuningTarget, rate_target
from rheobase.objectives.spectra import PEAK, PEAK_HEIGHT, peak_height_tolerance

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.subject import Subject
    from rheobase.features.signals.spectral_targets import SpectralTargets
    from rheobase.fitting.circuits.judging import CircuitTargets
    from rheobase.fitting.tuning.stage import TuningStage
    from rheobase.objectives.rates import RateDistributionTarget

_COMPENSATION = (0.7, 1.4)  # what backgrounds may change by while the spectrum is tuned, to keep the rates


def build_stages(campaign: CircuitCampaign, subject: Subject, targets: CircuitTargets) -> tuple[TuningStage, ...]:
    """The stages of a campaign, each with its budget.

    Raises:
        CampaignError: a stage or a layer that does not exist, knobs that fit nothing.
    """
    tuning = campaign.tuning
    settings = RecipeSettings(
        duration_ms=tuning.transient + tuning.duration,
        dropped_ms=tuning.transient,
        spectrum_ms=signals_ms(campaign),
        rest_ms=targets.rest_ms,
        final_seeds=tuning.final_seeds,
        budget=tuning.trials,
        spectrum_knobs=_spectrum_knobs(campaign, subject),
        stimuli=_stimuli(campaign),
        recorded=read_recorded(campaign, subject.populations),
        kept=subject.kept_backgrounds,
    )
    with campaign.blamed("targets"):
        wanted = tuning_targets(campaign, targets)
        recipe: tuple[TuningStage, ...] = ()
        if tuning.recipe:
            recipe = standard_recipe(subject.layers, wanted, subject.populations, subject.parameters, settings)
    stages = with_declared(recipe, StageParts(campaign, subject, targets, wanted, settings))
    with campaign.blamed("tuning", "stages"):
        ordered = in_order(stages)
    check_lengths(campaign, ordered)
    return ordered


def tuning_targets(campaign: CircuitCampaign, targets: CircuitTargets) -> tuple[TuningTarget, ...]:
    """The campaign's targets as the tuner knows them."""
    keys = campaign.targets
    evoked = [
        TuningTarget(one.name, one.target, one.tolerance, one.unit)
        for target in targets.evoked
        for one in wanted_of(target)
    ]
    found = [rate_target(name, rate.mean, keys.tolerance_Hz(name)) for name, rate in keys.rates.items()]
    found += [_distribution_target(one.population, one.rates) for one in targets.populations if one.rates]
    found += [TuningTarget(one.measure, one.value, one.tolerance, "", one.population) for one in keys.measures]
    if keys.spectrum is None or targets.spectrum is None:
        return (*found, *evoked)
    wanted, chosen = targets.spectrum.targets, keys.spectrum
    for measure in chosen.measures:
        if measure == "aperiodic_exponent":
            found.append(TuningTarget(measure, wanted.aperiodic_exponent.mean, chosen.exponent_tolerance))
        elif measure == "spectral_shape":
            found.append(TuningTarget(measure, 0.0, chosen.shape_tolerance))
        elif measure == "alpha_peak":
            found.append(_peak_target(wanted, chosen.alpha_tolerance))
        else:
            found.append(_band_target(campaign, targets, measure))
    return (*found, *evoked)


def _distribution_target(population: str, target: RateDistributionTarget) -> TuningTarget:
    if target.tolerance_log10 is None:
        return TuningTarget("rate_distribution", 0.0, target.tolerance_Hz, "Hz", population)
    return TuningTarget("rate_distribution", 0.0, target.tolerance_log10, "decades", population)


def _peak_target(wanted: SpectralTargets, tolerance_Hz: float) -> TuningTarget:
    """The frequency of the alpha peak; of recordings without one, that there is none."""
    if isinstance(wanted.alpha_peak, NoPeak):
        return TuningTarget(PEAK_HEIGHT, 0.0, peak_height_tolerance(wanted))
    return TuningTarget(PEAK, wanted.alpha_peak.mean, tolerance_Hz, "Hz")


def _band_target(campaign: CircuitCampaign, targets: CircuitTargets, measure: str) -> TuningTarget:
    assert targets.spectrum is not None
    bands = {band.name: band for band in targets.spectrum.targets.relative_band_powers}
    if measure not in bands:
        raise CampaignError(
            f"{campaign.where('targets', 'spectrum', 'measures')}: there is no target of '{measure}' in the file; "
            f"there are aperiodic_exponent, alpha_peak, spectral_shape, {', '.join(bands)}"
        )
    relative = targets.spectrum.tolerances.band_relative
    band = bands[measure]
    return TuningTarget(measure, band.mean, band.std if relative is None else relative * band.mean)


def _stimuli(campaign: CircuitCampaign) -> tuple[str, ...]:
    """Fibres of the stimuli that responses are wanted to; their weights are free with these."""
    known = {} if campaign.circuit is None else campaign.circuit.stimuli
    named = [keys.stimulus for keys in campaign.targets.evoked if keys.stimulus in known]
    return tuple(dict.fromkeys(fibre for name in named if name for fibre in fibre_names(name, known[name])))


def _spectrum_knobs(campaign: CircuitCampaign, subject: Subject) -> tuple[Knob, ...]:
    """What the campaign frees for the spectrum, and backgrounds that keep the rates; none for the recipe's own."""
    if not campaign.tuning.spectrum_knobs:
        return ()
    knobs = [
        Knob(name, entry.parameters, (entry.smallest, entry.largest))
        for name, entry in campaign.tuning.spectrum_knobs.items()
    ]
    for population in subject.populations:
        name = f"background:{population}"
        if name in subject.parameters and name not in subject.kept_backgrounds:
            knobs.append(Knob(f"background {population}", (name,), _COMPENSATION, {f"rate:{population}": 2.0}))
    return tuple(knobs)
