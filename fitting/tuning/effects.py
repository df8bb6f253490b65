"""What rates are expected to do when parameters change, before anything is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.fitting.tuning.recipe import TuningLayer
    from rheobase.fitting.tuning.targets import TuningTarget

# Slope of the logarithm of a rate with that of a factor.
BACKGROUND_SLOPE, EXCITATION_SLOPE, INHIBITION_SLOPE = 3.0, 0.6, -0.4
CONNECTED_BACKGROUND_SLOPE = 1.0


def expected_effects(
    parameters: Sequence[str], targets: Sequence[TuningTarget], layers: Sequence[TuningLayer], connected: bool
) -> Mapping[str, float]:
    """Expected slopes of rates with a factor of some parameters, by keys of the targets.

    Args:
        parameters: Names of the parameters ("weight:L4_E->L4_PV", "background:L4_E"); others have no expected effect.
        targets: Targets; those that are no rates have none either.
        layers: Which populations excite and which inhibit.
        connected: Whether there are projections.
    """
    inhibitory = {name for layer in layers for name in layer.inhibitory}
    found: dict[str, list[float]] = {}
    for parameter in parameters:
        kind, _, rest = parameter.partition(":")
        if kind == "weight" and connected:
            source, _, target = rest.partition("->")
            found.setdefault(target, []).append(INHIBITION_SLOPE if source in inhibitory else EXCITATION_SLOPE)
        elif kind == "background":
            slope = CONNECTED_BACKGROUND_SLOPE if connected else BACKGROUND_SLOPE
            found.setdefault(rest.partition(":")[0], []).append(slope)
    rates = {target.population: target.key for target in targets if target.name == "rate"}
    return {rates[name]: sum(slopes) / len(slopes) for name, slopes in found.items() if name in rates}
