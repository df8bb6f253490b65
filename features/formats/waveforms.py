"""Stimuli as BluePyEfe, BluePyEModel and their forerunners describe them, read into `ProtocolStimulus`.

A description gives absolute times (ms from the start of the sweep) and amplitudes in nA above holding ("amp"), in %
of the threshold current ("thresh_perc"), or both. Which members it has tells the shape; of a few shapes the name of
the protocol decides, as those programs do it themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rheobase.features.errors import FeatureError
from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece, Unit

if TYPE_CHECKING:
    from rheobase.features.formats.json_nodes import Node

_TIME_DIGITS = 9  # of a ms: sums of times come back as they were written

# Members that say nothing about the shape.
_COMMON = {"delay", "amp", "thresh_perc", "duration", "totduration", "holding_current", "stochkv_det", "location"}
_MORE = {
    "step": {"start_amp", "start_thresh_perc", "main"},
    "ramp": {
        "ramp_delay", "ramp_duration", "thresh_perc_start", "thresh_perc_end", "ramp_amplitude_start",
        "ramp_amplitude_end", "ramp_amp_start", "ramp_amp_end",
    },
    "pulses": {"n_spikes", "delta", "spike_duration"},
    "two levels": {
        "tmid", "toff", "amp2", "amp_rel", "amp2_rel", "hyper_amp", "hyper_amp_rel", "depol_amp", "depol_amp_rel",
    },
    "sahp": {"tmid", "tmid2", "toff", "long_amp", "long_amp_rel"},
    "cheops": {"t1", "t2", "t3", "t4", "toff"},
}  # fmt: skip
# Shapes that a plain description does not give: the programs generate them from the name.
_ONLY_BY_NAME = (
    "sinespec", "noise", "capcheck", "highfreq", "synaptic", "custom", "randomsteps", "dendritic", "probampanmda",
    "thresholdaddition", "hyperdepol", "dehyperpol", "sahp", "idhyperpol", "irdepol", "irhyperpol", "iddepol",
    "poscheops", "negcheops",
)  # fmt: skip
_RAMPS = ("ramp", "ap_thresh", "apthresh")


@dataclass(frozen=True)
class Waveform:
    """A stimulus read from a description.

    Attributes:
        stimulus: The stimulus.
        delay_ms: Onset of its first piece (ms from the start of the sweep).
        amplitude_nA: Amplitude of its main piece (nA above holding), if the description gives it.
    """

    stimulus: ProtocolStimulus
    delay_ms: float
    amplitude_nA: float | None


class NotExpressible(Exception):
    """A stimulus that `ProtocolStimulus` cannot be; the message is the reason."""


def tidy_ms(time_ms: float) -> float:
    """A sum or difference of times without its rounding error (ms)."""
    return round(time_ms, _TIME_DIGITS) + 0.0  # no negative zero


def read_waveform(steps: Sequence[Node], protocol: str, unit: Unit | None = None) -> Waveform:
    """A stimulus from its descriptions.

    Args:
        steps: One description, or one for each step of several.
        protocol: Name of the protocol; "" where the description is known to be of steps.
        unit: Which of the amplitudes counts; None: "percent" where it is given.

    Raises:
        NotExpressible: Another shape, or amplitudes missing.
        FeatureError: A member is not what it should be; the message names file and key.
    """
    if not steps:
        raise NotExpressible("it has no step")
    if unit is None:
        unit = "percent" if all(_has_percent(step) for step in steps) else "nA"
    try:
        if len(steps) > 1:
            return _join([_read_one(step, "", unit) for step in steps], _marked(steps))
        return _read_one(steps[0], protocol, unit)
    except FeatureError as error:
        raise steps[0].blame(error) from None


def _has_percent(step: Node) -> bool:
    keys = ("thresh_perc", "thresh_perc_end", "hyper_amp_rel", "amp2_rel")
    return any(step.get(key) is not None for key in keys)


def _marked(steps: Sequence[Node]) -> int | None:
    return next((index for index, step in enumerate(steps) if step.get("main") is not None), None)


def _read_one(step: Node, protocol: str, unit: Unit) -> Waveform:
    shape = _shape(step, protocol)
    unknown = {key for key, found in step.members() if found.value is not None} - _COMMON - _MORE[shape]
    if unknown:
        raise NotExpressible(f"it has {', '.join(sorted(unknown))}, which no stimulus here has")
    pieces, main = _SHAPES[shape](step, protocol.lower(), unit)
    delay_ms = pieces[0].onset_ms
    relative = tuple(replace(piece, onset_ms=tidy_ms(piece.onset_ms - delay_ms)) for piece in pieces)
    total_ms = step.number_or_none("totduration")
    after_ms = None if total_ms is None else max(0.0, tidy_ms(total_ms - pieces[-1].offset_ms))
    stimulus = ProtocolStimulus(relative, unit, before_ms=delay_ms, after_ms=after_ms)
    if main is not None and relative[main] != stimulus.main:
        stimulus = replace(stimulus, main_piece=main)
    amplitude_nA = stimulus.level if unit == "nA" else _amplitude_nA(step, shape, main)
    return Waveform(stimulus, delay_ms, amplitude_nA)


def _shape(step: Node, protocol: str) -> str:
    keys = {key for key, found in step.members() if found.value is not None}
    name = protocol.lower()
    if keys & _MORE["step"]:
        return "step"
    if "n_spikes" in keys:
        return "pulses"
    if "tmid2" in keys:
        return "sahp"
    if "t1" in keys:
        return "cheops"
    if "tmid" in keys:
        return "two levels"
    if "ramp_duration" in keys or any(word in name for word in _RAMPS):
        return "ramp"
    special = next((word for word in _ONLY_BY_NAME if word in name), None)
    if special is not None:
        raise NotExpressible(f"its shape is not described, only named: {special}")
    return "step"


def _join(waves: list[Waveform], main: int | None) -> Waveform:
    """Several stimuli of one piece each as one."""
    waves = sorted(waves, key=lambda wave: wave.delay_ms)
    delay_ms = waves[0].delay_ms
    pieces = tuple(replace(wave.stimulus.pieces[0], onset_ms=tidy_ms(wave.delay_ms - delay_ms)) for wave in waves)
    if any(next_piece.onset_ms < piece.offset_ms - 1e-6 for piece, next_piece in itertools.pairwise(pieces)):
        raise NotExpressible("its steps overlap")
    stimulus = ProtocolStimulus(
        pieces,
        waves[0].stimulus.unit,
        main_piece=main,
        before_ms=delay_ms,
        after_ms=waves[-1].stimulus.after_ms,
    )
    return Waveform(stimulus, delay_ms, waves[pieces.index(stimulus.main)].amplitude_nA)


def _amplitude_nA(step: Node, shape: str, main: int | None) -> float | None:
    if shape == "ramp":
        for key in ("ramp_amplitude_end", "ramp_amp_end"):
            if step.get(key) is not None:
                return step.number_at(key)
    key = "amp2" if shape == "two levels" and main == 1 else "amp"
    return step.number_or_none(key)


def _level(
    step: Node,
    unit: Unit,
    in_nA: Sequence[str],
    in_percent: Sequence[str],
    known: tuple[str, str] = ("amp", "thresh_perc"),
) -> float:
    """An amplitude in the unit wanted.

    Where only the other unit is given, the ratio of an amplitude that is `known` in both converts it.
    """
    wanted, other = (in_percent, in_nA) if unit == "percent" else (in_nA, in_percent)
    for key in wanted:
        if step.get(key) is not None:
            return step.number_at(key)
    amplitude_nA, percent = (step.number_or_none(key) for key in known)
    for key in other:
        value = step.number_or_none(key)
        if value is not None and amplitude_nA and percent:
            return value * percent / amplitude_nA if unit == "percent" else value * amplitude_nA / percent
    said = "% of the threshold current" if unit == "percent" else "nA"
    raise NotExpressible(f"it has no amplitude in {said} ({' or '.join(wanted)})")


_Pieces = tuple[list[TargetPiece], int | None]


def _step(step: Node, _: str, unit: Unit) -> _Pieces:
    level = _level(step, unit, ("amp",), ("thresh_perc",))
    start = step.number_or_none("start_thresh_perc" if unit == "percent" else "start_amp")
    onset_ms, duration_ms = step.number_at("delay"), step.number_at("duration")
    return [TargetPiece(onset_ms, duration_ms, level if start is None else start, level)], None


def _ramp(step: Node, _: str, unit: Unit) -> _Pieces:
    if step.get("ramp_duration") is None:
        end = _level(step, unit, ("amp",), ("thresh_perc",))
        return [TargetPiece(step.number_at("delay"), step.number_at("duration"), 0.0, end)], None
    start = _level(step, unit, ("ramp_amplitude_start", "ramp_amp_start"), ("thresh_perc_start",))
    end = _level(step, unit, ("ramp_amplitude_end", "ramp_amp_end"), ("thresh_perc_end",))
    onset_ms = step.number_at("ramp_delay" if step.get("ramp_delay") is not None else "delay")
    return [TargetPiece(onset_ms, step.number_at("ramp_duration"), start, end)], None


def _pulses(step: Node, _: str, unit: Unit) -> _Pieces:
    level = _level(step, unit, ("amp",), ("thresh_perc",))
    delay_ms, duration_ms = step.number_at("delay"), step.number_at("spike_duration")
    count = round(step.number_at("n_spikes"))
    if count < 1:
        raise step.need("n_spikes").error("one pulse or more")
    period_ms = duration_ms + step.number_at("delta") if count > 1 else 0.0
    onsets_ms = [tidy_ms(delay_ms + index * period_ms) for index in range(count)]
    return [TargetPiece(onset_ms, duration_ms, level, level) for onset_ms in onsets_ms], None


def _two_levels(step: Node, name: str, unit: Unit) -> _Pieces:
    delay_ms, middle_ms, end_ms = (step.number_at(key) for key in ("delay", "tmid", "toff"))
    if "dehyperpol" in name:  # here the percentage is that of the second level
        known = ("amp2", "thresh_perc")
        first = _level(step, unit, ("depol_amp", "amp"), ("depol_amp_rel", "amp_rel"), known)
        second = _level(step, unit, ("hyper_amp", "amp2"), ("hyper_amp_rel", "amp2_rel", "thresh_perc"))
        main = 1
    else:
        first = _level(step, unit, ("hyper_amp", "amp"), ("hyper_amp_rel", "thresh_perc"))
        second = _level(step, unit, ("depol_amp", "amp2"), ("depol_amp_rel",))
        main = 0
    return _steps_between((delay_ms, middle_ms, end_ms), (first, second)), main


def _sahp(step: Node, _: str, unit: Unit) -> _Pieces:
    short = _level(step, unit, ("amp",), ("thresh_perc",))
    long = _level(step, unit, ("long_amp",), ("long_amp_rel",))
    times_ms = [step.number_at(key) for key in ("delay", "tmid", "tmid2", "toff")]
    return _steps_between(times_ms, (long, short, long)), 1


def _cheops(step: Node, _: str, unit: Unit) -> _Pieces:
    peak = _level(step, unit, ("amp",), ("thresh_perc",))
    times_ms = [step.number_at(key) for key in ("delay", "t1", "t2", "t3", "t4", "toff")]
    pieces = []
    for start_ms, end_ms in zip(times_ms[::2], times_ms[1::2], strict=True):
        middle_ms = tidy_ms((start_ms + end_ms) / 2.0)
        pieces.append(TargetPiece(start_ms, tidy_ms(middle_ms - start_ms), 0.0, peak))
        pieces.append(TargetPiece(middle_ms, tidy_ms(end_ms - middle_ms), peak, 0.0))
    return pieces, None


def _steps_between(times_ms: Sequence[float], levels: Sequence[float]) -> list[TargetPiece]:
    spans = zip(times_ms, times_ms[1:], levels, strict=False)
    return [TargetPiece(start_ms, tidy_ms(end_ms - start_ms), level, level) for start_ms, end_ms, level in spans]


_SHAPES: dict[str, Callable[[Node, str, Unit], _Pieces]] = {
    "step": _step,
    "ramp": _ramp,
    "pulses": _pulses,
    "two levels": _two_levels,
    "sahp": _sahp,
    "cheops": _cheops,
}
