"""A stage without knobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.fitting.tuning.judging import Judging
from rheobase.fitting.tuning.stage_tuning import REFERENCE, News
from rheobase.fitting.tuning.trials import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.tuning.response import Response
    from rheobase.fitting.tuning.stage import TuningStage


class Rescoring:
    """A stage without knobs: what was reached, simulated with fresh seeds.

    Args:
        stage: The stage.
        sizes: Number of cells of each population.
    """

    def __init__(self, stage: TuningStage, sizes: Mapping[str, int]) -> None:
        self.stage = stage
        self.judging = Judging(stage, sizes)
        self.places: list[Place] = [Place(0, (), REFERENCE)]
        self._needed = stage.seeds + stage.confirming_seeds

    @property
    def current_places(self) -> list[Place]:
        """All places."""
        return self.places

    @property
    def open(self) -> bool:
        """Whether seeds are left."""
        return self.places[0].asked < self._needed

    def propose(self) -> Place:
        """The same place with the next seed."""
        return self.places[0]

    def learn(self, place: Place, news: News) -> None:
        """There is nothing to learn."""

    @property
    def met(self) -> bool:
        """Whether all means are within the tolerances."""
        return self.given_up and self.judging.within(self.places[0])

    @property
    def given_up(self) -> bool:
        """Whether all seeds were told."""
        return self.places[0].repetitions >= self._needed

    def best(self) -> Place | None:
        """The only place."""
        return self.places[0] if self.places[0].outcomes else None

    def response(self) -> Response | None:
        """None: there are no knobs."""
        return None
