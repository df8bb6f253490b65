"""Local field potential along a laminar probe, and where currents flow in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.report import drawing
from rheobase.features.signals.current_source_density import second_derivative_csd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rheobase.campaigns.circuits.report.data import CircuitReportData, LaminarPotential

LONGEST_MS = 500.0


def laminar_figure(data: CircuitReportData) -> Figure | None:
    """The end of one run: potentials by depth, and beside them current source density; None without electrodes."""
    laminar = data.laminar
    if laminar is None:
        return None
    with drawing.style():
        figure = drawing.new_figure(drawing.PAGE_WIDTH_IN, 3.6)
        with_density = _is_even(laminar.depths_um)
        axes = figure.subplots(1, 2 if with_density else 1, sharey=True, squeeze=False)[0]
        kept = laminar.potential.times_ms >= laminar.potential.times_ms[-1] - LONGEST_MS
        times_ms = laminar.potential.times_ms[kept]
        _draw_potentials(axes[0], laminar, times_ms, laminar.potential.values[:, kept])
        if with_density:
            spacing_um = laminar.depths_um[1] - laminar.depths_um[0]
            density = second_derivative_csd(laminar.potential, spacing_um)
            _draw_density(axes[1], laminar, times_ms, density.values[:, kept])
        axes[0].set_ylabel("Depth (µm)")
        axes[0].invert_yaxis()
        for one in axes:
            one.set_xlabel("Time (ms)")
            one.set_xlim(float(times_ms[0]), float(times_ms[-1]))
        return figure


def _is_even(depths_um: tuple[float, ...]) -> bool:
    """Whether there are enough electrodes, evenly spaced from the top down, for a second derivative."""
    steps = np.diff(depths_um)
    return len(steps) > 1 and bool(np.all(steps > 0.0) and np.ptp(steps) < 1e-3 * steps.mean())


def _draw_potentials(
    axes: Axes, laminar: LaminarPotential, times_ms: NDArray[np.float64], values_mV: NDArray[np.float64]
) -> None:
    centred = 1000.0 * (values_mV - values_mV.mean(axis=1, keepdims=True))
    largest_uV = float(np.abs(centred).max()) or 1.0
    between_um = float(np.min(np.abs(np.diff(sorted(laminar.depths_um))))) if len(laminar.depths_um) > 1 else 100.0
    for depth_um, row in zip(laminar.depths_um, centred, strict=True):
        # Depth grows downwards, potentials upwards.
        axes.plot(times_ms, depth_um - 0.9 * between_um * row / largest_uV, color=drawing.BEST, linewidth=0.7)
    axes.set_title(f"Potential; {drawing.number(largest_uV)} µV are 0.9 of the distance", fontsize=8.5)


def _draw_density(
    axes: Axes, laminar: LaminarPotential, times_ms: NDArray[np.float64], density: NDArray[np.float64]
) -> None:
    largest = float(np.percentile(np.abs(density), 99.0)) or 1.0
    image = axes.pcolormesh(
        times_ms, laminar.depths_um[1:-1], density, cmap="RdBu", vmin=-largest, vmax=largest, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    bar = axes.figure.colorbar(image, ax=axes)
    bar.set_label("Current source density (µA/mm³); sinks red")
