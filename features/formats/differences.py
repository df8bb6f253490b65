"""What a table in another format lost, found by reading it again."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rheobase.features.target_stimuli import ProtocolStimulus
    from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets


@dataclass(frozen=True)
class _Change:
    """A value that is not what it was."""

    where: str
    what: str
    before: object
    after: object


def differences(written: FeatureTargets, reread: FeatureTargets) -> tuple[str, ...]:
    """Everything in which targets that were written and read again differ from what they were.

    Settings and windows are compared as they act on each target, wherever they are said.

    Returns:
        One line for each kind of difference, with the first place as an example.
    """
    by_kind: dict[str, list[_Change]] = {}
    for change in _changes(written, reread):
        by_kind.setdefault(change.what, []).append(change)
    return tuple(_say(changes) for changes in by_kind.values())


def _say(changes: list[_Change]) -> str:
    first = changes[0]
    where = f"{first.where}, and {len(changes) - 1} more" if len(changes) > 1 else first.where
    if first.after is None:
        return f"{first.what} ({where}): not in the table"
    return f"{first.what} ({where}): {first.before} becomes {first.after}"


def _changes(written: FeatureTargets, reread: FeatureTargets) -> Iterator[_Change]:
    for name in ("holding_voltage_mV", "threshold_duration_ms", "junction_potential_mV", "settings"):
        yield from _changed("targets", name, getattr(written, name), getattr(reread, name))
    for name in ("cells", "outliers", "notes"):
        if getattr(written, name) != getattr(reread, name) and getattr(written, name):
            yield _Change(f"{len(getattr(written, name))} of them", name, "listed", None)
    yield from _compare(
        {target.feature: target for target in written.intrinsic},
        {target.feature: target for target in reread.intrinsic},
    )
    protocols = {protocol.name: protocol for protocol in reread.protocols}
    for protocol in written.protocols:
        found = protocols.get(protocol.name)
        if found is None:
            yield _Change(protocol.name, "protocol", "given", None)
        else:
            yield from _compare_protocols(protocol, found)
    yield from _compare_sites(written, reread)


def _compare_sites(written: FeatureTargets, reread: FeatureTargets) -> Iterator[_Change]:
    found = {site.name: site for site in reread.sites}
    for site in written.sites:
        yield from _changed(site.name, "site", site, found.get(site.name))


def _compare_protocols(written: ProtocolTargets, reread: ProtocolTargets) -> Iterator[_Change]:
    yield from _changed(written.name, "amplitude_nA", written.amplitude_nA, reread.amplitude_nA)
    before, after = _plain(written.stimulus), _plain(reread.stimulus)
    for name, value in before.items():
        yield from _changed(written.name, name, value, after[name])
    yield from _compare(_targets(written), _targets(reread))


def _plain(stimulus: ProtocolStimulus) -> dict[str, object]:
    """What a stimulus does: its window is compared at each target, its main piece by its level."""
    fields = dataclasses.asdict(replace(stimulus, window_ms=None, main_piece=None))
    pieces = tuple(tuple(piece.values()) for piece in fields["pieces"])
    return {**fields, "pieces": pieces, "main_piece": stimulus.level}


def _targets(protocol: ProtocolTargets) -> dict[str, FeatureTarget]:
    """Targets by objective, with the settings and the window that act on each."""
    whole = (0.0, protocol.stimulus.duration_ms)
    return {
        protocol.objective(target): replace(
            target,
            settings=target.settings or protocol.settings,
            window_ms=target.window_ms or protocol.stimulus.window_ms or whole,
        )
        for target in protocol.features
    }


def _compare(written: Mapping[str, FeatureTarget], reread: Mapping[str, FeatureTarget]) -> Iterator[_Change]:
    for name, target in written.items():
        found = reread.get(name)
        if found is None:
            yield _Change(name, "target", "given", None)
            continue
        for field in dataclasses.fields(target):
            yield from _changed(name, field.name, getattr(target, field.name), getattr(found, field.name))


def _changed(where: str, what: str, before: object, after: object) -> Iterator[_Change]:
    if not _equal(before, after):
        yield _Change(where, what, before, after)


def _equal(before: object, after: object) -> bool:
    if isinstance(before, tuple) and isinstance(after, tuple):
        return len(before) == len(after) and all(_equal(a, b) for a, b in zip(before, after, strict=True))
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=1e-9, abs_tol=1e-8)
    return before == after
