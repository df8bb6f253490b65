"""Matrices as coloured cells with their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.campaigns.circuits.report.looks import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

_LETTERS = 6.4
# From weaker to stronger; the middle is darker than an empty cell.
_WEAKER_TO_STRONGER = ("#08306b", "#2f7fbc", "#a4c8e0", "#e7e4de", "#f0b394", "#cf5a2e", "#7a1f06")


@dataclass(frozen=True, eq=False)
class Matrix:
    """Numbers in rows and columns.

    Attributes:
        rows: Names of the rows.
        columns: Names of the columns.
        values: What is coloured; NaN for a cell that stays empty, shape (rows, columns).
        texts: What is written into each cell, by row.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    values: NDArray[np.float64]
    texts: Sequence[Sequence[str]]


def draw_matrix(axes: Axes, matrix: Matrix, colours: Colormap, norm: Normalize) -> AxesImage:
    """Cells in their colours, with thin lines between them and names at the edges.

    Args:
        axes: Where.
        matrix: What.
        colours: From numbers between 0 and 1 to colours.
        norm: From values to colours.
    """
    image = axes.imshow(matrix.values, cmap=colours, norm=norm, aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(matrix.rows)), [shortened(name) for name in matrix.rows])
    axes.set_xticks(range(len(matrix.columns)), [shortened(name) for name in matrix.columns], rotation=90)
    axes.tick_params(which="both", length=0)
    axes.set_xticks(np.arange(len(matrix.columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(matrix.rows) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e9e9e6", linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for (row, column), value in np.ndenumerate(matrix.values):
        if np.isfinite(value):
            ink = _ink(colours(norm(value)))
            text = axes.text(
                column, row, matrix.texts[row][column], ha="center", va="center", fontsize=_LETTERS, color=ink
            )
            text.set_in_layout(False)  # it lies within the axes, and there are hundreds
    return image


def diverging() -> Colormap:
    """Blue for weaker, red for stronger, grey between them."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("weaker to stronger", _WEAKER_TO_STRONGER)


def sequential() -> Colormap:
    """From light to dark."""
    from matplotlib import colormaps

    return colormaps["YlGnBu"]


def _ink(colour: Any) -> str:
    """Black on light, white on dark."""
    red, green, blue = colour[:3]
    return "#ffffff" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.52 else "#222222"
