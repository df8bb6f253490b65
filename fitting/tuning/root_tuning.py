"""A stage in which each knob moves one target alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.fitting.tuning.judging import Judging
from rheobase.fitting.tuning.root_finding import RootFinding
from rheobase.fitting.tuning.stage import ROOT
from rheobase.fitting.tuning.stage_tuning import News
from rheobase.fitting.tuning.trials import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.tuning.response import Response
    from rheobase.fitting.tuning.stage import TuningStage


class RootTuning:
    """A stage in which each knob moves one target alone, and all roots are found in the same simulations.

    Args:
        stage: The stage.
        sizes: Number of cells of each population.
    """

    def __init__(self, stage: TuningStage, sizes: Mapping[str, int]) -> None:
        self.stage = stage
        self.judging = Judging(stage, sizes)
        self.places: list[Place] = []
        self._roots = RootFinding(stage, self.judging)

    @property
    def current_places(self) -> list[Place]:
        """All places."""
        return self.places

    @property
    def open(self) -> bool:
        """Whether the budget is not spent."""
        return len(self.places) < self.stage.budget

    def propose(self) -> Place:
        """The next factors of all knobs."""
        awaited = sum(not place.outcomes for place in self.places)
        self.places.append(Place(len(self.places), self._roots.propose(self.places, awaited), ROOT))
        return self.places[-1]

    def learn(self, place: Place, news: News) -> None:
        """Nothing is kept beside the places."""

    @property
    def met(self) -> bool:
        """Whether every knob has its factor, with all seeds."""
        return self._roots.settled(self.places) and not self._roots.stuck(self.places)

    @property
    def given_up(self) -> bool:
        """Whether some targets lie beyond the bounds and the others are met, or the budget is spent."""
        spent = not self.open and all(place.outcomes for place in self.places)
        return spent or self._roots.settled(self.places)

    def best(self) -> Place | None:
        """Every knob at its best, each with the outcomes of its own simulations there."""
        known = [place for place in self.places if place.outcomes]
        return self._roots.best(known) if known else None

    def response(self) -> Response | None:
        """None: each knob moves one target."""
        return None
