"""Figures whose parts have fixed places: keeping labels apart by layout takes longer than all the drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_IN = 8.6


def blank_figure(height_in: float) -> Figure:
    """An empty figure of the page's width, without pyplot and without a display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_IN, height_in), facecolor="white")
