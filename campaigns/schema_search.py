"""The part of the campaign file that says how parameters are searched for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rheobase.campaigns.schema_types import Micrometres, Percent, Seconds, Section, Text, reader
from rheobase.features.errors import CampaignError

_START = re.compile(r"best (\d+) of ([A-Za-z][\w-]*)")


@dataclass(frozen=True)
class Start:
    """Where a stage begins: the best models of an earlier one."""

    best: int
    stage: str


def _start(value: object) -> Start | None:
    if value is None:
        return None
    found = _START.fullmatch(str(value).strip())
    if found is None or int(found[1]) < 1:
        raise CampaignError(f"expected 'best NUMBER of STAGE', for example 'best 20 of coarse', got {value!r}")
    return Start(int(found[1]), found[2])


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
        restart_after: Begin with a fresh population after so many evaluations without progress.
        options: Settings of the algorithm's own.
        segment_length: Longest segment in this stage; None: the model's.
        absolute_tolerance: Of the variable time step in this stage; None: the evaluation's.
    """

    algorithm: str = "ibea"
    population: int | None = Field(50, ge=4)
    selection: Literal["protocols", "features"] = "protocols"
    early_end: bool = True
    restart_after: int | None = Field(None, ge=1)
    options: dict[str, Any] = Field(default_factory=dict)
    segment_length: Micrometres | None = Field(None, gt=0)
    absolute_tolerance: float | None = Field(None, gt=0)


class Stage(SearchKeys):
    """One of several searches; keys that it does not give are those of the search above it.

    Attributes:
        start: Where it begins, for example "best 20 of coarse".
        free: The parameters it moves; None: all. The others keep the values of the best model that it starts from,
            or the middle of their bounds.
        bounds: Other bounds for some of them.
        narrow: Bounds within so much of the whole range around the best model that it starts from.
        protocols: The protocols it looks at ("intrinsic" for properties of the cell); None: all.
    """

    start: Annotated[Start | None, reader(_start)] = None
    free: tuple[str, ...] | None = None
    bounds: dict[str, Text] = Field(default_factory=dict)
    narrow: Percent | None = Field(None, gt=0, le=100)
    protocols: tuple[str, ...] | None = None


class Search(SearchKeys):
    """How parameters are searched for, in one search or in stages.

    Attributes:
        deterministic: Whether the result is the same however many workers there are.
        stages: Searches one after another, by name; none: one search.
        rescored: So many of the best models are evaluated again at full fidelity when a stage was coarser.
    """

    deterministic: bool = False
    stages: dict[str, Stage] = Field(default_factory=dict)
    rescored: int = Field(100, ge=1)

    @model_validator(mode="after")
    def _known_starts(self) -> Search:
        before: list[str] = []
        for name, stage in self.stages.items():
            if stage.start is not None and stage.start.stage not in before:
                known = ", ".join(before) or "none: it is the first"
                raise ValueError(f"stage '{name}' starts from '{stage.start.stage}'; the stages before it are {known}")
            if stage.narrow is not None and stage.start is None:
                raise ValueError(f"stage '{name}' is to be narrowed, but 'start' does not say around what")
            before.append(name)
        return self

    @property
    def in_stages(self) -> dict[str, Stage]:
        """The searches one after another, by the names they have in the record; every key given."""
        common = {key: getattr(self, key) for key in SearchKeys.model_fields}
        if not self.stages:
            return {"search": Stage.model_construct(**{**_defaults(), **common})}
        return {
            name: Stage.model_construct(
                **{**_defaults(), **common, **{key: getattr(stage, key) for key in stage.model_fields_set}}
            )
            for name, stage in self.stages.items()
        }


def _defaults() -> dict[str, Any]:
    return dict(Stage.model_construct())
