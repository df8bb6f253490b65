"""Each feature's distribution over cells and sweeps against the amplitude of the stimulus."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from rheobase.campaigns.extraction_page.blank import blank_figure
from rheobase.campaigns.report.drawing import QUIET, RECORDING, style
from rheobase.features.catalogue import unit
from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.sweeps import SweepMeasurement
    from rheobase.features.targets import FeatureTargets, ProtocolTargets

_COLUMNS = 3
_ROW_IN = 1.75
_MARGINS_IN = (0.3, 0.5)  # above the panels, below them
_CELLS_NAMED = 24
_COLOURS = 10
_LEGEND_COLUMNS = 6
_LEGEND_ROW_IN = 0.17


@dataclass
class Dots:
    """A feature in all sweeps of a protocol, in arrays: there are many.

    Attributes:
        places: Place of the sweep's cell among all, shape (sweeps,).
        amplitudes: In % of the cell's rheobase or in nA, above holding, shape (sweeps,).
        values: In the feature's unit, shape (sweeps,).
    """

    places: array[int] = field(default_factory=lambda: array("l"))
    amplitudes: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))


def features_figure(protocol: str, cells: Iterable[CellMeasurement], targets: FeatureTargets) -> Figure | None:
    """All features of a protocol, one panel each: sweeps as dots, a colour for each cell, targets black.

    Amplitudes are in % of each cell's rheobase, or in nA when no cell has one or all targets of the protocol are.

    Args:
        protocol: As the recordings name it.
        cells: All measured cells; gone through twice.
        targets: What was made of them.

    Returns:
        The figure; None when no sweep of the protocol has a feature.
    """
    from matplotlib.colors import to_rgba_array

    requests: set[str] = set()
    scaled = False
    for cell in cells:
        requests.update(label for sweep in _sweeps(cell, protocol) for label in sweep.features)
        scaled = scaled or bool(cell.properties and cell.properties.rheobase_nA)
    made = [one for one in targets.protocols if _request(one) in requests]
    in_nA = not scaled or (bool(made) and all(one.stimulus.unit == "nA" for one in made))
    scale: Literal["nA", "percent"] = "nA" if in_nA else "percent"
    dots, shown = _dots(cells, protocol, scale)
    if not dots:
        return None
    named = list(shown.values()) if len(shown) <= _CELLS_NAMED else []
    with style():
        figure, axes = _panels(len(dots), -(-len(named) // _LEGEND_COLUMNS))
        colours = to_rgba_array([f"C{number}" for number in range(_COLOURS)])
        for panel, (request, name) in zip(axes, sorted(dots, key=lambda key: (key[1], key[0])), strict=False):
            own = dots[request, name]
            shades = colours[np.asarray(own.places) % _COLOURS]
            panel.scatter(own.amplitudes, own.values, s=7.0, c=shades, linewidths=0.0)
            _draw_targets(panel, [one for one in made if _request(one) == request], name, scale)
            title = f"{name} ({_unit_of(name, made)})" if _unit_of(name, made) else name
            panel.set_title(title if len(requests) < 2 else f"{title}, {request}")
        for panel in axes[len(dots) :]:
            panel.set_axis_off()
        what = "% of each cell's rheobase" if scale == "percent" else "nA"
        figure.text(0.5, 0.13 / figure.get_figheight(), f"Amplitude above holding ({what})", ha="center", color=QUIET)
        _name_cells(figure, list(shown), named)
    return figure


def _unit_of(name: str, made: Sequence[ProtocolTargets]) -> str:
    """Unit of a feature, which may have a name of its own among the targets; "" where it is not known."""
    for one in made:
        for target in one.features:
            if target.label == name:
                return target.unit
    try:
        return unit(name)
    except FeatureError:
        return ""


def _panels(count: int, legend_rows: int) -> tuple[Figure, Sequence[Axes]]:
    rows = -(-count // _COLUMNS)
    top_in, bottom_in = _MARGINS_IN[0] + legend_rows * _LEGEND_ROW_IN, _MARGINS_IN[1]
    height_in = top_in + bottom_in + _ROW_IN * rows
    figure = blank_figure(height_in)
    figure.subplots_adjust(
        left=0.06, right=0.99, bottom=bottom_in / height_in, top=1.0 - top_in / height_in, wspace=0.22, hspace=0.42
    )
    return figure, list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)


def _name_cells(figure: Figure, shown: Sequence[int], named: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    if named:
        handles = [
            Line2D([], [], color=f"C{place % _COLOURS}", marker="o", markersize=3.5, linestyle="none")
            for place in shown
        ]
        figure.legend(handles, named, loc="upper left", ncols=_LEGEND_COLUMNS, handletextpad=0.1, borderpad=0.2)


def _sweeps(cell: CellMeasurement, protocol: str) -> Iterator[SweepMeasurement]:
    return (sweep for sweep in cell.sweeps if sweep.protocol.lower() == protocol.lower())


def _dots(
    cells: Iterable[CellMeasurement], protocol: str, scale: Literal["nA", "percent"]
) -> tuple[dict[tuple[str, str], Dots], dict[int, str]]:
    """Dots by request and feature, and the cells that have some by their place; none in % without a rheobase."""
    dots: dict[tuple[str, str], Dots] = defaultdict(Dots)
    shown: dict[int, str] = {}
    for place, cell in enumerate(cells):
        rheobase_nA = cell.properties.rheobase_nA if cell.properties else None
        factor = 1.0 if scale == "nA" else 100.0 / rheobase_nA if rheobase_nA else None
        if factor is None:
            continue
        for sweep in _sweeps(cell, protocol):
            for request, values in sweep.features.items():
                for name, value in values.items():
                    own = dots[request, name]
                    own.places.append(place)
                    own.amplitudes.append(factor * sweep.step.amplitude_nA)
                    own.values.append(value)
                    shown[place] = cell.cell
    return dict(dots), shown


def _request(made: ProtocolTargets) -> str:
    """Label of the request that a protocol's targets answer: its name without the level behind it."""
    return made.name.rpartition("_")[0].lower()


def _draw_targets(panel: Axes, made: Sequence[ProtocolTargets], name: str, scale: Literal["nA", "percent"]) -> None:
    found = [
        (one.amplitude_nA if scale == "nA" else one.amplitude_percent, target.mean, target.std)
        for one in made
        for target in one.features
        if target.label == name and (scale == "nA" or one.amplitude_percent is not None)
    ]
    if found:
        amplitudes, means, deviations = zip(*found, strict=True)
        panel.errorbar(
            amplitudes, means, deviations, fmt="o", color=RECORDING, markersize=4.0, capsize=2.5, linewidth=1.0
        )
