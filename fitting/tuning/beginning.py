"""Which kind of tuning a stage needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.fitting.tuning.place_tuning import PlaceTuning
from rheobase.fitting.tuning.rescoring import Rescoring
from rheobase.fitting.tuning.root_tuning import RootTuning
from rheobase.fitting.tuning.stage import ROOT
from rheobase.fitting.tuning.stage_tuning import StageTuning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.tuning.stage import TuningStage


def begin(
    stage: TuningStage, sizes: Mapping[str, int], seed: int, measured: Mapping[tuple[str, str], float]
) -> StageTuning:
    """A stage at its beginning."""
    if not stage.free:
        return Rescoring(stage, sizes)
    if ROOT in stage.proposals:
        return RootTuning(stage, sizes)
    return PlaceTuning(stage, sizes, seed, measured)
