from __future__ import annotations

import numpy as np
import pytest

from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.replaying import trains_for


def recorded() -> SpikeTrains:
    """Three units, observed from 1 to 3 s: one regular, one with a burst, one with a single spike."""
    times = [np.arange(1005.0, 3000.0, 50.0), np.array([1500.0, 1502.0, 1504.0]), np.array([2999.0])]
    units = np.repeat(np.arange(3), [len(train) for train in times])
    return SpikeTrains(np.concatenate(times), units, Units.from_sizes({"fast": 3}), 1000.0, 3000.0)


def test_cells_take_the_units_as_they_are_and_from_the_start() -> None:
    trains = trains_for("I", 3, recorded(), 1)
    assert (trains.start_ms, trains.stop_ms) == (0.0, 2000.0)
    assert trains.units.populations == ("I",)
    assert sorted(trains.counts.tolist()) == [1, 3, 40]
    burst = trains.train(int(np.flatnonzero(trains.counts == 3)[0]))
    assert burst.tolist() == [500.0, 502.0, 504.0]


def test_more_cells_than_units_do_not_fire_together() -> None:
    trains = trains_for("I", 8, recorded(), 1)
    assert len(trains.units) == 8
    assert sorted(trains.counts.tolist())[-6:] == sorted(trains.counts.tolist())[2:]
    regular = [trains.train(int(cell)) for cell in np.flatnonzero(trains.counts == 40)]
    assert len(regular) in (2, 3)
    assert not np.any(np.isclose(regular[0][:, None], regular[1], atol=1e-3))
    assert np.allclose(np.diff(regular[1]), 50.0, atol=10.1), "its intervals are kept, but for the seam"
    assert np.array_equal(trains_for("I", 8, recorded(), 1).times_ms, trains.times_ms)


def test_units_of_several_populations_are_refused() -> None:
    mixed = SpikeTrains(np.empty(0), np.empty(0, int), Units.from_sizes({"a": 1, "b": 1}), 0.0, 10.0)
    with pytest.raises(ModelError, match="expected recorded units of one population for 'I', got those of a, b"):
        trains_for("I", 2, mixed, 1)
