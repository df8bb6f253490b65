"""The page: cell by cell, then feature by feature, then what was dropped; one cell's recordings in memory at a time."""

from __future__ import annotations

import base64
import gc
import io
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase.campaigns.extraction_page.cells import curves_figure
from rheobase.campaigns.extraction_page.distributions import features_figure
from rheobase.campaigns.extraction_page.sweeps import sweeps_figure
from rheobase.campaigns.report.drawing import number, style
from rheobase.campaigns.report.templates import page_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from matplotlib.figure import Figure

    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.extraction import Extraction
    from rheobase.features.recording import Recording

TEMPLATE = Path(__file__).with_name("page.html.jinja")

_DOTS_PER_INCH = 130
_MOST_DOTS = 65000  # what matplotlib can draw to a side


@dataclass(frozen=True)
class CellPlate:
    """What the page shows of a cell: figures as PNG in base64; no curves for a cell without long steps."""

    cell: CellMeasurement
    sweeps: str
    curves: str | None


def write_page(
    path: Path,
    title: str,
    cells: Iterable[Iterator[Recording]],
    extraction: Extraction,
    drawn: Callable[[str], None],
) -> None:
    """Write the page as HTML without scripts; figures inside.

    Args:
        path: Takes the text, piece by piece.
        title: Its heading.
        cells: The recordings of each cell.
        extraction: What was made of them.
        drawn: Called with each cell's name when its figures are done.
    """
    protocols: set[str] = set()
    sweeps = left_out = 0
    for cell in extraction.measurements:
        protocols.update(sweep.protocol for sweep in cell.sweeps)
        sweeps += len(cell.sweeps) + len(cell.left_out)
        left_out += len(cell.left_out)
    page_template(TEMPLATE).stream(
        title=title,
        targets=extraction.targets,
        plates=_plates(cells, extraction, drawn),
        features=_features(sorted(protocols), extraction),
        left_out=(sweep for cell in extraction.measurements for sweep in cell.left_out),
        left_out_count=left_out,
        cells=len(extraction.measurements),
        sweeps=sweeps,
        number=number,
    ).dump(str(path), encoding="utf-8")


def _plates(
    cells: Iterable[Iterator[Recording]], extraction: Extraction, drawn: Callable[[str], None]
) -> Iterator[CellPlate]:
    threshold_mV = extraction.targets.settings.spike_threshold_mV
    for recordings in cells:
        first = next(recordings)
        cell = extraction.measurements[first.cell]
        curves = curves_figure(cell)
        sweeps = sweeps_figure(chain((first,), recordings), cell, threshold_mV)
        yield CellPlate(cell, _png(sweeps), None if curves is None else _png(curves))
        drawn(cell.cell)


def _features(protocols: Iterable[str], extraction: Extraction) -> Iterator[tuple[str, str]]:
    for protocol in protocols:
        figure = features_figure(protocol, extraction.measurements, extraction.targets)
        if figure is not None:
            yield protocol, _png(figure)


def _png(figure: Figure) -> str:
    stream = io.BytesIO()
    with style():
        figure.savefig(stream, format="png", dpi=min(_DOTS_PER_INCH, _MOST_DOTS / figure.get_figheight()))
    figure.clear()
    gc.collect()  # figures have megabytes of pixels and point at themselves
    return base64.b64encode(stream.getvalue()).decode("ascii")
