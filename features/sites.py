"""Places in a cell where something is recorded, beside the middle of the soma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rheobase.features.errors import FeatureError
from rheobase.features.strictness import STRICT

SectionList = Literal["somatic", "basal", "apical", "axonal", "myelinated"]


@dataclass(frozen=True)
class RecordingSite:
    """A place in a cell.

    Attributes:
        name: As targets call it, for example "dend1".
        section_list: Which sections it lies in.
        distance_um: Path distance from the soma (um); None: `section` and `position` say where.
        along: "any": the first section of the list that reaches the distance; "apical_trunk": on the way from the
            soma to the apical point.
        section: Index of the section in its list, where no distance is given.
        position: Place along that section, from 0 to 1.
    """

    name: str
    section_list: SectionList
    distance_um: float | None = None
    along: Literal["any", "apical_trunk"] = "any"
    section: int = 0
    position: float = 0.5
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if not self.name or self.name == "soma":
            raise FeatureError(f"a recording site needs a name other than 'soma', got '{self.name}'")
        if self.distance_um is not None and self.distance_um < 0:
            raise FeatureError(f"the site {self.name} must not have a negative distance, got {self.distance_um} um")
        if not 0.0 <= self.position <= 1.0 or self.section < 0:
            raise FeatureError(
                f"the site {self.name} must lie at 0 to 1 of a section counted from 0, "
                f"got {self.position} of section {self.section}"
            )
