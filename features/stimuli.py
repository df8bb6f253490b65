"""What a stimulus is made of: the pieces of current that were injected on top of the holding current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rheobase.features.recording import Step

Kind = Literal["step", "pulse", "levels", "pulses", "ramp", "noise"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of current, constant or rising linearly.

    Attributes:
        onset_ms: Start (ms from the start of the sweep).
        offset_ms: End (ms).
        start_nA: Current above holding at its start (nA).
        end_nA: Current above holding at its end (nA); the same as `start_nA` in a step.
    """

    onset_ms: float
    offset_ms: float
    start_nA: float
    end_nA: float

    @property
    def duration_ms(self) -> float:
        """Its length (ms)."""
        return self.offset_ms - self.onset_ms


@dataclass(frozen=True, slots=True)
class Stimulus:
    """A stimulus as it was found in a current trace, or as a model is to get it.

    Attributes:
        kind: "step": one constant level; "pulse": the same, shorter than 100 ms (APWaveform); "levels": two or
            more that differ in level or are no pulses, one within or after another (HyperDepol, DeHyperpol, sAHP);
            "pulses": several pulses of one level (SpikeRec); "ramp": one linear rise or fall; "noise": fluctuating
            current, its one piece at the mean.
        pieces: The stretches in the order of time, without gaps listed between them.
        holding_nA: Current outside the pieces (nA).
        deviation_nA: Standard deviation of the current around the piece's level (nA); above zero for noise only.
        test_pulse: The test pulse before the stimulus, which is not part of it; None where there is none.
    """

    kind: Kind
    pieces: tuple[Piece, ...]
    holding_nA: float
    deviation_nA: float = 0.0
    test_pulse: Piece | None = None

    @property
    def onset_ms(self) -> float:
        """Start of the first piece (ms)."""
        return self.pieces[0].onset_ms

    @property
    def offset_ms(self) -> float:
        """End of the last piece (ms)."""
        return self.pieces[-1].offset_ms

    @property
    def main(self) -> int:
        """Index of the piece that names the amplitude: the one farthest from holding, the first of equals."""
        return max(range(len(self.pieces)), key=lambda index: (abs(self.pieces[index].end_nA), -index))

    def window(self, piece: int | None = None) -> Step:
        """Where features are measured, as a step with the end amplitude.

        Args:
            piece: Index of the piece; None: from the first onset to the last offset, with the main piece's amplitude.
        """
        if piece is None:
            amplitude_nA = self.pieces[self.main].end_nA
            return Step(self.onset_ms, self.offset_ms, amplitude_nA, self.holding_nA)
        chosen = self.pieces[piece]
        return Step(chosen.onset_ms, chosen.offset_ms, chosen.end_nA, self.holding_nA)
