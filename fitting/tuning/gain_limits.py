"""Limits that data set to parameters: whatever a stage tries, parameters stay within them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.fitting.tuning.stage import Knob, TuningStage

_SAME = 1e-6  # a bound and its limit differ by less, relative to them


class GainLimits:
    """Smallest and largest value of some parameters.

    A knob that multiplies several parameters goes on while any of them can; the others stay at their limits.

    Args:
        limits: By name of the parameter; both above zero, the smaller one first.

    Raises:
        CampaignError: limits that are not in this order.
    """

    def __init__(self, limits: Mapping[str, tuple[float, float]]) -> None:
        for name, (low, high) in limits.items():
            if not 0.0 < low < high < math.inf:
                raise CampaignError(
                    f"the limits of {name} are factors above 0, the smaller one first, got {low:g}, {high:g}"
                )
        self._limits = dict(limits)

    def clamped(self, parameters: Mapping[str, float]) -> dict[str, float]:
        """Parameters within their limits; those that are not named are 1, and are named where 1 is beyond a limit."""
        found = dict(parameters)
        for name, (low, high) in self._limits.items():
            value = min(max(found.get(name, 1.0), low), high)
            if name in found or value != 1.0:
                found[name] = value
        return found

    def narrowed(
        self, stage: TuningStage, matched: Mapping[str, Sequence[str]], reference: Mapping[str, float]
    ) -> TuningStage:
        """A stage whose knobs have no room in which nothing moves.

        Args:
            stage: The stage.
            matched: Parameters that each of its knobs multiplies.
            reference: Where it starts, within limits.
        """
        if not self._limits:
            return stage
        return replace(stage, free=tuple(self._narrow(knob, matched[knob.name], reference) for knob in stage.free))

    def at_limits(self, parameters: Mapping[str, float]) -> dict[str, tuple[float, bool]]:
        """Parameters that are at a limit: their values, and whether it is the upper one."""
        found = {}
        for name, (low, high) in self._limits.items():
            value = parameters.get(name, 1.0)
            if value >= high * (1.0 - _SAME) or value <= low * (1.0 + _SAME):
                found[name] = (value, value >= high * (1.0 - _SAME))
        return found

    def _narrow(self, knob: Knob, names: Sequence[str], reference: Mapping[str, float]) -> Knob:
        if any(name not in self._limits for name in names):
            return knob
        ranges = [[limit / reference.get(name, 1.0) for limit in self._limits[name]] for name in names]
        low = max(knob.bounds[0], min(one[0] for one in ranges))
        high = min(knob.bounds[1], max(one[1] for one in ranges))
        low, high = min(low, 1.0), max(high, 1.0)
        return replace(knob, bounds=(low, high)) if low < high else knob
