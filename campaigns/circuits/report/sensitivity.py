"""Which target depends on which factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.circuits.report.matrix import Matrix, diverging, draw_matrix
from rheobase.campaigns.report import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.fitting.tuning.progress import Sensitivity

SURE = 2.0  # standard errors


def sensitivity_figure(sensitivity: Sensitivity | None) -> Figure | None:
    """Slopes as a matrix; those within their noise are left empty; None without slopes."""
    if sensitivity is None or not sensitivity.targets or not sensitivity.knobs:
        return None
    from matplotlib.colors import Normalize

    slopes = np.array(sensitivity.slopes, dtype=float)
    sure = np.abs(slopes) > SURE * np.array(sensitivity.errors, dtype=float)
    texts = [[drawing.number(float(slope), 2) for slope in row] for row in slopes]
    names = [
        key.removeprefix("rate:").replace("_", " ") if not key.startswith("rate:") else key[5:]
        for key in sensitivity.targets
    ]
    limit = float(np.max(np.abs(slopes), where=sure & np.isfinite(slopes), initial=0.1))
    matrix = Matrix(names, sensitivity.knobs, np.where(sure, slopes, np.nan), texts)
    with drawing.style():
        width = min(max(0.36 * len(sensitivity.knobs) + 2.4, 3.6), drawing.PAGE_WIDTH_IN)
        longest = max(map(len, sensitivity.knobs))
        figure = drawing.new_figure(width, 0.235 * len(names) + 0.9 + 0.058 * longest)
        axes = figure.subplots()
        image = draw_matrix(axes, matrix, diverging(), Normalize(-limit, limit))
        bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=22, pad=0.02, label="Slope")
        bar.outline.set_visible(False)
        drawing.plain_ticks(bar.ax.yaxis)
        return figure


def _name(key: str) -> str:
    """Rates by their population alone, all else in words."""
    name, _, population = key.partition(":")
    words = name.replace("_", " ")
    return population if name == "rate" and population else f"{words} {population}".rstrip()
