"""Ending an evaluation as soon as its candidate can no longer be chosen.

A search says what excludes a candidate (`Bound`); here is what is known of a candidate's scores while it is being
simulated. Scores are never negative and what was measured does not change any more, so the scores known so far are
lower bounds of the final ones: a candidate excluded by them is excluded whatever the rest would be. While a protocol
runs, the spikes so far bound the number of spikes and the mean frequency from below, since spikes are not taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.objectives.scores import FAILURE_SCORE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rheobase.features.recording import Step
    from rheobase.features.targets import FeatureTarget, ProtocolTargets
    from rheobase.fitting.evaluation import Bound

_COUNTS = frozenset({"Spikecount", "spike_count", "Spikecount_stimint", "spike_count_stimint"})
_RUNNING_PIECE_PER_SPIKE_S = 0.02  # rough share of a spike in the cost of a second with a variable time step
_QUIET_COST = 0.05


class SpikeWatch:
    """Watches the spikes of a protocol at the soma.

    Args:
        protocol: Its targets.
        window: Where they are measured.
        known: Scores of what was measured before, by objective.
        bound: What excludes a candidate.
        spike_threshold_mV: Of the spikes that are reported; targets measured with another one are not bounded.
    """

    def __init__(
        self,
        protocol: ProtocolTargets,
        window: Step,
        known: Mapping[str, float],
        bound: Bound,
        spike_threshold_mV: float,
    ) -> None:
        self._bound = bound
        self._known = known
        self._window = window
        self._targets = {
            protocol.objective(target): target
            for target in protocol.features
            if _is_bounded(target)
            and (target.settings or protocol.settings).spike_threshold_mV == spike_threshold_mV
            and (target.settings or protocol.settings).strict_stimulus_interval
        }
        self.scores: dict[str, float] = {}

    def ends(self, elapsed_ms: float, spike_times_ms: Sequence[float]) -> bool:
        """Whether the spikes so far exclude the candidate."""
        scores = {
            name: least_score(target, self._window, elapsed_ms, spike_times_ms)
            for name, target in self._targets.items()
        }
        if scores == self.scores or not self._bound.excludes({**self._known, **scores}):
            return False
        self.scores = {name: score for name, score in scores.items() if score > 0.0}
        return True


def least_score(target: FeatureTarget, window: Step, elapsed_ms: float, spike_times_ms: Sequence[float]) -> float:
    """Lower bound of a target's final score from the spikes so far; zero when they say nothing.

    Args:
        target: A count of spikes, a mean frequency or a time to the first spike.
        window: Where it is measured.
        elapsed_ms: Time simulated so far (ms).
        spike_times_ms: Upward crossings of the spike threshold so far (ms).
    """
    # The last crossing in the window may belong to a spike whose peak lies behind it, or that never comes down.
    inside = max(sum(window.onset_ms <= time <= window.offset_ms for time in spike_times_ms) - 1, 0)
    if target.feature == "time_to_first_spike":
        waited_ms = min(elapsed_ms, window.offset_ms) - window.onset_ms
        excess = 0.0 if spike_times_ms else waited_ms - target.mean
    elif target.feature in _COUNTS:
        excess = inside - target.mean
    else:
        # n spikes over the time to the last of them: at least n over the whole window.
        excess = 1000.0 * inside / window.duration_ms - target.mean
    return min(max(excess, 0.0) / target.std, FAILURE_SCORE)


def by_information(protocols: Sequence[ProtocolTargets]) -> tuple[ProtocolTargets, ...]:
    """Protocols ordered by what they tell per second of computing: targets over expected cost, most first.

    The cost is estimated from the length of the stimulus and the spikes expected under it, so that the order, and with
    it what is recorded of a candidate that is ended early, does not depend on the machine.
    """
    return tuple(sorted(protocols, key=lambda protocol: _cost(protocol) / max(len(protocol.features), 1)))


def _cost(protocol: ProtocolTargets) -> float:
    """Expected cost of a protocol relative to others."""
    length_s = protocol.duration_ms / 1000.0
    return _QUIET_COST * (0.2 + length_s) + _RUNNING_PIECE_PER_SPIKE_S * _expected_spikes(protocol, length_s)


def _expected_spikes(protocol: ProtocolTargets, length_s: float) -> float:
    for target in protocol.features:
        if target.feature in _COUNTS:
            return max(target.mean, 0.0)
        if target.feature == "mean_frequency":
            return max(target.mean, 0.0) * length_s
    below_threshold = protocol.stimulus.level <= (100.0 if protocol.stimulus.unit == "percent" else 0.0)
    return 0.0 if below_threshold else max(1.0, 10.0 * length_s)


def _is_bounded(target: FeatureTarget) -> bool:
    at_soma = (target.location, target.variable, target.window_ms) == ("soma", "v", None)
    return at_soma and target.feature in _COUNTS | {"mean_frequency", "time_to_first_spike"}
