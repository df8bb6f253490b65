"""What a circuit did, held against targets: its populations, the spectrum of its EEG, its responses to stimuli."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rheobase.features.activity.activity import distribution
from rheobase.features.activity.measuring import ActivitySettings
from rheobase.features.activity.population_measures import fraction_silent, synchrony_chi
from rheobase.features.activity.unit_measures import cv_isi, mean_rate
from rheobase.features.errors import ModelError
from rheobase.features.signals.welch import DEFAULT_WELCH, WelchSettings, power_spectrum
from rheobase.fitting.circuits.evoked_judging import EvokedTarget, judge_evoked
from rheobase.fitting.circuits.head import DEFAULT_HEAD, Sensor
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
    """What the EEG, or MEG, of a circuit should be like.

    Attributes:
        targets: What recordings gave, and how it was measured.
        tolerances: What counts, and what is near enough.
        sensor: From the dipole to the EEG or MEG.
        welch: How the spectrum is estimated; as fine as the targets' were.
    """

    targets: SpectralTargets
    tolerances: SpectralTolerances = SpectralTolerances()
    sensor: Sensor = DEFAULT_HEAD
    welch: WelchSettings = DEFAULT_WELCH


@dataclass(frozen=True)
class CircuitTargets:
    """What a circuit should do.

    Attributes:
        populations: Targets of populations, each once.
        spectrum: Target of the ongoing EEG; None for none.
        evoked: Targets of responses to stimuli.
        settings: How spike trains are measured; as the data were.
        rest_ms: Populations and the ongoing EEG are measured until then (ms from the start of the simulation), before
            stimuli come; None: to the end.
    """

    populations: tuple[PopulationTarget, ...] = ()
    spectrum: SpectrumTarget | None = None
    evoked: tuple[EvokedTarget, ...] = ()
    settings: ActivitySettings = field(default_factory=ActivitySettings)
    rest_ms: float | None = None

    def __post_init__(self) -> None:
        names = [target.population for target in self.populations]
        if len(set(names)) < len(names):
            raise ModelError(f"expected one target for each population, got {', '.join(names)}")
        if not names and self.spectrum is None and not self.evoked:
            raise ModelError("the targets of a circuit are empty: give the rate of a population, or a spectrum")

    def of(self, populations: Collection[str], with_spectrum: bool = False) -> CircuitTargets:
        """The targets of some populations, for a stage that simulates no others.

        Args:
            populations: Their names.
            with_spectrum: Whether the EEG is judged, too: its spectrum and evoked responses.

        Raises:
            ModelError: Nothing is left.
        """
        kept = tuple(target for target in self.populations if target.population in populations)
        if with_spectrum:
            return replace(self, populations=kept)
        return replace(self, populations=kept, spectrum=None, evoked=())


def judge(response: CircuitResponse, targets: CircuitTargets) -> tuple[Judged, ...]:
    """Every target, in a fixed order: populations, the spectrum, evoked responses.

    Of a response that was stopped early the rates until then count; what needs the whole is missing. The spectrum of
    one run is noisy; `judge_seeds` averages those of several before it looks for peaks.

    Args:
        response: What the circuit did.
        targets: What it should do; every population must have been simulated (`CircuitTargets.of`).

    Raises:
        ModelError: A population that was not simulated, or no dipole though a spectrum is wanted.
        FeatureError: The response is too short for what is measured.
    """
    return _judge_populations(at_rest(response, targets), targets) + _judge_signals([response], targets)


def judge_seeds(responses: Sequence[CircuitResponse], targets: CircuitTargets) -> tuple[Repeated, ...]:
    """Every target over several seeds, with its noise.

    Rates and the like are means over seeds. Of the EEG the average over seeds is measured, since a single run gives
    peaks by chance; its noise follows from leaving out one seed after another. It is missing if any run was stopped.

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
        repeated = over_seeds([_judge_populations(at_rest(response, targets), targets) for response in responses])
    together = _judge_signals(responses, targets)
    alone = [_judge_signals([response], targets) for response in responses]
    some = [[*responses[:place], *responses[place + 1 :]] for place in range(len(responses)) if len(responses) > 1]
    left_out = [_judge_signals(others, targets) for others in some]
    return repeated + tuple(
        jackknifed(one, [seed[place].value for seed in alone], [others[place].value for others in left_out])
        for place, one in enumerate(together)
    )


def at_rest(response: CircuitResponse, targets: CircuitTargets) -> CircuitResponse:
    """The part of a response before stimuli come; all of it where the targets name no such time."""
    spikes, until_ms = response.spikes, targets.rest_ms
    if until_ms is None or spikes.stop_ms <= until_ms:
        return response
    dipole = response.dipole
    if dipole is not None:
        samples = round((until_ms - dipole.start_ms) * dipole.sampling_rate_Hz / 1000.0)
        dipole = replace(dipole, values=dipole.values[..., :samples])
    return replace(response, spikes=spikes.between(spikes.start_ms, until_ms), dipole=dipole)


def check_duration(target: SpectrumTarget, measured_ms: float) -> None:
    """A spectrum needs a segment at least.

    Args:
        target: What is wanted.
        measured_ms: How long the EEG is measured in each trial (ms).

    Raises:
        ModelError: That is shorter.
    """
    needed_ms = 1000.0 / target.welch.resolution_Hz
    if measured_ms < needed_ms:
        raise ModelError(
            f"a spectrum with a bin every {target.welch.resolution_Hz:g} Hz is measured in {needed_ms:g} ms at least, "
            f"got {measured_ms:g} ms; let trials last longer"
        )


def signal_spectrum(response: CircuitResponse, target: SpectrumTarget) -> Spectrum | None:
    """Spectrum of the EEG (mV^2/Hz) or MEG (fT^2/Hz) of a response; None if it was stopped early.

    Raises:
        ModelError: The response has no dipole.
        FeatureError: It is too short for the resolution of the spectrum.
    """
    if response.stopped is not None:
        return None
    if response.dipole is None:
        raise ModelError("a spectrum is wanted, but no dipole was recorded: set `signals` of the trial")
    return power_spectrum(target.sensor.signal(response.dipole), target.welch)


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


def _judge_signals(responses: Sequence[CircuitResponse], targets: CircuitTargets) -> tuple[Judged, ...]:
    """Spectrum and evoked responses of the average over some responses."""
    judged: tuple[Judged, ...] = ()
    if targets.spectrum is not None:
        spectra = [signal_spectrum(at_rest(response, targets), targets.spectrum) for response in responses]
        whole = [spectrum for spectrum in spectra if spectrum is not None]
        spectrum = mean_spectrum(whole) if len(whole) == len(spectra) else None
        judged += judge_spectrum(spectrum, targets.spectrum.targets, targets.spectrum.tolerances)
    for target in targets.evoked:
        judged += judge_evoked(responses, target)
    return judged
