"""What is said about a stage: its verdict, its best place, its sensitivities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.tuning.conflicts import bound_sentences, conflict_sentences
from rheobase.fitting.tuning.progress import ScoredTarget, Sensitivity, Verdict
from rheobase.fitting.tuning.steps import Box

if TYPE_CHECKING:
    from rheobase.fitting.tuning.stage_tuning import StageTuning
    from rheobase.fitting.tuning.trials import Place


def verdict_of(tuning: StageTuning) -> Verdict:
    """The verdict on a stage that has ended."""
    stage, judging = tuning.stage, tuning.judging
    noisy = judging.too_noisy(stage.seeds + stage.confirming_seeds)
    if tuning.met:
        return Verdict(True, tuple(noisy))
    best = tuning.best()
    if best is None:
        return Verdict(False, ("no simulation has ended",))
    if all(place.stopped for place in tuning.places if place.outcomes):
        return Verdict(False, (_all_stopped(tuning), *_bounds(tuning, best)))
    off = _off_sentence(tuning, best)
    response = tuning.response()
    if response is None:
        return Verdict(False, (off, *_bounds(tuning, best), *noisy))
    conflicts = conflict_sentences(response, stage.targets, stage.free, _box(tuning))
    if not conflicts:
        conflicts = [
            "the measured slopes name no targets that exclude each other: more trials, or wider bounds, may do"
            if _at_bounds(tuning, best)
            else "the measured slopes name no targets that exclude each other: more trials may do"
        ]
    return Verdict(False, (off, *conflicts, *_bounds(tuning, best), *noisy))


def scored_targets(tuning: StageTuning) -> tuple[ScoredTarget, ...]:
    """Targets at the best place; empty before the first result."""
    best, judging = tuning.best(), tuning.judging
    if best is None:
        return ()
    errors = judging.deviation_errors(best)
    scored = []
    for target, error in zip(tuning.stage.targets, errors, strict=True):
        values = tuple(best.values(target.key))
        seen = math.sqrt(best.repetitions / len(values)) if values else 1.0
        judged = target.judged(best.mean(target.key))
        scored.append(ScoredTarget(judged, values, float(error) * target.tolerance * seen, target.constraint))
    return tuple(scored)


def sensitivity_of(tuning: StageTuning) -> Sensitivity | None:
    """Slopes at the best place."""
    response = tuning.response()
    if response is None:
        return None
    return Sensitivity(
        tuple(target.key for target in tuning.stage.targets),
        tuple(knob.name for knob in tuning.stage.free),
        tuple(tuple(row) for row in response.slopes.tolist()),
        tuple(tuple(row) for row in response.slope_errors.tolist()),
    )


def _off_sentence(tuning: StageTuning, best: Place) -> str:
    scored = sorted(scored_targets(tuning), key=lambda one: -abs(one.judged.deviation))
    parts = []
    for one in scored:
        judged = one.judged
        if judged.met:
            continue
        value = "absent" if judged.value is None else f"{judged.value:.3g}"
        parts.append(
            f"{judged.key} is {value} instead of {judged.target:g} +- {judged.tolerance:g} {judged.unit}".rstrip()
        )
    if not parts:
        seeds = tuning.stage.seeds + tuning.stage.confirming_seeds
        return f"the best place has its means within all tolerances, but was not confirmed on {seeds} seeds"
    runs = f"{best.repetitions} seed{'s' if best.repetitions > 1 else ''}"
    return f"at the best place found, the mean over {runs} of {'; of '.join(parts)}"


def _all_stopped(tuning: StageTuning) -> str:
    outcomes = (outcome for place in tuning.places for outcome in place.outcomes.values())
    reason = next(outcome.stopped for outcome in outcomes if outcome.stopped is not None)
    return f"every simulation was stopped early, the first of them because {reason}"


def _box(tuning: StageTuning) -> Box:
    bounds = np.array([knob.log_bounds for knob in tuning.stage.free]).reshape(-1, 2)
    return Box(bounds[:, 0], bounds[:, 1])


def _bounds(tuning: StageTuning, best: Place) -> list[str]:
    return bound_sentences(best.position, tuning.stage.free, _box(tuning))


def _at_bounds(tuning: StageTuning, best: Place) -> bool:
    return bool(_bounds(tuning, best))
