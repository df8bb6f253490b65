"""The part of a circuit's campaign file that says how it is tuned."""

from __future__ import annotations

from pydantic import Field

from rheobase.campaigns.circuits.schema_stages import KnobKeys, RecordedKeys, Stage
from rheobase.campaigns.schema_types import Milliseconds, Seconds, Section


class Tuning(Section):
    """The standard recipe (background alone, layer by layer, the full circuit, the spectrum), or stages of one's own.

    Attributes:
        duration: How long rates are simulated in a trial, after the transient.
        transient: What is left out of it at the start.
        layers: Layers in the order in which they are tuned; None: in the order of the file.
        trials: At most so many in each stage.
        spectrum_duration: How long a trial of the spectrum is, after the transient.
        final_seeds: Other seeds that the result is confirmed with.
        wall_time: When the campaign ends at the latest.
        recipe: Whether the stages of the recipe come; else those declared in `stages` alone.
        stages: Stages of one's own, and changes of those of the recipe, by name.
        recorded: Spike trains that populations are replayed with while they are not simulated, instead of independent
            trains at their target rates.
        spectrum_knobs: What is free for the spectrum, beside backgrounds that keep the rates.
    """

    duration: Milliseconds = Field(2000.0, gt=0)
    transient: Milliseconds = Field(500.0, ge=0)
    layers: tuple[str, ...] | None = None
    trials: int = Field(60, ge=1)
    spectrum_duration: Milliseconds = Field(10000.0, gt=0)
    final_seeds: int = Field(5, ge=1)
    wall_time: Seconds | None = Field(None, gt=0)
    recipe: bool = True
    stages: dict[str, Stage] = Field(default_factory=dict)
    recorded: dict[str, RecordedKeys] = Field(default_factory=dict)
    spectrum_knobs: dict[str, KnobKeys] = Field(default_factory=dict)
