"""Each feature's distribution over cells and sweeps against the amplitude of the stimulus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.report.drawing import QUIET, RECORDING, new_figure, style
from rheobase.features.catalogue import unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.targets import FeatureTargets

_COLUMNS = 3


def features_figure(protocol: str, cells: Sequence[CellMeasurement], targets: FeatureTargets) -> Figure | None:
    """All features of a protocol, one panel each: sweeps as dots, a colour for each cell, targets black.

    Args:
        protocol: As the recordings name it.
        cells: All measured cells.
        targets: What was made of them.

    Returns:
        The figure; None when no sweep of the protocol has a feature.
    """
    points = {cell.cell: list(_points(cell, protocol)) for cell in cells}
    names = sorted({name for found in points.values() for name, _, _ in found})
    if not names:
        return None
    rows = -(-len(names) // _COLUMNS)
    with style():
        figure = new_figure(8.6, 0.3 + 1.9 * rows)
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for panel, name in zip(panels, names, strict=False):
            for place, found in enumerate(points.values()):
                own = np.array([(amplitude, value) for label, amplitude, value in found if label == name])
                if len(own):
                    panel.plot(*own.T, ".", markersize=3.5, color=f"C{place % 10}", alpha=0.8)
            _draw_targets(panel, protocol, name, targets)
            panel.set_title(f"{name} ({unit(name)})" if unit(name) else name)
        for panel in panels[len(names) :]:
            panel.set_axis_off()
        figure.supxlabel("Amplitude above holding (% of each cell's rheobase)", fontsize=8.0, color=QUIET)
    return figure


def _points(cell: CellMeasurement, protocol: str) -> Iterator[tuple[str, float, float]]:
    """Feature, amplitude (%) and value of every sweep of a protocol."""
    rheobase_nA = cell.properties.rheobase_nA if cell.properties else None
    if not rheobase_nA:
        return
    for sweep in cell.sweeps:
        if sweep.protocol.lower() == protocol.lower():
            for values in sweep.features.values():
                for name, value in values.items():
                    yield name, 100.0 * sweep.step.amplitude_nA / rheobase_nA, value


def _draw_targets(panel: Axes, protocol: str, name: str, targets: FeatureTargets) -> None:
    for made in targets.protocols:
        if made.amplitude_percent is None or not made.name.lower().startswith(f"{protocol.lower()}_"):
            continue
        for target in made.features:
            if target.label == name:
                panel.errorbar(
                    [made.amplitude_percent],
                    [target.mean],
                    [target.std],
                    fmt="o",
                    color=RECORDING,
                    markersize=4.0,
                    capsize=2.5,
                    linewidth=1.0,
                )
