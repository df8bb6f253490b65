"""Time limits follow what evaluations need, and never cost more than a few of them."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.campaigns.limits import RECENT, TimeLimit
from rheobase.campaigns.recent import RecentValues
from tests.campaigns.rows import row

_WHOLE = dataclasses.replace(row(0), failure=None)


def _ended(limit: TimeLimit, needs_s: float) -> bool:
    """Whether an evaluation that needs so long ends within the limit; it learns either way."""
    if needs_s <= limit.limit_s:
        limit.learn(dataclasses.replace(_WHOLE, cpu_seconds=needs_s))
        return True
    failure = f"timeout: no answer within {limit.limit_s:g} s of CPU time"
    limit.learn(dataclasses.replace(_WHOLE, cpu_seconds=limit.limit_s, failure=failure))
    return False


def test_the_campaigns_limit_holds_until_enough_is_known() -> None:
    limit = TimeLimit(120.0, learns=True)
    for _ in range(99):
        assert limit.limit_s == 120.0
        assert _ended(limit, 10.0)
    _ended(limit, 10.0)
    assert limit.limit_s == 30.0


def test_a_limit_that_does_not_learn_stays() -> None:
    limit = TimeLimit(120.0, learns=False)
    for _ in range(1000):
        _ended(limit, 1.0)
    assert limit.limit_s == 120.0


@pytest.mark.parametrize(("usual_s", "expected_s"), [(0.05, 2.0), (5.0, 15.0), (100.0, 120.0)])
def test_bounds_of_the_limit(usual_s: float, expected_s: float) -> None:
    limit = TimeLimit(120.0, learns=True)
    for _ in range(600):
        _ended(limit, usual_s)
    assert limit.limit_s == expected_s


def test_a_campaign_limit_below_the_smallest_learnt_one_wins() -> None:
    limit = TimeLimit(1.0, learns=True)
    for _ in range(200):
        _ended(limit, 0.1)
    assert limit.limit_s == 1.0


def test_short_failures_and_exclusions_teach_nothing() -> None:
    limit = TimeLimit(120.0, learns=True)
    for number in range(300):
        _ended(limit, 10.0 + number % 2)
    for _ in range(1000):
        limit.learn(dataclasses.replace(_WHOLE, cpu_seconds=0.1, failure="holding: the cell fires when held"))
        limit.learn(dataclasses.replace(_WHOLE, cpu_seconds=0.2, excluded=True))
        limit.learn(dataclasses.replace(_WHOLE, cpu_seconds=0.3, failure="crash: the simulator was ended by SIGSEGV"))
    assert limit.limit_s == 33.0


@pytest.mark.parametrize("factor", [2.0, 10.0, 100.0])
def test_models_that_become_slow_are_soon_evaluated_again(factor: float) -> None:
    """The population moves to models that take so many times longer: at most some dozens are given up."""
    generator = random.Random(1)
    limit = TimeLimit(10_000.0, learns=True)
    for _ in range(1000):
        assert _ended(limit, generator.uniform(7.0, 23.0))
    lost = sum(not _ended(limit, factor * generator.uniform(7.0, 23.0)) for _ in range(2000))
    assert lost <= 40


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 3.0))
def test_hardly_one_in_a_hundred_is_lost_whatever_the_distribution(seed: int, spread: float) -> None:
    """Heavy tails: log-normal times, the 99th percentile up to a thousand times the median."""
    generator = random.Random(seed)
    limit = TimeLimit(1e9, learns=True)
    lost = sum(not _ended(limit, generator.lognormvariate(2.0, spread)) for _ in range(5000))
    assert lost <= 0.015 * 5000


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.integers(1, 20), st.floats(0, 1))
def test_quantiles_of_the_last_values(values: list[float], most: int, fraction: float) -> None:
    recent = RecentValues(most)
    for value in values:
        recent.add(value)
    last = sorted(values[-most:])
    assert len(recent) == len(last)
    found = recent.quantile(fraction)
    assert found in last
    assert sum(value <= found for value in last) >= fraction * len(last)


def test_memory_is_bounded() -> None:
    limit = TimeLimit(120.0, learns=True)
    for number in range(4 * RECENT):
        _ended(limit, 1.0 + number)
    assert len(limit._seconds) == RECENT
