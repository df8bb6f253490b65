from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rheobase.features.errors import FeatureError
from rheobase.objectives.noise import Repeated, jackknifed, over_seeds
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


def test_refuses_other_objectives() -> None:
    with pytest.raises(FeatureError, match="at least one seed"):
        over_seeds([])
    with pytest.raises(FeatureError, match="rate:E and rate:I"):
        over_seeds([[rate(1.0)], [rate(1.0, "I")]])
