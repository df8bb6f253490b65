from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rheobase.features.measurement import measure
from rheobase.features.recording import Step
from rheobase.features.target_stimuli import ProtocolStimulus
from rheobase.features.targets import FeatureTarget, ProtocolTargets
from rheobase.fitting.cells.early_end import by_information, least_score
from rheobase.fitting.cells.evaluator import CellEvaluator
from tests.fitting.cells import small_cell


@dataclass(frozen=True)
class LargestTotal:
    """Excludes candidates whose scores sum up to more than a limit."""

    limit: float

    def excludes(self, scores: Mapping[str, float]) -> bool:
        return sum(scores.values()) > self.limit


@pytest.fixture(scope="module")
def candidates() -> list[dict[str, float]]:
    generator = np.random.default_rng(4)
    dimensions = small_cell.model().dimensions
    return [{d.name: d.value(float(generator.random())) for d in dimensions} for _ in range(12)]


class TestExclusion:
    def test_what_a_bound_excludes_is_excluded_and_nothing_else_changes(
        self, candidates: list[dict[str, float]]
    ) -> None:
        """The best by total are the same with a bound as without one, their scores equal to the last bit."""
        evaluator = CellEvaluator(small_cell.model(), small_cell.targets(), small_cell.SETTINGS)
        full = [evaluator.evaluate(candidate) for candidate in candidates]
        totals = [sum(evaluation.scores.values()) for evaluation in full]
        limit = float(np.median(totals))
        bounded = [evaluator.evaluate(candidate, bound=LargestTotal(limit)) for candidate in candidates]
        excluded = [evaluation.excluded for evaluation in bounded]
        assert 0 < sum(excluded) < len(candidates)
        for whole, early, total in zip(full, bounded, totals, strict=True):
            if early.excluded:
                assert total > limit
                assert sum(early.scores.values()) > limit
                for name, score in early.scores.items():
                    assert score <= whole.scores[name] + 1e-12
                    if name in early.features:
                        assert score == whole.scores[name]
                assert early.features.items() <= whole.features.items()
            else:
                assert (early.features, early.scores, early.failure) == (whole.features, whole.scores, whole.failure)
                assert total <= limit or early.failure is not None

    def test_an_excluded_candidate_leaves_nothing_behind(self) -> None:
        evaluator = CellEvaluator(small_cell.model(), small_cell.targets(), small_cell.SETTINGS)
        before = evaluator.evaluate(small_cell.HIDDEN)
        runaway = {**small_cell.HIDDEN, "gSKv3_1bar_SKv3_1.somatic": 0.9, "gK_Pstbar_K_Pst.somatic": 1e-3}
        assert evaluator.evaluate(runaway, bound=LargestTotal(3.0)).excluded
        after = evaluator.evaluate(small_cell.HIDDEN)
        assert (before.features, before.scores) == (after.features, after.scores)

    def test_too_many_spikes_end_a_step_before_its_end(self) -> None:
        few = ProtocolTargets(
            "IDrest_200", ProtocolStimulus.step(200.0, 1500.0), 0.2, (FeatureTarget("Spikecount", 3.0, 0.5),)
        )
        targets = dataclasses.replace(small_cell.targets(), protocols=(few,), intrinsic=())
        evaluator = CellEvaluator(small_cell.model(), targets, small_cell.SETTINGS)
        full = evaluator.evaluate(small_cell.HIDDEN)
        early = evaluator.evaluate(small_cell.HIDDEN, bound=LargestTotal(10.0))
        assert full.scores["IDrest_200.soma.v.Spikecount"] > 40.0
        assert early.excluded
        assert early.features == {}
        assert 10.0 < early.scores["IDrest_200.soma.v.Spikecount"] < 20.0
        assert early.cpu_seconds < full.cpu_seconds

    def test_no_first_spike_in_time(self) -> None:
        late = ProtocolTargets(
            "IV_50", ProtocolStimulus.step(50.0, 1000.0), 0.05, (FeatureTarget("time_to_first_spike", 20.0, 5.0, "ms"),)
        )
        targets = dataclasses.replace(small_cell.targets(), protocols=(late,), intrinsic=())
        evaluator = CellEvaluator(small_cell.model(), targets, small_cell.SETTINGS)
        early = evaluator.evaluate(small_cell.HIDDEN, bound=LargestTotal(10.0))
        assert early.excluded
        assert 10.0 < early.scores["IV_50.soma.v.time_to_first_spike"] < 20.0


WINDOW = Step(100.0, 600.0, 0.2, 0.0)


@settings(deadline=None)  # it is no test of speed
@given(
    times=st.lists(st.integers(0, 1400), unique=True, max_size=40),
    elapsed=st.integers(0, 700),
    feature=st.sampled_from(["Spikecount", "mean_frequency", "time_to_first_spike"]),
    mean=st.floats(0.0, 100.0),
    shift=st.sampled_from([0.0, 0.3]),
)
# The last upstroke under the stimulus has its peak behind it, and another spike follows: it does not count.
@example(times=[400, 1199, 1210], elapsed=700, feature="Spikecount", mean=1.0, shift=0.3)
@example(times=[400, 1199, 1210], elapsed=700, feature="mean_frequency", mean=2.0, shift=0.3)
def test_least_score_never_exceeds_the_final_one(
    times: list[int], elapsed: int, feature: str, mean: float, shift: float
) -> None:
    """Against eFEL on the finished trace, for triangular spikes at least 0.5 ms apart."""
    spikes = [0.5 * time + shift for time in sorted(times)]
    spikes = [b for a, b in zip([-10.0, *spikes], spikes, strict=False) if b - a >= 2.0]
    time = np.arange(0.0, 700.0, 0.1)
    voltage = np.full(len(time), -70.0)
    for spike in spikes:
        voltage = np.maximum(voltage, 30.0 - 200.0 * np.abs(time - spike - 0.4))
    crossings = time[1:][(voltage[:-1] <= -20.0) & (voltage[1:] > -20.0)]
    value = measure(time, voltage, WINDOW, [feature], small_cell.targets().settings)[feature]
    final = 250.0 if value is None else min(abs(value - mean) / 2.0, 250.0)
    so_far = [float(crossing) for crossing in crossings if crossing <= elapsed]
    assert least_score(FeatureTarget(feature, mean, 2.0), WINDOW, elapsed, so_far) <= final + 1e-9


class TestOrder:
    def test_cheap_and_telling_protocols_first(self) -> None:
        names = [protocol.name for protocol in by_information(small_cell.targets().protocols)]
        assert names == ["IV_-40", "APWaveform_250", "IDrest_200"]

    def test_independent_of_the_order_given(self) -> None:
        protocols = small_cell.targets().protocols
        assert by_information(protocols) == by_information(tuple(reversed(protocols)))
