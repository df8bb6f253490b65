from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.objectives.noise import Repeated, compare, jackknifed, over_seeds, pooled_std, with_known_noise
from rheobase.objectives.objective import Judged


def rate(value: float | None, population: str = "E") -> Judged:
    return Judged("rate", value, 4.0, 1.0, "Hz", population)


def seeds(*values: float | None) -> tuple[Repeated, ...]:
    return over_seeds([[rate(value)] for value in values])


def test_mean_and_standard_error_over_seeds() -> None:
    (one,) = seeds(3.0, 5.0, 7.0)
    assert one.judged == rate(5.0)
    assert one.per_seed == (3.0, 5.0, 7.0)
    assert one.standard_error == pytest.approx(2.0 / np.sqrt(3.0))
    assert one.std == pytest.approx(2.0)
    assert one.noise == one.standard_error  # a tolerance of 1


def test_one_seed_knows_no_noise() -> None:
    (one,) = seeds(3.0)
    assert (one.judged.value, one.standard_error, one.noise, one.std) == (3.0, None, None, None)


def test_what_half_of_the_seeds_lack_is_missing() -> None:
    assert seeds(3.0, None, 5.0)[0].judged.value == 4.0
    assert seeds(3.0, None)[0].judged.value is None
    assert seeds(None, None)[0].judged.value is None


@given(st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=20))
def test_the_jackknife_of_a_mean_is_its_standard_error(values: list[float]) -> None:
    left_out = [float(np.mean(values[:place] + values[place + 1 :])) for place in range(len(values))]
    one = jackknifed(rate(float(np.mean(values))), values, left_out)
    assert one.standard_error == pytest.approx(np.std(values, ddof=1) / np.sqrt(len(values)), abs=1e-9)


def test_the_jackknife_needs_a_value_without_each_seed() -> None:
    assert jackknifed(rate(1.0), [1.0], []).standard_error is None
    assert jackknifed(rate(1.0), [1.0, 2.0], [2.0, None]).standard_error is None


def test_noise_is_pooled_over_parameters_and_lent_to_those_without() -> None:
    std = pooled_std([seeds(1.0, 3.0), seeds(10.0, 10.0, 10.0), seeds(7.0)])
    assert std == {"rate:E": pytest.approx(np.sqrt(2.0 / 3.0))}  # squares 2 + 0 + 0 over 1 + 2 degrees
    (alone,) = with_known_noise(seeds(7.0), std)
    assert alone.standard_error == pytest.approx(np.sqrt(2.0 / 3.0))
    (several,) = with_known_noise(seeds(1.0, 3.0), std)
    assert several.standard_error == pytest.approx(1.0)
    assert with_known_noise(seeds(7.0), {})[0].standard_error is None


def test_a_difference_within_the_noise_is_no_progress() -> None:
    change, total = compare(seeds(7.0, 9.0, 8.0), seeds(7.5, 9.5, 8.5))
    assert (change.change, change.verdict) == (pytest.approx(-0.5), "same")
    assert (total.key, total.verdict) == ("total", "same")
    better, total = compare(seeds(5.9, 6.0, 6.1), seeds(8.9, 9.0, 9.1))
    assert (better.key, better.verdict, total.verdict) == ("rate:E", "better", "better")
    worse, _ = compare(seeds(8.9, 9.0, 9.1), seeds(5.9, 6.0, 6.1))
    assert worse.verdict == "worse"


def test_within_the_tolerance_nothing_is_gained() -> None:
    change, _ = compare(seeds(4.0, 4.0), seeds(4.9, 4.9))
    assert (change.change, change.verdict) == (0.0, "same")


def test_the_total_adds_up_objectives_and_their_noise() -> None:
    def both(first: float, second: float) -> tuple[Repeated, ...]:
        return over_seeds([[rate(first + off), rate(second + off, "I")] for off in (-0.3, 0.0, 0.3)])

    first, second, total = compare(both(8.0, 8.0), both(8.5, 8.4))
    assert total.change == pytest.approx(first.change + second.change) == pytest.approx(-0.9)
    assert total.noise == pytest.approx(np.hypot(first.noise, second.noise))
    assert (first.verdict, second.verdict, total.verdict) == ("better", "same", "better")


def test_refuses_other_objectives() -> None:
    with pytest.raises(FeatureError, match="at least one seed"):
        over_seeds([])
    with pytest.raises(FeatureError, match="rate:E and rate:I"):
        over_seeds([[rate(1.0)], [rate(1.0, "I")]])
    with pytest.raises(FeatureError, match="rate:E and rate:I"):
        compare(seeds(1.0), over_seeds([[rate(1.0, "I")]]))
