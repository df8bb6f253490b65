"""The main figure: spikes, rates beside them, and below the spectrum and the factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.report.gains import add_factor_bar, draw_factors
from rheobase.campaigns.circuits.report.looks import colour_of, kinds_of, name_rows, rows_of, shade_layers
from rheobase.campaigns.circuits.report.raster import draw_raster, shown_part
from rheobase.campaigns.circuits.report.rates import IN_VIVO, TOLERANCE, draw_rates
from rheobase.campaigns.circuits.report.spectrum import draw_spectrum, has_spectrum
from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure, SubFigure

    from rheobase.campaigns.circuits.report.data import CircuitReportData

_SHOWN_MS = 2000.0
_UPPER_IN, _LOWER_IN = 5.4, 3.7


def main_figure(data: CircuitReportData) -> Figure | None:
    """Everything that there is of it; None for a campaign that has neither spikes nor rates."""
    if not data.populations or (data.spikes is None and not data.rates):
        return None
    lower = has_spectrum(data) or bool(data.gains)
    with drawing.style():
        upper_in = min(2.2 + 0.3 * len(data.populations), _UPPER_IN)
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, upper_in + lower * _LOWER_IN)
        if not lower:
            _draw_populations(figure, data)
            return figure
        parts = figure.subfigures(2, 1, height_ratios=[upper_in, _LOWER_IN], hspace=0.02, squeeze=False)
        upper, below = parts[0, 0], parts[1, 0]
        _draw_populations(upper, data)
        _draw_lower(below, data)
        return figure


def write_main_figure(data: CircuitReportData, path: Path) -> bool:
    """Write the main figure as PNG.

    Args:
        data: What is shown.
        path: The file.

    Returns:
        Whether there was anything to be shown.
    """
    figure = main_figure(data)
    if figure is None:
        return False
    with drawing.style():
        figure.savefig(path, format="png", dpi=200)
    return True


def _draw_populations(figure: Figure | SubFigure, data: CircuitReportData) -> None:
    """Raster and rates share their rows."""
    rows = rows_of(data.populations)
    shown = [data.spikes is not None, bool(data.rates)]
    columns = figure.subplots(
        1, sum(shown), sharey=True, squeeze=False, gridspec_kw={"width_ratios": [1.75, 1.0] if all(shown) else [1.0]}
    )[0]
    for place, axes in enumerate(columns):
        shade_layers(axes, rows, names=place == 0)
    if data.spikes is not None:
        spikes = shown_part(data.spikes, _SHOWN_MS)
        draw_raster(columns[0], spikes, rows)
        columns[0].set_xlabel("Time (ms)")
        columns[0].set_title(f"Spikes of {sum(entry.size for entry in data.populations)} cells")
    if data.rates:
        whole = rows[-1].top + rows[-1].height
        # A tall row has its marks within a line's height of its middle, as the low ones do.
        draw_rates(columns[-1], data, rows, half=min(0.36 * min(row.height for row in rows), 0.02 * whole))
        columns[-1].set_title(_rates_title(data))
    name_rows(columns[0], rows)
    for axes in columns[1:]:
        axes.tick_params(axis="y", length=0, labelleft=False)
    _key(figure, data)


def _rates_title(data: CircuitReportData) -> str:
    count = len(data.runs)
    return f"Rates, {count} unseen seed{'' if count == 1 else 's'}" if count else "Targets of the rates"


def _key(figure: Figure | SubFigure, data: CircuitReportData) -> None:
    """What colours and marks mean, below."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = [Patch(color=colour_of(kind), label=kind or "other") for kind in kinds_of(data)]
    if data.rates:
        if data.runs:
            handles.append(Line2D([], [], color="#777777", marker="o", markersize=3.2, linestyle="", label="one seed"))
            handles.append(Line2D([], [], color="#444444", marker="D", markersize=5.0, linestyle="", label="mean"))
        handles.append(Line2D([], [], color=drawing.RECORDING, linewidth=1.6, label="target"))
        handles.append(Patch(color=TOLERANCE, label="tolerance"))
        if any(target.std_Hz is not None or target.quantiles_Hz for target in data.rates.values()):
            handles.append(Line2D([], [], color=IN_VIVO, linewidth=1.0, label="spread in vivo"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.3, handlelength=1.1)


def _draw_lower(figure: SubFigure, data: CircuitReportData) -> None:
    shown = [has_spectrum(data), bool(data.gains)]
    columns = figure.subplots(1, sum(shown), squeeze=False)[0]
    if shown[0]:
        draw_spectrum(columns[0], data)
        columns[0].set_title("Spectrum against target")
        columns[0].legend(loc="lower left", fontsize=6.8, handlelength=1.6, bbox_to_anchor=(0.0, 0.03))
    if shown[1]:
        add_factor_bar(figure, columns[-1], draw_factors(columns[-1], data, numbers=False))
        columns[-1].set_title("Factors of projections, tuned / described")
        columns[-1].tick_params(labelsize=6.4)
