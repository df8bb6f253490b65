"""Extraction from a folder of recordings: one cell in memory at a time, many cells in many processes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from rheobase.features.cell_files import FilesByCell
from rheobase.features.cell_measurement import measure_cell
from rheobase.features.errors import RecordingError
from rheobase.features.extraction import Extraction, combine
from rheobase.features.layout import read_cell
from rheobase.features.reading_report import ReadingReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from rheobase.features.cell_files import CellFiles
    from rheobase.features.cell_measurement import CellMeasurement
    from rheobase.features.layout import RecordingFolder
    from rheobase.features.requests import ExtractionPlan

# Starting a process costs 0.8 CPU seconds, as much as eight small cells.
_FEWEST_CELLS_FOR_PROCESS = 8
_CELLS_WAITING_FOR_PROCESS = 2


def extract_folder(
    folder: RecordingFolder,
    plan: ExtractionPlan,
    processes: int = 1,
    progress: Callable[[str, int], None] | None = None,
) -> Extraction:
    """Targets from the recordings of a folder; the same numbers whatever the number of processes.

    Args:
        folder: Where the recordings are.
        plan: What to extract.
        processes: How many processes may work at once; eFEL's settings allow no threads. A script that asks for more
            than one must be guarded by `if __name__ == "__main__":`, as the processes import it.
        progress: Called with a cell's name and the number of its sweeps whenever a cell is done.

    Raises:
        RecordingError: As `read_recordings`; or a process died.
        FeatureError: Nothing could be measured.
    """
    problems: list[str] = []
    extraction = combine(_told(_measure(folder, plan, processes, problems), progress), plan)
    return replace(
        extraction, targets=replace(extraction.targets, notes=(*sorted(problems), *extraction.targets.notes))
    )


def _told(cells: Iterator[CellMeasurement], progress: Callable[[str, int], None] | None) -> Iterator[CellMeasurement]:
    for cell in cells:
        if progress is not None:
            progress(cell.cell, len(cell.sweeps) + len(cell.left_out))
        yield cell


def _measure(
    folder: RecordingFolder, plan: ExtractionPlan, processes: int, problems: list[str]
) -> Iterator[CellMeasurement]:
    report = ReadingReport(folder.strict, problems)
    cells = FilesByCell(folder, report)
    processes = min(processes, len(cells) // _FEWEST_CELLS_FOR_PROCESS)
    if processes > 1:
        yield from _measure_in_processes(cells, folder, plan, processes, report)
    else:
        for files in cells:
            measured = _measure_cell(files, folder, plan, report)
            if measured is not None:
                yield measured
    report.check_found(str(folder), folder.protocols)


def _measure_in_processes(
    cells: FilesByCell, folder: RecordingFolder, plan: ExtractionPlan, processes: int, report: ReadingReport
) -> Iterator[CellMeasurement]:
    """Cells as they are done; no more of them are on the way than keep the processes busy."""
    # Spawned, not forked: the caller may have threads, of Ray for one.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        try:
            left = iter(cells)
            waiting: set[Future[tuple[CellMeasurement | None, ReadingReport]]] = set()
            while True:
                free = processes * _CELLS_WAITING_FOR_PROCESS - len(waiting)
                waiting |= {pool.submit(_measure_apart, files, folder, plan) for files in islice(left, free)}
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    measured, part = future.result()
                    report.add(part)
                    if measured is not None:
                        yield measured
        except BrokenProcessPool:
            raise RecordingError(
                f"{folder}: a process that read recordings died, perhaps of too little memory; "
                "try with a single process"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _measure_apart(
    files: CellFiles, folder: RecordingFolder, plan: ExtractionPlan
) -> tuple[CellMeasurement | None, ReadingReport]:
    """Work of a process of its own."""
    report = ReadingReport(folder.strict, [])
    return _measure_cell(files, folder, plan, report), report


def _measure_cell(
    files: CellFiles, folder: RecordingFolder, plan: ExtractionPlan, report: ReadingReport
) -> CellMeasurement | None:
    """One cell; None when it has no recordings."""
    before = report.recordings
    measured = measure_cell(read_cell(files, folder, report), plan)
    return measured if report.recordings > before else None
