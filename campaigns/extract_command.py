"""`rheobase extract`: from a folder of recordings to targets and a page that shows how they came about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.campaigns.schema import MeasurementKeys
    from rheobase.features.extraction import Extraction
    from rheobase.features.layout import RecordingFolder

_REMARKS_SHOWN = 6


@click.command()
@click.argument("folders", metavar="FOLDER ...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", default=Path("targets.json"), type=click.Path(path_type=Path), help="File of the targets.")
@click.option("--page", type=click.Path(path_type=Path), help="HTML page; by default beside the targets.")
@click.option("--no-page", is_flag=True, help="Write no page.")
@click.option("--cells", is_flag=True, help="Also write each cell's own targets, into the folder OUT_cells.")
@click.option("--like", type=click.Path(path_type=Path), help="Campaign whose recordings and features sections hold.")
@click.option("--files", metavar="PATTERN", help="Such as '{cell}/{protocol}_{sweep}.ibw'.")
@click.option("--junction-potential", metavar="VOLTAGE", help="Subtracted from the voltage, such as '14 mV'.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="E.g. features.spike_threshold='-30 mV'.")
@click.option("--workers", type=click.IntRange(min=1), help="Number of processes; by default all cores.")
def extract(
    folders: tuple[Path, ...],
    out: Path,
    page: Path | None,
    no_page: bool,
    cells: bool,
    like: Path | None,
    files: str | None,
    junction_potential: str | None,
    overrides: tuple[str, ...],
    workers: int | None,
) -> None:
    """Measure the recordings in one FOLDER or several and write targets, and a page with every sweep.

    In each folder files are named alike, and no cell is in two of them.
    Without further options every protocol that holds steps gives its standard features in % of each cell's rheobase.
    """
    from rheobase.campaigns.loading import find_campaign, load_measurement

    chosen = [*overrides]
    if files is not None:
        chosen.append(f"recordings.files={json.dumps(files)}")
    if junction_potential is not None:
        chosen.append(f"recordings.junction_potential={json.dumps(junction_potential)}")
    keys = load_measurement(folders, None if like is None else find_campaign(str(like)), chosen)
    click.echo(extract_to_files(keys, folders, Outputs.beside(out, page, no_page, cells), workers))


@dataclass(frozen=True)
class Outputs:
    """What is written.

    Attributes:
        targets: File of the targets.
        page: File of the page; None: none.
        cells: Folder of each cell's own targets; None: none.
    """

    targets: Path
    page: Path | None = None
    cells: Path | None = None

    def __post_init__(self) -> None:
        """Say what cannot be written before there is long work.

        Raises:
            CampaignError: A folder is missing, a folder is where a file should be, or two files are one.
        """
        from rheobase.features.errors import CampaignError

        for option, path in (("--out", self.targets), ("--page", self.page)):
            if path is None:
                continue
            if not path.parent.is_dir():
                raise CampaignError(f"{option} {path}: there is no folder {path.parent}; make it, or give another one")
            if path.is_dir():
                raise CampaignError(f"{option} {path} is a folder; give the name of a file in it")
        if self.page is not None and self.page.absolute() == self.targets.absolute():
            raise CampaignError(
                f"the targets and the page would both be {self.page}; give --out a name such as targets.json"
            )

    @classmethod
    def beside(cls, targets: Path, page: Path | None, no_page: bool, cells: bool) -> Outputs:
        """Page and folder of cells beside the targets where nothing else is said."""
        where = None if no_page else page or targets.with_suffix(".html")
        return cls(targets, where, targets.with_name(f"{targets.stem}_cells") if cells else None)


def extract_to_files(keys: MeasurementKeys, folders: Sequence[Path], outputs: Outputs, workers: int | None) -> str:
    """Extract, and write targets, targets of cells and page.

    Args:
        keys: What to measure.
        folders: Where the recordings are, for the page's title.
        outputs: What to write.
        workers: Number of processes; None: all cores.

    Returns:
        What was done, for the user.

    Raises:
        RheobaseError: Recordings that cannot be read, or nothing in them that could be measured.
    """
    import os
    from dataclasses import replace

    from rheobase.campaigns.building import build_folder
    from rheobase.campaigns.building_plan import build_plan
    from rheobase.campaigns.progress import RecordingBar
    from rheobase.features.folder_extraction import extract_folder

    layout, plan = build_folder(keys, folders[0]), replace(build_plan(keys), every_sweep=outputs.page is not None)
    progress = RecordingBar()
    try:
        extraction = extract_folder(layout, plan, workers or os.cpu_count() or 1, progress.cell)
    finally:
        progress.close()
    said = _write_targets(extraction, outputs)
    if keys.features.cell is not None and outputs.cells is None:
        said.append(f"features.cell ({keys.features.cell}) is for fitting: these are the targets of all; see --cells")
    if outputs.page is not None:
        _write_page(outputs.page, ", ".join(folder.resolve().name for folder in folders), layout, extraction)
        said.append(f"Page: {outputs.page}")
    return "\n".join(said)


def _write_targets(extraction: Extraction, outputs: Outputs) -> list[str]:
    from rheobase.campaigns.writing import replacing, writing
    from rheobase.features.targets_file import write_cell_targets, write_targets

    targets = extraction.targets
    with replacing(outputs.targets) as aside:
        write_targets(targets, aside)
    counts = f"{len(targets.objectives)} targets, {len(targets.protocols)} protocols, {len(targets.cells)} cells"
    said = [f"{counts}: {outputs.targets}"]
    if targets.notes:
        remarks = [f"  {note}" for note in targets.notes[:_REMARKS_SHOWN]]
        more = len(targets.notes) - len(remarks)
        said += ["Left out or uncertain:", *remarks, *([f"  and {more} more, see there"] if more else [])]
    if outputs.cells is not None:
        with writing(outputs.cells):
            write_cell_targets(extraction.cells, outputs.cells)
        said.append(f"Each of {len(extraction.cells)} cells: {outputs.cells}")
    return said


def _write_page(page: Path, title: str, layout: RecordingFolder, extraction: Extraction) -> None:
    from rheobase.campaigns.extraction_page.page import write_page
    from rheobase.campaigns.progress import bar
    from rheobase.campaigns.writing import replacing
    from rheobase.features.layout import read_cells

    drawing = bar("page", len(extraction.measurements), "cells")
    try:
        with replacing(page) as aside:
            write_page(aside, title, read_cells(layout, []), extraction, lambda _: drawing.update())
    finally:
        drawing.close()
