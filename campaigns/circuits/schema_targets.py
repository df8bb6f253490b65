"""The part of a circuit's campaign file that says what the circuit is to do."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from rheobase.campaigns.circuits.schema_evoked import EvokedKeys
from rheobase.campaigns.schema_types import Degrees, Hertz, Micrometres, Millivolts, Percent, Section


class RateKeys(Section):
    """Mean rate of a population, and where it is known how it varied over the units recorded, and over how many."""

    mean: Hertz = Field(gt=0)
    std: Hertz | None = Field(None, ge=0)
    units: int | None = Field(None, ge=1)


def _rate_keys(value: object) -> object:
    return {"mean": value} if isinstance(value, str) else value


class SpectrumKeys(Section):
    """What the EEG, or MEG, of the circuit is to be like.

    Attributes:
        signal: Which of them.
        file: Spectral targets (`rheobase.spectrum/1`).
        measures: What of them counts; the names of bands are those of the file.
        exponent_tolerance: How far from the aperiodic exponent is near enough.
        alpha_tolerance: How far from the frequency of the alpha peak is near enough.
        shape_tolerance: Root mean square difference of log10 power that is near enough, the amplitude left free.
        band_tolerance: How far from the relative power of a band is near enough, relative to it; None: a standard
            deviation of the recordings.
    """

    file: Path
    signal: Literal["EEG", "MEG"] = "EEG"
    measures: tuple[str, ...] = ("aperiodic_exponent", "alpha_peak")
    exponent_tolerance: float = Field(0.15, gt=0)
    alpha_tolerance: Hertz = Field(1.0, gt=0)
    shape_tolerance: float = Field(0.25, gt=0)
    band_tolerance: Percent | None = Field(None, gt=0)


class MeasureKeys(Section):
    """A measure of a population beside its rate."""

    population: str
    measure: Literal["cv_isi", "synchrony", "fraction_silent"]
    value: float
    tolerance: float = Field(gt=0)


class DistributionKeys(Section):
    """Rates of the units of a population, as a distribution over units.

    Attributes:
        file: A table of rates, one row a unit (.csv, .tsv, .txt), or what `rheobase extract` measured (.json).
        rates: Or the rates themselves.
        population: Its name in the file; None: as in the circuit.
        rate: Column of a table with the rates.
        populations: Columns of a table whose values together name the population.
        tolerance: Mean difference of the quantiles that is near enough, in Hz.
        factor: Or the factor by which they may differ on average, on a logarithmic scale.
        floor: What stands for lower rates on a logarithmic scale: what a trial is too short to tell from silence.
    """

    file: Path | None = None
    rates: tuple[Hertz, ...] = ()
    population: str | None = None
    rate: str = "rate (Hz)"
    populations: tuple[str, ...] = ("population",)
    tolerance: Hertz | None = Field(None, gt=0)
    factor: float | None = Field(None, gt=1)
    floor: Hertz = Field(0.1, gt=0)

    @model_validator(mode="after")
    def _one_of_each(self) -> DistributionKeys:
        if (self.file is None) == (not self.rates):
            raise ValueError("give either 'file' or 'rates'")
        if (self.tolerance is None) == (self.factor is None):
            raise ValueError("give either 'tolerance', in Hz, or 'factor', on a logarithmic scale")
        return self


class UnitaryKeys(Section):
    """Amplitude of a unitary postsynaptic potential that was measured in paired recordings.

    With `factor` or `std` the gain of the projection is kept where the model's mean potential is within that factor, in
    all stages; whether it is with the tuned gain is judged at the end. Without both it is shown beside the model's.

    Attributes:
        amplitude: Its size, the mean over pairs, without a sign.
        factor: The model may differ by this factor.
        std: Standard deviation over pairs; the factor is then that of a log-normal distribution with this mean and
            standard deviation: exp(sqrt(log(1 + (std / amplitude)^2))).
    """

    amplitude: Millivolts = Field(gt=0)
    factor: float | None = Field(None, gt=1)
    std: Millivolts | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_spread(self) -> UnitaryKeys:
        if self.factor is not None and self.std is not None:
            raise ValueError("give 'factor' or 'std', not both: either says how far the model may be off")
        return self

    @property
    def allowed_factor(self) -> float | None:
        """How far the model may be off; None where it is no target."""
        if self.std is None:
            return self.factor
        return math.exp(math.sqrt(math.log1p((self.std / self.amplitude) ** 2)))


class MagnetometerKeys(Section):
    """Where the MEG is measured.

    Attributes:
        sensor: Its position from the centre of the head: x, y, z.
        tilt: Angle between the axis of the column, turned towards x, and the radius of the head.
        dipole: Distance of the column from the centre of the head, along z.
    """

    sensor: tuple[Micrometres, Micrometres, Micrometres] = (0.0, 60_000.0, 104_000.0)
    tilt: Degrees = Field(90.0, ge=-180, le=180)
    dipole: Micrometres = Field(78_200.0, gt=0)


class CircuitTargetKeys(Section):
    """What the circuit is to do.

    Attributes:
        rates: Mean rate of populations.
        tolerance: How far from it is near enough, relative to the rate; never less than the standard error of the mean
            of the units recorded, where that is known.
        smallest_tolerance: The same, at least, in Hz.
        spectrum: What its EEG is to be like.
        distributions: Distributions of the rates over the units of populations.
        measures: Further measures of populations.
        evoked: What its EEG, or MEG, does after stimuli.
        meg: Where the MEG is measured.
        unitary: Amplitudes of unitary postsynaptic potentials, by patterns of projections ("L4_E->L4_*").
        source: Where the rates were measured, in words.
    """

    rates: dict[str, Annotated[RateKeys, BeforeValidator(_rate_keys)]]
    tolerance: Percent = Field(20.0, gt=0)
    smallest_tolerance: Hertz = Field(0.3, gt=0)
    spectrum: SpectrumKeys | None = None
    distributions: dict[str, DistributionKeys] = Field(default_factory=dict)
    measures: tuple[MeasureKeys, ...] = ()
    evoked: tuple[EvokedKeys, ...] = ()
    meg: MagnetometerKeys = MagnetometerKeys()
    unitary: dict[str, UnitaryKeys] = Field(default_factory=dict)
    source: str = ""

    def unitary_of(self, projection: str) -> UnitaryKeys | None:
        """What was measured of a projection, by the first pattern that fits its name."""
        return next((one for pattern, one in self.unitary.items() if fnmatchcase(projection, pattern)), None)

    def tolerance_Hz(self, population: str) -> float:
        """How far from its rate a population may be (Hz)."""
        rate = self.rates[population]
        error = 0.0 if rate.std is None or rate.units is None else rate.std / math.sqrt(rate.units)
        return max(0.01 * self.tolerance * rate.mean, self.smallest_tolerance, error)

    @model_validator(mode="after")
    def _some_rates(self) -> CircuitTargetKeys:
        if not self.rates:
            raise ValueError("targets.rates is empty; give the rate of at least one population")
        labels = [entry.label for entry in self.evoked]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(f"two of targets.evoked are called '{twice}'; give each its own 'name'")
        return self
