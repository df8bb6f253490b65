"""What tuning did to projections and backgrounds, as matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.circuits.report.looks import colour_of, shortened, ticks_in_decades
from rheobase.campaigns.circuits.report.matrix import Matrix, diverging, draw_matrix, sequential
from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.image import AxesImage

    from rheobase.campaigns.circuits.report.data import CircuitReportData


def factors_figure(data: CircuitReportData) -> Figure | None:
    """Factors of projections by target and source, and of backgrounds beside; None without any."""
    if not data.gains and not data.backgrounds:
        return None
    with drawing.style():
        columns = len(sources_of(data)) + len(_background_names(data))
        figure = drawing.new_figure(_width(columns), _height(len(targets_of(data))))
        axes = figure.subplots()
        image = draw_factors(axes, data)
        add_factor_bar(figure, axes, image)
        return figure


def draw_factors(axes: Axes, data: CircuitReportData, numbers: bool = True) -> AxesImage:
    """The matrix of factors: rows are targets, columns sources, then backgrounds; log2 in colours.

    Args:
        axes: Where.
        data: The factors.
        numbers: Whether factors are written into the cells too.
    """
    from matplotlib.colors import Normalize

    factors = {(gain.target, gain.source): gain.factor for gain in data.gains}
    for entry in data.backgrounds:
        factors[entry.population, _column_of(entry.name)] = entry.factor
    columns = [*sources_of(data), *(_column_of(name) for name in _background_names(data))]
    values = {key: math.log2(factor) for key, factor in factors.items() if factor > 0.0}
    texts = {key: drawing.number(factor, 2) for key, factor in factors.items()} if numbers else {}
    limit = max((abs(value) for value in values.values()), default=0.0)
    matrix = _matrix(targets_of(data), columns, values, texts)
    image = draw_matrix(axes, matrix, diverging(), Normalize(-max(limit, 0.5), max(limit, 0.5)))
    _paint_names(axes, data)
    if data.gains and data.backgrounds:
        axes.axvline(len(sources_of(data)) - 0.5, color="white", linewidth=6.0)
    axes.set_ylabel("Target")
    axes.set_xlabel("Source")
    return image


def add_factor_bar(figure: Figure | SubFigure, axes: Axes, image: AxesImage) -> None:
    """What colours of factors mean: powers of two."""
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=22, pad=0.02, label="Factor")
    bar.outline.set_visible(False)
    ticks = [power for power in range(-6, 7) if abs(power) <= float(image.get_clim()[1] or 1.0)]
    bar.set_ticks(ticks, labels=[_power_of_two(power) for power in ticks])


def conductances_figure(data: CircuitReportData) -> Figure | None:
    """Peak conductance of a contact of each projection; None where no projection has one."""
    known = [gain for gain in data.gains if gain.conductance_nS is not None and gain.conductance_nS > 0.0]
    if not known:
        return None
    values = {(gain.target, gain.source): gain.conductance_nS or math.nan for gain in known}
    return magnitude_figure(data, values, "Conductance of a contact (nS)")


def magnitude_figure(data: CircuitReportData, values: Mapping[tuple[str, str], float], label: str) -> Figure:
    """A matrix of positive numbers by target and source, their logarithms in colours.

    Args:
        data: Its populations give the order.
        values: The numbers by target and source.
        label: What they are.
    """
    from matplotlib.colors import LogNorm

    sources = _ordered(data, {source for _, source in values})
    targets = _ordered(data, {target for target, _ in values})
    with drawing.style():
        figure = drawing.new_figure(_width(len(sources)), _height(len(targets)))
        axes = figure.subplots()
        texts = {key: drawing.number(value, 2) for key, value in values.items()}
        low, high = min(values.values()), max(values.values())
        norm = LogNorm(low / 1.3, high * 1.3)
        image = draw_matrix(axes, _matrix(targets, sources, values, texts), sequential(), norm)
        _paint_names(axes, data)
        axes.set_ylabel("Target")
        axes.set_xlabel("Source")
        bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=22, pad=0.02, label=label)
        bar.outline.set_visible(False)
        ticks_in_decades(bar.ax.yaxis, low / 1.3, high * 1.3)
        return figure


def sources_of(data: CircuitReportData) -> list[str]:
    """Sources of projections: populations in their order, then stimuli."""
    return _ordered(data, {gain.source for gain in data.gains})


def targets_of(data: CircuitReportData) -> list[str]:
    """Populations with a projection onto them, or a background."""
    return _ordered(data, {gain.target for gain in data.gains} | {entry.population for entry in data.backgrounds})


def _ordered(data: CircuitReportData, names: set[str]) -> list[str]:
    known = [entry.name for entry in data.populations if entry.name in names]
    return known + sorted(names - set(known))


def _background_names(data: CircuitReportData) -> list[str]:
    return list(dict.fromkeys(entry.name for entry in data.backgrounds))


def _column_of(background: str) -> str:
    """A background may be called as a population is; a blank behind keeps them apart."""
    return f"{background} "


def _matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Mapping[tuple[str, str], float],
    texts: Mapping[tuple[str, str], str],
) -> Matrix:
    table = np.array([[values.get((row, column), math.nan) for column in columns] for row in rows])
    return Matrix(rows, columns, table, [[texts.get((row, column), "") for column in columns] for row in rows])


def _paint_names(axes: Axes, data: CircuitReportData) -> None:
    kinds = {shortened(entry.name): entry.kind for entry in data.populations}
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        if label.get_text() in kinds:
            label.set_color(colour_of(kinds[label.get_text()]))


def _width(columns: int) -> float:
    return min(max(0.4 * columns + 2.0, 3.4), drawing.PAGE_WIDTH_IN)


def _height(rows: int) -> float:
    return max(0.25 * rows + 1.3, 2.2)


def _power_of_two(power: int) -> str:
    return str(2**power) if power >= 0 else f"1/{2**-power}"
