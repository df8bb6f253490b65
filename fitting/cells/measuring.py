"""Features of a simulated protocol, as its targets want them measured."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rheobase.features.measurement import measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rheobase.features.measurement import MeasurementSettings
    from rheobase.features.stimuli import Stimulus
    from rheobase.features.targets import FeatureTarget, ProtocolTargets
    from rheobase.fitting.cells.simulation import Trace


def measure_protocol(protocol: ProtocolTargets, trace: Trace, injected: Stimulus) -> dict[str, float]:
    """Value of every objective of a protocol that the trace has; one call of eFEL for all that is measured alike.

    Args:
        protocol: The targets.
        trace: What was recorded.
        injected: What was injected.
    """
    alike: dict[tuple[str, MeasurementSettings, tuple[float, float] | None], list[FeatureTarget]] = defaultdict(list)
    for target in protocol.features:
        alike[site_name(target), target.settings or protocol.settings, target.window_ms].append(target)
    found: dict[str, float] = {}
    for (site, settings, window_ms), targets in alike.items():
        values: NDArray[np.float64] = trace.voltage_mV if site == SOMA else trace.sites[site]
        where = protocol.stimulus.measured(injected, window_ms)
        names = list(dict.fromkeys(target.feature for target in targets))
        measured = measure(trace.time_ms, values, where, names, settings)
        for target in targets:
            value = measured[target.feature]
            if value is not None:
                found[protocol.objective(target)] = value
    return found


SOMA = "soma.v"


def site_name(target: FeatureTarget) -> str:
    """Name under which a trace keeps what a target is measured from: location and variable."""
    return f"{target.location}.{target.variable}"
