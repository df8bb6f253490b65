"""The part of the campaign file that says how parameters are searched for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, FieldSerializationInfo, field_serializer

from rheobase.campaigns.schema_types import Micrometres, Milliseconds, Percent, Seconds, Section, Text, reader
from rheobase.features.errors import CampaignError

STAGE_NAME = re.compile(r"[A-Za-z][\w-]*")
_START = re.compile(r"best\s+(\d+)\s+of\s+(\S.*)")


@dataclass(frozen=True)
class Start:
    """Where a search begins: the best models of an earlier stage, or of a campaign before this one.

    Attributes:
        best: How many of them.
        stage: Name of the stage; None: they come from `path`.
        path: The folder of a campaign, or the file of an ensemble.
    """

    best: int
    stage: str | None = None
    path: Path | None = None

    def __str__(self) -> str:
        return f"best {self.best} of {self.stage or self.path}"


def parse_start(value: object) -> Start | None:
    """The text of a key `start`; what has a slash or ends in .json is a path, everything else a stage.

    Raises:
        CampaignError: it is none.
    """
    if value is None:
        return None
    found = _START.fullmatch(str(value).strip())
    if found is None or int(found[1]) < 1:
        raise CampaignError(
            "expected 'best NUMBER of STAGE', for example 'best 20 of coarse', or of the folder of a campaign or the "
            f"file of an ensemble, for example 'best 20 of ./runs/first', got {value!r}"
        )
    number, source = int(found[1]), found[2]
    if "/" in source or source.endswith(".json"):
        return Start(number, path=Path(source).expanduser())
    return Start(number, stage=source)


class Budget(Section):
    """When a search ends, beside its number of evaluations; whichever comes first.

    Attributes:
        wall_time: Time by the clock.
        cpu_time: CPU time of all evaluations.
        worst_score: A model whose worst score is no more than this was found.
        stagnation: So many evaluations in a row without the best sum of scores improving by 1 %.
    """

    evaluations: int = Field(2000, ge=1)
    wall_time: Seconds | None = Field(None, gt=0)
    cpu_time: Seconds | None = Field(None, gt=0)
    worst_score: float | None = Field(None, gt=0)
    stagnation: int | None = Field(None, ge=1)


BUDGET_KEYS = ("evaluations", "wall_time", "cpu_time", "worst_score", "stagnation")


class SearchKeys(Budget):
    """Keys of a search, and of each of its stages.

    Attributes:
        algorithm: Name of a search.
        population: Size of the population; None: what suits the algorithm.
        selection: Whether the algorithm sees one objective a protocol (the mean of its features) or all features.
        early_end: Whether candidates that can no longer be chosen are stopped.
        largest_score: What a score is above this (standard deviations) counts five times to the search, so that models
            come first that have none above it; None: everything counts alike.
        restart_after: Begin with a fresh population after so many evaluations without progress.
        options: Settings of the algorithm's own; a stage with another algorithm does not inherit them.
        start: Where it begins, for example "best 20 of coarse"; as many of them as fit into the population.
        segment_length: Longest segment in this stage; None: the model's.
        absolute_tolerance: Of the variable time step in this stage; None: the evaluation's.
        time_step: Fixed time step in this stage; None: the evaluation's. Models are reported as the evaluation has
            them: the best are evaluated again with its integrator, and the report says how the scores differ.
    """

    algorithm: str = "ibea"
    population: int | None = Field(50, ge=4)
    selection: Literal["protocols", "features"] = "protocols"
    early_end: bool = True
    largest_score: float | None = Field(None, gt=0)
    restart_after: int | None = Field(None, ge=1)
    options: dict[str, Any] = Field(default_factory=dict)
    start: Annotated[Start | None, reader(parse_start)] = None
    segment_length: Micrometres | None = Field(None, gt=0)
    absolute_tolerance: float | None = Field(None, gt=0)
    time_step: Milliseconds | None = Field(None, gt=0, le=1)


class Stage(SearchKeys):
    """One of several searches; keys that it does not give are those of the search above it.

    Attributes:
        free: The parameters it moves; None: all. The others keep the values of the best model that it starts from,
            or the middle of their bounds.
        bounds: Other bounds for some of them, also wider ones than the model's.
        narrow: Each bound lies at most so much of the model's whole range away from the best model that it starts from;
            the others that it starts from are moved to within them.
        protocols: The protocols it looks at: "IDrest_200", or "IDrest" for all its levels, "intrinsic" for properties
            of the cell; None: all.
    """

    free: tuple[str, ...] | None = None
    bounds: dict[str, Text] = Field(default_factory=dict)
    narrow: Percent | None = Field(None, gt=0, le=100)
    protocols: tuple[str, ...] | None = None


class Search(SearchKeys):
    """How parameters are searched for, in one search or in stages.

    Attributes:
        deterministic: Whether the result is the same however many workers there are.
        stages: Searches one after another, by name; none: one search.
        rescored: Those of so many models that a coarser stage found are evaluated again at full fidelity: half of them
            are the best ones, the others are small enough in their worst score and as different as they come.
    """

    deterministic: bool = False
    stages: dict[str, Stage] = Field(default_factory=dict)
    rescored: int = Field(100, ge=1)

    @field_serializer("stages")
    def _with_what_they_inherit(self, stages: dict[str, Stage], info: FieldSerializationInfo) -> dict[str, Any]:
        """Every key of every stage: read again, all of them count as given."""
        whole = self.in_stages if stages else {}
        return {name: stage.model_dump(mode=info.mode) for name, stage in whole.items()}

    @property
    def in_stages(self) -> dict[str, Stage]:
        """The searches one after another, by the names they have in the record; every key given."""
        return {name: self._whole(stage) for name, stage in (self.stages or {"search": Stage()}).items()}

    def _whole(self, stage: Stage) -> Stage:
        """A stage with what it inherits."""
        own = {key: getattr(stage, key) for key in stage.model_fields_set}
        keys = {**dict(Stage()), **{key: getattr(self, key) for key in SearchKeys.model_fields}, **own}
        if keys["algorithm"] != self.algorithm and "options" not in own:
            keys["options"] = {}  # those of the search above belong to another algorithm
        return Stage.model_construct(**keys)
