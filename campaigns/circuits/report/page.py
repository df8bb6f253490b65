"""The page: verdict, figures and tables of a tuned circuit in one HTML file that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.report.convergence import convergence_figure
from rheobase.campaigns.circuits.report.evoked import evoked_figure
from rheobase.campaigns.circuits.report.gains import conductances_figure, factors_figure
from rheobase.campaigns.circuits.report.laminar import laminar_figure
from rheobase.campaigns.circuits.report.main import main_figure
from rheobase.campaigns.circuits.report.outcomes import outcome, rate_outcomes
from rheobase.campaigns.circuits.report.raster import LONGEST_MS, raster_figure
from rheobase.campaigns.circuits.report.rates import rates_figure
from rheobase.campaigns.circuits.report.sensitivity import SURE, sensitivity_figure
from rheobase.campaigns.circuits.report.spectrum import has_spectrum, spectrum_figure
from rheobase.campaigns.circuits.report.unitary import unitary_figure, unitary_matrix
from rheobase.campaigns.circuits.report.verdict import judge_circuit
from rheobase.campaigns.report.drawing import PAGE_WIDTH_IN, as_svg, duration, number
from rheobase.campaigns.report.templates import page_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from matplotlib.figure import Figure

    from rheobase.campaigns.circuits.report.data import CircuitReportData, ReportedStage

TEMPLATE = Path(__file__).with_name("page.html.jinja")
_MOST_NAMES = 8


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
class Part:
    """A part of the page.

    Attributes:
        key: Where links lead.
        title: Its heading.
        plates: Its figures; a part without any and without lines is left out.
        lines: Whether it has a table or text of its own.
    """

    key: str
    title: str
    plates: tuple[Plate, ...]
    lines: bool = False


def render_circuit_report(data: CircuitReportData) -> str:
    """The report as HTML: no script, no network, figures inside.

    Args:
        data: What is shown.
    """
    return page_template(TEMPLATE).render(
        data=data,
        verdict=judge_circuit(data),
        overview=_overview(data),
        parts=[part for part in _parts(data) if part.plates or part.lines],
        rate_lines=_rate_lines(data),
        other_lines=[outcome(one) for one in data.others],
        stage_lines=[_stage_line(stage) for stage in data.stages],
        stage_notes=[stage for stage in data.stages if stage.sentences],
    )


def _overview(data: CircuitReportData) -> Plate | None:
    if data.spikes is None and not has_spectrum(data):
        return None  # it would show the rates alone, which follow
    text = "A population's row is as high as it has cells, but never lower than a line of text."
    if data.spikes is not None:
        text = f"Spikes of one run with an unseen seed. {text}"
    if data.rates and data.runs:
        text += " Rates of all unseen seeds stand against their targets, in the same rows."
    if has_spectrum(data):
        text += " Below, the spectrum; the target is shifted to its height."
    return _plate("", main_figure(data), "overview", text)


def _parts(data: CircuitReportData) -> tuple[Part, ...]:
    return (
        Part("rates", "Rates", _some(_rates(data)), bool(data.rates)),
        Part(
            "targets",
            _targets_title(data),
            _some(_spectrum(data), _evoked(data)),
            bool(data.spectrum_target or data.others),
        ),
        Part("activity", "Activity", _some(_raster(data), _laminar(data))),
        Part("stages", "Stages", _some(_convergence(data)), bool(data.stages)),
        Part("gains", "Factors and conductances", _some(*_gains(data))),
        Part("unitary", "Unitary potentials", _some(*_unitary(data))),
        Part("sensitivity", "What depends on what", _some(_sensitivity(data))),
    )


def _targets_title(data: CircuitReportData) -> str:
    if not has_spectrum(data) and data.spectrum_target is None:
        return "Other targets"
    return "Spectrum and other targets" if data.others else "Spectrum"


def _some(*plates: Plate | None) -> tuple[Plate, ...]:
    return tuple(plate for plate in plates if plate is not None)


def _rates(data: CircuitReportData) -> Plate | None:
    text = (
        "Black: the target; grey block: its tolerance; diamond: mean over the unseen seeds, ringed in red where it is "
        "missed; dots: single seeds."
    )
    if any(target.quantiles_Hz for target in data.rates.values()):
        text += " Thin grey line: from 5 to 95 % of the units recorded in vivo; thick: the middle half of them."
    if any(target.std_Hz is not None and not target.quantiles_Hz for target in data.rates.values()):
        text += " Grey line: one standard deviation of the units recorded in vivo to either side of the mean."
    if data.spikes is not None:
        text += " Small ticks below: single cells of the model in one run; those beyond the axis stand at its ends."
    return _plate("", rates_figure(data), "rates", text)


def _spectrum(data: CircuitReportData) -> Plate | None:
    text = "The model's mean spectrum dark blue, single seeds light blue."
    if data.spectrum_target is not None:
        text += (
            " The target is shifted to the model's height: only shapes are compared, since some hundred cells "
            "stand for millions."
        )
        if data.spectrum_target.source:
            text += f" Target: {data.spectrum_target.source}."
    return _plate("", spectrum_figure(data), "spectrum", text)


def _evoked(data: CircuitReportData) -> Plate | None:
    text = (
        "The model's average over all onsets and runs dark blue, single runs light blue. Pale blue: where the "
        "peak of a component is looked for; grey: amplitude and latency that are near enough, with the "
        "wanted amplitude in black."
    )
    return _plate("Responses to stimuli", evoked_figure(data), "evoked", text)


def _laminar(data: CircuitReportData) -> Plate | None:
    text = (
        "The end of one run with an unseen seed. Left: local field potential at each electrode; right, where "
        "electrodes are evenly spaced: current source density, by the second derivative."
    )
    return _plate("Along a laminar probe", laminar_figure(data), "laminar", text)


def _raster(data: CircuitReportData) -> Plate | None:
    if data.spikes is None:
        return None
    longer = data.spikes.stop_ms - data.spikes.start_ms > LONGEST_MS
    text = "A tick for every spike. Below, the mean rates of excitatory and of all other cells in bins of 20 ms."
    text += f" The last {duration(LONGEST_MS / 1000.0)} of the run are shown." if longer else ""
    return _plate("", raster_figure(data), "raster", text)


def _convergence(data: CircuitReportData) -> Plate | None:
    text = (
        "A panel for each stage, a dot for every trial: how far its worst target is off, in tolerances. What lies in "
        "the green ground meets all targets of the stage with one seed; a stage is met when further seeds confirm it."
    )
    return _plate("", convergence_figure(data), "convergence", text)


def _gains(data: CircuitReportData) -> tuple[Plate | None, Plate | None]:
    factors = (
        "Conductance after tuning over that described, rows are targets. Red is stronger, blue weaker; grey is as "
        "described; where nothing is, there is no projection."
    )
    factors += " At the right, what populations get from outside." if data.backgrounds else ""
    conductances = "Peak conductance of one contact with the factor in it."
    return (
        _plate("Factors", factors_figure(data), "factors", factors),
        _plate("Conductances", conductances_figure(data), "conductances", conductances),
    )


def _unitary(data: CircuitReportData) -> tuple[Plate | None, Plate | None]:
    text = "Diamonds: the model, in the colour of the source; black: paired recordings."
    if any(entry.factor is not None for entry in data.unitary):
        text += " Grey: within the factor that is allowed; what lies beyond is ringed in red."
    return (
        _plate("", unitary_figure(data), "unitary", text),
        _plate("All that the model has", unitary_matrix(data), "unitary-all", "Size of the mean unitary potential."),
    )


def _sensitivity(data: CircuitReportData) -> Plate | None:
    text = (
        "Slope of each target with the logarithm of each factor at the end of the search; for rates it is that of the "
        "rate's logarithm: 0.5 says that a factor of 2 multiplies the rate by 1.4. Empty: within "
        f"{number(SURE)} standard errors of nothing."
    )
    return _plate("", sensitivity_figure(data.sensitivity), "sensitivity", text)


def _rate_lines(data: CircuitReportData) -> list[tuple[str, ...]]:
    """Population, cells, model, single seeds, target with tolerance, in vivo, units, whether it is missed; as text."""
    sizes = {entry.name: str(entry.size) for entry in data.populations}
    lines: list[tuple[str, ...]] = []
    for name, repeated in rate_outcomes(data).items():
        one, target = outcome(repeated), data.rates[name]
        spread = "–" if target.std_Hz is None else f"{number(target.mean_Hz)} ± {number(target.std_Hz)}"
        units = "–" if target.units is None else str(target.units)
        wanted = f"{number(target.mean_Hz)} ± {number(target.tolerance_Hz, 2)}"
        value = number(repeated.judged.value)
        lines.append(
            (name, sizes.get(name, "–"), value, one.seeds, wanted, spread, units, "met" if one.met else "missed")
        )
    return lines


def _stage_line(stage: ReportedStage) -> tuple[str, ...]:
    """Name, what was free, targets, trials, stopped, simulated, CPU minutes, minutes, state; as text."""
    return (
        stage.name,
        _listed(stage.free),
        *map(str, (stage.targets, stage.simulations, stage.stopped)),
        number(stage.simulated_s),
        number(stage.cpu_seconds / 60.0, 2),
        "–" if stage.wall_seconds is None else number(stage.wall_seconds / 60.0, 2),
        stage.state,
    )


def _listed(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMES:
        return f"{', '.join(names[: _MOST_NAMES - 2])} and {len(names) - _MOST_NAMES + 2} more"
    return ", ".join(names) or "nothing"


def _plate(title: str, figure: Figure | None, prefix: str, text: str) -> Plate | None:
    if figure is None:
        return None
    width = f"{min(100.0 * figure.get_figwidth() / PAGE_WIDTH_IN, 100.0):.0f}%"
    return Plate(title, as_svg(figure, prefix, f"{title}. {text}" if title else text), width, text)
