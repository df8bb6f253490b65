"""Spectra that somebody else has estimated: matrices of channels and frequencies as text or MATLAB files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rheobase.features.errors import RecordingError
from rheobase.features.readers.signals import reading
from rheobase.features.signals.spectrum import Spectrum

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Scale = Literal["dB", "linear"]


def read_spectrum_text(
    path: Path,
    frequencies_Hz: NDArray[np.float64],
    scale: Scale = "dB",
    unit: str = "uV^2/Hz",
    channels: Sequence[str] = (),
) -> Spectrum:
    """A text file without heads, one line for each channel and one column for each frequency.

    Args:
        path: Columns are separated by commas or blanks.
        frequencies_Hz: Of the columns (Hz), as the file does not state them; EEGLAB's spectopo gives 0, 1, 2, ...
        scale: "dB" for 10 log10 of the power density, "linear" for the density itself.
        unit: Unit of the density.
        channels: Names; "1", "2" and so on when left empty.

    Raises:
        RecordingError: The file is missing, no such matrix, or no power spectrum.
    """
    with reading(path, "a matrix of a power spectrum"):
        text = path.read_text(encoding="utf-8-sig")
        lines = [line for line in text.splitlines() if line.strip()]
        matrix = np.loadtxt(lines, delimiter="," if "," in lines[0] else None, ndmin=2, dtype=np.float64)
        return _spectrum(matrix, frequencies_Hz, scale, unit, channels, path)


def read_spectrum_matlab(
    path: Path,
    power: str = "psdAll",
    frequencies: str = "freqs",
    scale: Scale = "dB",
    unit: str = "uV^2/Hz",
    channels: Sequence[str] = (),
) -> Spectrum:
    """A MATLAB file (up to version 7) with a matrix of channels and frequencies, and the frequencies beside it.

    Args:
        path: The file.
        power: Name of the matrix in it.
        frequencies: Name of the frequencies in it (Hz).
        scale: As in `read_spectrum_text`.
        unit: Unit of the density.
        channels: Names; "1", "2" and so on when left empty.

    Raises:
        RecordingError: The file is missing or of version 7.3, lacks a variable, or holds no power spectrum.
    """
    from scipy.io import loadmat

    with reading(path, "a MATLAB file of a power spectrum"):
        try:
            variables: dict[str, Any] = loadmat(path)
        except NotImplementedError:
            raise RecordingError(f"{path} is a MATLAB file of version 7.3; save it with: save(..., '-v7')") from None
        names = sorted(name for name in variables if not name.startswith("__"))
        for name in (power, frequencies):
            if name not in variables:
                raise RecordingError(f"{path} has no variable '{name}'; it has {', '.join(names)}")
        matrix = np.asarray(variables[power], dtype=np.float64)
        return _spectrum(matrix, np.asarray(variables[frequencies], dtype=np.float64), scale, unit, channels, path)


def _spectrum(
    matrix: NDArray[np.float64],
    frequencies_Hz: NDArray[np.float64],
    scale: Scale,
    unit: str,
    channels: Sequence[str],
    path: Path,
) -> Spectrum:
    if scale not in ("dB", "linear"):
        raise RecordingError(f"{path}: the scale is 'dB' or 'linear', got '{scale}'")
    frequencies = np.asarray(frequencies_Hz, dtype=np.float64).ravel()
    if matrix.ndim != 2 or matrix.shape[1] != len(frequencies):
        turned = "; it seems to be turned" if matrix.ndim == 2 and matrix.shape[0] == len(frequencies) else ""
        raise RecordingError(
            f"{path}: expected one column for each of {len(frequencies)} frequencies and one line for each channel, "
            f"got a matrix of {' x '.join(str(length) for length in matrix.shape)}{turned}"
        )
    names = tuple(channels) or tuple(str(number + 1) for number in range(len(matrix)))
    power = 10.0 ** (matrix / 10.0) if scale == "dB" else matrix
    return Spectrum(frequencies, power, unit, names)
