"""Why a stage is not met: which targets cannot be reached together, and what holds them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.tuning.response import Response
    from rheobase.fitting.tuning.stage import Knob
    from rheobase.fitting.tuning.steps import Box
    from rheobase.fitting.tuning.targets import TuningTarget

    Numbers = NDArray[np.float64]

_SURE = 2.0  # standard errors
_WEAK = 0.05  # slopes below this move a target by less than 7 % when a factor goes from its half to its double
_LISTED = 6


def smallest_excess(response: Response, targets: Sequence[TuningTarget], chosen: Sequence[int], box: Box) -> float:
    """How far off the worst of some targets stays, at best, within the bounds, in tolerances beyond its own.

    Targets follow the measured slopes; of each deviation what the errors of its level could explain is taken away, so
    that noise is no conflict. A linear programme.

    Args:
        response: Slopes of all targets.
        targets: All targets.
        chosen: Indices of those looked at.
        box: Bounds of the knobs.

    Returns:
        0 or less if all of them can be within their tolerances.
    """
    from scipy.optimize import linprog

    knobs = len(response.centre)
    rows, limits = [], []
    for n in chosen:
        width = targets[n].width
        slopes = response.slopes[n] / width
        distance = (targets[n].goal - response.level[n]) / width
        allowed = 1.0 + _SURE * float(response.level_errors[n]) / width
        rows += [[*slopes, -1.0], [*-slopes, -1.0]]
        limits += [distance + allowed, -distance + allowed]
    bounds = [*zip(box.low - response.centre, box.high - response.centre, strict=True), (-1.0, None)]
    solved = linprog([*np.zeros(knobs), 1.0], A_ub=np.array(rows), b_ub=np.array(limits), bounds=bounds)
    return float(np.asarray(solved.x, dtype=float)[-1]) if solved.success else 0.0


def conflicting(response: Response, targets: Sequence[TuningTarget], box: Box) -> tuple[tuple[int, ...], ...]:
    """Smallest sets of targets that cannot be met together by the measured slopes: single ones, pairs, else one set.

    Returns:
        Indices of targets; a set of one cannot be met by itself. Empty if all can be met together.
    """
    everything = list(range(len(targets)))
    if smallest_excess(response, targets, everything, box) <= 0.0:
        return ()
    alone = [n for n in everything if smallest_excess(response, targets, [n], box) > 0.0]
    possible = [n for n in everything if n not in alone]
    found: list[tuple[int, ...]] = [(n,) for n in alone]
    if not possible or smallest_excess(response, targets, possible, box) <= 0.0:
        return tuple(found)
    pairs: list[tuple[int, ...]] = [
        pair for pair in combinations(possible, 2) if smallest_excess(response, targets, pair, box) > 0.0
    ]
    return (*found, *(pairs or [_irreducible(response, targets, possible, box)]))


def _irreducible(
    response: Response, targets: Sequence[TuningTarget], together: Sequence[int], box: Box
) -> tuple[int, ...]:
    """A set from which none can be left out without the conflict being gone (Chinneck and Dravnieks 1991, deletion)."""
    kept = list(together)
    for n in together:
        without = [one for one in kept if one != n]
        if smallest_excess(response, targets, without, box) > 0.0:
            kept = without
    return tuple(kept)


def conflict_sentences(
    response: Response, targets: Sequence[TuningTarget], knobs: Sequence[Knob], box: Box
) -> list[str]:
    """What conflicts, and which knobs at their bounds would have to go on.

    Args:
        response: Slopes about the best place.
        targets: All targets.
        knobs: All knobs.
        box: Their bounds.
    """
    sentences = []
    for together in conflicting(response, targets, box):
        names = [targets[n].key for n in together]
        if len(together) == 1:
            sentences.append(_impossible(response, targets, together[0], knobs, box))
        elif len(together) == 2:
            sentences.append(
                f"{names[0]} and {names[1]} exclude each other: each can be met alone, but not both with the same "
                f"factors ({_shared(response, together, knobs)})"
            )
        else:
            sentences.append(f"these targets cannot be met together, though any one fewer could: {', '.join(names)}")
    return sentences


def bound_sentences(position: Sequence[float], knobs: Sequence[Knob], box: Box) -> list[str]:
    """One sentence about the knobs at their bounds; none if there are none."""
    at = [
        f"{knobs[n].name} (at its {'upper' if upper else 'lower'} bound, {knobs[n].bounds[1 if upper else 0]:g})"
        for n, upper in box.knobs_at_bounds(position)
    ]
    return [f"at their bounds: {', '.join(at)}"] if at else []


def _impossible(response: Response, targets: Sequence[TuningTarget], n: int, knobs: Sequence[Knob], box: Box) -> str:
    target, slopes = targets[n], response.slopes[n]
    strong = [k for k in np.argsort(-np.abs(slopes)) if abs(slopes[k]) >= _WEAK * max(1.0, target.width)]
    wanted = f"{target.key} cannot be {target.target:g} +- {target.tolerance:g} {target.unit}".rstrip()
    if not strong:
        return f"{wanted}: none of the free factors moves it"
    upwards = target.goal > response.level[n]
    low, high = box.low - response.centre, box.high - response.centre
    reach = np.maximum(slopes * low, slopes * high) if upwards else np.minimum(slopes * low, slopes * high)
    reached = response.level[n] + float(np.sum(reach))
    value = float(np.exp(reached)) if target.logarithmic else float(reached)
    names = ", ".join(knobs[k].name for k in strong[:_LISTED])
    return (
        f"{wanted}: with all factors at their bounds it would be about {value:.3g} {target.unit} "
        f"(it depends on {names})"
    )


def _shared(response: Response, pair: Sequence[int], knobs: Sequence[Knob]) -> str:
    """What two targets hang on together."""
    first, second = (np.abs(response.slopes[n]) for n in pair)
    strength = np.minimum(first, second)
    shared = [knobs[k].name for k in np.argsort(-strength)[:3] if strength[k] >= _WEAK]
    return f"both depend on {', '.join(shared)}" if shared else "what one needs spoils the other"
