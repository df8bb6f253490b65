"""What to extract from recordings: protocols, levels, features, and how each is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.catalogue import check_feature_name
from rheobase.features.errors import FeatureError
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.rheobase import LONG_STEP_MS, RheobaseSettings
from rheobase.features.statistics import StatisticsSettings
from rheobase.features.targets import INTRINSIC_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rheobase.features.target_stimuli import Unit

# Where features are measured: within a piece of the stimulus (its index), or a time (ms from the first onset).
Place = int | tuple[float, float]

# What a campaign gets that names no features of its own.
STANDARD_LEVELS_PERCENT = (-100.0, -40.0, 150.0, 200.0, 300.0)
STANDARD_FEATURES_BELOW = ("ohmic_input_resistance_vb_ssse", "sag_ratio1")
STANDARD_FEATURES_ABOVE = (
    "mean_frequency", "time_to_first_spike", "inv_first_ISI", "ISI_CV", "adaptation_index2",
    "AP_amplitude", "AHP_depth", "AP_duration_half_width",
)  # fmt: skip
STANDARD_FEATURES_PULSE = ("AP_amplitude", "AP1_amp", "AP_duration_half_width", "AHP_depth")


@dataclass(frozen=True)
class Level:
    """A group of sweeps by the amplitude of their stimulus.

    Attributes:
        value: Amplitude above holding, in % of the cell's rheobase or in nA.
        tolerance: A sweep belongs to the level when its amplitude is this close, in the same unit.
        unit: Which of the two.
    """

    value: float
    tolerance: float = 10.0
    unit: Unit = "percent"

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise FeatureError(f"the tolerance of level {self.value:g} must be above zero, got {self.tolerance:g}")

    def __str__(self) -> str:
        return f"{self.value:g} {'%' if self.unit == 'percent' else 'nA'}"

    def holds(self, amplitude: float) -> bool:
        """Whether an amplitude, in the level's unit, belongs to it."""
        return abs(amplitude - self.value) <= self.tolerance


@dataclass(frozen=True)
class FeatureRequest:
    """A feature wanted of a protocol.

    Attributes:
        feature: eFEL's name.
        name: What the target is called instead, where one feature is wanted twice; "": the feature.
        settings: How to measure it; None: as the protocol's others.
        measure_in: Where to measure it; None: as the protocol's others.
        weight: Its part in a weighted sum of scores.
    """

    feature: str
    name: str = ""
    settings: MeasurementSettings | None = None
    measure_in: Place | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        check_feature_name(self.feature)
        _check_place(self.measure_in)

    @property
    def label(self) -> str:
        """Its name within its protocol."""
        return self.name or self.feature


def _check_place(place: Place | None) -> None:
    if place is None or (place >= 0 if isinstance(place, int) else place[0] < place[1]):
        return
    raise FeatureError(
        f"a place of measurement is a piece, from 0, or a time with its end after its start, got {place}"
    )


def plain(names: Iterable[str]) -> tuple[FeatureRequest, ...]:
    """Features measured as the protocol says."""
    return tuple(FeatureRequest(name) for name in names)


@dataclass(frozen=True)
class ProtocolRequest:
    """Features wanted of one recorded protocol.

    Attributes:
        protocol: As the recordings name it, upper or lower case alike.
        levels: Groups of its sweeps.
        features: What to measure; for levels below zero `features_below` where that is given.
        name: What its targets are called, with the level behind it; "": as the protocol.
        amplitude_piece: Index of the piece that names the amplitude of a stimulus of several; None: the one farthest
            from holding (in sAHP the short step, as in BluePyEfe, which for HyperDepol and DeHyperpol takes the first).
        measure_in: Where features are measured; None: from the first onset to the last offset, as BluePyEfe does, and
            20 ms longer after pulses shorter than 10 ms, whose spikes come after them.
        gap_ms: Only stimuli whose second piece starts this long after the end of the first (smallest and largest, ms):
            what tells apart the sweeps of SpikeRec, whose levels in BluePyEfe are these gaps.
        window_ms: Onset and end of the step (ms from the start of the sweep), when stated rather than detected.
        settings: How to measure; None: as everywhere.
    """

    protocol: str
    levels: tuple[Level, ...]
    features: tuple[FeatureRequest, ...]
    features_below: tuple[FeatureRequest, ...] | None = None
    name: str = ""
    amplitude_piece: int | None = None
    measure_in: Place | None = None
    gap_ms: tuple[float, float] | None = None
    window_ms: tuple[float, float] | None = None
    settings: MeasurementSettings | None = None

    def __post_init__(self) -> None:
        _check_place(self.measure_in)
        for features in (self.features, self.features_below or ()):
            labels = [feature.label for feature in features]
            for label in labels:
                if labels.count(label) > 1:
                    raise FeatureError(f"{self.label} wants {label} twice; give one of them a name of its own")

    @property
    def label(self) -> str:
        """What its targets are called."""
        return self.name or self.protocol

    def features_at(self, amplitude: float) -> tuple[FeatureRequest, ...]:
        """Features wanted at an amplitude, in any unit."""
        return self.features_below if amplitude < 0 and self.features_below is not None else self.features

    def target_name(self, level: Level) -> str:
        """Name of the targets of one of its levels, for example "IDrest_150"."""
        return f"{self.label}_{level.value:g}"


@dataclass(frozen=True)
class ExtractionPlan:
    """What to extract.

    Attributes:
        protocols: Requests; empty: the standard features of every protocol that holds steps.
        rheobase: How the rheobase is found.
        intrinsic: Which of INTRINSIC_UNITS become targets.
        statistics: How values are combined.
        settings: How features are measured.
        junction_potential_mV: What was subtracted from the recordings, kept with the targets (mV).
        every_sweep: Whether features are also measured in sweeps that belong to no level, which no target needs.
    """

    protocols: tuple[ProtocolRequest, ...] = ()
    rheobase: RheobaseSettings = RheobaseSettings()
    intrinsic: tuple[str, ...] = tuple(INTRINSIC_UNITS)
    statistics: StatisticsSettings = StatisticsSettings()
    settings: MeasurementSettings = MeasurementSettings()
    junction_potential_mV: float = 0.0
    every_sweep: bool = False

    def __post_init__(self) -> None:
        names: set[str] = set()
        for request in self.protocols:
            for name in map(request.target_name, request.levels):
                if name.lower() in names:
                    raise FeatureError(f"{name} is asked for twice; give one of the two requests a name of its own")
                names.add(name.lower())
        windows: dict[str, tuple[float, float]] = {}
        for request in self.protocols:
            if request.window_ms is not None:
                window = windows.setdefault(request.protocol.lower(), request.window_ms)
                if window != request.window_ms:
                    raise FeatureError(
                        f"the step of {request.protocol} cannot be both at {window} and at {request.window_ms} ms"
                    )

    def requests_for(self, protocol: str, duration_ms: float | None) -> tuple[ProtocolRequest, ...]:
        """Requests that concern a protocol.

        Args:
            protocol: As the recording names it.
            duration_ms: Length of its single step (ms); None when it holds none. Only the standard requests ask.
        """
        if self.protocols:
            return tuple(request for request in self.protocols if request.protocol.lower() == protocol.lower())
        return () if duration_ms is None else (standard_request(protocol, duration_ms),)


def standard_request(protocol: str, duration_ms: float) -> ProtocolRequest:
    """Request for a protocol of which nothing is said."""
    if duration_ms < LONG_STEP_MS:
        return ProtocolRequest(protocol, (Level(250.0, 50.0),), plain(STANDARD_FEATURES_PULSE))
    return ProtocolRequest(
        protocol,
        tuple(map(Level, STANDARD_LEVELS_PERCENT)),
        plain(STANDARD_FEATURES_ABOVE),
        plain(STANDARD_FEATURES_BELOW),
    )
