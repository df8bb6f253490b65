"""How the tuning of a stage came along."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from rheobase.fitting.tuning.judging import best_place
from rheobase.fitting.tuning.progress import OriginGain
from rheobase.fitting.tuning.stage_tuning import News, StageTuning
from rheobase.fitting.tuning.trials import Place

if TYPE_CHECKING:
    from rheobase.fitting.tuning.trials import Outcome


class Convergence:
    """The smallest loss after each simulation, and what each kind of proposal was good for."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.origins: dict[str, OriginGain] = defaultdict(OriginGain)

    def learn(self, tuning: StageTuning, place: Place, repetition: int, outcome: Outcome) -> None:
        """Give a place its outcome, and all who want to know the news."""
        judging = tuning.judging
        best = best_place(judging, tuning.current_places)
        before = None if best is None else judging.loss(best)
        noise_before = 0.0 if best is None else judging.loss_noise(best)
        place.outcomes[repetition] = outcome
        judging.learn_noise(tuning.places)
        loss = judging.loss(place)
        noise = float(np.hypot(judging.loss_noise(place), noise_before))
        improved = before is None or loss + noise < before
        worsened = best is not None and not best.stopped and before is not None and loss - noise > before
        if place.repetitions == 1:
            gain = 0.0 if before is None or not improved else float(np.log1p(before) - np.log1p(loss))
            known = self.origins[place.origin]
            better = known.improvements + (improved and before is not None)
            self.origins[place.origin] = OriginGain(known.places + 1, better, known.gain + gain)
        tuning.learn(place, News(improved, worsened))
        self.losses.append(min(loss, self.losses[-1]) if self.losses else loss)
