"""What the writers of BluePyEfe's and BluePyEModel's tables have in common."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from rheobase.features.formats.waveform_writing import delay_of
from rheobase.features.formats.waveforms import tidy_ms

if TYPE_CHECKING:
    from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets

# What older tables call the cell at rest, without any current.
REST = "RMP"

# Stands for the standard deviation of the holding voltage where the targets do not name cells (mV).
HOLDING_VOLTAGE_STD_mV = 1.0


def intrinsic(targets: FeatureTargets, name: str) -> FeatureTarget | None:
    """The target of a property of the cell itself, if there is one."""
    return next((target for target in targets.intrinsic if target.feature == name), None)


def mean_of(targets: FeatureTargets, name: str) -> float | None:
    """Mean of a property of the cell itself, if there is one."""
    target = intrinsic(targets, name)
    return None if target is None else target.mean


def holding_voltage_std(targets: FeatureTargets) -> float:
    """Standard deviation of the holding voltage between cells (mV)."""
    voltages = [cell.holding_voltage_mV for cell in targets.cells]
    return (statistics.stdev(voltages) if len(voltages) > 1 else 0.0) or HOLDING_VOLTAGE_STD_mV


def sample_size(target: FeatureTarget) -> int:
    """The one number that those tables have: sweeps, or cells where sweeps are not known."""
    return target.sweeps or target.cells


def efel_settings(protocol: ProtocolTargets, target: FeatureTarget) -> dict[str, Any]:
    """EFEL's settings of a target; with the window (ms from the start of the sweep) where one is given."""
    settings: dict[str, Any] = dict((target.settings or protocol.settings).as_efel)
    window_ms = target.window_ms or protocol.stimulus.window_ms
    if window_ms is None and "bAP" in protocol.name:  # BluePyEModel would measure to the end of the sweep
        window_ms = (0.0, protocol.stimulus.duration_ms)
    if window_ms is not None:
        delay_ms = delay_of(protocol.stimulus)
        settings["stim_start"], settings["stim_end"] = (tidy_ms(delay_ms + time_ms) for time_ms in window_ms)
    return settings


def holding_nA(targets: FeatureTargets, protocol: ProtocolTargets) -> float | None:
    """Holding current of a protocol (nA): its own, or the mean over cells where that is known."""
    own_nA = protocol.stimulus.holding_nA
    return mean_of(targets, "holding_current") if own_nA is None else own_nA


def is_rest(protocol: ProtocolTargets) -> bool:
    """Whether a protocol is the cell at rest."""
    stimulus = protocol.stimulus
    return protocol.name == REST and stimulus.unit == "nA" and stimulus.level == 0.0 == stimulus.holding_nA
