"""The mechanisms of circuits: receptors, background, spikes that are played."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from rheobase.fitting.cells.mechanisms import read_mechanisms

if TYPE_CHECKING:
    from rheobase.fitting.cells.mechanisms import Mechanism

_FOLDER = Path(__file__).parent / "mod"


@functools.cache
def circuit_mechanisms() -> tuple[Mechanism, ...]:
    """All of them, to be loaded together with those of the cells."""
    return tuple(read_mechanisms(_FOLDER).values())
