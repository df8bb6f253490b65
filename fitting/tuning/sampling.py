"""Samplers of fitting/search as a source of places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.fitting.search.factory import SearchSettings, make_search
from rheobase.fitting.search.space import Dimension

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rheobase.fitting.tuning.judging import Judging
    from rheobase.fitting.tuning.stage import TuningStage
    from rheobase.fitting.tuning.steps import Box
    from rheobase.fitting.tuning.trials import Place


class Sampling:
    """Places by a search; it begins at the best places known, and learns the first outcome of each of its own.

    Args:
        name: The search, for example "optuna_tpe".
        stage: The stage.
        box: Bounds of the knobs.
        judging: Targets; each target's part of the loss is an objective.
        seed: Of everything random.
        start: Best places so far, best first.
    """

    def __init__(
        self, name: str, stage: TuningStage, box: Box, judging: Judging, seed: int, start: Sequence[Place]
    ) -> None:
        self._judging = judging
        self._keys = [target.key for target in stage.targets]
        self._dimensions = [
            Dimension(knob.name, float(low), float(high))
            for knob, low, high in zip(stage.free, box.low, box.high, strict=True)
        ]
        positions = [
            [
                min(max(dimension.position(x), 0.0), 1.0)
                for dimension, x in zip(self._dimensions, place.position, strict=True)
            ]
            for place in start
        ]
        self._search = make_search(
            name, self._dimensions, self._keys, SearchSettings(early_end=False), seed, None, positions
        )
        self._numbers: dict[int, int] = {}

    def propose(self, place: int) -> tuple[float, ...]:
        """Position of a new place.

        Args:
            place: The place's number.
        """
        candidate = self._search.ask()
        if candidate is None:
            raise AssertionError("a search that does not await generations always has a candidate")
        self._numbers[place] = candidate.number
        return tuple(candidate.parameters[dimension.name] for dimension in self._dimensions)

    def learn(self, place: Place) -> None:
        """The first outcome of a place that came from here."""
        number = self._numbers.pop(place.number, None)
        if number is None:
            return
        losses = self._judging.losses(place)
        if place.stopped:  # worse than what runs to its end
            losses = losses + 100.0
        scores = {key: float(loss) for key, loss in zip(self._keys, losses, strict=True)}
        self._search.tell(number, scores, failed=place.stopped)
