"""Spikes of the cells of a network, whichever process they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rheobase.fitting.circuits.placing import PlacedCell


class SpikeRecord:
    """Records the spikes of all cells.

    Args:
        context: NEURON's ParallelContext, which knows the cells of this process already.
        placed: Cells of each simulated population, those of all processes.
    """

    def __init__(self, context: Any, placed: Mapping[str, Sequence[PlacedCell]]) -> None:
        from neuron import h

        self._context = context
        self._times, self._gids = h.Vector(), h.Vector()
        context.spike_record(-1, self._times, self._gids)
        self._units = Units.from_sizes({name: len(cells) for name, cells in placed.items()})
        gids = np.array([cell.gid for cells in placed.values() for cell in cells], dtype=np.intp)
        self._unit_of_gid = np.full(gids.max() + 1, -1, dtype=np.intp)
        self._unit_of_gid[gids] = np.arange(len(gids))

    def clear(self) -> None:
        """Forget all spikes."""
        self._times.resize(0)
        self._gids.resize(0)

    def counts(self, after_ms: float) -> NDArray[np.float64]:
        """Spikes of each population since then, shape (populations,)."""
        times, units = self._own()
        inside = units[times > after_ms]
        counts = np.bincount(self._units.population_of[inside], minlength=len(self._units.populations))
        return total(self._context, counts.astype(float))

    def trains(self, start_ms: float, stop_ms: float) -> SpikeTrains:
        """All spikes of an interval, those of all processes."""
        gathered = [self._own()] if self._context.nhost() == 1 else self._context.py_allgather(self._own())
        times, units = (np.concatenate(column) for column in zip(*gathered, strict=True))
        inside = (times >= start_ms) & (times <= stop_ms)
        return SpikeTrains(times[inside], units[inside], self._units, start_ms, stop_ms, "simulation")

    def _own(self) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        return np.array(self._times), self._unit_of_gid[np.array(self._gids, dtype=np.intp)]


def total(context: Any, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over all processes of numbers that each of them has, shape (numbers,)."""
    from neuron import h

    if context.nhost() == 1 or not values.size:
        return values
    vector = h.Vector(values)
    context.allreduce(vector, 1)
    return np.array(vector)
