"""The campaign file: every key, its unit and its default. Unknown keys are errors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from rheobase.campaigns.schema_features import Features
from rheobase.campaigns.schema_search import BUDGET_KEYS, Search
from rheobase.campaigns.schema_types import (
    CANONICAL,
    Celsius,
    Kilohertz,
    Micrometres,
    Milliseconds,
    Millivolts,
    Nanoamperes,
    Paths,
    Percent,
    Placed,
    Seconds,
    Section,
    Text,
)


class SurrogateProtocol(Section):
    """A step protocol that virtual cells are recorded under."""

    levels: tuple[Percent, ...]
    duration: Milliseconds = Field(500.0, gt=0)
    sampling: Kilohertz = Field(20.0, gt=0)


class Surrogates(Section):
    """Virtual recordings of a hidden, varied parameter set: to try a campaign where the answer is known."""

    cells: int = Field(5, ge=1, le=1000)
    hidden: dict[str, Text]
    spread: Percent = Field(10.0, ge=0, le=50)
    noise: Millivolts = Field(0.1, ge=0)
    holding_voltage: Millivolts = -80.0
    protocols: dict[str, SurrogateProtocol]


class Recordings(Section):
    """Where recordings come from."""

    folder: Paths | None = None
    files: str | None = None
    table: str | None = None
    junction_potential: Millivolts = 0.0
    protocols: tuple[str, ...] | None = None
    cells: tuple[str, ...] | None = None
    skip_unreadable: bool = False
    surrogates: Surrogates | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Recordings:
        if (self.folder is None) == (self.surrogates is None):
            raise ValueError("give either 'folder', where the recordings lie, or 'surrogates'")
        if self.files is not None and self.table is not None:
            raise ValueError("give either 'files', a pattern of file names, or 'table', a list of files in the folder")
        if self.table is not None and self.folder is None:
            raise ValueError("'table' lists the files of a 'folder', surrogates need none")
        return self


class TargetTable(Section):
    """Targets that were measured by others, instead of recordings.

    Attributes:
        features: A table as rheobase, BluePyEfe, BluePyEModel or the tools before them write it.
        protocols: Its protocols, where they have a file of their own.
        holding_voltage: Voltage at which cells were held, where the table does not say it.
        leave_out: Protocols, or objectives, that the model cannot have, each with the reason.
    """

    features: Path
    protocols: Path | None = None
    holding_voltage: Millivolts | None = None
    leave_out: dict[str, str] = Field(default_factory=dict)


class ParameterEntry(Section):
    """A parameter with a scale or a distribution."""

    value: Text
    scale: Literal["linear", "logarithmic"] = "linear"
    distribution: str = "uniform"


def _parameter_entry(value: object) -> object:
    return {"value": value} if isinstance(value, str | int | float) and not isinstance(value, bool) else value


Parameters = dict[str, Annotated[ParameterEntry | None, BeforeValidator(_parameter_entry)]]


class Model(Section):
    """The cell model."""

    morphology: Path
    axon: Literal["stub", "keep"] = "stub"
    channels: str | None = None
    mechanisms: Path | None = None
    temperature: Celsius = 34.0
    initial_voltage: Millivolts = -80.0
    segment_length: Micrometres = Field(40.0, gt=0)
    distributions: dict[str, str] = Field(default_factory=dict)
    parameters: Parameters = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something_to_fit(self) -> Model:
        if self.channels is None and not self.parameters:
            raise ValueError("give 'channels', a ready set (see `rheobase library`), or 'parameters', or both")
        return self


class Evaluation(Section):
    """How a candidate is simulated."""

    settle: Milliseconds = Field(1000.0, gt=0)
    before_step: Milliseconds = Field(100.0, gt=0)
    after_step: Milliseconds = Field(100.0, gt=0)
    threshold_precision: Percent = Field(2.0, gt=0)
    largest_current: Nanoamperes = Field(5.0, gt=0)
    stage_limit: float = Field(20.0, gt=0)
    ectopic_limit: float = Field(2.0, ge=0)
    integrator: Literal["variable", "fixed", "coreneuron"] = "variable"
    absolute_tolerance: float = Field(1e-3, gt=0)
    time_step: Milliseconds = Field(0.025, gt=0, le=1)
    time_limit: Seconds = Field(120.0, gt=0)

    @model_validator(mode="after")
    def _steps_are_fixed(self, info: ValidationInfo) -> Evaluation:
        if info.context != CANONICAL and self.integrator == "variable" and "time_step" in self.model_fields_set:
            raise ValueError(
                "'time_step' needs fixed steps: give 'integrator: fixed', or 'coreneuron', or leave it out"
            )
        return self


class Ensemble(Section):
    """The models chosen in the end."""

    size: int = Field(20, ge=1)
    largest_score: float = Field(5.0, gt=0)


class Cluster(Section):
    """Where the workers run."""

    workers: int | None = Field(None, ge=1)
    address: str = "local"


class MeasurementKeys(Placed):
    """What `rheobase extract` needs to know, and every campaign: where recordings are, and what to measure."""

    recordings: Recordings | None = None
    features: Features = Features()

    @property
    def surrogates(self) -> Surrogates | None:
        """The virtual cells to be recorded, None when the recordings are real or there are none."""
        return None if self.recordings is None else self.recordings.surrogates

    @property
    def junction_potential(self) -> float:
        """Liquid-junction potential to be subtracted from recordings (mV)."""
        return 0.0 if self.recordings is None else self.recordings.junction_potential


class Campaign(MeasurementKeys):
    """A whole campaign."""

    rheobase: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z][\w-]*$")
    description: str = ""
    seed: int = Field(1, ge=0)
    targets: TargetTable | None = None
    model: Model
    evaluation: Evaluation = Evaluation()
    search: Search = Search()
    ensemble: Ensemble = Ensemble()
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _something_to_reach(self) -> Campaign:
        if (self.recordings is None) == (self.targets is None):
            raise ValueError("give either 'recordings', to be measured, or 'targets', a table of what was measured")
        return self

    def essence(self) -> dict[str, Any]:
        """What the record depends on: a campaign in a folder may be resumed only with the same."""
        content = self.model_dump(mode="json")
        for key in ("description", "ensemble", "cluster"):
            del content[key]
        for search in (content["search"], *content["search"]["stages"].values()):
            for key in BUDGET_KEYS:
                del search[key]
        del content["search"]["rescored"]
        del content["evaluation"]["time_limit"]
        if math.isinf(self.evaluation.ectopic_limit):  # as before there was such a limit
            del content["evaluation"]["ectopic_limit"]
        if self.evaluation.integrator == "variable":  # what is not used says nothing
            del content["evaluation"]["integrator"], content["evaluation"]["time_step"]
        if self.recordings is not None and self.recordings.folder is not None and len(self.recordings.folder) > 1:
            content["recordings"]["folders"] = len(self.recordings.folder)  # they may move, but not become more
        return content
