"""What a stage is while it runs: which place is simulated next, with which seed, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rheobase.fitting.tuning.judging import Judging
from rheobase.fitting.tuning.trials import Place

if TYPE_CHECKING:
    from rheobase.fitting.tuning.response import Response
    from rheobase.fitting.tuning.stage import TuningStage

REFERENCE, WEAKENED = "reference", "weakened"


@dataclass(frozen=True)
class News:
    """What a new result is beside the best place before it.

    Attributes:
        improved: Better by more than the noise, or the first of all.
        worsened: Worse by more than the noise, where the best was not stopped.
    """

    improved: bool
    worsened: bool


class StageTuning(Protocol):
    """A stage while it runs. The same calls give the same places."""

    stage: TuningStage
    judging: Judging
    places: list[Place]

    @property
    def current_places(self) -> list[Place]:
        """Those that a new place is held against: all, or all since a restart."""

    @property
    def open(self) -> bool:
        """Whether there is anything more to simulate, as far as it is known."""

    def propose(self) -> Place:
        """The place to simulate next, with a seed that it was not simulated with; while it is open."""

    def learn(self, place: Place, news: News) -> None:
        """What a place turned out to be, after each of its simulations."""

    @property
    def met(self) -> bool:
        """Whether it is accepted."""

    @property
    def given_up(self) -> bool:
        """Whether nothing more will come of it."""

    def best(self) -> Place | None:
        """The accepted place, or the best so far."""

    def response(self) -> Response | None:
        """How targets respond to knobs about the best place; None where there is nothing to say."""
