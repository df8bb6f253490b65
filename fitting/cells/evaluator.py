"""Evaluation of a cell model in stages: rest, holding, input resistance, threshold current, then the steps.

Steps are given in % of the model's own threshold current on top of its own holding current, as the recordings
were normalised. A stage that fails ends the evaluation: what it and the stages behind it would have measured
gets the failure score.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.features.measurement import measure
from rheobase.features.recording import Step
from rheobase.features.targets import (
    FeatureTargets,
    INPUT_RESISTANCE_DEFLECTION_mV,
    ProtocolTargets,
    objective_name,
)
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.model import DistributionError
from rheobase.fitting.cells.simulation import SettledState, SimulationError, SomaClamp, Trace
from rheobase.fitting.cells.threshold import find_threshold_current
from rheobase.fitting.evaluation import Evaluation
from rheobase.objectives.scores import FAILURE_SCORE, z_score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.cells.model import CellModel


@dataclass(frozen=True)
class EvaluationSettings:
    """How a candidate is simulated.

    Attributes:
        settle_ms: Time to come to rest before anything is measured (ms).
        before_step_ms: Baseline before a step (ms); the cell has settled already.
        after_step_ms: Time simulated after a step (ms).
        threshold_precision: Width of the bracket around the threshold current, relative to it.
        largest_current_nA: A model that does not spike at this step has no threshold current (nA).
        stage_limit: Score of an intrinsic property above which later stages are not simulated.
        absolute_tolerance: Of CVODE, NEURON's variable time step.
    """

    settle_ms: float = 1000.0
    before_step_ms: float = 100.0
    after_step_ms: float = 100.0
    threshold_precision: float = 0.02
    largest_current_nA: float = 5.0
    stage_limit: float = 20.0
    absolute_tolerance: float = 1e-3


class StageFailure(Exception):
    """A stage that cannot be passed; the evaluation ends there."""


class CellEvaluator:
    """Scores of a cell model against feature targets.

    Args:
        model: The cell; built once, its parameters are set in place for every candidate.
        targets: What it is held against.
        settings: How it is simulated.

    Raises:
        ModelError: NEURON cannot build the model.
    """

    def __init__(self, model: CellModel, targets: FeatureTargets, settings: EvaluationSettings | None = None) -> None:
        self._targets = targets
        self._settings = settings or EvaluationSettings()
        self._instance = CellInstance(model)
        self._clamp = SomaClamp(self._instance, self._settings.absolute_tolerance)
        self._goals = targets.objectives

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of all objectives."""
        return tuple(self._goals)

    def evaluate(self, parameters: Mapping[str, float], keep_traces: bool = False) -> Evaluation:
        """Simulate and score one set of parameters.

        Args:
            parameters: Value of each free parameter, by name.
            keep_traces: Whether to return the voltage traces of the steps.

        Raises:
            ModelError: the parameters are not the model's free ones.
        """
        begin = time.process_time()
        features: dict[str, float] = {}
        traces: dict[str, Trace] = {}
        failure = None
        try:
            self._instance.set_parameters(parameters)
            self._simulate(features, traces)
        except (StageFailure, SimulationError, DistributionError) as error:
            failure = str(error)
        return Evaluation(
            features=features,
            scores={name: z_score(features.get(name), goal.mean, goal.std) for name, goal in self._goals.items()},
            failure=failure,
            cpu_seconds=time.process_time() - begin,
            traces={name: (trace.time_ms, trace.voltage_mV) for name, trace in traces.items()} if keep_traces else {},
        )

    def _simulate(self, features: dict[str, float], traces: dict[str, Trace]) -> None:
        """The stages one after another; fills features and traces as far as it gets."""
        if "resting_potential" in self._goals:
            self._rest(features)
        held = self._hold(features)
        if "input_resistance" in self._goals:
            self._input_resistance(held, features)
        threshold_nA = self._threshold(held, features)
        for protocol in self._targets.protocols:
            traces[protocol.name] = self._step(held, threshold_nA, protocol, features)

    def _rest(self, features: dict[str, float]) -> None:
        rest = self._clamp.settle(0.0, self._settings.settle_ms)
        self._refuse_spikes(rest.trace, "rest", "without any current")
        self._accept("resting_potential", rest.voltage_mV, features)

    def _hold(self, features: dict[str, float]) -> SettledState:
        held = self._clamp.hold(self._targets.holding_voltage_mV, self._settings.settle_ms)
        self._accept("holding_current", held.holding_current_nA, features)
        release = self._clamp.step(held, 0.0, self._settings.before_step_ms, 0.0, self._settings.before_step_ms)
        self._refuse_spikes(release, "holding", f"when held at {self._targets.holding_voltage_mV:.1f} mV")
        return held

    def _input_resistance(self, held: SettledState, features: dict[str, float]) -> None:
        amplitude_nA = -INPUT_RESISTANCE_DEFLECTION_mV / self._goals["input_resistance"].mean
        duration_ms = max((protocol.duration_ms for protocol in self._targets.protocols), default=500.0)
        before_ms = 10.0
        trace = self._clamp.step(held, amplitude_nA, before_ms, min(duration_ms, 1000.0), 0.0)
        self._accept("input_resistance", (trace.end_mV - held.voltage_mV) / amplitude_nA, features)

    def _threshold(self, held: SettledState, features: dict[str, float]) -> float:
        spike_threshold_mV = self._targets.settings.spike_threshold_mV

        def spikes(amplitude_nA: float) -> bool:
            trace = self._clamp.step(
                held, amplitude_nA, 0.0, self._targets.threshold_duration_ms, 5.0, stop_above_mV=spike_threshold_mV
            )
            return trace.spikes(spike_threshold_mV) > 0

        expected = self._goals.get("threshold_current")
        largest_nA = self._settings.largest_current_nA
        if expected is not None:  # beyond the stage's limit the search ends anyway
            largest_nA = min(largest_nA, expected.mean + self._settings.stage_limit * expected.std)
        threshold_nA = find_threshold_current(
            spikes,
            first_guess_nA=expected.mean if expected else 0.2,
            largest_nA=largest_nA,
            precision=self._settings.threshold_precision,
        )
        if threshold_nA is None:
            raise StageFailure(f"threshold_current: no spike up to {largest_nA:.3g} nA")
        self._accept("threshold_current", threshold_nA, features)
        return threshold_nA

    def _step(
        self, held: SettledState, threshold_nA: float, protocol: ProtocolTargets, features: dict[str, float]
    ) -> Trace:
        amplitude_nA = threshold_nA * protocol.amplitude_percent / 100.0
        onset_ms = self._settings.before_step_ms
        trace = self._clamp.step(held, amplitude_nA, onset_ms, protocol.duration_ms, self._settings.after_step_ms)
        step = Step(onset_ms, onset_ms + protocol.duration_ms, amplitude_nA, held.holding_current_nA)
        names = [target.feature for target in protocol.features]
        for name, value in measure(trace.time_ms, trace.voltage_mV, step, names, protocol.settings).items():
            if value is not None:
                features[objective_name(protocol.name, name)] = value
        return trace

    def _accept(self, name: str, value: float, features: dict[str, float]) -> None:
        """Note an intrinsic property; a value too far off ends the evaluation."""
        goal = self._goals.get(name)
        if goal is None:
            return
        features[name] = value
        score = z_score(value, goal.mean, goal.std)
        if score > self._settings.stage_limit:
            raise StageFailure(
                f"{name}: {value:.4g} {goal.unit} is {min(score, FAILURE_SCORE):.0f} standard deviations off"
            )

    def _refuse_spikes(self, trace: Trace, stage: str, when: str) -> None:
        if trace.spikes(self._targets.settings.spike_threshold_mV):
            raise StageFailure(f"{stage}: the cell fires {when}")
