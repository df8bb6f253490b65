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
    """Write the sweeps of every target protocol."""
    listed = {
        name: [
            {
                "cell": sweep.cell,
                "protocol": sweep.protocol,
                "sweep": sweep.sweep,
                "onset_ms": sweep.step.onset_ms,
                "amplitude_nA": sweep.step.amplitude_nA,
            }
            for sweep in found
        ]
        for name, found in sweeps.items()
    }
    path.write_text(json.dumps({"schema": SCHEMA, "sweeps": listed}, indent=1, allow_nan=False), encoding="utf-8")


def read_sweeps(path: Path) -> dict[str, list[dict[str, object]]]:
    """Read what `write_sweeps` wrote; empty when it is not there."""
    if not path.exists():
        return {}
    content: dict[str, list[dict[str, object]]] = json.loads(path.read_text(encoding="utf-8"))["sweeps"]
    return content
