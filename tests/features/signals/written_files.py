"""EEG files written byte by byte from their formats' specifications, without the library that reads them."""

from __future__ import annotations

import numpy as np


def write_edf(path, microvolts, rate_Hz, unit="uV", labels=None, physical=(-3276.8, 3276.7)):
    """European Data Format (Kemp et al. 1992): 16 bit samples, records of 1 s; 24 bit when the ending is .bdf."""
    bdf = path.suffix == ".bdf"
    channels, samples = microvolts.shape
    labels = labels or [f"EEG {number}" for number in range(channels)]
    digital = (-8388608, 8388607) if bdf else (-32768, 32767)
    gain = (physical[1] - physical[0]) / (digital[1] - digital[0])
    counts = np.round((microvolts - physical[0]) / gain + digital[0]).astype("<i4")
    header = (b"\xffBIOSEMI" if bdf else b"0".ljust(8)) + b"X X X X".ljust(80) + b"Startdate X X X X".ljust(80)
    header += b"01.01.2001.00.00" if not bdf else b"01.01.0100.00.00"
    header += str(256 * (channels + 1)).encode().ljust(8) + (b"24BIT" if bdf else b"").ljust(44)
    header += str(samples // rate_Hz).encode().ljust(8) + b"1".ljust(8) + str(channels).encode().ljust(4)
    fields = [(labels, 16), ([""] * channels, 80), ([unit] * channels, 8)]
    fields += [([value] * channels, 8) for value in (*physical, *digital)]
    fields += [([""] * channels, 80), ([rate_Hz] * channels, 8), ([""] * channels, 32)]
    header += b"".join(
        str(value).encode("latin-1").ljust(width)[:width] for values, width in fields for value in values
    )
    with path.open("wb") as file:
        file.write(header)
        for start in range(0, samples - rate_Hz + 1, rate_Hz):
            for channel in counts[:, start : start + rate_Hz]:
                wide = channel.tobytes()
                file.write(
                    b"".join(wide[place : place + 3] for place in range(0, len(wide), 4))
                    if bdf
                    else channel.astype("<i2").tobytes()
                )


def write_brainvision(path, microvolts, rate_Hz, markers=(), resolution_uV=0.1):
    """BrainVision Core Data Format 1.0: header, markers (name, sample from 0) and 16 bit samples, multiplexed."""
    channels = len(microvolts)
    names = [f"Ch{number + 1}" for number in range(channels)]
    lines = ["Brain Vision Data Exchange Header File Version 1.0", "", "[Common Infos]", "Codepage=UTF-8"]
    lines += [f"DataFile={path.stem}.eeg", f"MarkerFile={path.stem}.vmrk", "DataFormat=BINARY"]
    lines += ["DataOrientation=MULTIPLEXED", f"NumberOfChannels={channels}", f"SamplingInterval={1e6 / rate_Hz:g}"]
    lines += ["", "[Binary Infos]", "BinaryFormat=INT_16", "", "[Channel Infos]"]
    lines += [f"Ch{number + 1}={name},,{resolution_uV},µV" for number, name in enumerate(names)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    marks = ["Brain Vision Data Exchange Marker File Version 1.0", "", "[Common Infos]", "Codepage=UTF-8"]
    marks += [f"DataFile={path.stem}.eeg", "", "[Marker Infos]", "Mk1=New Segment,,1,1,0,20010101000000000000"]
    marks += [f"Mk{row + 2}=Stimulus,{name},{sample + 1},1,0" for row, (name, sample) in enumerate(markers)]
    path.with_suffix(".vmrk").write_text("\n".join(marks) + "\n", encoding="utf-8")
    np.round(microvolts.T / resolution_uV).astype("<i2").tofile(path.with_suffix(".eeg"))
