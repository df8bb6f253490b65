"""Writing recordings as an NWB 2 file of intracellular electrophysiology, one cell a file."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.nwb_pairs import SWEEP_COLUMN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rheobase.features.recording import Recording

# Recordings do not know when they were made; NWB asks for a date.
_UNKNOWN_DATE = datetime(1970, 1, 1, tzinfo=UTC)
_NAMESPACE = uuid.UUID("0e4a0a6d-6c1f-5b0e-9d43-6f1f6c7e2a11")


def write_nwb(path: Path, cell: str, recordings: Sequence[Recording], description: str) -> None:
    """Write the recordings of a cell; `read_recordings` reads the same from the file.

    Voltages are written as they are, the liquid-junction potential already subtracted: say so in the
    description. The file's identifier depends on its content only.

    Args:
        path: File to write, replaced if it is there.
        cell: Name of the cell.
        recordings: Recordings of this cell.
        description: What was recorded, for the file's session description.

    Raises:
        RecordingError: No recordings, or one of another cell, or two of one name.
    """
    _check(path, cell, recordings)

    from pynwb import NWBHDF5IO, NWBFile

    content = NWBFile(
        session_description=description,
        identifier=_identifier(cell, recordings),
        session_start_time=_UNKNOWN_DATE,
        file_create_date=_UNKNOWN_DATE,
    )
    device = content.create_device(name="amplifier")
    electrode = content.create_icephys_electrode(
        name="electrode", description="patch electrode", device=device, cell_id=cell
    )
    table = content.get_intracellular_recordings()
    table.add_column(name=SWEEP_COLUMN, description="Name of the sweep, unique within its stimulus")
    start_s = 0.0
    for number, recording in enumerate(recordings):
        voltage, current = _series(recording, electrode, number, start_s)
        content.add_acquisition(voltage)
        content.add_stimulus(current)
        content.add_intracellular_recording(
            electrode=electrode, stimulus=current, response=voltage, **{SWEEP_COLUMN: recording.sweep}
        )
        start_s += recording.duration_ms / 1000.0
    with NWBHDF5IO(str(path), mode="w") as io:
        io.write(content)


def _check(path: Path, cell: str, recordings: Sequence[Recording]) -> None:
    if not recordings:
        raise RecordingError(f"{path}: there are no recordings to write")
    names = set()
    for recording in recordings:
        if recording.cell != cell:
            raise RecordingError(f"{path}: expected recordings of cell {cell}, got one of {recording.cell}")
        name = (recording.protocol, recording.sweep)
        if name in names:
            raise RecordingError(f"{path}: sweep {recording.sweep} of protocol {recording.protocol} is there twice")
        names.add(name)


def _series(recording: Recording, electrode: Any, number: int, start_s: float) -> tuple[Any, Any]:
    """Voltage and current of a recording, in mV and nA with the conversion to V and A beside."""
    from hdmf.backends.hdf5 import H5DataIO
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    # The checksum (fletcher32) lets a reader notice a damaged file.
    voltage = CurrentClampSeries(
        name=f"voltage_{number:04d}",
        data=H5DataIO(recording.voltage_mV, compression="gzip", fletcher32=True),
        conversion=1e-3,
        electrode=electrode,
        rate=1000.0 / recording.time_step_ms,
        starting_time=start_s,
        sweep_number=np.uint32(number),
        stimulus_description=recording.protocol,
    )
    current = CurrentClampStimulusSeries(
        name=f"current_{number:04d}",
        data=H5DataIO(recording.current_nA, compression="gzip", fletcher32=True),
        conversion=1e-9,
        electrode=electrode,
        rate=1000.0 / recording.time_step_ms,
        starting_time=start_s,
        sweep_number=np.uint32(number),
        stimulus_description=recording.protocol,
    )
    return voltage, current


def _identifier(cell: str, recordings: Sequence[Recording]) -> str:
    digest = hashlib.sha256(cell.encode())
    for recording in recordings:
        digest.update(f"{recording.protocol}\0{recording.sweep}\0{recording.time_step_ms!r}\0".encode())
        digest.update(recording.voltage_mV.astype("<f8").tobytes())
        digest.update(recording.current_nA.astype("<f8").tobytes())
    return str(uuid.uuid5(_NAMESPACE, digest.hexdigest()))
