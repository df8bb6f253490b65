"""Which recorded sweeps a target came from, kept beside the targets for the report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rheobase.features.sweeps import SweepMeasurement

SCHEMA = "rheobase.sweeps/1"


def write_sweeps(sweeps: Mapping[str, Sequence[SweepMeasurement]], path: Path) -> None:
    """Write the sweeps of every target protocol, those of one in memory at a time."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"schema": {json.dumps(SCHEMA)}, "sweeps": {{')
        for place, (name, found) in enumerate(sweeps.items()):
            lines = ",\n  ".join(json.dumps(_entry(sweep), allow_nan=False) for sweep in found)
            file.write(f"{',' if place else ''}\n {json.dumps(name)}: [\n  {lines}]")
        file.write("}}\n")


def _entry(sweep: SweepMeasurement) -> dict[str, object]:
    return {
        "cell": sweep.cell,
        "protocol": sweep.protocol,
        "sweep": sweep.sweep,
        "onset_ms": sweep.step.onset_ms,
        "amplitude_nA": sweep.step.amplitude_nA,
    }


def read_sweeps(path: Path) -> dict[str, list[dict[str, object]]]:
    """Read what `write_sweeps` wrote; empty when it is not there."""
    if not path.exists():
        return {}
    content: dict[str, list[dict[str, object]]] = json.loads(path.read_text(encoding="utf-8"))["sweeps"]
    return content
