"""EEG and MEG files of all makers, read by MNE (`pip install 'rheobase[eeg]'`).

EEGLAB .set (with or without .fdt), EDF and BDF, BrainVision .vhdr, FIF, and whatever else `mne.io.read_raw` knows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import library, reading
from rheobase.features.signals.signal import Event, Signal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Kinds of channels as MNE calls them, the unit they are given in, and how many of these MNE's SI unit is.
_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("eeg", "eog", "ecog", "seeg", "dbs", "emg", "ecg"), ("uV", 1e6)),
    "mag": ("fT", 1e15),
    "grad": ("fT/cm", 1e13),
    "dipole": ("nA m", 1e9),
}
# Spellings that MNE scales by; it takes whatever else an EDF file states, also "uv" and "mv", for volts.
_EDF_UNITS = {"uV", "µV", "μV", "\x83\xcaV", "mV", "V"}
_EDF_ENDINGS = (".edf", ".bdf")
# No electrode on or in a head has this: the samples are not in the unit that the file states.
_LARGEST_uV = 1e6


def read_eeg(path: Path, kind: str = "eeg", channels: Sequence[str] = (), unit: str | None = None) -> Signal:
    """Channels of one kind from an EEG or MEG file, in uV, fT, fT/cm or nA m.

    Channels that the file marks as bad are left out unless they are named. Annotations and the codes of trigger
    channels become the signal's events. Files of epochs (EEGLAB; FIF named ...-epo.fif) give a signal in epochs.

    Args:
        path: The file; of a pair of files the header (.set, .vhdr).
        kind: "eeg", "eog", "ecog", "seeg", "dbs", "emg", "ecg", "mag", "grad" or "dipole", as the file says.
        channels: Names of the channels to read; all of the kind when left empty.
        unit: Unit of the samples of an EDF or BDF file that states none.

    Raises:
        RecordingError: MNE is not installed; the file is missing, broken, states no usable unit, or has no such
            channels; samples that are not numbers or beyond 1 V.
    """
    if kind not in _UNITS:
        raise RecordingError(f"{path}: expected a kind of channels among {', '.join(_UNITS)}, got '{kind}'")
    library("mne", "eeg", path)
    with reading(path, "an EEG or MEG file"):
        recording = _open(path, unit)
        names = _channel_names(recording, kind, channels, path)
        if path.suffix.lower() in _EDF_ENDINGS:
            _check_edf_units(path, names, unit)
        signal = _signal(recording, names, kind)
    _check_size(signal, path)
    return signal


def _open(path: Path, unit: str | None) -> Any:
    """MNE's Raw or Epochs of a file; its samples are not read yet."""
    import mne

    if path.name.endswith(("-epo.fif", "_epo.fif", "-epo.fif.gz", "_epo.fif.gz")):
        return mne.read_epochs(path, preload=False, verbose="warning")
    if path.suffix.lower() == ".set":
        try:
            return mne.io.read_raw_eeglab(path, verbose="warning")
        except TypeError as error:
            if "number of trials" not in str(error):
                raise
            return mne.io.read_epochs_eeglab(path, verbose="warning")
    if unit is not None and path.suffix.lower() in _EDF_ENDINGS:
        read = mne.io.read_raw_edf if path.suffix.lower() == ".edf" else mne.io.read_raw_bdf
        return read(path, units=unit, verbose="warning")
    return mne.io.read_raw(path, verbose="warning")


def _channel_names(recording: Any, kind: str, channels: Sequence[str], path: Path) -> list[str]:
    kinds = dict(zip(recording.ch_names, recording.get_channel_types(), strict=True))
    of_kind = [name for name, found in kinds.items() if found == kind]
    unknown = [name for name in channels if name not in of_kind]
    if unknown:
        raise RecordingError(
            f"{path}: there is no channel '{unknown[0]}' of the kind {kind}; there are {', '.join(of_kind) or 'none'}"
        )
    names = list(channels) or [name for name in of_kind if name not in recording.info["bads"]]
    if not names:
        counts = {found: list(kinds.values()).count(found) for found in kinds.values()}
        listed = ", ".join(f"{count} {found}" for found, count in counts.items())
        raise RecordingError(f"{path} has no usable channels of the kind {kind}; it has {listed}: name another kind")
    return names


def _check_edf_units(path: Path, names: Sequence[str], unit: str | None) -> None:
    """Refuse units that MNE would take for volts."""
    with path.open("rb") as file:
        channels = int(file.read(256)[252:256])
        labels = [file.read(16).decode("latin-1").strip() for _ in range(channels)]
        file.seek(256 + 96 * channels)
        stated = dict(zip(labels, (file.read(8).decode("latin-1").strip() for _ in range(channels)), strict=True))
    for name in names:
        found = stated.get(name, stated.get(re.sub(r"-\d+$", "", name), ""))  # MNE numbers labels that come twice
        if found not in _EDF_UNITS and not (found == "" and unit is not None):
            remedy = (
                "if you know the unit, state it: read_eeg(path, unit='uV')" if found == "" else "correct the header"
            )
            raise RecordingError(
                f"{path}: expected the samples of channel '{name}' in uV, mV or V, the file says '{found}'; {remedy}"
            )


def _signal(recording: Any, names: list[str], kind: str) -> Signal:
    unit, scale = _UNITS[kind]
    values = np.asarray(recording.get_data(picks=names), dtype=np.float64) * scale
    in_epochs = values.ndim == 3
    return Signal(
        values=values,
        sampling_rate_Hz=float(recording.info["sfreq"]),
        unit=unit,
        channels=tuple(names),
        start_ms=float(recording.tmin) * 1000.0 if in_epochs else 0.0,
        events=_events_of_epochs(recording) if in_epochs else _events(recording),
    )


def _events_of_epochs(epochs: Any) -> tuple[Event, ...]:
    names = {code: name for name, code in epochs.event_id.items()}
    rate_Hz = float(epochs.info["sfreq"])
    return tuple(
        Event(names.get(int(code), str(code)), float(sample) * 1000.0 / rate_Hz) for sample, _, code in epochs.events
    )


def _events(raw: Any) -> tuple[Event, ...]:
    """Annotations and trigger codes in the order of time."""
    import mne

    annotations = raw.annotations
    # With the date of the recording, MNE counts from its start; what was saved may begin later.
    before_s = raw.first_time if annotations.orig_time is not None else 0.0
    found = [
        Event(str(name), (float(onset) - before_s) * 1000.0, float(duration) * 1000.0)
        for onset, duration, name in zip(annotations.onset, annotations.duration, annotations.description, strict=True)
    ]
    if "stim" in raw.get_channel_types():
        triggers = mne.find_events(raw, shortest_event=1, initial_event=False, verbose="error")
        rate_Hz = float(raw.info["sfreq"])
        found += [Event(str(code), (int(sample) - raw.first_samp) * 1000.0 / rate_Hz) for sample, _, code in triggers]
    return tuple(sorted(found, key=lambda event: event.onset_ms))


def _check_size(signal: Signal, path: Path) -> None:
    if signal.unit != "uV":
        return
    largest = np.abs(signal.by_epoch).max(axis=(0, 2))
    worst = int(np.argmax(largest))
    if largest[worst] > _LARGEST_uV:
        raise RecordingError(
            f"{path}, channel '{signal.channels[worst]}': {largest[worst] * 1e-6:g} V is beyond 1 V, no electrode has "
            "that; the samples are not in the unit that the file states, correct the unit in the file"
        )
