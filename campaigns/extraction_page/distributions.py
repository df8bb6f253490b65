"""Each feature's distribution over cells and sweeps against the amplitude of the stimulus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rheobase.campaigns.extraction_page.blank import blank_figure
from rheobase.campaigns.report.drawing import QUIET, RECORDING, style
from rheobase.features.catalogue import unit
from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.sweeps import SweepMeasurement
    from rheobase.features.targets import FeatureTargets, ProtocolTargets

_COLUMNS = 3
_ROW_IN = 1.75
_MARGINS_IN = (0.3, 0.5)  # above the panels, below them
_CELLS_NAMED = 24
_LEGEND_COLUMNS = 6
_LEGEND_ROW_IN = 0.17


@dataclass(frozen=True)
class Point:
    """A feature of a sweep.

    Attributes:
        request: Label of the request it was measured for, lower case.
        name: Label of the feature.
        place: Place of the cell among all.
        amplitude: In % of the cell's rheobase or in nA, above holding.
        value: Its value, in the feature's unit.
    """

    request: str
    name: str
    place: int
    amplitude: float
    value: float


def features_figure(protocol: str, cells: Sequence[CellMeasurement], targets: FeatureTargets) -> Figure | None:
    """All features of a protocol, one panel each: sweeps as dots, a colour for each cell, targets black.

    Amplitudes are in % of each cell's rheobase, or in nA when no cell has one or all targets of the protocol are.

    Args:
        protocol: As the recordings name it.
        cells: All measured cells.
        targets: What was made of them.

    Returns:
        The figure; None when no sweep of the protocol has a feature.
    """
    requests = {label for cell in cells for sweep in _sweeps(cell, protocol) for label in sweep.features}
    made = [one for one in targets.protocols if _request(one) in requests]
    in_nA = all(cell.properties is None or not cell.properties.rheobase_nA for cell in cells) or (
        bool(made) and all(one.stimulus.unit == "nA" for one in made)
    )
    scale: Literal["nA", "percent"] = "nA" if in_nA else "percent"
    points = [point for place, cell in enumerate(cells) for point in _points(cell, place, protocol, scale)]
    panels = sorted({(point.request, point.name) for point in points}, key=lambda key: (key[1], key[0]))
    if not panels:
        return None
    shown = sorted({point.place for point in points})
    named = [cells[place].cell for place in shown] if len(shown) <= _CELLS_NAMED else []
    with style():
        figure, axes = _panels(len(panels), -(-len(named) // _LEGEND_COLUMNS))
        for panel, (request, name) in zip(axes, panels, strict=False):
            own = [point for point in points if (point.request, point.name) == (request, name)]
            panel.scatter(
                [point.amplitude for point in own],
                [point.value for point in own],
                s=7.0,
                c=[f"C{point.place % 10}" for point in own],
                linewidths=0.0,
            )
            _draw_targets(panel, [one for one in made if _request(one) == request], name, scale)
            title = f"{name} ({_unit_of(name, made)})" if _unit_of(name, made) else name
            panel.set_title(title if len(requests) < 2 else f"{title}, {request}")
        for panel in axes[len(panels) :]:
            panel.set_axis_off()
        what = "% of each cell's rheobase" if scale == "percent" else "nA"
        figure.text(0.5, 0.13 / figure.get_figheight(), f"Amplitude above holding ({what})", ha="center", color=QUIET)
        _name_cells(figure, shown, named)
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
            Line2D([], [], color=f"C{place % 10}", marker="o", markersize=3.5, linestyle="none") for place in shown
        ]
        figure.legend(handles, named, loc="upper left", ncols=_LEGEND_COLUMNS, handletextpad=0.1, borderpad=0.2)


def _sweeps(cell: CellMeasurement, protocol: str) -> Iterator[SweepMeasurement]:
    return (sweep for sweep in cell.sweeps if sweep.protocol.lower() == protocol.lower())


def _points(cell: CellMeasurement, place: int, protocol: str, scale: Literal["nA", "percent"]) -> Iterator[Point]:
    """Every feature of every sweep of a protocol; none in % when the cell's rheobase is unknown."""
    rheobase_nA = cell.properties.rheobase_nA if cell.properties else None
    factor = 1.0 if scale == "nA" else 100.0 / rheobase_nA if rheobase_nA else None
    if factor is None:
        return
    for sweep in _sweeps(cell, protocol):
        for request, values in sweep.features.items():
            for name, value in values.items():
                yield Point(request, name, place, factor * sweep.step.amplitude_nA, value)


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
