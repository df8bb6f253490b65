"""What the report draws of evoked responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.report.data import ComponentMark, EvokedWave
from rheobase.fitting.circuits.evoked_judging import evoked_average

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.features.signals.signal import Signal
    from rheobase.fitting.circuits.circuit import CircuitResponse
    from rheobase.fitting.circuits.evoked_judging import EvokedTarget
    from rheobase.fitting.circuits.judging import CircuitTargets
    from rheobase.objectives.evoked import ComponentTarget
    from rheobase.objectives.objective import Target


def evoked_waves(responses: Sequence[CircuitResponse], targets: CircuitTargets) -> tuple[EvokedWave, ...]:
    """Every evoked response that is wanted; none where a run was stopped."""
    found = []
    for target in targets.evoked:
        average = evoked_average(responses, target) if responses else None
        if average is not None:
            alone = [evoked_average([response], target) for response in responses]
            found.append(_wave(target, average, [one for one in alone if one is not None]))
    return tuple(found)


def _wave(target: EvokedTarget, average: Signal, seeds: Sequence[Signal]) -> EvokedWave:
    unit = target.sensor.unit
    return EvokedWave(
        target.name,
        average.times_ms,
        average.converted(unit).values[0],
        tuple(one.converted(unit).values[0] for one in seeds),
        unit,
        tuple(_mark(component) for component in target.components),
    )


def _mark(wanted: ComponentTarget) -> ComponentMark:
    return ComponentMark(
        wanted.component.name, wanted.component.window_ms, _span(wanted.latency_ms), _span(wanted.amplitude)
    )


def _span(target: Target | None) -> tuple[float, float] | None:
    return None if target is None else (target.value - target.tolerance, target.value + target.tolerance)
