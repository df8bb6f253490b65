"""Stimuli of a circuit's campaign: volleys for the circuit, onsets for what is measured after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.schema_stimuli import DEVIANT
from rheobase.fitting.circuits.blueprint import SpikeVolleys
from rheobase.fitting.circuits.stimulus_times import OddballDesign, OddballSequence, click_train_times, oddball_sequence

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.schema_stimuli import OddballKeys, StimulusKeys


@dataclass(frozen=True)
class StimulusOnsets:
    """When a stimulus comes (ms from the start of a trial).

    Attributes:
        all_ms: Every volley, train or tone.
        standards_ms: Standards of an oddball sequence; empty for other stimuli.
        deviants_ms: Its deviants.
    """

    all_ms: tuple[float, ...]
    standards_ms: tuple[float, ...] = ()
    deviants_ms: tuple[float, ...] = ()


def volleys(name: str, keys: StimulusKeys) -> tuple[SpikeVolleys, ...]:
    """The fibres of a stimulus; of an oddball sequence those of standards and those of deviants.

    Raises:
        ModelError: a sequence that cannot be.
    """
    part = keys.participation / 100.0
    if keys.oddball is None:
        return (SpikeVolleys(name, keys.fibres, _times_ms(keys), keys.jitter, (part,)),)
    odd, sequence = keys.oddball, _sequence(keys, keys.oddball)
    deviant_part = part if odd.participation is None else odd.participation / 100.0
    overlap = odd.overlap / 100.0
    return (
        SpikeVolleys(name, keys.fibres, sequence.times_ms, keys.jitter, sequence.participation(part, overlap * part)),
        SpikeVolleys(
            f"{name}{DEVIANT}",
            odd.fibres or keys.fibres,
            sequence.times_ms,
            keys.jitter,
            sequence.participation(overlap * deviant_part, deviant_part),
        ),
    )


def fibre_names(name: str, keys: StimulusKeys) -> tuple[str, ...]:
    """Names that connections know the fibres of a stimulus by."""
    return (name,) if keys.oddball is None else (name, f"{name}{DEVIANT}")


def onsets(keys: StimulusKeys) -> StimulusOnsets:
    """When a stimulus comes.

    Raises:
        ModelError: a sequence that cannot be.
    """
    if keys.oddball is not None:
        sequence = _sequence(keys, keys.oddball)
        return StimulusOnsets(sequence.times_ms, sequence.standard_times_ms, sequence.deviant_times_ms)
    return StimulusOnsets(keys.times or _train_starts_ms(keys))


def _sequence(keys: StimulusKeys, odd: OddballKeys) -> OddballSequence:
    design = OddballDesign(
        odd.tones, odd.deviants / 100.0, odd.interval, keys.start, odd.standards_first, odd.standards_between
    )
    return oddball_sequence(design, odd.seed)


def _train_starts_ms(keys: StimulusKeys) -> tuple[float, ...]:
    return tuple(keys.start + number * (keys.every or 0.0) for number in range(keys.trains))


def _times_ms(keys: StimulusKeys) -> tuple[float, ...]:
    if keys.frequency is None:
        return keys.times
    return click_train_times(keys.frequency, keys.train_ms, _train_starts_ms(keys))
