"""Feature targets: what a model has to reach, with the stimuli under which it was measured."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from rheobase.features.errors import FeatureError
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.sites import RecordingSite
from rheobase.features.strictness import STRICT
from rheobase.features.target_stimuli import ProtocolStimulus

# Hyperpolarisation at which the input resistance is taken, in recordings and models alike.
INPUT_RESISTANCE_DEFLECTION_mV = 5.0

# Properties of the cell itself, searched for before any step is given.
INTRINSIC_UNITS = {
    "resting_potential": "mV",
    "input_resistance": "MOhm",
    "holding_current": "nA",
    "threshold_current": "nA",
}


@dataclass(frozen=True)
class FeatureTarget:
    """One measured quantity.

    Attributes:
        feature: eFEL's name, or one of INTRINSIC_UNITS.
        mean: Mean over cells.
        std: Standard deviation, never below the floor it was extracted with.
        unit: Unit of mean and std.
        cells: Number of cells it was measured in.
        sweeps: Number of sweeps it was measured in.
        location: Where in the cell: "soma", or the name of one of the targets' sites.
        variable: What is measured there: "v" (mV) or another variable of the simulation, "cai" (mM).
        weight: Its part in a weighted sum of scores.
        name: What the objective is called instead of the feature, where one feature is measured twice; "": the feature.
        window_ms: When it is measured (ms from the first onset) if not in the protocol's window.
        settings: How it is measured if not as the protocol's others.
    """

    feature: str
    mean: float
    std: float
    unit: str = ""
    cells: int = 0
    sweeps: int = 0
    location: str = "soma"
    variable: str = "v"
    weight: float = 1.0
    name: str = ""
    window_ms: tuple[float, float] | None = None
    settings: MeasurementSettings | None = None
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise FeatureError(
                f"the target of {self.feature} must be finite with a standard deviation above zero, "
                f"got {self.mean} +- {self.std}"
            )
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise FeatureError(f"the weight of {self.feature} must be zero or more, got {self.weight}")

    @property
    def label(self) -> str:
        """Its name within its protocol."""
        return self.name or self.feature


@dataclass(frozen=True)
class ProtocolTargets:
    """A stimulus and the features measured under it.

    Attributes:
        name: Protocol and level, for example "IDrest_150".
        stimulus: What is injected.
        amplitude_nA: Mean amplitude of the recorded stimuli (nA above holding), for reference and plots.
        features: What was measured.
        settings: How, for features that have no settings of their own.
    """

    name: str
    stimulus: ProtocolStimulus
    amplitude_nA: float
    features: tuple[FeatureTarget, ...]
    settings: MeasurementSettings = MeasurementSettings()
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        counts = Counter((target.location, target.variable, target.label) for target in self.features)
        for (*_, label), count in counts.items():
            if count > 1:
                raise FeatureError(f"{self.name} has {count} targets called {label}; give them names that differ")

    @property
    def amplitude_percent(self) -> float | None:
        """Amplitude above holding in % of the cell's threshold current; None for a stimulus in nA."""
        return self.stimulus.level if self.stimulus.unit == "percent" else None

    @property
    def duration_ms(self) -> float:
        """Length of the stimulus (ms)."""
        return self.stimulus.duration_ms

    def objective(self, target: FeatureTarget) -> str:
        """Name of the objective that a target of this protocol becomes."""
        return objective_name(self.name, target.label, target.location, target.variable)


@dataclass(frozen=True)
class CellSummary:
    """One recorded cell: what its sweeps are scaled by.

    Attributes:
        name: The cell.
        rheobase_nA: Its rheobase (nA above holding); None where no step made it spike.
        holding_current_nA: Median current outside the stimuli (nA).
        holding_voltage_mV: Median voltage before the stimuli (mV).
        sweeps: Number of its sweeps with a stimulus.
        bracketed: Whether a smaller step was given that did not make it spike.
        highest_silent_nA: The highest of those (nA above holding).
    """

    name: str
    rheobase_nA: float | None
    holding_current_nA: float
    holding_voltage_mV: float
    sweeps: int
    bracketed: bool
    highest_silent_nA: float | None = None
    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Outlier:
    """A value far from the others of its target.

    Attributes:
        objective: Name of the target.
        cell: The cell it was measured in.
        sweep: Protocol and sweep; "" for the mean of a cell's sweeps.
        value: The value, in the target's unit.
        median: Of all values of the kind.
        deviations: Distance from the median in robust standard deviations.
        kept: Whether it is part of the target all the same.
    """

    objective: str
    cell: str
    sweep: str
    value: float
    median: float
    deviations: float
    kept: bool
    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class FeatureTargets:
    """Everything that a cell model is fitted to.

    Attributes:
        holding_voltage_mV: Voltage that the holding current keeps the cell at before a stimulus (mV).
        threshold_duration_ms: Length of the steps that define the threshold current (ms).
        intrinsic: Resting potential, input resistance, holding and threshold current, as far as measured.
        protocols: The stimuli and their features.
        junction_potential_mV: Liquid-junction potential that was subtracted (mV).
        cells: The cells it was measured in.
        notes: What was left out, and why.
        settings: How features are measured where nothing else is said.
        outliers: Values far from the others.
        sites: Places other than the middle of the soma, for targets that name them.
    """

    holding_voltage_mV: float
    threshold_duration_ms: float
    intrinsic: tuple[FeatureTarget, ...]
    protocols: tuple[ProtocolTargets, ...]
    junction_potential_mV: float = 0.0
    cells: tuple[CellSummary, ...] = ()
    notes: tuple[str, ...] = ()
    settings: MeasurementSettings = field(default_factory=MeasurementSettings)
    outliers: tuple[Outlier, ...] = ()
    sites: tuple[RecordingSite, ...] = ()
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        names = [target.feature for target in self.intrinsic] + [protocol.name for protocol in self.protocols]
        for name, count in Counter(names).items():
            if count > 1:
                raise FeatureError(f"there are {count} protocols or properties called {name}; names must differ")
        known = {"soma", *(site.name for site in self.sites)}
        for protocol in self.protocols:
            for target in protocol.features:
                if target.location not in known:
                    raise FeatureError(
                        f"{protocol.name} {target.label} is measured at '{target.location}', which is not among the "
                        f"sites {', '.join(sorted(known))}"
                    )

    @property
    def objectives(self) -> dict[str, FeatureTarget]:
        """Targets by objective name: "threshold_current", "IDrest_150.soma.v.mean_frequency"."""
        named = {target.feature: target for target in self.intrinsic}
        for protocol in self.protocols:
            named.update({protocol.objective(target): target for target in protocol.features})
        return named

    @property
    def groups(self) -> dict[str, str]:
        """Protocol of each objective, "intrinsic" for properties of the cell itself."""
        named = dict.fromkeys((target.feature for target in self.intrinsic), "intrinsic")
        for protocol in self.protocols:
            named.update({protocol.objective(target): protocol.name for target in protocol.features})
        return named


def objective_name(protocol: str, feature: str, location: str = "soma", variable: str = "v") -> str:
    """Name of an objective as users of BluePyOpt know it."""
    return f"{protocol}.{location}.{variable}.{feature}"
