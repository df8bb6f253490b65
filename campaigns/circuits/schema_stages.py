"""The part of a circuit's campaign file that declares stages of tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from rheobase.campaigns.schema_types import Milliseconds, Section, Window, reader
from rheobase.features.units import parse_quantity


class KnobKeys(Section):
    """A factor that multiplies parameters of the circuit, given by patterns of their names.

    Attributes:
        parameters: Patterns, such as "weight:L4_E->L4_*" or "background:L4_*".
        smallest: Smallest factor, relative to what the stages before have reached.
        largest: Largest factor.
    """

    parameters: tuple[str, ...] = Field(min_length=1)
    smallest: float = Field(0.2, gt=0, le=1)
    largest: float = Field(5.0, ge=1)


class AcceptKeys(Section):
    """When a place is accepted.

    Attributes:
        seeds: Seeds of a place that looks good.
        confirming_seeds: Further ones, whose means alone must be within the tolerances.
        tolerance: Part of the targets' tolerances that is aimed at.
    """

    seeds: int = Field(2, ge=1)
    confirming_seeds: int = Field(3, ge=0)
    tolerance: float = Field(1.0, gt=0, le=1)


class RecordedKeys(Section):
    """Spike trains that a population is replayed with: SONATA (.h5), a table (.csv, .tsv, .txt) or NWB (.nwb).

    Cells take the recorded units in turn, the same in every trial (fitting/circuits/replaying.py).

    Attributes:
        file: The file.
        population: Its name there; None: as in the circuit.
        observed: From when to when it was recorded; may be left out for NWB files with obs_intervals.
        time: Column of a table with the times; its head states the unit, "time (s)".
        unit: Column of a table with the units.
        populations: Columns of a table, or of the units of an NWB file, whose values together name the population.
    """

    file: Path
    population: str | None = None
    observed: Window | None = None
    time: str = "time (ms)"
    unit: str = "unit"
    populations: tuple[str, ...] = ("population",)


def _replayed(value: object) -> object:
    return value if value in ("target", "recorded") else parse_quantity(value, "Hz")


Replayed = Annotated[Literal["target", "recorded"] | float, reader(_replayed)]


class StageKeys(Section):
    """A stage of one's own, or what is changed of a stage of the recipe.

    With `targets` it is a stage of its own; it takes the place of a stage of the recipe that has its name. Without, it
    changes what it names of that stage. A number alone changes the trials: `stages: {background: 20}`.

    Attributes:
        targets: Patterns of targets that count: "rate:L4_*", "cv_isi:L4_E", "aperiodic_exponent", "alpha",
            "clicks.N1_amplitude".
        constraints: Patterns of those that only have to stay within their tolerances.
        free: Factors to be found, by name; none to score what was reached anew.
        simulated: Patterns of the populations with cells.
        replayed: What others send instead, by patterns: "target" for independent trains at their target rates,
            "recorded" for those of tuning.recorded, or a rate. Populations that are neither are absent.
        connected: Whether there are projections; without them only the background acts.
        duration: How long a trial is, after the transient; None: as of the recipe.
        accept: When a place is accepted.
        after: Stages that it starts from; None: the stage declared before it, or the last of the recipe before the
            fresh seeds.
        trials: At most so many; None: as of the recipe.
        proposals: Where places come from, in turn: "jacobian", "jacobian_sampled", "probe", a search such as
            "optuna_tpe" or "optuna_cma_es"; or "root" alone, where each factor acts on one target.
        patience: Places without progress before it begins again with weaker couplings, and is given up.
        required: Whether stages after it are left out if it is not met.
    """

    targets: tuple[str, ...] | None = Field(None, min_length=1)
    constraints: tuple[str, ...] = ()
    free: dict[str, KnobKeys] | None = None
    simulated: tuple[str, ...] | None = Field(None, min_length=1)
    replayed: dict[str, Replayed] | None = None
    connected: bool | None = None
    duration: Milliseconds | None = Field(None, gt=0)
    accept: AcceptKeys | None = None
    after: tuple[str, ...] | None = None
    trials: int | None = Field(None, ge=1)
    proposals: tuple[str, ...] | None = Field(None, min_length=1)
    patience: int | None = Field(None, ge=1)
    required: bool | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is a stage of its own."""
        return self.targets is not None


def _number_of_trials(value: object) -> object:
    return {"trials": value} if isinstance(value, int) and not isinstance(value, bool) else value


Stage = Annotated[StageKeys, BeforeValidator(_number_of_trials)]
