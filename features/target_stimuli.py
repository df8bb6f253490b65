"""The stimulus of a target: what is injected into a model, and where its features are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rheobase.features.errors import FeatureError
from rheobase.features.stimuli import Kind, Piece, Stimulus
from rheobase.features.strictness import STRICT
from rheobase.features.windows import measured_step

if TYPE_CHECKING:
    from rheobase.features.recording import Step

Unit = Literal["percent", "nA"]

_PULSE_MS = 100.0  # as for `Stimulus.kind`


@dataclass(frozen=True)
class TargetPiece:
    """A stretch of current on top of holding, constant or rising linearly.

    Attributes:
        onset_ms: Start (ms from the onset of the first piece).
        duration_ms: Length (ms).
        start: Current at its start, in the unit of the stimulus.
        end: Current at its end; the same as `start` in a step.
    """

    onset_ms: float
    duration_ms: float
    start: float
    end: float
    __pydantic_config__ = STRICT

    @property
    def offset_ms(self) -> float:
        """End (ms from the onset of the first piece)."""
        return self.onset_ms + self.duration_ms


@dataclass(frozen=True)
class ProtocolStimulus:
    """Current that a model gets on top of its holding current.

    Attributes:
        pieces: Its stretches in the order of time, at least one, the first with onset 0, none reaching into the next.
        unit: Of their currents: "percent" of the threshold current, or "nA".
        window_ms: Onset and end of the time in which features are measured (ms from the first onset); None: from
            the first onset to the last offset.
        main_piece: Index of the piece that names the amplitude; None: the one farthest from holding.
        before_ms: Time at the holding current before the first piece (ms); None: as everywhere.
        after_ms: Time at the holding current after the last piece (ms); None: as everywhere.
        holding_nA: The holding current (nA); None: what keeps the cell at the targets' holding voltage.
    """

    pieces: tuple[TargetPiece, ...]
    unit: Unit = "percent"
    window_ms: tuple[float, float] | None = None
    main_piece: int | None = None
    before_ms: float | None = None
    after_ms: float | None = None
    holding_nA: float | None = None
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if not self.pieces or self.pieces[0].onset_ms != 0.0:
            raise FeatureError("a stimulus needs at least one piece, the first with onset 0 ms")
        ends = [0.0, *(piece.offset_ms for piece in self.pieces)]
        for piece, earliest in zip(self.pieces, ends, strict=False):
            if piece.duration_ms <= 0 or piece.onset_ms < earliest - 1e-9:
                raise FeatureError(
                    "the pieces of a stimulus must follow each other and last longer than 0 ms, "
                    f"got one from {piece.onset_ms:g} ms for {piece.duration_ms:g} ms after {earliest:g} ms"
                )
        if self.main_piece is not None and not 0 <= self.main_piece < len(self.pieces):
            raise FeatureError(f"main_piece must be 0 to {len(self.pieces) - 1}, got {self.main_piece}")
        if self.window_ms is not None and self.window_ms[0] >= self.window_ms[1]:
            raise FeatureError(f"the window must end after it starts, got {self.window_ms}")

    @classmethod
    def step(cls, level: float, duration_ms: float, unit: Unit = "percent") -> ProtocolStimulus:
        """A single step.

        Args:
            level: Its amplitude above holding, in % of the threshold current or in nA.
            duration_ms: Its length (ms).
            unit: Which of the two.
        """
        return cls((TargetPiece(0.0, duration_ms, level, level),), unit)

    @property
    def main(self) -> TargetPiece:
        """The piece that names the amplitude."""
        if self.main_piece is not None:
            return self.pieces[self.main_piece]
        return max(self.pieces, key=lambda piece: abs(piece.end))  # the first of equals

    @property
    def level(self) -> float:
        """Amplitude above holding of the main piece, at its end, in % of the threshold current or in nA."""
        return self.main.end

    @property
    def duration_ms(self) -> float:
        """From the first onset to the last offset (ms)."""
        return self.pieces[-1].offset_ms

    @property
    def is_step(self) -> bool:
        """Whether it is one piece of constant current."""
        return len(self.pieces) == 1 and self.pieces[0].start == self.pieces[0].end

    def injected(self, onset_ms: float, holding_nA: float, threshold_nA: float | None) -> Stimulus:
        """The stimulus in nA at a place in time, for a model of a given threshold current.

        Args:
            onset_ms: Where the first piece starts (ms).
            holding_nA: The model's holding current (nA).
            threshold_nA: The model's threshold current (nA); needed for a stimulus in percent only.

        Raises:
            FeatureError: A stimulus in percent without threshold current.
        """
        if self.unit == "percent" and threshold_nA is None:
            raise FeatureError("a stimulus in % of the threshold current needs a threshold current, got none")
        scale = threshold_nA / 100.0 if self.unit == "percent" and threshold_nA is not None else 1.0
        pieces = tuple(
            Piece(onset_ms + piece.onset_ms, onset_ms + piece.offset_ms, scale * piece.start, scale * piece.end)
            for piece in self.pieces
        )
        return Stimulus(self._kind, pieces, holding_nA if self.holding_nA is None else self.holding_nA)

    def measured(self, injected: Stimulus, window_ms: tuple[float, float] | None = None) -> Step:
        """Where features are measured, as eFEL takes it: onset, end, and an amplitude.

        Args:
            injected: What `injected` gave.
            window_ms: Of a target of its own window (ms from the first onset); None: that of the stimulus.
        """
        start, end = window_ms or self.window_ms or (0.0, self.duration_ms)
        onset_ms = injected.onset_ms
        return measured_step(injected, (onset_ms + start, onset_ms + end), self.pieces.index(self.main))

    @property
    def _kind(self) -> Kind:
        levels = {(piece.start, piece.end) for piece in self.pieces}
        if len(self.pieces) > 1:
            return "pulses" if len(levels) == 1 and self.pieces[0].start == self.pieces[0].end else "levels"
        if not self.is_step:
            return "ramp"
        return "pulse" if self.duration_ms < _PULSE_MS else "step"
