"""What every dialect's reader fills in: rows of features and the stimuli they were measured under."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rheobase.features.efel_settings import setting_types
from rheobase.features.errors import FeatureError
from rheobase.features.formats.feature_names import RENAMED, role, why_unknown
from rheobase.features.formats.recording_sites import split_recording
from rheobase.features.formats.waveforms import tidy_ms
from rheobase.features.measurement import MeasurementSettings, settings_from_efel
from rheobase.features.statistics import SMALLEST_STD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.features.formats.json_nodes import Node
    from rheobase.features.sites import RecordingSite
    from rheobase.features.target_stimuli import ProtocolStimulus

# Of eFEL's settings in a table these two are the window, not settings of eFEL.
_WINDOW_KEYS = ("stim_start", "stim_end")


@dataclass(frozen=True)
class FeatureRow:
    """One line of a table of features.

    Attributes:
        protocol: Its protocol, as the table calls it.
        feature: eFEL's name, or that of a current that BluePyOpt-based tools search for.
        location: Where it was measured, as the table calls it.
        variable: What was measured there.
        mean: Mean.
        std: Standard deviation, above zero.
        cells: Number of cells; 0: not said.
        sweeps: Number of sweeps; 0: not said.
        weight: Weight of its score.
        name: A name of its own.
        settings: How it was measured.
        window_ms: Start and end of when, in the time of the sweep (ms); None: those of the stimulus.
    """

    protocol: str
    feature: str
    location: str
    variable: str
    mean: float
    std: float
    cells: int = 0
    sweeps: int = 0
    weight: float = 1.0
    name: str = ""
    settings: MeasurementSettings = MeasurementSettings()
    window_ms: tuple[float | None, float | None] = (None, None)

    @property
    def label(self) -> str:
        """Its name, for notes."""
        return f"{self.protocol} {self.location}.{self.variable} {self.name or self.feature}"

    @property
    def value(self) -> str:
        """Mean, standard deviation and number, for notes."""
        count = self.cells or self.sweeps
        return f"{self.mean:g} +- {self.std:g}{f' (n {count})' if count else ''}"


@dataclass(frozen=True)
class ProtocolRow:
    """A stimulus of a table.

    Attributes:
        stimulus: The stimulus.
        delay_ms: Onset of its first piece in the time of the sweep (ms).
        amplitude_nA: Amplitude of its main piece (nA), if the table gives it.
        sites: Places of recording beside the soma, by the table's names.
    """

    stimulus: ProtocolStimulus
    delay_ms: float
    amplitude_nA: float | None = None
    sites: Mapping[str, RecordingSite] = field(default_factory=dict)


@dataclass
class Table:
    """A table as its reader found it.

    Attributes:
        rows: The features that can be targets, among them properties of the cell itself.
        protocols: The stimuli by protocol.
        notes: What was left out or changed, and why.
        threshold_duration_ms: Length of the steps that the threshold current is searched with (ms), if said.
    """

    rows: list[FeatureRow] = field(default_factory=list)
    protocols: dict[str, ProtocolRow] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    threshold_duration_ms: float | None = None

    def add(self, entry: RowEntry) -> None:
        """Add a feature; what cannot be a target goes into the notes by name.

        Raises:
            FeatureError: A value is of the wrong kind; the message names file and key.
        """
        location, variable = split_recording(entry.recording)
        label = f"{entry.protocol} {location}.{variable} {entry.name or entry.feature}"
        feature = RENAMED.get(entry.feature, entry.feature)
        if feature != entry.feature:
            self.notes.append(f"{label}: eFEL now calls it {feature}")
        reason = None if role(entry.protocol, feature) else why_unknown(feature)
        mean, std = _number(entry.mean), _number(entry.std)
        if reason is None and mean is None:
            reason = "it has no mean"
        if reason is None and (std is None or std < 0):
            reason = "it has no standard deviation"
        if reason is not None or mean is None or std is None:
            self.notes.append(f"{label} left out: {reason} ({_text(mean)} +- {_text(std)})")
            return
        if std == 0:
            std = SMALLEST_STD
            self.notes.append(f"{label}: standard deviation 0 raised to {std:g}")
        settings, window_ms = self._settings(entry, label)
        name = "" if entry.name == feature else entry.name
        self.rows.append(
            FeatureRow(
                entry.protocol, feature, location, variable, mean, std,
                entry.cells, entry.sweeps, entry.weight, name, settings, window_ms,
            )
        )  # fmt: skip

    def _settings(self, entry: RowEntry, label: str) -> tuple[MeasurementSettings, tuple[float | None, float | None]]:
        if entry.settings is None:
            return entry.base, (None, None)
        given: dict[str, object] = {}
        window: dict[str, float] = {}
        for key, found in entry.settings.members():
            if isinstance(found.value, int | float) and not isinstance(found.value, bool):
                found.number()  # no NaN
            if key not in setting_types() and key not in _WINDOW_KEYS:
                self.notes.append(f"{label}: eFEL has no setting {key} ({found.value}); left out")
            elif key in _WINDOW_KEYS and found.value is not None:
                window[key] = found.number()
            elif found.value is not None:
                given[key] = found.value
        try:
            settings = settings_from_efel(given, entry.base)
        except FeatureError as error:
            raise entry.settings.blame(error) from None
        return settings, (window.get("stim_start"), window.get("stim_end"))


@dataclass(frozen=True)
class RowEntry:
    """A feature as it stands in a file.

    Attributes:
        protocol: Its protocol.
        recording: Location and variable, "dend1.v"; "soma" is its voltage.
        feature: Name of the feature.
        mean: Its mean.
        std: Its standard deviation.
        cells: Number of cells; 0: not said.
        sweeps: Number of sweeps; 0: not said.
        weight: Weight of its score.
        name: A name of its own, "" or the feature's where it has none.
        settings: eFEL's settings and the window, if given.
        base: Settings where nothing is given.
    """

    protocol: str
    recording: str
    feature: str
    mean: Node
    std: Node
    cells: int = 0
    sweeps: int = 0
    weight: float = 1.0
    name: str = ""
    settings: Node | None = None
    base: MeasurementSettings = MeasurementSettings()


def relative_window(row: FeatureRow, protocol: ProtocolRow) -> tuple[float, float] | None:
    """When a feature is measured (ms from the first onset); None: while the stimulus lasts."""
    start, end = row.window_ms
    default_start, default_end = protocol.stimulus.window_ms or (0.0, protocol.stimulus.duration_ms)
    window = (
        default_start if start is None else tidy_ms(start - protocol.delay_ms),
        default_end if end is None else tidy_ms(end - protocol.delay_ms),
    )
    return None if window == (0.0, protocol.stimulus.duration_ms) else window


def mean_and_std(values: Node) -> tuple[Node, Node]:
    """The first two elements of a list of values."""
    found = values.elements()
    if len(found) < 2:
        raise values.error("a list that begins with mean and standard deviation")
    return found[0], found[1]


def weight_of(entry: Node) -> float:
    """The weight of a feature, 1 where there is none."""
    found = entry.get("weight")
    if found is not None and found.number() < 0:
        raise found.error("a weight of zero or more")
    return 1.0 if found is None else found.number()


def _number(node: Node) -> float | None:
    """A number; None for null, NaN and infinities, with which other programs mark what they could not compute."""
    if node.value is None or (isinstance(node.value, float) and not math.isfinite(node.value)):
        return None
    return node.number()


def _text(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"
