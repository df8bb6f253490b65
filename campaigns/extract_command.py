"""`rheobase extract`: from a folder of recordings to targets and a page that shows how they came about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rheobase.campaigns.schema import MeasurementKeys


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", default=Path("targets.json"), type=click.Path(path_type=Path), help="File of the targets.")
@click.option("--page", type=click.Path(path_type=Path), help="HTML page; by default beside the targets.")
@click.option("--no-page", is_flag=True, help="Write no page.")
@click.option("--like", type=click.Path(path_type=Path), help="Campaign whose recordings and features sections hold.")
@click.option("--files", metavar="PATTERN", help="Such as '{cell}/{protocol}_{sweep}.ibw'.")
@click.option("--junction-potential", metavar="VOLTAGE", help="Subtracted from the voltage, such as '14 mV'.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. features.spike_threshold='-30 mV'.")
@click.option("--workers", type=click.IntRange(min=1), help="Number of processes; by default all cores.")
def extract(
    folder: Path,
    out: Path,
    page: Path | None,
    no_page: bool,
    like: Path | None,
    files: str | None,
    junction_potential: str | None,
    overrides: tuple[str, ...],
    workers: int | None,
) -> None:
    """Measure the recordings in FOLDER and write targets, and a page with every sweep.

    Without further options every protocol that holds steps gives its standard features in % of each cell's rheobase.
    """
    from rheobase.campaigns.loading import find_campaign, load_measurement

    chosen = [*overrides]
    if files is not None:
        chosen.append(f"recordings.files={json.dumps(files)}")
    if junction_potential is not None:
        chosen.append(f"recordings.junction_potential={json.dumps(junction_potential)}")
    keys = load_measurement(folder, None if like is None else find_campaign(str(like)), chosen)
    where = None if no_page else page or out.with_suffix(".html")
    click.echo(extract_to_files(keys, folder, out, where, workers))


def extract_to_files(keys: MeasurementKeys, folder: Path, out: Path, page: Path | None, workers: int | None) -> str:
    """Extract, and write targets and page.

    Args:
        keys: What to measure.
        folder: Where the recordings are, for the page's title.
        out: File of the targets.
        page: File of the page; None: none.
        workers: Number of processes; None: all cores.

    Returns:
        What was done, for the user.
    """
    import os
    from dataclasses import replace

    from rheobase.campaigns.building import build_folder
    from rheobase.campaigns.building_plan import build_plan
    from rheobase.campaigns.extraction_page.page import write_page
    from rheobase.campaigns.progress import RecordingBar, bar
    from rheobase.campaigns.writing import replacing
    from rheobase.features.folder_extraction import extract_folder
    from rheobase.features.layout import read_recordings
    from rheobase.features.targets_file import write_targets

    layout, plan = build_folder(keys, folder), replace(build_plan(keys), every_sweep=page is not None)
    progress = RecordingBar()
    try:
        extraction = extract_folder(layout, plan, workers or os.cpu_count() or 1, progress.cell)
    finally:
        progress.close()
    targets = extraction.targets
    with replacing(out) as aside:
        write_targets(targets, aside)
    said = f"{len(targets.objectives)} targets, {len(targets.protocols)} protocols, {len(targets.cells)} cells: {out}"
    if page is None:
        return said
    drawing = bar("page", len(extraction.measurements), "cells")
    try:
        with replacing(page) as aside:
            write_page(aside, folder.name, read_recordings(layout, []), extraction, lambda _: drawing.update())
    finally:
        drawing.close()
    return f"{said}\nPage: {page}"
