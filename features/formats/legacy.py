"""Tables of the tools before BluePyEfe 2 and BluePyEModel.

Two forms, both a file of features and one of protocols whose entries have "stimuli":

- that of Blue Brain's somatosensory models (Reva et al. 2023, Patterns, doi:10.1016/j.patter.2023.100855):
  {protocol: {"soma.v": [{"feature", "val", "n", "strict_stim"}]}}, steps in % of the threshold current;
- that of BluePyOpt's layer 5 example: {protocol: {"soma": {feature: [mean, std]}}}, steps in nA, the holding current
  as a stimulus that lasts for the whole sweep.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from rheobase.features.formats.assembly import Source, assemble
from rheobase.features.formats.feature_names import role
from rheobase.features.formats.json_nodes import Node, read_json
from rheobase.features.formats.recording_sites import read_sites, split_recording
from rheobase.features.formats.table import ProtocolRow, RowEntry, Table, mean_and_std, weight_of
from rheobase.features.formats.waveforms import NotExpressible, Waveform, read_waveform, tidy_ms
from rheobase.features.measurement import MeasurementSettings

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.features.target_stimuli import ProtocolStimulus
    from rheobase.features.targets import FeatureTargets

# What the programs of the two forms set, and their files do not say.
SPIKE_THRESHOLD_mV = -30.0
EXAMPLE_SPIKE_THRESHOLD_mV = -20.0
EXAMPLE_DENDRITIC_THRESHOLD_mV = -55.0

# Entries that hold settings of the authors' search instead of a stimulus.
_SEARCH_SETTINGS = ("Main", "RinHoldcurrent", "RinHoldCurrent", "ThresholdDetection")
_KNOWN_KEYS = {
    "feature", "val", "n", "strict_stim", "weight", "stage", "fid", "threshold", "efel_settings", "efeature_name",
}  # fmt: skip
_BOX_COX_LENGTH = 6


def read_legacy(features_path: Path, protocols_path: Path, holding_voltage_mV: float | None = None) -> FeatureTargets:
    """Read such a pair of files.

    Args:
        features_path: The features.
        protocols_path: The protocols.
        holding_voltage_mV: Voltage at which cells were held (mV), used where the table does not say it.

    Returns:
        The targets. Everything that has no place in them stands in their notes, by name.

    Raises:
        FeatureError: Not such files; the message names file and key.
    """
    table = Table()
    _read_protocols(read_json(protocols_path), table)
    _Features(table).read(read_json(features_path))
    return assemble(table, Source(features_path, holding_voltage_mV))


def _read_protocols(content: Node, table: Table) -> None:
    doubled, held = [], []
    for name, entry in content.members():
        if name in _SEARCH_SETTINGS:
            _read_search_settings(name, entry, table)
            continue
        try:
            wave, holding_nA = _stimulus(name, entry)
        except NotExpressible as reason:
            table.notes.append(f"the stimulus of {name} cannot be given: {reason}")
            continue
        table.protocols[name] = _protocol_row(name, entry, wave, table)
        if wave.stimulus.unit == "percent" and wave.amplitude_nA is not None and role(name, "voltage_base") is None:
            doubled.append(f"{name} {wave.amplitude_nA:g}")
            if holding_nA is not None:
                held.append(f"{name} {holding_nA:g}")
    _note_stages(content, table.notes)
    if doubled:
        table.notes.append(f"stimuli given in nA too; % of the threshold current counts: {', '.join(doubled)}")
    if held:
        table.notes.append(f"holding currents given (nA); the holding voltage counts: {', '.join(held)}")


def _read_search_settings(name: str, entry: Node, table: Table) -> None:
    if name == "ThresholdDetection":
        step = entry.need("step_template").need("stimuli").need("step")
        table.threshold_duration_ms = step.number_at("duration")
        return
    plain = ", ".join(f"{key} {found.value}" for key, found in entry.members() if found.is_number)
    table.notes.append(f"{name}: settings of the authors' search are not used ({plain})")


def _protocol_row(name: str, entry: Node, wave: Waveform, table: Table) -> ProtocolRow:
    stimulus = replace(wave.stimulus, window_ms=_window(name, wave.stimulus))
    sites = read_sites(name, entry.get("extra_recordings"), table.notes)
    return ProtocolRow(stimulus, wave.delay_ms, wave.amplitude_nA, sites)


def _window(name: str, stimulus: ProtocolStimulus) -> tuple[float, float] | None:
    """When the authors' programs measure: they go by the protocol's name."""
    if "bAP" in name and stimulus.after_ms:  # the dendrite answers after the pulse
        return 0.0, tidy_ms(stimulus.duration_ms + stimulus.after_ms)
    if "H40S8" in name and len(stimulus.pieces) > 1:  # up to the onset of the last pulse
        return 0.0, stimulus.pieces[-1].onset_ms
    return None


def _stimulus(name: str, entry: Node) -> tuple[Waveform, float | None]:
    """The stimulus, and the holding current (nA) if given."""
    stimuli = entry.need("stimuli")
    if not stimuli.is_object:
        return _summed_stimuli(name, stimuli.elements())
    ramp = stimuli.get("ramp")
    step = ramp if ramp is not None else stimuli.need("step")
    steps = [step] if step.is_object else step.elements()
    wave = read_waveform(steps, "ramp" if ramp is not None else "")
    holding = stimuli.get("holding")
    holding_nA = None if holding is None else holding.number_or_none("amp")
    kind = entry.get("type")
    if holding is None and kind is not None and not kind.text().endswith("ThresholdProtocol"):
        return replace(wave, stimulus=replace(wave.stimulus, holding_nA=0.0)), None
    if wave.stimulus.unit == "nA" and holding_nA is not None:
        return replace(wave, stimulus=replace(wave.stimulus, holding_nA=holding_nA)), holding_nA
    return wave, holding_nA


def _summed_stimuli(name: str, stimuli: list[Node]) -> tuple[Waveform, float]:
    """A list of pulses that add up; the ones that last for the whole sweep are the holding current."""
    steps = [step for step in stimuli if not _lasts_throughout(step)]
    holding_nA = sum(step.number_at("amp") for step in stimuli if _lasts_throughout(step))
    if not steps:
        raise NotExpressible(f"{name} has a holding current only")
    wave = read_waveform(steps, "")
    return replace(wave, stimulus=replace(wave.stimulus, holding_nA=holding_nA)), holding_nA


def _lasts_throughout(step: Node) -> bool:
    return step.number_at("delay") == 0.0 and step.number_at("duration") >= step.number_at("totduration")


def _note_stages(content: Node, notes: list[str]) -> None:
    """Which protocols the authors searched with at which stage, and which with stochastic channels."""
    stages, stochastic = [], []
    for name, entry in content.members():
        stage, stimuli = entry.get("stage"), entry.get("stimuli")
        if stage is not None:
            stages.append(f"{name} {stage.value}")
        step = stimuli.get("step") if stimuli is not None and stimuli.is_object else None
        if step is not None and step.is_object and step.value.get("stochkv_det") is False:
            stochastic.append(name)
    if stages:
        notes.append(f"stages of the authors' search are not used: {', '.join(stages)}")
    if stochastic:
        notes.append(f"the authors had stochastic potassium channels under {', '.join(stochastic)}")


class _Features:
    """Reads the features' file into a table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._sources: Counter[str] = Counter()
        self._box_cox = 0
        self._other_keys: Counter[str] = Counter()
        self._settings: set[MeasurementSettings] = set()

    def read(self, content: Node) -> None:
        for protocol, locations in content.members():
            for recording, found in locations.members():
                if found.is_object:
                    self._read_example(protocol, recording, found)
                else:
                    for entry in found.elements():
                        self._read_entry(protocol, recording, entry)
        self._note_the_rest()

    def _read_entry(self, protocol: str, recording: str, entry: Node) -> None:
        feature = entry.need("feature").text()
        values = entry.need("val")
        mean, std = mean_and_std(values)
        strict = entry.get("strict_stim")
        threshold_mV = entry.number_or_none("threshold")
        base = MeasurementSettings(
            spike_threshold_mV=SPIKE_THRESHOLD_mV if threshold_mV is None else threshold_mV,
            strict_stimulus_interval=True if strict is None else bool(strict.value),
        )
        name = entry.get("efeature_name")
        self._table.add(
            RowEntry(
                protocol,
                recording,
                feature,
                mean,
                std,
                cells=entry.count_at("n"),  # cells, not sweeps as later: the same under every step of an e-type
                weight=weight_of(entry),
                name="" if name is None else name.text(),
                settings=entry.get("efel_settings"),
                base=base,
            )
        )
        self._box_cox += len(values.elements()) == _BOX_COX_LENGTH
        self._settings.add(base)
        self._other_keys.update(key for key, _ in entry.members() if key not in _KNOWN_KEYS)
        self._note_comment(f"{protocol} {recording} {feature}", entry)

    def _read_example(self, protocol: str, recording: str, features: Node) -> None:
        location, _ = split_recording(recording)
        dendritic = "dend" in location
        base = MeasurementSettings(
            spike_threshold_mV=EXAMPLE_DENDRITIC_THRESHOLD_mV if dendritic else EXAMPLE_SPIKE_THRESHOLD_mV,
            strict_stimulus_interval=False,
        )
        for feature, found in features.members():
            self._table.add(RowEntry(protocol, recording, feature, *mean_and_std(found), base=base))
            self._settings.add(base)

    def _note_comment(self, label: str, entry: Node) -> None:
        comment = entry.get("__comment")
        if comment is None:
            return
        if not comment.is_object:
            self._table.notes.append(f"{label}: {comment.value}")
            return
        source, meta = comment.get("source"), comment.get("meta")
        version = meta.get("version") if meta is not None and meta.is_object else None
        if source is not None:
            said = source.value if version is None else f"{source.value} (version {version.value})"
            self._sources[str(said)] += 1

    def _note_the_rest(self) -> None:
        notes = self._table.notes
        for source, count in self._sources.items():
            notes.append(f"{count} features are from the authors' data set {source}")
        for settings in sorted(self._settings, key=str):
            notes.append(
                f"spikes cross {settings.spike_threshold_mV:g} mV, strict stimulus interval "
                f"{'on' if settings.strict_stimulus_interval else 'off'}, interpolation step "
                f"{settings.interpolation_step_ms:g} ms: as the table's programs have it where the table does not say"
            )
        if self._box_cox:
            notes.append(f"{self._box_cox} features have Box-Cox columns behind mean and standard deviation; not used")
        for key, count in self._other_keys.items():
            notes.append(f"{count} features have '{key}', which is not used")
