"""What every reader does with signals: tell voltage from current, refuse what cannot be true."""

from __future__ import annotations

import contextlib
import functools
import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from rheobase.features.errors import RecordingError, UnitError
from rheobase.features.units import factor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

    from rheobase.features.recording import Channel, RawSweep

Quantity = Literal["voltage", "current"]

_UNITS: dict[Quantity, str] = {"voltage": "mV", "current": "nA"}
# Beyond these no cell was recorded: the header's unit is not the one of the samples.
_LIMITS: dict[Quantity, tuple[float, str]] = {"voltage": (1000.0, "1 V"), "current": (1000.0, "1 uA")}
# Amplifiers sample cells at some kHz to some 100 kHz; beyond these the time is in another unit than stated.
_STEP_LIMITS_MS = (0.0005, 2.0)


# Spellings in files that no library of units knows.
_SPELLINGS = {"volt": "V", "volts": "V", "amp": "A", "amps": "A", "ampere": "A", "amperes": "A"}


@functools.cache
def scale_to(unit: str, canonical: str) -> float | None:
    """Number that turns samples in `unit` into `canonical` when multiplied; None for another kind of unit."""
    spelled, target = (_SPELLINGS.get(one.lower(), one) for one in (unit, canonical))
    try:
        return factor(spelled, target)
    except UnitError:
        return None


@functools.cache
def quantity_of(unit: str) -> Quantity | None:
    """Whether a unit is one of voltage, of current, or (None) neither."""
    for quantity, canonical in _UNITS.items():
        if unit and scale_to(unit, canonical) is not None:
            return quantity
    return None


def in_unit(values: NDArray[np.float64], unit: str, canonical: str) -> NDArray[np.float64]:
    """Samples in `unit` converted to `canonical`, which must be of the same kind."""
    scale = scale_to(unit, canonical)
    if scale is None:
        raise UnitError(f"expected a unit like {canonical}, got '{unit}'")
    # Dividing by whole powers of ten keeps 119 pA at exactly 0.119 nA.
    return values / float(f"{1 / scale:.12g}") if scale < 1 else values * scale


def uniform_step(times: NDArray[np.float64]) -> float:
    """Sampling interval, in the unit of `times`, of samples taken at even intervals.

    Rounding of the times by up to a quarter of the interval is let pass.

    Raises:
        ValueError: Fewer than two times, times that do not increase, or intervals that are not even.
    """
    if len(times) < 2:
        raise ValueError(f"expected at least two samples, got {len(times)}")
    if not np.all(np.isfinite(times)):
        raise ValueError(f"the time of sample {int(np.argmin(np.isfinite(times)))} is not a number")
    intervals = np.diff(times)
    if not np.all(intervals > 0.0):
        first = int(np.argmax(intervals <= 0.0))
        raise ValueError(
            f"times must increase, but sample {first + 1} is at {times[first + 1]:g} after {times[first]:g}"
        )
    step = float(times[-1] - times[0]) / (len(times) - 1)
    off_grid = np.abs(times - times[0] - step * np.arange(len(times)))
    if np.max(np.abs(intervals - step)) > 0.5 * step or np.max(off_grid) > 0.25 * step:
        worst = int(np.argmax(np.abs(intervals - step)))
        raise ValueError(
            f"samples must be taken at even intervals, but sample {worst + 1} comes {intervals[worst]:g} "
            f"after the one before, and the mean is {step:g}"
        )
    return float(f"{step:.9g}")


@contextlib.contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn what a library raises while reading `path` into a RecordingError, "... cannot be read as `kind`".

    Raises:
        RecordingError: The file is missing, empty or broken.
    """
    if not path.is_file():
        raise RecordingError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise RecordingError(f"{path} cannot be read as {kind}: the file is empty")
    try:
        yield
    except RecordingError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise RecordingError(f"{path} cannot be read as {kind}: {reason}") from error


def library(name: str, extra: str, path: Path) -> ModuleType:
    """A library that reads a format and need not be installed.

    Raises:
        RecordingError: It is not installed.
    """
    try:
        try:
            return importlib.import_module(name)
        except FileExistsError:  # another process has just made the folder that myokit wants in the user's home
            return importlib.import_module(name)
    except ImportError as error:
        raise RecordingError(
            f"{path}: reading {path.suffix} files needs {name.split('.')[0]}, which is not there ({error}); "
            f"install it with: pip install 'rheobase[{extra}]'"
        ) from error


def check_sweep(sweep: RawSweep, path: Path) -> RawSweep:
    """The sweep, its padding cut off, when its samples can be those of a recording.

    Samples that are not numbers at the end of a sweep are padding, as of one that was stopped early: all channels
    are cut there and the sweep says so. A channel that is alone in its file is not cut: its partner would not be.

    Raises:
        RecordingError: The sweep's own problem, no samples, samples that are not finite within the sweep, a
            voltage beyond 1 V or a current beyond 1 uA, or a sampling interval that no amplifier has.
    """
    if sweep.problem is not None:
        raise RecordingError(sweep.problem)
    where = f"{path}, sweep {sweep.sweep}" if sweep.sweep is not None else str(path)
    sweep = _without_padding(sweep)
    for channel in sweep.channels:
        problem = _problem(channel)
        if problem:
            raise RecordingError(f"{where}, channel '{channel.name}' ({channel.unit}): {problem}")
    return sweep


def _without_padding(sweep: RawSweep) -> RawSweep:
    lengths = {channel.values.shape for channel in sweep.channels}
    if len(sweep.channels) < 2 or len(lengths) != 1 or len(next(iter(lengths))) != 1:
        return sweep
    samples = len(sweep.channels[0].values)
    kept = min(_length_without_padding(channel.values) for channel in sweep.channels)
    if kept in (0, samples):
        return sweep
    channels = tuple(replace(channel, values=channel.values[:kept]) for channel in sweep.channels)
    note = f"the last {samples - kept} of {samples} samples are padding and were cut off"
    return replace(sweep, channels=channels, note=f"{sweep.note}; {note}" if sweep.note else note)


def _length_without_padding(values: NDArray[np.float64]) -> int:
    if len(values) == 0 or not np.isnan(values[-1]):
        return len(values)
    numbers = np.flatnonzero(~np.isnan(values))
    return int(numbers[-1]) + 1 if len(numbers) else 0


def _problem(channel: Channel) -> str | None:
    if channel.values.ndim != 1:
        return f"expected one signal, got an array of shape {channel.values.shape}"
    if len(channel.values) == 0:
        return "there are no samples"
    shortest, longest = _STEP_LIMITS_MS
    if not (np.isfinite(channel.time_step_ms) and channel.time_step_ms > 0):
        return f"the sampling interval is {channel.time_step_ms} ms"
    if not shortest <= channel.time_step_ms <= longest:
        return (
            f"a sampling interval of {channel.time_step_ms:g} ms is not between {shortest} and {longest} ms; "
            "the time is not in the unit that the file states, correct the unit in the file"
        )
    low, high = float(np.min(channel.values)), float(np.max(channel.values))
    if not np.isfinite(low + high):
        missing = ~np.isfinite(channel.values)
        return f"{int(missing.sum())} samples are not numbers, the first is sample {int(missing.argmax())}"
    quantity = quantity_of(channel.unit)
    if quantity is None:
        return None
    extreme = max(abs(low), abs(high))
    limit, limit_text = _LIMITS[quantity]
    if extreme * (scale_to(channel.unit, _UNITS[quantity]) or 0.0) > limit:
        return (
            f"a {quantity} of {extreme:g} {channel.unit} is beyond {limit_text}, no cell has that; "
            "the samples are not in the unit that the file states, correct the unit in the file"
        )
    return None
