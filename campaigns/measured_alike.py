"""Which of other targets a campaign has measured already, and what keeps the rest from being compared."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from rheobase.features.measurement import MeasurementSettings
    from rheobase.features.sites import RecordingSite
    from rheobase.features.target_stimuli import ProtocolStimulus
    from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets


@dataclass(frozen=True)
class Measurement:
    """All that the value of a feature depends on, beside the model; None for what does not matter to it.

    The input resistance is measured with a step that depends on the target's mean a little; a membrane is linear enough
    around its holding potential for this not to matter here.

    Attributes:
        feature: What is measured.
        stimulus: Under which stimulus.
        window_ms: When (ms).
        site: Where in the cell.
        variable: Which variable there.
        settings: How.
        holding_voltage_mV: Voltage that the cell is held at (mV).
        threshold: Length of the steps (ms) and spike threshold (mV) that define the threshold current.
    """

    feature: str
    stimulus: ProtocolStimulus | None = None
    window_ms: tuple[float, float] | None = None
    site: RecordingSite | str | None = None
    variable: str | None = None
    settings: MeasurementSettings | None = None
    holding_voltage_mV: float | None = None
    threshold: tuple[float, float] | None = None


_WORDS = {
    "feature": "another feature",
    "stimulus": "under another stimulus",
    "window_ms": "in another window",
    "site": "at another place",
    "variable": "of another variable",
    "settings": "with other settings",
    "holding_voltage_mV": "from another holding voltage",
    "threshold": "with another definition of the threshold current",
}


@dataclass(frozen=True)
class Recorded:
    """What of other targets a record holds.

    Attributes:
        names: For each objective that it holds, the one under which it is recorded.
        missing: For each of the others, why it must be simulated again.
    """

    names: dict[str, str]
    missing: dict[str, str]


def find_recorded(old: FeatureTargets, new: FeatureTargets, measured: Collection[str]) -> Recorded:
    """What of other targets was measured in the same way before.

    Args:
        old: The targets that a campaign ran with.
        new: Other targets.
        measured: Objectives of the old ones that the record holds.
    """
    before, now = measurements(old), measurements(new)
    by_measurement = {how: name for name, how in reversed(before.items()) if name in measured}
    names, missing = {}, {}
    for name, how in now.items():
        if name in measured and before.get(name) == how:
            names[name] = name
        elif how in by_measurement:
            names[name] = by_measurement[how]
        else:
            missing[name] = _why(before.get(name), how)
    return Recorded(names, missing)


def measurements(targets: FeatureTargets) -> dict[str, Measurement]:
    """How each objective is measured."""
    threshold = (targets.threshold_duration_ms, targets.settings.spike_threshold_mV)
    held_mV = targets.holding_voltage_mV
    found = {}
    for target in targets.intrinsic:
        found[target.feature] = Measurement(
            target.feature,
            holding_voltage_mV=None if target.feature == "resting_potential" else held_mV,
            threshold=threshold if target.feature == "threshold_current" else None,
        )
    for protocol in targets.protocols:
        found.update(
            {protocol.objective(target): _measurement(targets, protocol, target) for target in protocol.features}
        )
    return found


def _measurement(targets: FeatureTargets, protocol: ProtocolTargets, target: FeatureTarget) -> Measurement:
    in_percent = protocol.stimulus.unit == "percent"
    sites = {site.name: site for site in targets.sites}
    return Measurement(
        feature=target.feature,
        stimulus=protocol.stimulus,
        window_ms=target.window_ms,
        site=sites.get(target.location, target.location),
        variable=target.variable,
        settings=target.settings or protocol.settings,
        holding_voltage_mV=targets.holding_voltage_mV if in_percent or protocol.stimulus.holding_nA is None else None,
        threshold=(targets.threshold_duration_ms, targets.settings.spike_threshold_mV) if in_percent else None,
    )


def _why(before: Measurement | None, now: Measurement) -> str:
    if before is None:
        return "it was not measured in this campaign"
    differing = [_WORDS[field.name] for field in fields(now) if getattr(before, field.name) != getattr(now, field.name)]
    if not differing:
        return "no stage of this campaign looked at it"
    return f"it was measured {' and '.join(differing)}"
