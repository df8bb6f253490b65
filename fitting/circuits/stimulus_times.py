"""When the volleys of the usual stimuli arrive: click trains, oddball sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.random_streams import random_generator

if TYPE_CHECKING:
    from collections.abc import Sequence


def click_train_times(rate_Hz: float, train_ms: float, onsets_ms: Sequence[float]) -> tuple[float, ...]:
    """Times of all clicks, for the auditory steady-state response at 40 Hz, say.

    Args:
        rate_Hz: Clicks per second in a train (Hz).
        train_ms: How long a train lasts (ms); a click that would fall on its end is left out.
        onsets_ms: When trains begin, each with a click (ms).

    Raises:
        ModelError: a rate or duration that is not positive, or trains that overlap.
    """
    if not (rate_Hz > 0.0 and train_ms > 0.0):
        raise ModelError(f"a click train needs a rate and a duration above 0, got {rate_Hz:g} Hz and {train_ms:g} ms")
    onsets = np.sort(np.asarray(onsets_ms, float))
    if np.any(np.diff(onsets) < train_ms):
        raise ModelError(
            f"click trains of {train_ms:g} ms overlap: two of them begin {np.diff(onsets).min():g} ms apart"
        )
    interval_ms = 1000.0 / rate_Hz
    # Rounded before the ceiling: 40 Hz for 500 ms are 20 clicks, whatever 500 / 25 is in floating point.
    clicks = int(np.ceil(np.round(train_ms / interval_ms, 9)))
    return tuple(float(onset + k * interval_ms) for onset in onsets for k in range(clicks))


@dataclass(frozen=True)
class OddballDesign:
    """A sequence of standards with rare deviants among them.

    Attributes:
        tones: Number of all tones.
        deviant_part: Part of them that are deviants; their number is rounded.
        interval_ms: From onset to onset (ms).
        first_ms: Onset of the first tone (ms).
        standards_first: Tones at the beginning that are standards.
        standards_between: Standards between two deviants, at least.
    """

    tones: int
    deviant_part: float = 0.1
    interval_ms: float = 500.0
    first_ms: float = 500.0
    standards_first: int = 3
    standards_between: int = 2


@dataclass(frozen=True)
class OddballSequence:
    """Onsets of tones, and which are deviants.

    Attributes:
        times_ms: Onset of each tone (ms).
        deviant: Whether it is a deviant.
    """

    times_ms: tuple[float, ...]
    deviant: tuple[bool, ...]

    @property
    def standard_times_ms(self) -> tuple[float, ...]:
        """Onsets of the standards (ms)."""
        return tuple(time for time, deviant in zip(self.times_ms, self.deviant, strict=True) if not deviant)

    @property
    def deviant_times_ms(self) -> tuple[float, ...]:
        """Onsets of the deviants (ms)."""
        return tuple(time for time, deviant in zip(self.times_ms, self.deviant, strict=True) if deviant)

    def participation(self, standard: float, deviant: float) -> tuple[float, ...]:
        """Part of the fibres of one group that fire at each tone: fibres are tuned, so groups differ in it."""
        return tuple(deviant if is_deviant else standard for is_deviant in self.deviant)


def oddball_sequence(design: OddballDesign, seed: int) -> OddballSequence:
    """A sequence, all that the design allows being equally likely.

    Raises:
        ModelError: deviants that do not fit between the standards asked for.
    """
    if not (0.0 <= design.deviant_part <= 1.0 and design.interval_ms > 0.0 and design.tones >= 0):
        raise ModelError(
            f"an oddball sequence needs a part of deviants from 0 to 1 and an interval above 0, got "
            f"{design.deviant_part:g} and {design.interval_ms:g} ms"
        )
    deviants = round(design.deviant_part * design.tones)
    # Each deviant but the last takes the standards that must follow it with it; what remains are places to choose from.
    places = design.tones - design.standards_first - max(deviants - 1, 0) * design.standards_between
    if deviants > places:
        raise ModelError(
            f"{deviants} deviants do not fit into {design.tones} tones with {design.standards_first} standards first "
            f"and {design.standards_between} between two deviants; ask for fewer of them"
        )
    chosen = np.sort(random_generator(seed, "oddball").choice(max(places, 0), size=deviants, replace=False))
    deviant = np.zeros(design.tones, bool)
    deviant[design.standards_first + chosen + design.standards_between * np.arange(deviants)] = True
    times = design.first_ms + design.interval_ms * np.arange(design.tones)
    return OddballSequence(tuple(times.tolist()), tuple(deviant.tolist()))
