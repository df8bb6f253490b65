"""What a circuit did, held against targets: rates, irregularity and synchrony by population, and the EEG spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rheobase.features.activity.activity import distribution
from rheobase.features.activity.measuring import ActivitySettings
from rheobase.features.activity.population_measures import fraction_silent, synchrony_chi
from rheobase.features.activity.unit_measures import cv_isi, mean_rate
from rheobase.features.errors import ModelError
from rheobase.features.signals.welch import DEFAULT_WELCH, WelchSettings, power_spectrum
from rheobase.fitting.circuits.head import DEFAULT_HEAD, FourSphereHead, eeg
from rheobase.objectives.noise import jackknifed, over_seeds
from rheobase.objectives.rates import PopulationMeasures, PopulationTarget, judge_population
from rheobase.objectives.spectra import SpectralTolerances, judge_spectrum, mean_spectrum

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.features.signals.spectral_targets import SpectralTargets
    from rheobase.features.signals.spectrum import Spectrum
    from rheobase.fitting.circuits.circuit import CircuitResponse
    from rheobase.objectives.noise import Repeated
    from rheobase.objectives.objective import Judged


@dataclass(frozen=True)
class SpectrumTarget:
    """What the EEG of a circuit should be like.

    Attributes:
        targets: What recordings gave, and how it was measured.
        tolerances: What counts, and what is near enough.
        head: From the dipole to the electrode.
        welch: How the spectrum is estimated; as fine as the targets' were.
    """

    targets: SpectralTargets
    tolerances: SpectralTolerances = SpectralTolerances()
    head: FourSphereHead = DEFAULT_HEAD
    welch: WelchSettings = DEFAULT_WELCH


@dataclass(frozen=True)
class CircuitTargets:
    """What a circuit should do.

    Attributes:
        populations: Targets of populations, each once.
        spectrum: Target of the EEG; None for none.
        settings: How spike trains are measured; as the data were.
    """

    populations: tuple[PopulationTarget, ...] = ()
    spectrum: SpectrumTarget | None = None
    settings: ActivitySettings = field(default_factory=ActivitySettings)

    def __post_init__(self) -> None:
        names = [target.population for target in self.populations]
        if len(set(names)) < len(names):
            raise ModelError(f"expected one target for each population, got {', '.join(names)}")
        if not names and self.spectrum is None:
            raise ModelError("the targets of a circuit are empty: give the rate of a population, or a spectrum")

    def of(self, populations: Collection[str], with_spectrum: bool = False) -> CircuitTargets:
        """The targets of some populations, for a stage that simulates no others.

        Raises:
            ModelError: Nothing is left.
        """
        kept = tuple(target for target in self.populations if target.population in populations)
        return replace(self, populations=kept, spectrum=self.spectrum if with_spectrum else None)


def judge(response: CircuitResponse, targets: CircuitTargets) -> tuple[Judged, ...]:
    """Every target, in a fixed order: populations, then the spectrum.

    Of a response that was stopped early the rates until then count; what needs the whole is missing. The spectrum of
    one run is noisy; `judge_seeds` averages those of several before it looks for peaks.

    Args:
        response: What the circuit did.
        targets: What it should do; every population must have been simulated (`CircuitTargets.of`).

    Raises:
        ModelError: A population that was not simulated, or no dipole though a spectrum is wanted.
        FeatureError: The response is too short for what is measured.
    """
    judged = _judge_populations(response, targets)
    if targets.spectrum is not None:
        spectrum = eeg_spectrum(response, targets.spectrum)
        judged += judge_spectrum(spectrum, targets.spectrum.targets, targets.spectrum.tolerances)
    return judged


def judge_seeds(responses: Sequence[CircuitResponse], targets: CircuitTargets) -> tuple[Repeated, ...]:
    """Every target over several seeds, with its noise.

    Rates and the like are means over seeds. The spectrum is measured once, in the average of the spectra, and its
    noise follows from leaving out one seed after another. It is missing if any of the runs was stopped.

    Args:
        responses: Of the same circuit, each with another seed.
        targets: What it should do.

    Raises:
        ModelError: As `judge`; no responses.
        FeatureError: As `judge`.
    """
    if not responses:
        raise ModelError("there is nothing to judge: expected the response to at least one seed")
    repeated: tuple[Repeated, ...] = ()
    if targets.populations:
        repeated = over_seeds([_judge_populations(response, targets) for response in responses])
    if targets.spectrum is not None:
        wanted = targets.spectrum
        repeated += _judge_spectra([eeg_spectrum(response, wanted) for response in responses], wanted)
    return repeated


def eeg_spectrum(response: CircuitResponse, target: SpectrumTarget) -> Spectrum | None:
    """Spectrum of the EEG of a response (mV^2/Hz); None if it was stopped early.

    Raises:
        ModelError: The response has no dipole.
        FeatureError: It is too short for the resolution of the spectrum.
    """
    if response.stopped is not None:
        return None
    if response.dipole is None:
        raise ModelError("a spectrum is wanted, but no dipole was recorded: set `signals` of the trial")
    return power_spectrum(eeg(response.dipole, target.head), target.welch)


def _judge_populations(response: CircuitResponse, targets: CircuitTargets) -> tuple[Judged, ...]:
    judged: tuple[Judged, ...] = ()
    for target in targets.populations:
        if target.population not in response.spikes.units.populations:
            raise ModelError(
                f"there is a target for '{target.population}', which was not simulated; simulated were "
                f"{', '.join(response.spikes.units.populations)}"
            )
        spikes = response.spikes.of(target.population)
        judged += judge_population(_measures(spikes, target, targets.settings, response.stopped is not None), target)
    return judged


def _measures(
    spikes: SpikeTrains, target: PopulationTarget, settings: ActivitySettings, stopped: bool
) -> PopulationMeasures:
    """What the target asks for, of spikes of its population alone."""
    rates = mean_rate(spikes)
    irregularity = None if target.cv_isi is None or stopped else cv_isi(spikes, settings.minimum_spikes).values
    chi = None if target.synchrony is None or stopped else synchrony_chi(spikes, settings.synchrony_bin_ms)[0].value
    return PopulationMeasures(
        rates=distribution(rates, target.population),
        cv_isi=float(irregularity.mean()) if irregularity is not None and len(irregularity) else None,
        synchrony=chi,
        fraction_silent=None if target.fraction_silent is None or stopped else fraction_silent(rates)[0].value,
    )


def _judge_spectra(spectra: Sequence[Spectrum | None], target: SpectrumTarget) -> tuple[Repeated, ...]:
    whole = [spectrum for spectrum in spectra if spectrum is not None]

    def judged(chosen: Sequence[Spectrum]) -> tuple[Judged, ...]:
        return judge_spectrum(mean_spectrum(chosen) if chosen else None, target.targets, target.tolerances)

    together = judged(whole if len(whole) == len(spectra) else [])
    alone = [judge_spectrum(spectrum, target.targets, target.tolerances) for spectrum in spectra]
    left_out = [judged(whole[:place] + whole[place + 1 :]) for place in range(len(whole)) if len(whole) > 1]
    return tuple(
        jackknifed(one, [seed[place].value for seed in alone], [some[place].value for some in left_out])
        for place, one in enumerate(together)
    )
