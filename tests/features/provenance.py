"""The numbers that ../shared/data/rat_l5_pyramidal/PROVENANCE.md states, measured with other programs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CELL = re.compile(r"^\s*- (?P<cell>(?:units_in_other_channel_order/)?C\d+A\d)-SR-C1:")
_PROTOCOL = re.compile(
    r"^\s*- (?P<protocol>\w+): (?P<sweeps>\d+) sweeps, \[(?P<rate_Hz>\d+)\] Hz"
    r"(?:, steps (?P<lowest>-?\d+)\.\.(?P<highest>-?\d+) pA, spikes \[(?P<spikes>[\d, ]+)\])?"
)


@dataclass(frozen=True)
class Stated:
    """What is stated of a protocol of a cell; spikes per sweep in the order of the sweeps' numbers."""

    sweeps: int
    rate_Hz: int
    lowest_pA: float | None
    highest_pA: float | None
    spikes: tuple[int, ...]


def stated(path: Path) -> dict[tuple[str, str], Stated]:
    """Statements by cell and protocol."""
    found: dict[tuple[str, str], Stated] = {}
    cell = ""
    for line in path.read_text().splitlines():
        if match := _CELL.match(line):
            cell = match["cell"]
        elif cell and (match := _PROTOCOL.match(line)):
            found[cell, match["protocol"]] = Stated(
                sweeps=int(match["sweeps"]),
                rate_Hz=int(match["rate_Hz"]),
                lowest_pA=float(match["lowest"]) if match["lowest"] else None,
                highest_pA=float(match["highest"]) if match["highest"] else None,
                spikes=tuple(int(count) for count in (match["spikes"] or "").split(",") if count),
            )
    return found
