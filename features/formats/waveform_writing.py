"""`ProtocolStimulus` as the descriptions of a stimulus that BluePyEfe and BluePyEModel know."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import FeatureError
from rheobase.features.formats.json_nodes import Node
from rheobase.features.formats.waveforms import NotExpressible, read_waveform, tidy_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece
    from rheobase.features.targets import ProtocolTargets

Description = dict[str, Any]

# Where a stimulus does not say: those programs start from no steady state, so the cell needs time to come to one.
DELAY_MS = 700.0
AFTER_MS = 100.0

# The shape that BluePyEModel 1.0 gives to a stimulus, by the first of these that the protocol's name contains.
_SHAPE_OF_NAME = {
    "spontaneous": "step", "step": "step", "idrest": "step", "idthres": "step", "spontaps": "step",
    "sponnohold30": "step", "sponhold30": "step", "rinholdcurrent": "step", "bap": "step",
    "spikerecmultispikes": "pulses", "iv": "step", "spikerec": "step", "apwaveform": "step", "firepattern": "step",
    "sahp": "sahp", "idhyperpol": "sahp", "irdepol": "sahp", "irhyperpol": "sahp", "iddepol": "sahp",
    "hyperdepol": "two levels", "dehyperpol": "two levels", "poscheops": "cheops", "negcheops": "cheops",
    "ramp": "ramp", "ap_thresh": "ramp", "apthresh": "ramp", "startnohold": "step",
}  # fmt: skip


def delay_of(stimulus: ProtocolStimulus) -> float:
    """Onset of the first piece in a written stimulus (ms from the start of the sweep)."""
    return DELAY_MS if stimulus.before_ms is None else stimulus.before_ms


def total_duration(stimulus: ProtocolStimulus) -> float:
    """Length of the sweep in a written stimulus (ms)."""
    after_ms = AFTER_MS if stimulus.after_ms is None else stimulus.after_ms
    return tidy_ms(delay_of(stimulus) + stimulus.duration_ms + after_ms)


def describe_waveform(protocol: ProtocolTargets, threshold_nA: float | None) -> tuple[list[Description], str]:
    """One description of a protocol's stimulus, or one per piece where no shape of those programs fits.

    Args:
        protocol: The protocol.
        threshold_nA: Threshold current (nA) by which percentages become the currents that stand beside them.

    Returns:
        The descriptions, and why BluePyEModel cannot run them ("" when it can).
    """
    writer = _Writer(protocol, threshold_nA)
    expected = next((shape for word, shape in _SHAPE_OF_NAME.items() if word in protocol.name.lower()), None)
    for shape, write in writer.shapes.items():
        description = write()
        if description is not None and _reads_back(description, protocol):
            return [description], _why_not(protocol.name, shape, expected)
    return writer.steps(), "BluePyEModel has no stimulus of this shape"


def _why_not(name: str, shape: str, expected: str | None) -> str:
    if expected is None:
        return f"BluePyEModel finds a stimulus by the protocol's name and knows none in '{name}'"
    if expected != shape:
        return f"BluePyEModel takes '{name}' for a stimulus of the kind '{expected}', but it is '{shape}'"
    return ""


def _reads_back(description: Description, protocol: ProtocolTargets) -> bool:
    stimulus = protocol.stimulus
    try:
        found = read_waveform([Node(description, Path(protocol.name))], protocol.name, stimulus.unit).stimulus
    except (NotExpressible, FeatureError):
        return False
    return (
        len(found.pieces) == len(stimulus.pieces)
        and _close(found.level, stimulus.level)
        and all(_same(one, other) for one, other in zip(found.pieces, stimulus.pieces, strict=True))
    )


def _same(one: TargetPiece, other: TargetPiece) -> bool:
    pairs = (
        (one.onset_ms, other.onset_ms),
        (one.duration_ms, other.duration_ms),
        (one.start, other.start),
        (one.end, other.end),
    )
    return all(_close(a, b) for a, b in pairs)


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-8)


class _Writer:
    """Descriptions of one stimulus, each in one of the known shapes."""

    def __init__(self, protocol: ProtocolTargets, threshold_nA: float | None) -> None:
        self._stimulus = stimulus = protocol.stimulus
        self._pieces = stimulus.pieces
        self._percent = stimulus.unit == "percent"
        self._amplitude_nA = protocol.amplitude_nA if self._percent else stimulus.level
        self._delay_ms = delay_of(stimulus)
        self._nA_per_percent = None if threshold_nA is None else threshold_nA / 100.0
        if stimulus.level and protocol.amplitude_nA:
            self._nA_per_percent = protocol.amplitude_nA / stimulus.level
        self.shapes: dict[str, Callable[[], Description | None]] = {
            "step": self._step,
            "ramp": self._ramp,
            "pulses": self._pulses,
            "two levels": self._two_levels,
            "sahp": self._sahp,
            "cheops": self._cheops,
        }

    def steps(self) -> list[Description]:
        """One description per piece."""
        written = []
        for piece in self._pieces:
            entry = {
                "delay": self._time(piece.onset_ms),
                **self._amplitude(piece.end),
                "duration": piece.duration_ms,
                "totduration": total_duration(self._stimulus),
            }
            if piece.start != piece.end or len(self._pieces) == 1:  # a single one whose name would make it a ramp
                entry.update(self._in_units(piece.start, "start_amp", "start_thresh_perc"))
            if piece == self._stimulus.main:
                entry["main"] = True
            written.append(entry)
        return written

    def _time(self, time_ms: float) -> float:
        """A time from the start of the sweep (ms)."""
        return tidy_ms(self._delay_ms + time_ms)

    def _amplitude(self, level: float) -> Description:
        """An amplitude as "amp" and "thresh_perc"; that of the main piece as it was measured."""
        if self._percent and level == self._stimulus.level:
            return {"amp": self._amplitude_nA, "thresh_perc": level}
        return {"thresh_perc": None, **self._in_units(level, "amp", "thresh_perc")}

    def _in_units(self, level: float, in_nA: str, in_percent: str) -> Description:
        if not self._percent:
            return {in_nA: level}
        return {in_nA: None if self._nA_per_percent is None else level * self._nA_per_percent, in_percent: level}

    def _frame(self, level: float, duration_ms: float) -> Description:
        return {
            "delay": self._delay_ms,
            **self._amplitude(level),
            "duration": duration_ms,
            "totduration": total_duration(self._stimulus),
        }

    def _step(self) -> Description | None:
        if not self._stimulus.is_step:
            return None
        return self._frame(self._pieces[0].end, self._pieces[0].duration_ms)

    def _ramp(self) -> Description | None:
        if len(self._pieces) > 1 or self._pieces[0].start != 0.0:
            return None
        return self._frame(self._pieces[0].end, self._pieces[0].duration_ms)

    def _pulses(self) -> Description | None:
        if len(self._pieces) < 2:
            return None
        first, second = self._pieces[:2]
        return {
            "delay": self._delay_ms,
            "n_spikes": len(self._pieces),
            "delta": tidy_ms(second.onset_ms - first.offset_ms),
            **self._amplitude(first.end),
            "spike_duration": first.duration_ms,
            "totduration": total_duration(self._stimulus),
        }

    def _two_levels(self) -> Description | None:
        if len(self._pieces) != 2:
            return None
        first, second = (piece.end for piece in self._pieces)
        main = self._pieces.index(self._stimulus.main)
        frame = self._frame(self._stimulus.level, self._stimulus.duration_ms)
        times = {"tmid": self._time(self._pieces[1].onset_ms), "toff": self._time(self._stimulus.duration_ms)}
        if main == 0:
            return {**frame, **times, **self._in_units(second, "amp2", "depol_amp_rel")}
        amplitude_nA = frame.pop("amp")
        return {**frame, **times, "amp2": amplitude_nA, **self._in_units(first, "amp", "amp_rel")}

    def _sahp(self) -> Description | None:
        if len(self._pieces) != 3 or self._pieces[1] != self._stimulus.main:
            return None
        long, short, _ = self._pieces
        return {
            **self._frame(short.end, short.duration_ms),
            "tmid": self._time(short.onset_ms),
            "tmid2": self._time(short.offset_ms),
            "toff": self._time(self._stimulus.duration_ms),
            **self._in_units(long.end, "long_amp", "long_amp_rel"),
        }

    def _cheops(self) -> Description | None:
        if len(self._pieces) != 6:
            return None
        times_ms = [piece.onset_ms for piece in self._pieces[2::2]]
        ends_ms = [piece.offset_ms for piece in self._pieces[1::2]]
        return {
            **self._frame(self._pieces[0].end, self._stimulus.duration_ms),
            "t1": self._time(ends_ms[0]),
            "t2": self._time(times_ms[0]),
            "t3": self._time(ends_ms[1]),
            "t4": self._time(times_ms[1]),
            "toff": self._time(ends_ms[2]),
        }
