"""What came of tuning a circuit, in words, the bad news first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.report.outcomes import outcomes, rate_outcomes
from rheobase.campaigns.report.drawing import number

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.report.data import CircuitReportData
    from rheobase.campaigns.circuits.report.outcomes import Outcome


@dataclass(frozen=True)
class CircuitVerdict:
    """The verdict.

    Attributes:
        met: Whether every target is met, and the campaign says so too.
        headline: One sentence.
        sentences: What has to be known beside it.
        missed: The targets that are missed, the worst first, one text each.
        why: The campaign's own sentences about it.
        figures: Numbers to stand out, as (number, what it is).
    """

    met: bool
    headline: str
    sentences: tuple[str, ...]
    missed: tuple[str, ...]
    why: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]


def judge_circuit(data: CircuitReportData) -> CircuitVerdict:
    """The verdict: a success only if the campaign says so and not one target is missed with the unseen seeds."""
    found = outcomes(data)
    missed = sorted((one for one in found if not one.met), key=lambda one: -one.deviation)
    confirmed = bool(data.runs) and bool(found)
    return CircuitVerdict(
        met=data.met and confirmed and not missed,
        headline=_headline(data, len(found), len(missed)),
        sentences=tuple(text for text in (_single_seeds(data), _stages_missed(data), _effort(data)) if text),
        missed=tuple(_described(one) for one in missed) if confirmed else (),
        why=data.sentences,
        figures=_figures(data, len(found), len(found) - len(missed)),
    )


def _headline(data: CircuitReportData, targets: int, missed: int) -> str:
    if not targets:
        return "There is no target: nothing can be said about this circuit."
    if not data.runs:
        return "Not met: no circuit was confirmed with seeds that tuning had not seen."
    seeds = f"{len(data.runs)} unseen {_plural(len(data.runs), 'seed')}"
    if missed:
        which = (
            "all targets are"
            if missed == targets
            else f"{missed} of {targets} targets {'is' if missed == 1 else 'are'}"
        )
        which = "the only target is" if targets == 1 else which
        return f"Not met: {which} missed with {seeds}."
    if not data.met:
        return f"Not accepted: the means over {seeds} lie within every tolerance, but the campaign did not end as met."
    return f"Met: {_all(targets)} met with {seeds}."


def _all(targets: int) -> str:
    return (
        "the only target is" if targets == 1 else "both targets are" if targets == 2 else f"all {targets} targets are"
    )


def _described(one: Outcome) -> str:
    text = f"{one.what}: {one.value}, wanted {one.wanted}"
    return text if one.seeds == "–" else f"{text} (single seeds: {one.seeds})"


def _single_seeds(data: CircuitReportData) -> str:
    """Means hide single seeds: how many of these are within too."""
    rates = rate_outcomes(data)
    values = [(one.judged, value) for one in rates.values() for value in one.per_seed if value is not None]
    if len(data.runs) < 2 or not values:
        return ""
    within = sum(abs(value - judged.target) <= judged.tolerance for judged, value in values)
    return (
        f"Targets are held against means over the seeds. Of the {len(values)} rates of one population with one "
        f"seed, {'all are' if within == len(values) else f'{within} are'} within the tolerance."
    )


def _stages_missed(data: CircuitReportData) -> str:
    names = [stage.name for stage in data.stages if stage.state == "not met"]
    left_out = [stage.name for stage in data.stages if stage.state == "left out"]
    texts = []
    if names:
        texts.append(f"{_plural(len(names), 'Stage')} not met: {', '.join(names)}.")
    if left_out:
        texts.append(f"Left out because of that: {', '.join(left_out)}.")
    return " ".join(texts)


def _effort(data: CircuitReportData) -> str:
    simulations = sum(stage.simulations for stage in data.stages)
    if not simulations:
        return ""
    stopped = sum(stage.stopped for stage in data.stages)
    stages = len([stage for stage in data.stages if stage.simulations])
    simulated = number(sum(stage.simulated_s for stage in data.stages))
    text = f"Tuning took {simulations} {_plural(simulations, 'trial')}" + (f" in {stages} stages" if stages > 1 else "")
    text += f", {stopped} of them stopped early" if stopped else ""
    return f"{text}, with {simulated} s simulated altogether."


def _figures(data: CircuitReportData, targets: int, met: int) -> tuple[tuple[str, str], ...]:
    figures = [(f"{met if data.runs else 0} of {targets}", "targets met")] if targets else []
    if data.runs:
        figures.append((str(len(data.runs)), f"unseen {_plural(len(data.runs), 'seed')}"))
    if data.wall_seconds:
        figures.append((f"{number(data.wall_seconds / 60.0)} min", "from start to end"))
    if data.cpu_seconds:
        figures.append((f"{number(data.cpu_seconds / 60.0)} min", "CPU time of simulations"))
    simulations = sum(stage.simulations for stage in data.stages)
    if simulations:
        figures.append((str(simulations), _plural(simulations, "trial")))
    cells = sum(entry.size for entry in data.populations)
    if cells:
        figures.append((str(cells), f"cells in {len(data.populations)} {_plural(len(data.populations), 'population')}"))
    return tuple(figures)


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
