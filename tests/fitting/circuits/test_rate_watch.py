from __future__ import annotations

import numpy as np
import pytest

from rheobase.fitting.circuits.circuit import RateLimits
from rheobase.fitting.circuits.rate_watch import RateWatch

SIZES = {"E": 10, "I": 5}


def counts(*numbers: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(numbers, dtype=float)


class TestTimes:
    def test_ends_of_the_intervals(self) -> None:
        watch = RateWatch(RateLimits({}, after_ms=200.0, every_ms=100.0), SIZES)
        assert watch.times_ms(600.0).tolist() == [300.0, 400.0, 500.0]
        assert watch.begin_ms(400.0) == 300.0


class TestRunningAway:
    @pytest.mark.parametrize(("spikes", "stops"), [(20, False), (21, True)])
    def test_above_the_limit(self, spikes: int, stops: bool) -> None:
        watch = RateWatch(RateLimits({"E": 20.0}), SIZES)
        expected = "E fired at 21.0 Hz from 200 to 300 ms, more than the limit of 20 Hz" if stops else None
        assert watch.look(300.0, counts(spikes, 1000)) == expected

    def test_each_interval_by_itself(self) -> None:
        watch = RateWatch(RateLimits({"E": 20.0}), SIZES)
        assert all(watch.look(time, counts(20, 0)) is None for time in (300.0, 400.0, 500.0))


class TestSilence:
    LIMITS = RateLimits({}, silent_ms=250.0, expected_Hz={"E": 1.0, "I": 20.0})

    def test_populations_that_should_have_fired(self) -> None:
        watch = RateWatch(self.LIMITS, SIZES)
        assert watch.look(300.0, counts(0, 0)) is None
        assert watch.look(400.0, counts(0, 0)) is None  # 200 ms are not 250
        assert watch.look(500.0, counts(0, 0)) == "I did not fire from 200 to 500 ms, where 5 cells at 20 Hz would have"

    def test_chance(self) -> None:
        """10 cells at 2 Hz fire 5 times in 250 ms; in less time their silence says little."""
        watch = RateWatch(RateLimits({}, silent_ms=100.0, expected_Hz={"E": 2.0}), SIZES)
        assert [watch.look(time, counts(0, 0)) is None for time in (300.0, 400.0, 500.0)] == [True, True, False]

    def test_one_spike_is_enough(self) -> None:
        watch = RateWatch(self.LIMITS, SIZES)
        assert all(watch.look(time, counts(0, time == 300.0)) is None for time in (300.0, 400.0, 500.0))
