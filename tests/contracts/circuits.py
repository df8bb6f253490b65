"""Tests that every circuit passes; a circuit's own test class inherits from `CircuitContract`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import pytest

from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import ModelError
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.circuit import Circuit, CircuitResponse, RateLimits, Trial


def same_spikes(first: SpikeTrains, second: SpikeTrains) -> bool:
    """To the last bit."""
    return np.array_equal(first.times_ms, second.times_ms) and np.array_equal(first.unit_of_spike, second.unit_of_spike)


class CircuitContract(ABC):
    """A subclass builds a circuit of at least two populations, all of which fire during `duration_ms`.

    Attributes:
        duration_ms: Length of a trial (ms).
        dropped_ms: Transient that some trials drop (ms).
        strong: A parameter that changes the spikes when it is doubled.
        has_signals: Whether it gives a dipole and potentials.
    """

    duration_ms: float = 300.0
    dropped_ms: float = 100.0
    strong: str
    has_signals: bool = True

    @abstractmethod
    def build(self) -> Circuit:
        """The circuit, each time anew."""

    @pytest.fixture
    def circuit(self) -> Circuit:
        return self.build()

    def trial(self, seed: int = 1) -> Trial:
        """The simplest one."""
        return Trial({}, seed, self.duration_ms)

    def test_says_what_there_is(self, circuit: Circuit) -> None:
        assert len(circuit.populations) >= 2
        assert all(size >= 1 for size in circuit.populations.values())
        assert len(set(circuit.parameters)) == len(circuit.parameters)
        assert self.strong in circuit.parameters

    def test_a_response_holds_all_cells_over_the_whole_time(self, circuit: Circuit) -> None:
        response = circuit.simulate(self.trial())
        units = response.spikes.units
        assert dict(zip(units.populations, units.sizes.tolist(), strict=True)) == dict(circuit.populations)
        assert units.silent_included
        assert (response.spikes.start_ms, response.spikes.stop_ms) == pytest.approx((0.0, self.duration_ms))
        assert all(len(response.spikes.of(name).times_ms) for name in circuit.populations)
        assert response.stopped is None
        assert response.simulated_ms == pytest.approx(self.duration_ms)
        assert response.cpu_seconds > 0.0
        assert response.dipole is None
        assert response.potential is None

    def test_the_same_trial_gives_the_same_response_whatever_came_before(self, circuit: Circuit) -> None:
        first = circuit.simulate(self.trial())
        circuit.simulate(replace(self.trial(2), parameters={self.strong: 2.0}))
        assert same_spikes(circuit.simulate(self.trial()).spikes, first.spikes)
        assert same_spikes(self.build().simulate(self.trial()).spikes, first.spikes)

    def test_seeds_differ(self, circuit: Circuit) -> None:
        first, second = (circuit.simulate(self.trial(seed)).spikes for seed in (1, 2))
        assert not same_spikes(first, second)

    def test_parameters_that_are_not_set_are_1(self, circuit: Circuit) -> None:
        plain = circuit.simulate(self.trial()).spikes
        ones = circuit.simulate(replace(self.trial(), parameters=dict.fromkeys(circuit.parameters, 1.0))).spikes
        strong = circuit.simulate(replace(self.trial(), parameters={self.strong: 2.0})).spikes
        assert same_spikes(ones, plain)
        assert not same_spikes(strong, plain)

    def test_what_is_dropped_is_no_part_of_the_response(self, circuit: Circuit) -> None:
        whole = circuit.simulate(self.trial()).spikes
        late = circuit.simulate(replace(self.trial(), dropped_ms=self.dropped_ms)).spikes
        assert (late.start_ms, late.stop_ms) == pytest.approx((self.dropped_ms, self.duration_ms))
        assert same_spikes(late, whole.between(self.dropped_ms, whole.stop_ms))

    def test_some_populations_alone(self, circuit: Circuit) -> None:
        first, *others = circuit.populations
        alone = circuit.simulate(replace(self.trial(), simulated=(first,))).spikes
        assert alone.units.populations == (first,)
        assert alone.units.sizes.tolist() == [circuit.populations[first]]
        replayed = replace(self.trial(), simulated=(first,), replayed=dict.fromkeys(others, 20.0))
        assert circuit.simulate(replayed).spikes.units.populations == (first,)
        assert same_spikes(circuit.simulate(replayed).spikes, circuit.simulate(replayed).spikes)

    def test_spikes_of_another_run_are_replayed(self, circuit: Circuit) -> None:
        first, *others = circuit.populations
        recorded = circuit.simulate(self.trial()).spikes
        trial = replace(self.trial(), simulated=(first,), recorded=dict.fromkeys(others, recorded))
        assert circuit.simulate(trial).spikes.units.populations == (first,)

    def test_signals_begin_where_the_response_does(self, circuit: Circuit) -> None:
        if not self.has_signals:
            pytest.skip("this circuit gives no signals")
        trial = replace(self.trial(), dropped_ms=self.dropped_ms, signals=True, electrodes_um=(100.0, 300.0, 500.0))
        response = circuit.simulate(trial)
        assert response.dipole is not None
        assert response.dipole.channels == ("x", "y", "z")
        assert response.potential is not None
        assert len(response.potential.channels) == 3
        for signal in (response.dipole, response.potential):
            self.check_times(signal)
        again = circuit.simulate(trial).dipole
        assert again is not None
        assert np.array_equal(again.values, response.dipole.values)
        assert same_spikes(response.spikes, circuit.simulate(replace(trial, signals=False, electrodes_um=())).spikes)

    def check_times(self, signal: Signal) -> None:
        step_ms = 1000.0 / signal.sampling_rate_Hz
        assert signal.times_ms[0] == pytest.approx(self.dropped_ms, abs=step_ms)
        assert signal.times_ms[-1] == pytest.approx(self.duration_ms, abs=1.5 * step_ms)

    def test_a_trial_beyond_its_limits_is_stopped_or_runs_on_as_it_was(self, circuit: Circuit) -> None:
        """Stopping early only saves time, so a circuit may ignore limits; it says why when it does not."""
        largest = dict.fromkeys(circuit.populations, 1e-3)
        limits = RateLimits(largest, after_ms=50.0, every_ms=50.0)
        whole = circuit.simulate(self.trial())
        limited = circuit.simulate(replace(self.trial(), limits=limits))
        self.check_limited(limited, whole)

    def check_limited(self, limited: CircuitResponse, whole: CircuitResponse) -> None:
        if limited.stopped is None:
            assert same_spikes(limited.spikes, whole.spikes)
            return
        assert limited.stopped.strip()
        assert limited.simulated_ms < self.duration_ms
        assert limited.spikes.stop_ms == pytest.approx(limited.simulated_ms)
        until = whole.spikes.between(0.0, limited.spikes.stop_ms)
        # A cell may fire once on the very edge of the interval.
        assert len(until.times_ms) == pytest.approx(len(limited.spikes.times_ms), abs=len(until.units))

    def test_refuses_what_there_is_not(self, circuit: Circuit) -> None:
        plain, first = self.trial(), next(iter(circuit.populations))
        with pytest.raises(ModelError, match="no parameter 'weight:X->Y'"):
            circuit.simulate(replace(plain, parameters={"weight:X->Y": 2.0}))
        with pytest.raises(ModelError, match=f"parameter '?{self.strong}'? "):
            circuit.simulate(replace(plain, parameters={self.strong: float("nan")}))
        for trial in (
            replace(plain, simulated=("X",)),
            replace(plain, simulated=(first,), replayed={"X": 1.0}),
            replace(plain, simulated=(first,), recorded={"X": circuit.simulate(plain).spikes}),
        ):
            with pytest.raises(ModelError, match="no population 'X'"):
                circuit.simulate(trial)
        with pytest.raises(ModelError, match=f"population '{first}' can"):
            circuit.simulate(replace(plain, replayed={first: 1.0}))
        with pytest.raises(ModelError, match="trial"):
            circuit.simulate(replace(plain, dropped_ms=self.duration_ms))
