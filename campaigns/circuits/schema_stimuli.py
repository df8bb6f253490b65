"""The part of a circuit's campaign file that says what comes from outside: volleys, click trains, oddball sequences."""

from __future__ import annotations

from pydantic import Field, model_validator

from rheobase.campaigns.schema_types import Hertz, Milliseconds, Percent, Section

DEVIANT = "_deviant"  # ending of the name of the fibres that are tuned to deviants


class OddballKeys(Section):
    """A sequence of standards with rare deviants; each of the two has fibres of its own.

    The fibres of standards have the name of the stimulus, those of deviants end in "_deviant"; connections name both.

    Attributes:
        tones: Number of all tones.
        deviants: Part of them that are deviants; their number is rounded.
        interval: From onset to onset.
        standards_first: Tones at the beginning that are standards.
        standards_between: Standards between two deviants, at least.
        seed: Of the sequence, which is the same in all trials.
        fibres: Tuned to deviants; None: as many as to standards.
        participation: Part of them that fires at a deviant; None: as at standards.
        overlap: Part of the fibres of the other tone that fires with each tone.
    """

    tones: int = Field(ge=2)
    deviants: Percent = Field(10.0, gt=0, le=50)
    interval: Milliseconds = Field(500.0, gt=0)
    standards_first: int = Field(3, ge=0)
    standards_between: int = Field(2, ge=0)
    seed: int = Field(1, ge=0)
    fibres: int | None = Field(None, ge=1)
    participation: Percent | None = Field(None, ge=0, le=100)
    overlap: Percent = Field(0.0, ge=0, le=100)


class StimulusKeys(Section):
    """Volleys of outside fibres: at times, in trains of a frequency, or as an oddball sequence.

    Attributes:
        fibres: Their number.
        times: When volleys come, from the start of each trial.
        frequency: Of the volleys in a train.
        start: When the first train or tone comes.
        volleys: How many a train has.
        train: Or how long it lasts; a volley that would fall on its end is left out.
        every: From the start of a train to that of the next.
        trains: How many there are.
        oddball: A sequence of standards and deviants instead.
        jitter: Standard deviation of the spikes of a volley around its time.
        participation: Part of the fibres that fires in a volley.
    """

    fibres: int = Field(ge=1)
    times: tuple[Milliseconds, ...] = ()
    frequency: Hertz | None = None
    start: Milliseconds = 0.0
    volleys: int = Field(0, ge=0)
    train: Milliseconds | None = Field(None, gt=0)
    every: Milliseconds | None = Field(None, gt=0)
    trains: int = Field(1, ge=1)
    oddball: OddballKeys | None = None
    jitter: Milliseconds = Field(0.0, ge=0)
    participation: Percent = Field(100.0, ge=0, le=100)

    @model_validator(mode="after")
    def _one_kind(self) -> StimulusKeys:
        if [bool(self.times), self.frequency is not None, self.oddball is not None].count(True) != 1:
            raise ValueError(
                "give either 'times', or 'frequency' with 'volleys' or 'train' (and 'start', 'every', 'trains'), or "
                "'oddball'"
            )
        if self.frequency is None:
            return self
        if self.frequency <= 0 or (self.volleys < 1) == (self.train is None):
            raise ValueError("a train needs a frequency above zero, and either at least one of 'volleys' or a 'train'")
        if self.trains > 1 and (self.every is None or self.every < self.train_ms):
            got = "none" if self.every is None else f"{self.every:g} ms"
            raise ValueError(
                f"{self.trains} trains of {self.train_ms:g} ms need 'every', from one start to the next, of at least "
                f"as long; got {got}"
            )
        return self

    @property
    def train_ms(self) -> float:
        """How long a train lasts (ms), the last interval included."""
        if self.train is not None:
            return self.train
        return 0.0 if self.frequency is None else 1000.0 * self.volleys / self.frequency
