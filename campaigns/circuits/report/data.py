"""What the report of a circuit is made from. Whatever a campaign does not have is left empty, and out of the page."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rheobase.features.activity.spike_trains import SpikeTrains
    from rheobase.features.signals.bands import Band
    from rheobase.features.signals.signal import Signal
    from rheobase.features.signals.spectral_targets import SpectralShape
    from rheobase.features.signals.spectrum import Spectrum
    from rheobase.fitting.tuning.progress import Sensitivity
    from rheobase.objectives.noise import Repeated


@dataclass(frozen=True)
class ReportedPopulation:
    """A population, in the order in which it is shown: layers from the surface downwards.

    Attributes:
        name: Its name.
        layer: Name of its layer; "" where there are none.
        kind: Its class, which gives its colour: "E", "PV", "SST" or "VIP"; any other is drawn grey.
        size: Number of cells.
    """

    name: str
    layer: str
    kind: str
    size: int


@dataclass(frozen=True)
class RateTarget:
    """The mean rate of a population, and how rates varied over the units that were recorded.

    Attributes:
        mean_Hz: Mean over units (Hz).
        tolerance_Hz: How far from it is near enough (Hz), above zero.
        std_Hz: Standard deviation over units (Hz); None where it is not known.
        units: Number of units; None where it is not known.
        quantiles_Hz: Rate (Hz) by probability, for example {0.25: 0.4, 0.5: 1.1, 0.75: 2.3}; may be empty.
    """

    mean_Hz: float
    tolerance_Hz: float
    std_Hz: float | None = None
    units: int | None = None
    quantiles_Hz: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class MeasuredSpectrum:
    """A spectrum and what was measured in it.

    Attributes:
        spectrum: Power of one channel.
        exponent: Aperiodic exponent; None where it could not be measured.
        offset_log10: log10 of the aperiodic part's power at 1 Hz; None for no line in the figure.
        peak_Hz: Frequency of the alpha peak (Hz); None for no peak.
    """

    spectrum: Spectrum
    exponent: float | None = None
    offset_log10: float | None = None
    peak_Hz: float | None = None


@dataclass(frozen=True)
class SpectrumTarget:
    """What the spectrum should be like, for the figure.

    Attributes:
        exponent: Aperiodic exponent.
        exponent_tolerance: How far from it is near enough.
        fitted_Hz: From where to where the exponent is fitted (Hz).
        peak_Hz: Frequency of the alpha peak (Hz); None where none is asked for.
        peak_tolerance_Hz: How far from it is near enough (Hz).
        shape: log10 power apart from the amplitude; None where only the exponent is known.
        bands: Bands to be shaded.
        source: Where it was measured, in words.
    """

    exponent: float
    exponent_tolerance: float
    fitted_Hz: tuple[float, float] = (3.0, 30.0)
    peak_Hz: float | None = None
    peak_tolerance_Hz: float = 1.0
    shape: SpectralShape | None = None
    bands: tuple[Band, ...] = ()
    source: str = ""


@dataclass(frozen=True, eq=False)
class LaminarPotential:
    """Local field potential of one run.

    Attributes:
        depths_um: Depth of each electrode (um).
        potential: A channel for each of them.
    """

    depths_um: tuple[float, ...]
    potential: Signal


@dataclass(frozen=True)
class ComponentMark:
    """Where a component of an evoked response is wanted.

    Attributes:
        name: Its name.
        window_ms: Where its peak is looked for (ms).
        latency_ms: From and to, what is near enough (ms); None where it is no target.
        amplitude: Likewise, in the unit of the response.
    """

    name: str
    window_ms: tuple[float, float]
    latency_ms: tuple[float, float] | None = None
    amplitude: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class EvokedWave:
    """The response to a stimulus.

    Attributes:
        name: Name of the target.
        times_ms: After the stimulus (ms), shape (samples,).
        values: Average over onsets and runs, shape (samples,).
        seeds: That of each run, each of this shape.
        unit: Of all values.
        marks: Components that are wanted.
    """

    name: str
    times_ms: NDArray[np.float64]
    values: NDArray[np.float64]
    seeds: tuple[NDArray[np.float64], ...]
    unit: str
    marks: tuple[ComponentMark, ...]


@dataclass(frozen=True, eq=False)
class FinalRun:
    """The tuned circuit with a seed that tuning has not seen.

    Attributes:
        seed: The seed.
        rates_Hz: Mean rate over cells of each population (Hz).
        spectrum: Spectrum of this run alone; None where none was recorded.
    """

    seed: int
    rates_Hz: Mapping[str, float]
    spectrum: MeasuredSpectrum | None = None


@dataclass(frozen=True)
class StageTrial:
    """One simulation of a stage.

    Attributes:
        number: Its place in the stage, from 1.
        worst: Largest |deviation| of a target (tolerances); not finite for one that was stopped early.
        squares: Sum over targets of the squared deviation (tolerances squared); not finite likewise.
        origin: What proposed it, for example "jacobian" or "optuna_tpe".
    """

    number: int
    worst: float
    squares: float
    origin: str

    @property
    def stopped(self) -> bool:
        """Whether it was stopped early."""
        return not math.isfinite(self.worst)


@dataclass(frozen=True)
class ReportedStage:
    """A stage.

    Attributes:
        name: Its name.
        free: Names of the factors that were free; empty for one that only scored.
        targets: Number of its targets.
        state: "met", "not met", "left out", "running" or "waiting".
        simulations: Number of its simulations.
        stopped: How many of them were stopped early.
        simulated_s: Simulated time (s).
        cpu_seconds: CPU time (s).
        wall_seconds: Time it ran (s); None where it is not known.
        sentences: How it ended, in words.
        trials: Its simulations in the order in which they ended; may be empty.
    """

    name: str
    free: tuple[str, ...]
    targets: int
    state: str
    simulations: int
    stopped: int = 0
    simulated_s: float = 0.0
    cpu_seconds: float = 0.0
    wall_seconds: float | None = None
    sentences: tuple[str, ...] = ()
    trials: tuple[StageTrial, ...] = ()


@dataclass(frozen=True)
class ProjectionGain:
    """What tuning did to a projection.

    Attributes:
        source: Presynaptic population, or a stimulus.
        target: Postsynaptic population.
        factor: Of its conductance, 1 for as described.
        conductance_nS: Peak conductance of a contact with it (nS); None where there is no such thing.
    """

    source: str
    target: str
    factor: float
    conductance_nS: float | None = None


@dataclass(frozen=True)
class BackgroundFactor:
    """What tuning did to what a population gets from outside.

    Attributes:
        population: The population.
        factor: Of its strength, 1 for as described.
        name: Which of several.
    """

    population: str
    factor: float
    name: str = "background"


@dataclass(frozen=True)
class UnitaryPotential:
    """The mean unitary postsynaptic potential of a projection.

    Attributes:
        source: Presynaptic population.
        target: Postsynaptic population.
        model_mV: Amplitude in the model, of either sign (mV); None where it could not be measured.
        measured_mV: Amplitude in paired recordings (mV); None where it is not known.
        factor: The model may differ from it by this factor, above 1; None where it is no target.
    """

    source: str
    target: str
    model_mV: float | None
    measured_mV: float | None = None
    factor: float | None = None


@dataclass(frozen=True, eq=False)
class CircuitReportData:
    """Everything in a report.

    Attributes:
        name: Name of the campaign.
        description: What the campaign says of itself.
        populations: All populations, in the order in which they are shown.
        rates: Target of each population that has one, by its name.
        runs: The tuned circuit with unseen seeds; empty where there is nothing to confirm.
        met: What the campaign itself says: all is met and confirmed.
        sentences: Why not: targets that conflict, factors at their bounds, noise; or what limits the statement.
        spikes: Spikes of one of the runs, for the raster; populations as above.
        spectrum_target: What the spectrum should be like.
        spectrum: Of all runs together: the mean of their power, which is what is judged.
        evoked: Responses to stimuli.
        laminar: Potentials at electrodes in one of the runs; None without electrodes.
        others: All targets beside rates and unitary potentials, judged over the same seeds: the spectrum,
            irregularity, evoked responses.
        stages: The stages in their order.
        gains: Factor of each projection.
        backgrounds: Factor of each background.
        unitary: Unitary postsynaptic potentials.
        sensitivity: Slopes of the targets with the factors, at the end.
        wall_seconds: Time the campaign ran (s).
        cpu_seconds: CPU time of its simulations (s).
        environment: Versions and machine, as rows of (what, value).
        source: Where rates were measured, in words.
    """

    name: str
    description: str
    populations: tuple[ReportedPopulation, ...]
    rates: Mapping[str, RateTarget]
    runs: tuple[FinalRun, ...]
    met: bool
    sentences: tuple[str, ...] = ()
    spikes: SpikeTrains | None = None
    spectrum_target: SpectrumTarget | None = None
    spectrum: MeasuredSpectrum | None = None
    evoked: tuple[EvokedWave, ...] = ()
    laminar: LaminarPotential | None = None
    others: tuple[Repeated, ...] = ()
    stages: tuple[ReportedStage, ...] = ()
    gains: tuple[ProjectionGain, ...] = ()
    backgrounds: tuple[BackgroundFactor, ...] = ()
    unitary: tuple[UnitaryPotential, ...] = ()
    sensitivity: Sensitivity | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    environment: tuple[tuple[str, str], ...] = ()
    source: str = ""
