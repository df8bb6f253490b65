"""Targets without those that a model cannot have."""

from __future__ import annotations

import dataclasses
import difflib
from typing import TYPE_CHECKING

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.features.targets import FeatureTargets


def without(targets: FeatureTargets, reasons: Mapping[str, str]) -> FeatureTargets:
    """Targets without some protocols or objectives, the reasons among the notes.

    Args:
        targets: All targets.
        reasons: Reason by what is left out: the name of a protocol, of an objective, or of a feature wherever it is
            measured.

    Raises:
        FeatureError: there is nothing of a name.
    """
    protocols = {protocol.name for protocol in targets.protocols}
    features = {target.label for protocol in targets.protocols for target in protocol.features}
    known = protocols | features | set(targets.objectives)
    for name in reasons:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(sorted(known))}"
            raise FeatureError(f"leave_out: there is no protocol, objective or feature '{name}'; {hint}")
    kept = []
    for protocol in targets.protocols:
        own = tuple(
            target
            for target in protocol.features
            if not {protocol.name, protocol.objective(target), target.label} & set(reasons)
        )
        if own:
            kept.append(dataclasses.replace(protocol, features=own))
    places = {target.location for protocol in kept for target in protocol.features}
    return dataclasses.replace(
        targets,
        intrinsic=tuple(target for target in targets.intrinsic if target.feature not in reasons),
        protocols=tuple(kept),
        sites=tuple(site for site in targets.sites if site.name in places),
        notes=(*targets.notes, *(f"{name} left out: {reason}" for name, reason in reasons.items())),
    )
