"""What came of a campaign, in words, the bad news first."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.campaigns.report.drawing import duration, number
from rheobase.campaigns.report.scores import INTRINSIC, score_rows
from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from rheobase.campaigns.report.data import ReportData
    from rheobase.campaigns.report.scores import ScoreRow

_WORST_NAMED = 4


@dataclass(frozen=True)
class Verdict:
    """The verdict.

    Attributes:
        accepted: Whether any model of the ensemble is accepted.
        headline: One sentence.
        sentences: What has to be known beside it.
        worst: The best model's worst features, one text each.
        figures: Numbers to stand out, as (number, what it is).
    """

    accepted: bool
    headline: str
    sentences: tuple[str, ...]
    worst: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]


def judge(data: ReportData) -> Verdict:
    """The verdict over a campaign's ensemble."""
    accepted = sum(member.accepted for member in data.ensemble.members)
    sentences = [_shown(data, accepted), _effort(data)]
    if not data.targets.objectives:
        sentences.append(
            "There is no target: nothing was measured in the recordings that a model could be held against."
        )
    if data.surrogates:
        sentences.insert(0, _surrogate_warning(data))
    return Verdict(
        accepted=accepted > 0,
        headline=_headline(data, accepted),
        sentences=tuple(sentence for sentence in sentences if sentence),
        worst=_worst_features(data),
        figures=_figures(data),
    )


def _headline(data: ReportData, accepted: int) -> str:
    limit = f"{number(data.ensemble.largest_score)} standard deviations"
    count = len(data.record)
    if count == 0:
        return "No model was evaluated: there is nothing to judge."
    if accepted == 0:
        return f"No model reached every target within {limit} in {count} {_plural(count, 'evaluation')}."
    found = max(data.ensemble.accepted_in_record, accepted)
    verb = "reaches" if found == 1 else "reach"
    return f"{found} of {count} {_plural(count, 'model')} evaluated {verb} every target within {limit}."


def _shown(data: ReportData, accepted: int) -> str:
    shown = len(data.ensemble.members)
    if shown == 0:
        return "The ensemble is empty: no model is shown below." if len(data.record) else ""
    if accepted == 0:
        which = (
            "model shown below is the best found; it is"
            if shown == 1
            else f"{shown} models shown below are the best found; they are"
        )
        text = f"The {which} not accepted."
        if data.ensemble.accepted_in_record:
            text += f" The record holds {data.ensemble.accepted_in_record} accepted, none of them in this ensemble."
        return text
    if accepted == shown:
        return f"The ensemble shown below holds {shown} of them." if shown > 1 else "It is the model shown below."
    return f"Of the {shown} models shown below {accepted} {'is' if accepted == 1 else 'are'} accepted."


def _effort(data: ReportData) -> str:
    count = len(data.record)
    if count == 0:
        return ""
    failed = int(data.record["failure"].notna().sum()) if "failure" in data.record.columns else 0
    stopped = int(data.record["excluded"].sum()) if "excluded" in data.record.columns else 0
    stages = len(data.stages)
    text = f"{count} {_plural(count, 'evaluation')}"
    text += f" in {stages} stages" if stages > 1 else ""
    text += f" within {duration(data.wall_seconds)}"
    early = [f"{_of_them(failed, count)} failed"] if failed else []
    early += [f"{_of_them(stopped, count)} could no longer be chosen and {_were(stopped)} stopped"] if stopped else []
    if not early:
        return f"{text}; {'all of them' if count > 1 else 'it'} reached {'their' if count > 1 else 'its'} end."
    return f"{text}; {', '.join(early)} (see the search below)."


def _of_them(some: int, count: int) -> str:
    return "it" if count == 1 else "all of them" if some == count else f"{some} of them"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _surrogate_warning(data: ReportData) -> str:
    cells = len(data.targets.cells) or max((len(values) for values in data.hidden.values()), default=0)
    who = f"{cells} virtual {_plural(cells, 'cell')} of a hidden model" if cells else "a hidden model"
    return (
        f"The recordings are surrogates: they were simulated from {who} whose parameters the search was not shown. "
        "They test whether the search finds a known answer, and say nothing about real neurons."
    )


def _worst_features(data: ReportData) -> tuple[str, ...]:
    if not data.ensemble.members:
        return ()
    rows = sorted((row for row in score_rows(data) if row.scores[0] >= 1.0), key=lambda row: -row.scores[0])
    return tuple(_described(row) for row in rows[:_WORST_NAMED])


def _described(row: ScoreRow) -> str:
    where = "" if row.group == INTRINSIC else f"{row.group} "
    goal = f"{number(row.target.mean)} ± {number(row.target.std, 2)} {row.target.unit}".strip()
    if not math.isfinite(row.values[0]):
        return f"{where}{row.target.feature}: could not be measured in the model, {goal} in the recordings"
    value = f"{number(row.values[0])} {row.target.unit}".strip()
    return f"{where}{row.target.feature}: {value} where the recordings have {goal} (score {score_text(row.scores[0])})"


def _figures(data: ReportData) -> tuple[tuple[str, str], ...]:
    figures = [(str(len(data.record)), _plural(len(data.record), "evaluation"))]
    if len(data.record):
        figures.append((duration(data.wall_seconds), "search time"))
        if "cpu_seconds" in data.record.columns:
            figures.append((duration(float(data.record["cpu_seconds"].sum())), "CPU time"))
    figures.append(
        (
            str(max(data.ensemble.accepted_in_record, sum(m.accepted for m in data.ensemble.members))),
            "models accepted",
        )
    )
    best = data.ensemble.members[:1]
    if best and best[0].scores:
        figures.append(
            (
                score_text(best[0].worst),
                f"best model's worst score (limit {number(data.ensemble.largest_score)})",
            )
        )
        figures.append((score_text(statistics.median(best[0].scores.values())), "best model's median score"))
    return tuple(figures)


def score_text(score: float) -> str:
    """A score to read; the failure score says that it is one."""
    if not math.isfinite(score):
        return "–"
    return f"{number(score, 2)} (failed)" if score >= FAILURE_SCORE else f"{score:.2f}" if score < 10 else number(score)


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
