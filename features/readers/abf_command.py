"""The current that an Axon file's DAC commanded, where none was recorded: its holding level and its epoch table."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import quantity_of
from rheobase.features.recording import Channel

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_EPISODIC = 5
_HOLDING_ONLY, _EPOCH_TABLE = 0, 1
_DACS_WITH_EPOCHS_1 = 2
# Version 1: bytes of a header that has the epoch table, and where it keeps what pyabf reads from elsewhere.
HEADER_BYTES_1 = 6144
_HOLDING_LEVELS_1 = 1394
_USER_LISTS_1 = 3360

_REMEDY = "convert the recording to NWB or a table with the current in it"


@dataclass(frozen=True, eq=False)
class Command:
    """Command of one DAC.

    Attributes:
        name: The file's name of the DAC.
        unit: Unit of its levels.
        samples: Samples of a sweep.
        holding: Holding level.
        waveforms: pyabf's waveform of each sweep; None: the holding level throughout.
    """

    name: str
    unit: str
    samples: int
    holding: float
    waveforms: Any

    def channel(self, sweep: int, time_step_ms: float) -> Channel:
        """The command of a sweep.

        Raises:
            ValueError: An epoch of a kind that pyabf does not know, or epochs beyond the end of the sweep.
        """
        values: NDArray[np.float64] = np.full(self.samples, self.holding)
        if self.waveforms is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of kinds of epochs that pyabf fills with NaN
                values = np.array(self.waveforms[sweep].getWaveform(), dtype=np.float64)
        if len(values) != self.samples or not np.all(np.isfinite(values)):
            raise ValueError(f"the command of sweep {sweep} cannot be made from its epoch table")
        return Channel(values, self.unit, time_step_ms, self.name)


def current_command(abf: Any, content: bytes, path: Path) -> Command:
    """Command of the one DAC that commands a current.

    Args:
        abf: The file in pyabf.
        content: Its bytes.
        path: Its path, for messages.

    Raises:
        RecordingError: There is none, or which of several is unknown, or its command is not in the file.
    """
    is_version_1 = abf.abfVersion["major"] == 1
    _check_command_is_there(abf, content, is_version_1, path)
    if is_version_1:
        # pyabf takes the first epochs' levels for the holding levels.
        abf.holdingCommand = list(struct.unpack_from("<4f", content, _HOLDING_LEVELS_1))
    names, units = dac_names_and_units(abf)
    currents = [index for index, unit in enumerate(units) if quantity_of(unit) == "current"]
    if not currents:
        raise RecordingError(f"{path}: no current was recorded and no DAC commands one (DAC units: {units})")
    active = [index for index in currents if waveform_source(abf, index) != _HOLDING_ONLY]
    if len(active) > 1 or (not active and len({abf.holdingCommand[index] for index in currents}) > 1):
        count = len(active) or len(currents)
        raise RecordingError(f"{path}: no current was recorded and {count} DACs command one; which is unknown")
    dac = (active or currents)[0]
    holding = float(abf.holdingCommand[dac])
    if not np.isfinite(holding):
        raise RecordingError(f"{path}: no current was recorded and the holding level in it is no number")
    waveforms = None
    if active:
        if waveform_source(abf, dac) != _EPOCH_TABLE:
            raise RecordingError(f"{path}: its stimulus came from another file and no current was recorded; {_REMEDY}")

        from pyabf.waveform import EpochTable

        waveforms = EpochTable(abf, dac).epochWaveformsBySweep
    return Command(names[dac], units[dac], int(abf.sweepPointCount), holding, waveforms)


def dac_names_and_units(abf: Any) -> tuple[list[str], list[str]]:
    """Names and units of all DACs; pyabf's own lists end with the recorded channels."""
    if abf.abfVersion["major"] == 1:
        return list(abf.dacNames), list(abf.dacUnits)
    strings = abf._stringsSection._indexedStrings
    section = abf._dacSection
    return [strings[at] for at in section.lDACChannelNameIndex], [strings[at] for at in section.lDACChannelUnitsIndex]


def waveform_source(abf: Any, dac: int) -> int:
    """0: the holding level only, 1: the epoch table, 2: a file."""
    if abf.abfVersion["major"] == 1 and (dac >= _DACS_WITH_EPOCHS_1 or abf.dataByteStart < HEADER_BYTES_1):
        return _HOLDING_ONLY
    section = abf._headerV1 if abf.abfVersion["major"] == 1 else abf._dacSection
    return int(section.nWaveformSource[dac]) if section.nWaveformEnable[dac] else _HOLDING_ONLY


def _check_command_is_there(abf: Any, content: bytes, is_version_1: bool, path: Path) -> None:
    if is_version_1 and abf.dataByteStart < HEADER_BYTES_1:
        raise RecordingError(f"{path}: no current was recorded and its short header has no epoch table; {_REMEDY}")
    if abf.nOperationMode != _EPISODIC:
        raise RecordingError(
            f"{path}: no current was recorded and it is not episodic (mode {abf.nOperationMode}), "
            f"so its command is not in it; {_REMEDY}"
        )
    lists = struct.unpack_from("<4h", content, _USER_LISTS_1) if is_version_1 else abf.userListEnable
    if np.any(lists):
        raise RecordingError(
            f"{path}: a user list changes its stimulus from sweep to sweep and no current was recorded; {_REMEDY}"
        )
    if not is_version_1 and abf._protocolSection.nAlternateDACOutputState:
        raise RecordingError(f"{path}: its DACs take turns and no current was recorded; {_REMEDY}")
    lengths = set() if is_version_1 else set(abf._synchArraySection.lLength)
    if len(lengths) > 1:
        raise RecordingError(f"{path}: its sweeps differ in length and no current was recorded; {_REMEDY}")
