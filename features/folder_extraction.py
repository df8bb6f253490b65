"""Extraction from a folder of recordings: one cell in memory at a time, many cells in many processes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from rheobase.features.cell_measurement import CellMeasurement, measure_cell
from rheobase.features.errors import NothingFoundError, RecordingError
from rheobase.features.extraction import Extraction, combine
from rheobase.features.layout import find_cells, read_recordings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rheobase.features.layout import RecordingFolder
    from rheobase.features.requests import ExtractionPlan

# Starting a process costs 0.8 CPU seconds, as much as eight small cells; and every task looks through the folder again.
_FEWEST_CELLS_IN_TASK = 8
_TASKS_FOR_PROCESS = 2


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
    measurements = []
    for cell in _measure(folder, plan, processes, problems):
        measurements.append(cell)
        if progress is not None:
            progress(cell.cell, len(cell.sweeps) + len(cell.left_out))
    extraction = combine(measurements, plan)
    return replace(
        extraction, targets=replace(extraction.targets, notes=(*sorted(problems), *extraction.targets.notes))
    )


def _measure(
    folder: RecordingFolder, plan: ExtractionPlan, processes: int, problems: list[str]
) -> Iterator[CellMeasurement]:
    cells = find_cells(folder) if processes > 1 else ()
    tasks = min(len(cells) // _FEWEST_CELLS_IN_TASK, processes * _TASKS_FOR_PROCESS)
    if tasks < 2:
        yield from _measure_here(folder, plan, problems)
        return
    parts = [replace(folder, cells=cells[place::tasks]) for place in range(tasks)]
    nothing: NothingFoundError | None = None
    found = False
    # Spawned, not forked: the caller may have threads, of Ray for one.
    with ProcessPoolExecutor(min(processes, tasks), multiprocessing.get_context("spawn")) as pool:
        try:
            for done in as_completed([pool.submit(_measure_part, part, plan) for part in parts]):
                measured, said, empty = done.result()
                problems += said
                nothing = empty or nothing
                found = found or bool(measured)
                yield from measured
        except BrokenProcessPool:
            raise RecordingError(
                f"{folder.folder}: a process that read recordings died, perhaps of too little memory; "
                "try with a single process"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if nothing is not None and not found:
        raise nothing


def _measure_part(
    folder: RecordingFolder, plan: ExtractionPlan
) -> tuple[list[CellMeasurement], list[str], NothingFoundError | None]:
    """Work of one task; that there is nothing is an error only when no task finds anything."""
    problems: list[str] = []
    try:
        return list(_measure_here(folder, plan, problems)), problems, None
    except NothingFoundError as error:
        return [], problems, error


def _measure_here(folder: RecordingFolder, plan: ExtractionPlan, problems: list[str]) -> Iterator[CellMeasurement]:
    for _, recordings in groupby(read_recordings(folder, problems), key=lambda recording: recording.cell):
        yield measure_cell(recordings, plan)
