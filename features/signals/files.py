"""Reading a signal from whatever file it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.features.errors import RecordingError
from rheobase.features.signals.eeg_files import read_eeg
from rheobase.features.signals.text_files import read_columns, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.features.signals.signal import Signal


def read_signal(path: Path, unit: str | None = None) -> Signal:
    """Signal in a file, chosen by its ending.

    .csv and .tsv are tables with heads (`read_table`), .txt is columns of trials as HNN writes them
    (`read_columns`), all else is an EEG or MEG file (`read_eeg`, EEG channels).

    Args:
        path: The file.
        unit: Unit of the samples where the file does not state it.

    Raises:
        RecordingError: The file cannot be read, or states no unit and none is given.
    """
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return read_table(path, unit)
    if suffix != ".txt":
        return read_eeg(path, unit=unit)
    if unit is None:
        raise RecordingError(f"{path}: a text file does not state the unit of its samples; state it, as unit='nA m'")
    return read_columns(path, unit)
