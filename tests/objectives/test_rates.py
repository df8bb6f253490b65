from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from rheobase.features.activity.activity import Distribution, distribution
from rheobase.features.activity.populations import Units
from rheobase.features.activity.unit_values import UnitValues
from rheobase.features.errors import FeatureError
from rheobase.objectives.objective import Target
from rheobase.objectives.rates import (
    PopulationMeasures,
    PopulationTarget,
    RateDistributionTarget,
    distribution_distance,
    judge_population,
)

SEEDS = st.integers(0, 2**32 - 1)


def rates(values: np.ndarray, unit: str = "Hz") -> Distribution:
    units = Units.from_sizes({"E": len(values)})
    return distribution(UnitValues("rate", unit, values, np.arange(len(values)), units), "E")


def test_every_measure_that_is_named_is_judged() -> None:
    target = PopulationTarget(
        "E",
        rate_Hz=Target(3.0, 0.5),
        rates=RateDistributionTarget(rates(np.array([1.0, 2.0, 6.0])), 0.5),
        cv_isi=Target(1.0, 0.2),
        synchrony=Target(0.1, 0.1),
        fraction_silent=Target(0.0, 0.1),
    )
    measures = PopulationMeasures(rates(np.array([2.0, 3.0, 7.0])), cv_isi=None, synchrony=0.25, fraction_silent=0.05)
    judged = judge_population(measures, target)
    assert [one.key for one in judged] == [
        "rate:E", "rate_distribution:E", "cv_isi:E", "synchrony:E", "fraction_silent:E",
    ]  # fmt: skip
    assert [one.value for one in judged] == [4.0, pytest.approx(1.0), None, 0.25, 0.05]
    assert [one.met for one in judged] == [False, False, False, False, True]
    assert [one.key for one in judge_population(measures, PopulationTarget("E", synchrony=Target(0.1, 0.1)))] == [
        "synchrony:E"
    ]


@given(seed=SEEDS, shift=st.floats(-20.0, 20.0))
def test_shifted_rates_are_as_far_apart_as_the_shift(seed: int, shift: float) -> None:
    values = np.random.default_rng(seed).gamma(2.0, 3.0, 30)
    assert distribution_distance(rates(values), rates(values + shift)) == pytest.approx(abs(shift), abs=1e-9)


@given(seed=SEEDS)
def test_the_distance_is_that_of_wasserstein(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Without long tails, of which twenty quantiles know little.
    first, second = 10.0 * random.beta(2.0, 5.0, 800), 12.0 * random.beta(3.0, 4.0, 600)
    distance = distribution_distance(rates(first), rates(second))
    assert distance == pytest.approx(wasserstein_distance(first, second), abs=0.1)
    assert distance == pytest.approx(distribution_distance(rates(second), rates(first)))


def test_quantiles_that_cross_are_integrated_exactly() -> None:
    def straight(low: float, high: float, probabilities: tuple[float, ...]) -> Distribution:
        quantiles = tuple(low + (high - low) * one for one in probabilities)
        return Distribution("rate", "Hz", 1.0, 1.0, 1.0, probabilities, quantiles, 10)

    # |1 - 2p| between 0 and 1 has the area 1/2; the other grid has no bin at the crossing.
    assert distribution_distance(straight(0.0, 2.0, (0.0, 1.0)), straight(1.0, 1.0, (0.0, 0.3, 1.0))) == pytest.approx(
        0.5
    )


def test_refuses_what_cannot_be_compared() -> None:
    one = rates(np.array([1.0, 2.0]))
    with pytest.raises(FeatureError, match="one measure can be compared"):
        distribution_distance(one, rates(np.array([1.0]), "kHz"))
    with pytest.raises(FeatureError, match="distribution of rates in Hz"):
        RateDistributionTarget(rates(np.array([1.0]), "kHz"), 1.0)
    with pytest.raises(FeatureError, match="tolerance above zero"):
        RateDistributionTarget(one, 0.0)
    with pytest.raises(FeatureError, match="'E' states nothing"):
        PopulationTarget("E")
