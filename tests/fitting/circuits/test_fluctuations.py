"""Fluctuating conductances against the theory of the Ornstein-Uhlenbeck process; tonic inhibition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from rheobase.features.errors import ModelError
from rheobase.fitting.circuits.blueprint import FluctuatingConductance, TonicInhibition
from rheobase.fitting.circuits.fluctuations import FluctuationSite, place_fluctuations
from rheobase.fitting.circuits.tonic import place_tonic_inhibition
from tests.fitting.circuits.compartment import Compartment

PLACES = 40


def fluctuate(
    conductance: FluctuatingConductance, time_step_ms: float = 0.1, name: str = "process", duration_ms: float = 2000.0
) -> NDArray[np.float64]:
    """Traces of independent places: (places, times)."""
    compartment = Compartment(time_step_ms=time_step_ms)
    sites = place_fluctuations([compartment.segment] * PLACES, conductance, gid=3)
    return record(compartment, sites, name, duration_ms)


def record(
    compartment: Compartment, sites: list[FluctuationSite], name: str, duration_ms: float, seed: int = 11
) -> NDArray[np.float64]:
    for site in sites:
        site.restart(seed)
    return compartment.run(duration_ms, [getattr(site.point_process, f"_ref_{name}") for site in sites])


class TestProcess:
    # 40 places x 2000 ms / (2 x 5 ms) = 8000 independent values: the mean is known to 1.1 % of the deviation.
    @pytest.mark.parametrize("time_step_ms", [0.1, 1.0, 8.0])
    def test_mean_deviation_and_correlation_at_any_time_step(self, time_step_ms: float) -> None:
        x = fluctuate(FluctuatingConductance(PLACES * 2.0, 0.4, 5.0), time_step_ms)
        deviation = 0.8e-3
        assert x.mean() == pytest.approx(2e-3, abs=0.05 * deviation)
        assert x.std() == pytest.approx(deviation, rel=0.04)
        y = x - 2e-3
        for lag in {max(1, round(lag_ms / time_step_ms)) for lag_ms in (1.0, 5.0, 15.0)}:
            found = np.mean(y[:, lag:] * y[:, :-lag]) / deviation**2
            assert found == pytest.approx(np.exp(-lag * time_step_ms / 5.0), abs=0.06)

    def test_values_are_normal_and_begin_in_the_steady_state(self) -> None:
        x = fluctuate(FluctuatingConductance(PLACES * 2.0, 0.4, 5.0), time_step_ms=1.0, duration_ms=3000.0)
        apart = x[:, ::30].ravel()  # six time constants from one to the next
        assert stats.kstest(apart, "norm", args=(2e-3, 0.8e-3)).pvalue > 1e-3
        first = np.concatenate([record_first(gid) for gid in range(20)])
        assert stats.kstest(first, "norm", args=(2e-3, 0.8e-3)).pvalue > 1e-3

    def test_below_zero_it_counts_as_zero(self) -> None:
        # E[max(0, x)] = m Phi(m/s) + s phi(m/s): 1.0833 m for a deviation as large as the mean.
        g = fluctuate(FluctuatingConductance(PLACES * 2.0, 1.0, 5.0), name="g")
        assert g.min() == 0.0
        assert g.mean() == pytest.approx(2e-3 * (stats.norm.cdf(1.0) + stats.norm.pdf(1.0)), rel=0.03)
        assert np.mean(g == 0.0) == pytest.approx(stats.norm.cdf(-1.0), abs=0.015)

    def test_places_share_the_mean_and_fluctuate_for_themselves(self) -> None:
        x = fluctuate(FluctuatingConductance(PLACES * 2.0, 0.4, 5.0), time_step_ms=1.0, duration_ms=4000.0)
        assert x.sum(axis=0).mean() == pytest.approx(PLACES * 2e-3, rel=0.02)
        correlations = np.corrcoef(x)[np.triu_indices(PLACES, 1)]
        assert np.abs(correlations).max() < 0.25
        assert abs(correlations.mean()) < 0.01

    def test_what_is_shared_is_the_same_in_all_cells(self) -> None:
        compartment = Compartment(time_step_ms=1.0)
        conductance = FluctuatingConductance(4.0, 0.4, 5.0, shared="cortex")
        sites = [
            site
            for gid, background in ((1, 0), (2, 0), (3, 1))
            for site in place_fluctuations([compartment.segment] * 2, conductance, gid, background)
        ]
        x = record(compartment, sites, "process", 500.0)
        assert (x == x[0]).all()
        assert x[0].std() > 0.0
        (other,) = place_fluctuations([compartment.segment], replace(conductance, shared="thalamus"), 4)
        both = record(compartment, [sites[0], other], "process", 500.0)
        assert abs(np.corrcoef(both)[0, 1]) < 0.5
        assert (record(compartment, sites[:1], "process", 500.0, seed=12) != x[0]).any()


def record_first(gid: int) -> NDArray[np.float64]:
    compartment = Compartment()
    sites = place_fluctuations([compartment.segment] * PLACES, FluctuatingConductance(PLACES * 2.0, 0.4, 5.0), gid)
    return record(compartment, sites, "process", 0.0)[:, 0]


class TestSites:
    CONDUCTANCE = FluctuatingConductance(2.0, 0.4, 5.0, reversal_mV=-80.0)

    def test_runs_repeat_and_depend_on_seed_cell_background_and_place(self) -> None:
        compartment = Compartment()
        sites = [
            site
            for gid, background in ((3, 0), (4, 0), (3, 1))
            for site in place_fluctuations([compartment.segment] * 2, self.CONDUCTANCE, gid, background)
        ]
        first = record(compartment, sites, "process", 50.0)
        np.testing.assert_array_equal(record(compartment, sites, "process", 50.0), first)
        other = record(compartment, sites, "process", 50.0, seed=12)
        traces = {trace.tobytes() for trace in np.concatenate((first, other))}
        assert len(traces) == 12
        again = place_fluctuations([compartment.segment] * 2, self.CONDUCTANCE, 4)
        np.testing.assert_array_equal(record(compartment, again, "process", 50.0), first[2:4])

    def test_the_factor_multiplies_all_of_it(self) -> None:
        compartment = Compartment()
        sites = place_fluctuations([compartment.segment], self.CONDUCTANCE, 3)
        before = record(compartment, sites, "g", 50.0)
        sites[0].set_factor(1.7)
        np.testing.assert_array_equal(record(compartment, sites, "g", 50.0), 1.7 * before)
        sites[0].set_factor(0.0)
        assert record(compartment, sites, "g", 50.0).max() == 0.0
        with pytest.raises(ModelError, match=r"factor of a background must not be negative, got -1"):
            sites[0].set_factor(-1.0)

    def test_the_current_goes_towards_the_reversal(self) -> None:
        compartment = Compartment(voltage_mV=-60.0)
        sites = place_fluctuations([compartment.segment], self.CONDUCTANCE, 3)
        g, i = compartment.run(20.0, [getattr(sites[0].point_process, name) for name in ("_ref_g", "_ref_i")])
        np.testing.assert_allclose(i[1:], 20.0 * g[:-1], rtol=1e-3)

    def test_what_cannot_fluctuate_is_refused(self) -> None:
        segment = Compartment().segment
        with pytest.raises(ModelError, match=r"cell 3: .* at least one place"):
            place_fluctuations([], self.CONDUCTANCE, 3)
        for wrong in ((-1.0, 0.4, 5.0), (1.0, -0.4, 5.0), (1.0, 0.4, 0.0), (float("nan"), 0.4, 5.0)):
            with pytest.raises(ModelError, match="not negative and a time constant above 0, got mean_nS"):
                place_fluctuations([segment], FluctuatingConductance(*wrong), 3)


class TestTonicInhibition:
    def test_draws_the_voltage_towards_its_reversal(self) -> None:
        compartment = Compartment(voltage_mV=-60.0)
        compartment.section.g_pas = 1e-4
        sites = place_tonic_inhibition([compartment.section], TonicInhibition(1e-4, reversal_mV=-80.0))
        assert compartment.run(200.0, [compartment.segment._ref_v])[0, -1] == pytest.approx(-70.0, abs=1e-3)
        sites.set_factor(3.0)
        assert compartment.run(200.0, [compartment.segment._ref_v])[0, -1] == pytest.approx(-75.0, abs=1e-3)

    def test_what_cannot_be_is_refused(self) -> None:
        section = Compartment().section
        with pytest.raises(ModelError, match="tonic inhibition must not be negative, got -1"):
            place_tonic_inhibition([section], TonicInhibition(-1.0))
        sites = place_tonic_inhibition([section], TonicInhibition(1e-4))
        with pytest.raises(ModelError, match="factor of a background must not be negative, got -2"):
            sites.set_factor(-2.0)
        with pytest.raises(ModelError, match="compartment has tonic inhibition already"):
            place_tonic_inhibition([section], TonicInhibition(1e-4))
