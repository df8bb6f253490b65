"""Recorded spike trains as those of a model's population, which has other numbers of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.random_streams import random_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray


def trains_for(population: str, size: int, recorded: SpikeTrains, seed: int) -> SpikeTrains:
    """Trains for the cells of a population, from units that were recorded.

    Cells take the units in an order drawn by the seed. Where there are more cells than units, the units are taken
    again, each time with its train turned by a part of the observation: rate and irregularity stay, and no two cells
    fire together.

    Args:
        population: Name of the population in the circuit.
        size: Number of its cells.
        recorded: Trains of one population.
        seed: Of the order and the turns.

    Returns:
        Trains of as many units as there are cells, which begin at 0 ms and last as long as the observation.

    Raises:
        ModelError: units of several populations.
    """
    if len(recorded.units.populations) != 1:
        raise ModelError(
            f"expected recorded units of one population for '{population}', got those of "
            f"{', '.join(recorded.units.populations)}"
        )
    generator = random_generator(seed, "recorded", population)
    length_ms, count = recorded.stop_ms - recorded.start_ms, len(recorded.units)
    trains: list[NDArray[np.float64]] = []
    for turn in range(-(-size // count)):
        # The first cells get the trains as they are, so that what units have in common is kept among them.
        shifts_ms = generator.uniform(0.0, length_ms, count) if turn else np.zeros(count)
        for unit in generator.permutation(count):
            times = recorded.train(int(unit)) - recorded.start_ms
            trains.append(np.sort((times + shifts_ms[unit]) % length_ms) if turn else times)
    trains = trains[:size]
    return SpikeTrains(
        np.concatenate(trains),
        np.repeat(np.arange(size), [len(train) for train in trains]),
        Units.from_sizes({population: size}),
        0.0,
        length_ms,
        recorded.source,
    )
