"""Curves of one recorded cell: spikes against current (f-I), voltage against current (I-V)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rheobase.campaigns.extraction_page.blank import blank_figure
from rheobase.campaigns.report.drawing import STIMULUS, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.sweeps import SweepMeasurement

_MARKERS = "osD^vP*X<>"
_LEGEND_ROWS = 10


def curves_figure(cell: CellMeasurement) -> Figure | None:
    """Spikes per second against amplitude, and the plateau's voltage against the whole current, by protocol.

    Returns:
        The figure; None for a cell without single steps of 100 ms or more.
    """
    by_protocol = _steps(cell)
    if not by_protocol:
        return None
    with style():
        figure = blank_figure(2.5)
        figure.subplots_adjust(left=0.07, right=0.82, bottom=0.2, top=0.95, wspace=0.24)
        rate, voltage = figure.subplots(1, 2)
        for place, (protocol, sweeps) in enumerate(by_protocol.items()):
            style_of = {"color": f"C{place % 10}", "marker": _MARKERS[place % 10], "linestyle": "none"}
            firing = [sweep for sweep in sweeps if sweep.step.amplitude_nA > 0]
            silent = [sweep for sweep in sweeps if not sweep.spikes]
            rate.plot(
                [sweep.step.amplitude_nA for sweep in firing],
                [1000.0 * sweep.spikes / sweep.step.duration_ms for sweep in firing],
                markersize=3.5,
                label=protocol,
                **style_of,
            )
            voltage.plot(
                [sweep.stimulus.holding_nA + sweep.step.amplitude_nA for sweep in silent],
                [sweep.plateau_mV for sweep in silent],
                markersize=3.5,
                **style_of,
            )
        rheobase_nA = cell.properties.rheobase_nA if cell.properties else None
        if rheobase_nA is not None:
            rate.axvline(rheobase_nA, color=STIMULUS, linewidth=0.8, label="rheobase", zorder=0)
        rate.set_xlabel("Step above holding (nA)")
        rate.set_ylabel("Spikes per second (Hz)")
        voltage.set_xlabel("Whole current (nA), steps without spikes")
        voltage.set_ylabel("Plateau (mV)")
        handles, labels = rate.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(0.83, 0.97), ncols=-(-len(labels) // _LEGEND_ROWS)
        )
    return figure


def _steps(cell: CellMeasurement) -> dict[str, list[SweepMeasurement]]:
    """Sweeps with a single step of 100 ms or more, by protocol and amplitude."""
    steps: dict[str, list[SweepMeasurement]] = defaultdict(list)
    for sweep in sorted(cell.sweeps, key=lambda sweep: (sweep.protocol, sweep.step.amplitude_nA)):
        if sweep.stimulus.kind == "step":
            steps[sweep.protocol].append(sweep)
    return dict(steps)
