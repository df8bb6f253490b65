"""What figures of circuits share: colours of the classes of cells, and heights of the populations' rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from rheobase.campaigns.circuits.report.data import CircuitReportData, ReportedPopulation

# After Okabe and Ito (2008): these stay apart in all common forms of colour blindness.
KINDS = {"E": drawing.BEST, "PV": "#b8578f", "SST": "#c98a00", "VIP": "#14866a"}
OTHER_KIND = "#6d6d6d"
LAYER_SHADE = "#f4f4f1"
GRID = "#e6e6e3"

_LETTER_POINTS = 4.4
_LONGEST_NAME = 22
_LETTERS_IN_ROW = 4  # of a name that runs upwards along its layer; longer ones are left out
_SMALLEST_ROW = 1 / 20  # of the whole height: a line of text fits into it


@dataclass(frozen=True)
class Row:
    """Where a population is drawn: as high as it has cells, but never lower than a line of text.

    Attributes:
        population: The population.
        top: Upper edge; rows go downwards from 0.
        height: Its height, in cells.
    """

    population: ReportedPopulation
    top: float
    height: float

    @property
    def middle(self) -> float:
        """Where its name and its rate stand."""
        return self.top + 0.5 * self.height


def colour_of(kind: str) -> str:
    """Colour of a class of cells."""
    return KINDS.get(kind, OTHER_KIND)


def kinds_of(data: CircuitReportData) -> list[str]:
    """Classes of cells in the circuit, those with a colour first."""
    present = {entry.kind for entry in data.populations}
    return [kind for kind in KINDS if kind in present] + sorted(present - set(KINDS))


def shortened(name: str) -> str:
    """A name that leaves room for the picture."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def rows_of(populations: Sequence[ReportedPopulation], equal: bool = False) -> list[Row]:
    """A row for each population, one below the other.

    Args:
        populations: From the top.
        equal: Whether all rows are of height 1.
    """
    smallest = max(sum(entry.size for entry in populations) * _SMALLEST_ROW, 1.0)
    rows, top = [], 0.0
    for entry in populations:
        height = 1.0 if equal else max(float(entry.size), smallest)
        rows.append(Row(entry, top, height))
        top += height
    return rows


def shade_layers(axes: Axes, rows: Sequence[Row], names: bool) -> None:
    """Every second layer on a light ground; names of layers left of those of the populations.

    Args:
        axes: With rows downwards.
        rows: The rows.
        names: Whether layers are named.
    """
    left_points = -(_LETTER_POINTS * max(len(shortened(row.population.name)) for row in rows) + 16.0)
    for place, (layer, together) in enumerate(groupby(rows, key=lambda row: row.population.layer)):
        group = list(together)
        top, bottom = group[0].top, group[-1].top + group[-1].height
        if place % 2 == 0:
            axes.axhspan(top, bottom, color=LAYER_SHADE, linewidth=0, zorder=0)
        if names and layer and len(layer) <= _LETTERS_IN_ROW * len(group):
            axes.annotate(
                layer, (0.0, 0.5 * (top + bottom)), (left_points, 0.0), xycoords=axes.get_yaxis_transform(),
                textcoords="offset points", rotation=90, ha="center", va="center", fontsize=8.5, fontweight="bold",
                color=drawing.TEXT,
            )  # fmt: skip


def name_rows(axes: Axes, rows: Sequence[Row]) -> None:
    """Names of the populations, in their colours, as tick labels."""
    axes.set_yticks([row.middle for row in rows], [shortened(row.population.name) for row in rows])
    axes.tick_params(axis="y", length=0)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(colour_of(row.population.kind))
    axes.set_ylim(rows[-1].top + rows[-1].height, 0.0)


def ticks_in_decades(axis: Axis, low: float, high: float, steps: Sequence[float] = (1.0, 2.0, 5.0)) -> None:
    """Ticks of a logarithmic axis as plain numbers: 0.5, 1, 2, 5, 10.

    Args:
        axis: Whose.
        low: Where it begins.
        high: Where it ends.
        steps: Ticks of each decade.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    axis.set_ticks([step * 10.0**n for n in decades for step in steps if low <= step * 10.0**n <= high])
    axis.set_ticks([], minor=True)
    drawing.plain_ticks(axis)
