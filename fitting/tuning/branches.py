"""What stages start from where the graph of stages has branches."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.fitting.tuning.stage import TuningStage


def predecessors(stages: Sequence[TuningStage]) -> dict[str, frozenset[str]]:
    """All stages that each one starts from, at any distance.

    Args:
        stages: In an order in which each comes after those that it starts from.
    """
    found: dict[str, frozenset[str]] = {}
    for stage in stages:
        found[stage.name] = frozenset(stage.after).union(*(found[name] for name in stage.after))
    return found


def check_branches(stages: Sequence[TuningStage], moved: Mapping[str, frozenset[str]]) -> None:
    """No parameter may be tuned twice by stages that know nothing of each other: which value held would be chance.

    Args:
        stages: In order, as for `predecessors`.
        moved: Parameters that the knobs of each stage multiply.

    Raises:
        CampaignError: two such stages.
    """
    before = predecessors(stages)
    for one, other in combinations((stage.name for stage in stages), 2):
        both = moved[one] & moved[other]
        if both and one not in before[other] and other not in before[one]:
            raise CampaignError(
                f"stages '{one}' and '{other}' both free {min(both)}, and neither comes after the other; let '{other}' "
                f"come after '{one}' (after: ['{one}']), free other parameters, or give it the name of the stage that "
                "it replaces"
            )
