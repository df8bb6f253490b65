from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rheobase.fitting.search.gaussian_process import COVARIANCES, Covariance, GaussianProcesses


def waves(places: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(3.0 * places[:, 0]) + places[:, 1], places.sum(1), 100.0 + 0.0 * places[:, 0]], axis=1)


def test_known_places_are_met_and_others_between_them() -> None:
    generator = np.random.default_rng(1)
    known, others = generator.random((60, 2)), generator.random((40, 2))
    processes = GaussianProcesses(known, waves(known))
    means, deviations = processes.predict(known)
    np.testing.assert_allclose(means, waves(known), atol=0.01)
    means, deviations = processes.predict(others)
    np.testing.assert_allclose(means, waves(others), atol=0.1)
    assert (np.abs(means - waves(others)) < 4.0 * deviations + 1e-6).mean() > 0.95


def test_a_linear_function_of_many_parameters_is_learnt_from_few_places() -> None:
    generator = np.random.default_rng(2)
    known, others, slopes = generator.random((45, 20)), generator.random((30, 20)), generator.normal(size=20)
    means, _ = GaussianProcesses(known, known @ slopes[:, np.newaxis]).predict(others)
    errors = means[:, 0] - others @ slopes
    assert errors.std() < 0.15 * (others @ slopes).std()


def test_far_away_it_is_the_median_and_uncertain() -> None:
    generator = np.random.default_rng(3)
    known = 0.02 * generator.random((30, 5))
    outputs = np.sin(300.0 * known[:, :1])
    means, deviations = GaussianProcesses(known, outputs).predict(np.full((1, 5), 0.9))
    _, surer = GaussianProcesses(known, outputs).predict(known[:1])
    assert deviations[0, 0] > 2.0 * surer[0, 0]
    assert means[0, 0] == pytest.approx(np.median(outputs), abs=0.2)


def test_far_away_it_is_the_centre_that_was_given() -> None:
    known = 0.02 * np.random.default_rng(3).random((30, 5))
    processes = GaussianProcesses(known, np.ones((30, 1)), 0.0)
    means, _ = processes.predict(np.array([known[0], np.full(5, 0.9)]))
    assert means[0, 0] == pytest.approx(1.0, abs=0.05)
    assert means[1, 0] < 0.5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 25))
def test_the_textbook_formula_with_the_likeliest_covariance(seed: int, dimensions: int, count: int) -> None:
    """Rasmussen & Williams 2006, equations 2.25, 2.26 and 2.30, with inverses written out."""
    generator = np.random.default_rng(seed)
    known, others = generator.random((count, dimensions)), generator.random((7, dimensions))
    outputs = generator.normal(size=count)
    spread = max(float(outputs.std()), 1e-9)
    normal = (outputs - np.median(outputs)) / spread
    likelihoods, predictions = [], []
    for covariance in COVARIANCES:
        inverse = np.linalg.inv(covariance.between(known, known) + covariance.noise * np.eye(count))
        variance = max(float(normal @ inverse @ normal) / count, 1e-6)
        likelihoods.append(-0.5 * count * np.log(variance) + 0.5 * np.linalg.slogdet(inverse)[1])
        between = covariance.between(others, known)
        left = covariance.at(others) - np.einsum("ij,jk,ik->i", between, inverse, between)
        predictions.append((between @ inverse @ normal, np.sqrt(np.maximum(left, 1e-6) * variance)))
    mean, deviation = predictions[int(np.argmax(likelihoods))]
    means, deviations = GaussianProcesses(known, outputs[:, np.newaxis]).predict(others)
    np.testing.assert_allclose(means[:, 0], np.median(outputs) + spread * mean, atol=1e-5 * spread)
    np.testing.assert_allclose(deviations[:, 0], spread * deviation, atol=1e-5 * spread)


def test_outputs_do_not_know_of_each_other() -> None:
    generator = np.random.default_rng(4)
    known, others = generator.random((30, 3)), generator.random((5, 3))
    outputs = generator.normal(size=(30, 4))
    means, deviations = GaussianProcesses(known, outputs).predict(others)
    for number in range(4):
        mean, deviation = GaussianProcesses(known, outputs[:, [number]]).predict(others)
        np.testing.assert_allclose(means[:, [number]], mean, rtol=1e-9)
        np.testing.assert_allclose(deviations[:, [number]], deviation, rtol=1e-9)


@pytest.mark.parametrize("dimensions", [1, 4, 30])
def test_lengths_are_in_parts_of_the_distance_of_random_places(dimensions: int) -> None:
    generator = np.random.default_rng(5)
    some, others = generator.random((2000, dimensions)), generator.random((2000, dimensions))
    distance = np.sqrt(np.square(some - others).sum(1).mean())
    apart = np.zeros((2, dimensions))
    apart[1, 0] = distance
    reach = np.sqrt(3.0) / 0.7
    found = Covariance(0.7, 0.0, 0.0).between(apart, apart)[0, 1]
    assert found == pytest.approx((1.0 + reach) * np.exp(-reach), rel=0.03)
