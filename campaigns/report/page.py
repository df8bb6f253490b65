"""The page: verdict, figures and tables in one HTML file that needs nothing else."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase.campaigns.report.convergence import convergence_figure, cost_figure, excluded, stages_of
from rheobase.campaigns.report.drawing import PAGE_WIDTH_IN, as_svg, number, spread
from rheobase.campaigns.report.parameters import (
    chance_correlation,
    correlation_figure,
    parameters_figure,
    position,
)
from rheobase.campaigns.report.scores import rate_figure, score_rows, scores_figure
from rheobase.campaigns.report.sweeps import describe_sweeps, gather_sweeps
from rheobase.campaigns.report.templates import page_template
from rheobase.campaigns.report.traces import main_figure, protocol_figure
from rheobase.campaigns.report.verdict import judge, score_text

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from rheobase.campaigns.report.data import ReportData
    from rheobase.campaigns.report.scores import ScoreRow

TEMPLATE = Path(__file__).with_name("page.html.jinja")


@dataclass(frozen=True)
class Plate:
    """A figure with its text.

    Attributes:
        title: Its heading, "" for none.
        svg: The picture.
        width: Its width as CSS, so that letters are of one size in all pictures.
        text: What is seen.
    """

    title: str
    svg: Markup
    width: str
    text: str


@dataclass(frozen=True)
class TargetLine:
    """A line of the table of targets, as text, with the places of its strip in pixels.

    Attributes:
        objective: Full name.
        feature: The feature alone.
        target: Mean and standard deviation.
        unit: Their unit.
        measured_in: Number of cells and sweeps.
        value: What the best model does.
        score: Its score.
        beyond: Whether that is beyond the limit.
        best: Place of the best model on a strip from -limit to +limit, 0 to 1; None where it has no value.
        others: Places of the other models.
        band: Half width of one standard deviation on that strip.
    """

    objective: str
    feature: str
    target: str
    unit: str
    measured_in: str
    value: str
    score: str
    beyond: bool
    best: float | None
    others: tuple[float, ...]
    band: float


def render_report(data: ReportData) -> str:
    """The report as HTML: no script, no network, figures inside.

    Args:
        data: What is shown.
    """
    return page_template(TEMPLATE).render(
        data=data,
        verdict=judge(data),
        overview=_overview(data),
        traces=_trace_plates(data),
        without_traces=[protocol.name for protocol in data.targets.protocols if not _has_traces(data, protocol.name)],
        scores=_score_plates(data),
        targets=_target_lines(data),
        limit=number(data.ensemble.largest_score),
        parameters=_parameter_plates(data),
        parameter_lines=_parameter_lines(data),
        search=_search_plates(data),
        stage_lines=_stage_lines(data),
        fidelity_lines=_fidelity_lines(data),
        number=number,
    )


def _overview(data: ReportData) -> Plate | None:
    if not data.targets.objectives and not any(data.recorded.values()) and not any(data.simulated.values()):
        return None
    text = (
        "Left, traces of some of the protocols: recordings black and grey, the best model dark blue, the other models "
        "of the ensemble light blue. Long spiking steps show one trace in full and the spikes of the others as rows "
        "above it. Right, how far the models lie from the recordings, feature by feature."
    )
    return _plate("", main_figure(data), "overview", text)


def _has_traces(data: ReportData, protocol: str) -> bool:
    return bool(data.recorded.get(protocol) or data.simulated.get(protocol))


def _trace_plates(data: ReportData) -> list[Plate]:
    plates = []
    for place, protocol in enumerate(data.targets.protocols):
        if _has_traces(data, protocol.name):
            sweeps = gather_sweeps(data, protocol)
            figure, text = protocol_figure(sweeps), describe_sweeps(sweeps)
            plates.append(_plate(protocol.name, figure, f"trace-{place}", text))
    return plates


def _score_plates(data: ReportData) -> list[Plate]:
    if not data.targets.objectives:
        return []
    rows = score_rows(data)
    limit = data.ensemble.largest_score
    if data.ensemble.members:
        within = sum(row.scores[0] <= limit for row in rows)
        near = sum(row.scores[0] <= 1.0 for row in rows)
        text = (
            f"The best model is within {number(limit)} standard deviations in {within} of {len(rows)} features "
            f"and within one in {near}. Dark: best model, ringed in red where beyond the limit; light: the other "
            "models; 250 stands for a feature that could not be measured."
        )
    else:
        text = "There is no model to score."
    plates = [_plate("", scores_figure(data), "scores", text)]
    rates = rate_figure(data)
    if rates is not None:
        text = (
            "Firing rate against the step's amplitude. A cross on the axis: the model has no such value there. "
            "Black: mean and standard deviation of the recordings."
        )
        plates.append(_plate("f–I curve", rates, "rates", text))
    return plates


def _target_lines(data: ReportData) -> list[tuple[str, list[TargetLine]]]:
    rows = score_rows(data)
    return [
        (group, [_target_line(row, data.ensemble.largest_score) for row in together])
        for group, together in itertools.groupby(rows, key=lambda row: row.group)
    ]


def _target_line(row: ScoreRow, limit: float) -> TargetLine:
    target = row.target
    places = [
        0.5 + 0.5 * min(max(value / limit, -1.0), 1.0) if limit > 0 and math.isfinite(value) else None
        for value in row.deviations
    ]
    return TargetLine(
        objective=row.objective,
        feature=target.feature,
        target=f"{number(target.mean)} ± {number(target.std, 2)}",
        unit=target.unit,
        measured_in=f"{target.cells} / {target.sweeps}",
        value=number(row.values[0]) if row.values else "–",
        score=score_text(row.scores[0]) if row.scores else "–",
        beyond=bool(row.scores) and row.scores[0] > limit,
        best=places[0] if places else None,
        others=tuple(place for place in places[1:] if place is not None),
        band=min(0.5 / limit, 0.5) if limit > 0 else 0.5,
    )


def _parameter_plates(data: ReportData) -> list[Plate]:
    plates = []
    ranges = parameters_figure(data)
    if ranges is not None:
        text = "Every parameter from its lower to its upper bound; a line joins the values of one model."
        if any(dimension.logarithmic for dimension in data.dimensions):
            text += " (log): the axis is logarithmic, white lines are powers of ten."
        if data.hidden:
            text += " Black marks: the true values in the virtual cells, which the search was not shown."
        plates.append(_plate("", ranges, "parameters", text))
    together = correlation_figure(data)
    if together is not None:
        members = len(data.ensemble.members)
        text = (
            f"Rank correlations over the {members} models; a white dot where the size exceeds "
            f"{number(min(chance_correlation(members), 1.0), 2)}. One pair in twenty does so by chance alone, "
            "and the models were chosen to be different: read these as hints at parameters that stand in for "
            "each other."
        )
        plates.append(_plate("Parameters that go together", together, "correlation", text))
    return plates


def _parameter_lines(data: ReportData) -> list[tuple[str, ...]]:
    """Name, unit, bounds, best model, ensemble, true values; as text."""
    lines: list[tuple[str, ...]] = []
    for dimension in data.dimensions:
        values = [_parameter(member.parameters.get(dimension.name)) for member in data.ensemble.members]
        at_bound = bool(values) and not 0.01 < position(dimension, values[0]) < 0.99
        lines.append(
            (
                dimension.name,
                data.units.get(dimension.name, ""),
                f"{number(dimension.low)} to {number(dimension.high)}",
                (number(values[0]) if values else "–") + (" (at its bound)" if at_bound else ""),
                spread(values),
                spread(data.hidden.get(dimension.name, [])),
            )
        )
    return lines


def _parameter(value: float | None) -> float:
    return math.nan if value is None else value


def _stage_lines(data: ReportData) -> list[tuple[str, ...]]:
    return [
        (
            line.name,
            line.algorithm,
            line.fidelity,
            f"{line.objectives} of {len(data.targets.objectives)}",
            *map(str, (line.evaluations, line.excluded, line.failed)),
            number(line.cpu_seconds / 60.0),
            number(line.best_total),
            line.ended or "not yet",
        )
        for line in data.stages
    ]


def _fidelity_lines(data: ReportData) -> list[tuple[str, ...]]:
    return [
        (
            line.coarse,
            str(line.models),
            _signed(line.difference),
            _signed(line.largest),
            number(line.correlation, 2),
            number(line.cost, 2),
            str(line.failed),
        )
        for line in data.fidelities
    ]


def _signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def _search_plates(data: ReportData) -> list[Plate]:
    plates = []
    curves = convergence_figure(data)
    if curves is not None:
        text = (
            "A dot for every evaluation, those that failed at the top; dark, the lowest score so far. The lowest "
            "total and the lowest worst score need not be of the same model. Where scores reach far, the axes are "
            "even near zero and logarithmic above. Pauses of the campaign are left out of the time."
        )
        if len(stages_of(data)) > 1:
            text += (
                " Grey lines: where a stage begins, in which the lowest score so far begins anew, since stages may "
                "look at other features or simulate more coarsely."
            )
        stopped = excluded(data).sum()
        if stopped:
            text += f" {stopped} candidates that were stopped early have no dot: their scores are not known."
        plates.append(_plate("", curves, "convergence", text))
    costs = cost_figure(data)
    if costs is not None:
        text = (
            "Evaluations that fail or are stopped early cost less: later steps are not simulated once a model cannot "
            "be saved, or can no longer be chosen."
        )
        plates.append(_plate("Failures and cost", costs, "costs", text))
    return plates


def _plate(title: str, figure: Figure, prefix: str, text: str) -> Plate:
    width = f"{min(100.0 * figure.get_figwidth() / PAGE_WIDTH_IN, 100.0):.0f}%"
    return Plate(title, as_svg(figure, prefix, f"{title}. {text}" if title else text), width, text)
