"""The part of a circuit's campaign file that says what its EEG does after a stimulus."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rheobase.campaigns.schema_types import Femtoteslas, Hertz, Microvolts, Milliseconds, Section, Window, reader


def _decibel(value: object) -> float:
    text = str(value).strip()
    with suppress(ValueError):
        if text.endswith("dB") and math.isfinite(number := float(text.removesuffix("dB"))):
            return number
    raise ValueError(f"expected a ratio of powers such as '10 dB', got {value!r}")


Decibel = Annotated[float, reader(_decibel)]


class AmplitudeKeys(Section):
    """Amplitude of a peak relative to the baseline; negative for a negative component."""

    value: Microvolts
    tolerance: Microvolts = Field(gt=0)


class FieldKeys(Section):
    """Amplitude of a peak of a magnetic field relative to the baseline; negative for a negative component."""

    value: Femtoteslas
    tolerance: Femtoteslas = Field(gt=0)


class LatencyKeys(Section):
    """Time of a peak after the stimulus."""

    value: Milliseconds
    tolerance: Milliseconds = Field(gt=0)


class CoherenceKeys(Section):
    """Inter-trial coherence, from 0 to 1."""

    value: float = Field(ge=0, le=1)
    tolerance: float = Field(gt=0)


class PowerRatioKeys(Section):
    """Evoked power at the stimulus's frequency over that of single trains at the frequencies around it."""

    value: Decibel
    tolerance: Decibel = Field(gt=0)


class ComponentKeys(Section):
    """A component of an evoked response.

    Attributes:
        name: For example "N1".
        polarity: Which way it points.
        window: Where its peak is looked for, after the stimulus.
        amplitude: What it should be in the EEG.
        field: What it should be in the MEG.
        latency: When it should be.
    """

    name: str = Field(pattern=r"^[A-Za-z][\w-]*$")
    polarity: Literal["negative", "positive"]
    window: Window
    amplitude: AmplitudeKeys | None = None
    field: FieldKeys | None = None
    latency: LatencyKeys | None = None

    @model_validator(mode="after")
    def _states_something(self) -> ComponentKeys:
        if self.amplitude is None and self.field is None and self.latency is None:
            raise ValueError(f"{self.name} has neither an 'amplitude' (or 'field') nor a 'latency'; give at least one")
        return self


class SteadyStateKeys(Section):
    """How a rhythmic stimulus is followed; it takes two trains or more, and is free of the bias of few.

    Attributes:
        frequency: Of the stimulus.
        window: What to take of each train; None: the whole window of the target.
        coherence: Over trains.
        power_ratio: Evoked power over that of single trains at the frequencies around, in dB.
    """

    frequency: Hertz = Field(gt=0)
    window: Window | None = None
    coherence: CoherenceKeys | None = None
    power_ratio: PowerRatioKeys | None = None

    @model_validator(mode="after")
    def _states_something(self) -> SteadyStateKeys:
        if self.coherence is None and self.power_ratio is None:
            raise ValueError("give at least one of 'coherence' and 'power_ratio'")
        return self


class EvokedKeys(Section):
    """What the EEG, or MEG, does after a stimulus.

    Attributes:
        signal: Which of them.
        stimulus: Its name in `circuit.stimuli`.
        onsets: When it comes, for circuits of others, which have no stimuli in the file.
        name: Of the target; None: that of the stimulus.
        response: To all onsets, or to those of an oddball sequence: standards, deviants, or deviants minus standards;
            None: the difference for an oddball sequence, all for other stimuli.
        window: What belongs to an onset.
        baseline: Part of it that potentials are relative to.
        scale: Factor of the model's potential before amplitudes are compared: so many cells stand behind each of its.
        components: Of the average over onsets.
        steady_state: How trains are followed.
    """

    signal: Literal["EEG", "MEG"] = "EEG"
    stimulus: str | None = None
    onsets: tuple[Milliseconds, ...] = ()
    name: str | None = Field(None, pattern=r"^[A-Za-z][\w-]*$")
    response: Literal["all", "standards", "deviants", "difference"] | None = None
    window: Window = (-50.0, 400.0)
    baseline: Window = (-50.0, 0.0)
    scale: float = Field(1.0, gt=0)
    components: tuple[ComponentKeys, ...] = ()
    steady_state: SteadyStateKeys | None = None

    @model_validator(mode="after")
    def _something_after_something(self) -> EvokedKeys:
        if (self.stimulus is None) == (not self.onsets):
            raise ValueError("give either 'stimulus', one of circuit.stimuli, or 'onsets'")
        if self.stimulus is None and self.response is not None:
            raise ValueError("'response' chooses among the tones of an oddball 'stimulus'; leave it out with 'onsets'")
        if not self.components and self.steady_state is None:
            raise ValueError("give 'components', 'steady_state' or both: what should be measured")
        for component in self.components:
            if (component.amplitude if self.signal == "MEG" else component.field) is not None:
                raise ValueError(
                    f"{component.name}: expected the 'amplitude' of an EEG (uV), or the 'field' of an MEG (fT) with "
                    f"'signal: MEG'; the signal is {self.signal}"
                )
        names = [component.name for component in self.components]
        if len(set(names)) < len(names):
            raise ValueError(f"components need different names, got {', '.join(names)}")
        for what, (low, high) in [("baseline", self.baseline), *((one.name, one.window) for one in self.components)]:
            if low < self.window[0] or high > self.window[1]:
                raise ValueError(
                    f"{what}, {low:g} to {high:g} ms, is not within the window, {self.window[0]:g} to "
                    f"{self.window[1]:g} ms; widen 'window'"
                )
        return self

    @property
    def label(self) -> str:
        """Name of the target."""
        return self.name or self.stimulus or "evoked"
