"""From the rows of a table to `FeatureTargets`."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rheobase.features.errors import FeatureError
from rheobase.features.formats.feature_names import role, unit_of
from rheobase.features.formats.table import FeatureRow, ProtocolRow, Table, relative_window
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.targets import INTRINSIC_UNITS, FeatureTarget, FeatureTargets, ProtocolTargets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rheobase.features.sites import RecordingSite

_THRESHOLD_DURATION_MS = 2000.0  # BluePyEModel's, where a table has no step at all


@dataclass(frozen=True)
class Source:
    """Where a table came from.

    Attributes:
        path: The file of the features, for messages.
        holding_voltage_mV: Used where the table does not say it (mV).
    """

    path: Path
    holding_voltage_mV: float | None = None


def assemble(table: Table, source: Source) -> FeatureTargets:
    """Targets from a table; its notes go along.

    Raises:
        FeatureError: The table has no feature that can be a target, or does not say at which voltage cells were held.
    """
    notes = list(table.notes)
    properties, ordinary = _split(table.rows, notes)
    holding_voltage_mV = _holding_voltage(properties, ordinary, table, source, notes)
    intrinsic = tuple(_intrinsic(name, properties[name]) for name in INTRINSIC_UNITS if name in properties)
    threshold = properties.get("threshold_current")
    sites = _Sites(table.protocols)
    protocols = _protocols(table, ordinary, None if threshold is None else threshold.mean, sites, notes)
    if not protocols and not intrinsic:
        raise FeatureError(
            f"{source.path} has no feature that can be a target ({'; '.join(notes[:3]) or 'it is empty'})"
        )
    threshold_duration_ms = _threshold_duration(table, notes)
    try:
        return FeatureTargets(
            holding_voltage_mV=holding_voltage_mV,
            threshold_duration_ms=threshold_duration_ms,
            intrinsic=intrinsic,
            protocols=protocols,
            notes=tuple(notes),
            settings=_most_common(row.settings for row in ordinary or table.rows),
            sites=tuple(sites.used.values()),
        )
    except FeatureError as error:
        raise FeatureError(f"{source.path}: {error}") from None


def _split(rows: Iterable[FeatureRow], notes: list[str]) -> tuple[dict[str, FeatureRow], list[FeatureRow]]:
    """Properties of the cell itself, by name, and the other features."""
    properties: dict[str, FeatureRow] = {}
    ordinary = []
    for row in rows:
        name = role(row.protocol, row.feature) if (row.location, row.variable) == ("soma", "v") else None
        if name is None:
            ordinary.append(row)
        elif name in properties:
            notes.append(f"{row.label} {row.value} left out: {properties[name].label} gives the {name} already")
        else:
            properties[name] = row
    return properties, ordinary


def _intrinsic(name: str, row: FeatureRow) -> FeatureTarget:
    return FeatureTarget(name, row.mean, row.std, INTRINSIC_UNITS[name], row.cells, row.sweeps, weight=row.weight)


def _holding_voltage(
    properties: dict[str, FeatureRow],
    ordinary: Sequence[FeatureRow],
    table: Table,
    source: Source,
    notes: list[str],
) -> float:
    found = properties.get("holding_voltage")
    if found is not None:
        notes.append(f"models are held at the mean of {found.label}, {found.value} mV; it is no target of its own")
        return found.mean
    if source.holding_voltage_mV is not None:
        return source.holding_voltage_mV
    based = [
        row
        for row in ordinary
        if (row.location, row.variable, row.feature) == ("soma", "v", "voltage_base")
        and row.protocol in table.protocols
    ]
    held = [row for row in based if table.protocols[row.protocol].stimulus.holding_nA != 0.0] or based
    if not held:
        raise FeatureError(
            f"{source.path} does not say at which voltage the cells were held (no voltage_base under any stimulus); "
            "give a holding voltage with it"
        )
    counts = [max(1, row.cells or row.sweeps) for row in held]
    mean = sum(row.mean * count for row, count in zip(held, counts, strict=True)) / sum(counts)
    notes.append(f"holding voltage {mean:g} mV: mean of voltage_base over {len(held)} protocols")
    return mean


def _threshold_duration(table: Table, notes: list[str]) -> float:
    if table.threshold_duration_ms is not None:
        return table.threshold_duration_ms
    steps = [row.stimulus for row in table.protocols.values() if row.stimulus.is_step]
    durations_ms = [step.duration_ms for step in steps if step.level > 0] or [step.duration_ms for step in steps]
    longest_ms = max(durations_ms, default=_THRESHOLD_DURATION_MS)
    why = "the longest step" if durations_ms else "as BluePyEModel has it"
    notes.append(f"threshold current searched with steps of {longest_ms:g} ms: {why}, as the table does not say")
    return longest_ms


def _protocols(
    table: Table, rows: Sequence[FeatureRow], threshold_nA: float | None, sites: _Sites, notes: list[str]
) -> tuple[ProtocolTargets, ...]:
    by_protocol: dict[str, list[FeatureRow]] = defaultdict(list)
    for row in rows:
        by_protocol[row.protocol].append(row)
    made = []
    for name, protocol in table.protocols.items():
        timed = _timed(by_protocol.pop(name, []), protocol, notes)
        placed = _placed(timed, name, sites, notes)
        if placed:
            made.append(_one_protocol(name, protocol, placed, threshold_nA, notes))
        elif all(row.protocol != name for row in table.rows):
            notes.append(f"{name} left out: no feature is measured under this stimulus")
    for name, left in by_protocol.items():
        why = f"left out: there is no stimulus {name} that can be given"
        notes.extend(f"{row.label} {row.value} {why}" for row in left)
    return tuple(made)


def _timed(rows: Sequence[FeatureRow], protocol: ProtocolRow, notes: list[str]) -> list[FeatureRow]:
    """Rows that are measured in a window that ends after it starts."""
    timed = []
    for row in rows:
        window = relative_window(row, protocol)
        if window is None or window[0] < window[1]:
            timed.append(row)
        else:
            said = f"from {window[0]:g} to {window[1]:g} ms after the onset of the stimulus"
            notes.append(f"{row.label} {row.value} left out: measured {said}")
    return timed


def _placed(rows: Sequence[FeatureRow], protocol: str, sites: _Sites, notes: list[str]) -> list[FeatureRow]:
    """Rows whose places are known, under the names of their sites, no two alike."""
    placed: list[FeatureRow] = []
    taken: dict[tuple[str, str, str], FeatureRow] = {}
    for row in rows:
        location = sites.name(protocol, row.location)
        if location is None:
            notes.append(f"{row.label} {row.value} left out: the protocols do not say where '{row.location}' is")
            continue
        found = replace(row, location=location)
        label = found.name or found.feature
        first = taken.get((location, row.variable, label))
        if first is not None:
            if replace(found, name=first.name) == first:
                notes.append(f"{row.label} {row.value} stands twice; taken once")
                continue
            number = 2
            while (location, row.variable, f"{label}_{number}") in taken:
                number += 1
            label = f"{label}_{number}"
            found = replace(found, name=label)
            notes.append(
                f"{row.label} is given twice, {first.value} and {row.value}; the second is called {label}, "
                "and a model may not be able to reach both: leave one out"
            )
        taken[location, row.variable, label] = found
        placed.append(found)
    return placed


def _one_protocol(
    name: str, protocol: ProtocolRow, rows: Sequence[FeatureRow], threshold_nA: float | None, notes: list[str]
) -> ProtocolTargets:
    windows = [relative_window(row, protocol) for row in rows]
    window_ms = windows[0] if len(set(windows)) == 1 else protocol.stimulus.window_ms
    settings = _most_common(row.settings for row in rows)
    stimulus = replace(protocol.stimulus, window_ms=window_ms)
    return ProtocolTargets(
        name=name,
        stimulus=stimulus,
        amplitude_nA=_amplitude(name, protocol, threshold_nA, notes),
        features=tuple(
            FeatureTarget(
                feature=row.feature,
                mean=row.mean,
                std=row.std,
                unit=unit_of(row.feature, row.variable),
                cells=row.cells,
                sweeps=row.sweeps,
                location=row.location,
                variable=row.variable,
                weight=row.weight,
                name=row.name,
                window_ms=None if window == window_ms else window or (0.0, stimulus.duration_ms),
                settings=None if row.settings == settings else row.settings,
            )
            for row, window in zip(rows, windows, strict=True)
        ),
        settings=settings,
    )


def _amplitude(name: str, protocol: ProtocolRow, threshold_nA: float | None, notes: list[str]) -> float:
    if protocol.amplitude_nA is not None:
        return protocol.amplitude_nA
    if threshold_nA is not None:
        return protocol.stimulus.level * threshold_nA / 100.0
    notes.append(f"{name}: amplitude in nA unknown, as the table has no threshold current; 0 stands for it")
    return 0.0


def _most_common(settings: Iterable[MeasurementSettings]) -> MeasurementSettings:
    counted = Counter(settings).most_common(1)
    return counted[0][0] if counted else MeasurementSettings()


class _Sites:
    """Places of recording of all protocols: one that two protocols understand differently gets two names."""

    def __init__(self, protocols: dict[str, ProtocolRow]) -> None:
        self._protocols = protocols
        self.used: dict[str, RecordingSite] = {}

    def name(self, protocol: str, location: str) -> str | None:
        """What a protocol's location is called in the targets; None when nothing says where it is."""
        if location == "soma":
            return location
        site = self._protocols[protocol].sites.get(location)
        if site is None:
            return None
        for name in (location, f"{protocol}_{location}"):
            named = replace(site, name=name)
            if self.used.setdefault(name, named) == named:
                return name
        return None
