"""What tests of table formats share: tables written to files, and targets taken apart for comparison."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.features.measurement import MeasurementSettings
    from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets


def write_json(path: Path, content: object) -> Path:
    """Write a table, bare NaN included as other programs do."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def protocol(targets: FeatureTargets, name: str) -> ProtocolTargets:
    """The protocol of a name."""
    return next(found for found in targets.protocols if found.name == name)


def has_note(targets: FeatureTargets, *words: str) -> bool:
    """Whether one note says all the words."""
    return any(all(word in note for word in words) for note in targets.notes)


def numbers(targets: FeatureTargets) -> dict[str, tuple[float, float, float]]:
    """Mean, standard deviation and weight of each objective."""
    return {name: (target.mean, target.std, target.weight) for name, target in targets.objectives.items()}


def acting(targets: FeatureTargets) -> dict[str, tuple[str, str, tuple[float, float], MeasurementSettings]]:
    """Feature, unit, window (ms) and settings that act on each target of a protocol, wherever they are said."""
    return {
        found.objective(target): (
            target.feature,
            target.unit,
            target.window_ms or found.stimulus.window_ms or (0.0, found.duration_ms),
            target.settings or found.settings,
        )
        for found in targets.protocols
        for target in found.features
    }


def stimulus(*pieces: tuple[float, float, float, float], **more: Any) -> ProtocolStimulus:
    """A stimulus from (onset, duration, start, end) of its pieces."""
    return ProtocolStimulus(tuple(TargetPiece(*piece) for piece in pieces), **more)


def target(targets: FeatureTargets, objective: str) -> FeatureTarget:
    """The target of an objective."""
    return targets.objectives[objective]
