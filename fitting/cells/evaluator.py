"""Evaluation of a cell model in stages: rest, holding, input resistance, threshold current, then the stimuli.

Stimuli in % are scaled by the model's own threshold current, on top of its own holding current, as the recordings were
normalised. A stage that fails ends the evaluation: what it and the stages behind it would have measured gets the
failure score. A candidate that a search's bound excludes is not simulated any further.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from rheobase.features.targets import FeatureTargets, INPUT_RESISTANCE_DEFLECTION_mV, ProtocolTargets
from rheobase.fitting.cells.early_end import SpikeWatch, by_information
from rheobase.fitting.cells.instance import CellInstance
from rheobase.fitting.cells.measuring import SOMA, measure_protocol, site_name
from rheobase.fitting.cells.model import DistributionError
from rheobase.fitting.cells.simulation import Integrator, SettledState, SimulationError, SomaClamp, Trace
from rheobase.fitting.cells.threshold import find_threshold_current
from rheobase.fitting.evaluation import Bound, Evaluation
from rheobase.objectives.scores import FAILURE_SCORE, z_score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.features.sites import RecordingSite
    from rheobase.fitting.cells.model import CellModel


@dataclass(frozen=True)
class EvaluationSettings:
    """How a candidate is simulated.

    Attributes:
        settle_ms: Time to come to rest before anything is measured (ms).
        before_step_ms: Baseline before a stimulus (ms) that does not say its own; the cell has settled already.
        after_step_ms: Time simulated after a stimulus (ms) that does not say its own.
        threshold_precision: Width of the bracket around the threshold current, relative to it.
        largest_current_nA: A model that does not spike at this step has no threshold current (nA).
        stage_limit: Score of an intrinsic property above which later stages are not simulated.
        ectopic_limit: A model whose axon or dendrites fire more often than this for each spike of the soma, and three
            times more, has failed; infinity: it is simulated all the same.
        integrator: "variable": CVODE; "fixed": NEURON's fixed time step; "coreneuron": the same by CoreNEURON, for
            which all mechanisms of the process are those of this model. See `Integrator`.
        absolute_tolerance: Of CVODE.
        time_step_ms: Of the fixed time step (ms).
    """

    settle_ms: float = 1000.0
    before_step_ms: float = 100.0
    after_step_ms: float = 100.0
    threshold_precision: float = 0.02
    largest_current_nA: float = 5.0
    stage_limit: float = 20.0
    ectopic_limit: float = 2.0
    integrator: Literal["variable", "fixed", "coreneuron"] = "variable"
    absolute_tolerance: float = 1e-3
    time_step_ms: float = 0.025

    @property
    def clamp_integrator(self) -> Integrator:
        """How NEURON steps through time."""
        return Integrator(self.integrator, self.absolute_tolerance, self.time_step_ms)


_RESISTANCE_STEP_MS = 1000.0  # long enough for the membrane to be charged, whatever the stimuli are
_SPIKE_INITIATION_mV = -62.0  # rectification included; a guess that only saves simulations


class StageFailure(Exception):
    """A stage that cannot be passed; the evaluation ends there."""


class Excluded(Exception):
    """The candidate cannot be chosen any more."""


@dataclass
class _Measured:
    """What is known of a candidate so far."""

    bound: Bound | None
    features: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    traces: dict[str, Trace] = field(default_factory=dict)


class CellEvaluator:
    """Scores of a cell model against feature targets.

    Args:
        model: The cell; built once, its parameters are set in place for every candidate.
        targets: What it is held against.
        settings: How it is simulated.

    Raises:
        ModelError: NEURON cannot build the model, or a target is measured where the model has no such place.
    """

    def __init__(self, model: CellModel, targets: FeatureTargets, settings: EvaluationSettings | None = None) -> None:
        self._targets = targets
        self._settings = settings = settings or EvaluationSettings()
        self._instance = CellInstance(model, coreneuron=settings.integrator == "coreneuron")
        self._clamp = SomaClamp(
            self._instance,
            settings.clamp_integrator,
            _sites(targets),
            targets.settings.spike_threshold_mV,
            settings.ectopic_limit,
        )
        self._goals = targets.objectives
        self._protocols = by_information(targets.protocols)

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of all objectives."""
        return tuple(self._goals)

    def evaluate(
        self, parameters: Mapping[str, float], keep_traces: bool = False, bound: Bound | None = None
    ) -> Evaluation:
        """Simulate and score one set of parameters.

        Args:
            parameters: Value of each free parameter, by name.
            keep_traces: Whether to return the voltage traces of the stimuli.
            bound: Ends the evaluation as soon as it excludes the candidate.

        Raises:
            ModelError: the parameters are not the model's free ones.
        """
        begin = time.process_time()
        measured = _Measured(bound)
        failure, excluded = None, False
        try:
            self._instance.set_parameters(parameters)
            self._simulate(measured)
        except (StageFailure, SimulationError, DistributionError) as error:
            failure = str(error)
        except Excluded:
            excluded = True
        return Evaluation(
            features=measured.features,
            scores=measured.scores if excluded else self._all_scores(measured.features),
            failure=failure,
            excluded=excluded,
            cpu_seconds=time.process_time() - begin,
            traces={name: (trace.time_ms, trace.voltage_mV) for name, trace in measured.traces.items()}
            if keep_traces
            else {},
        )

    def _all_scores(self, features: Mapping[str, float]) -> dict[str, float]:
        return {name: z_score(features.get(name), goal.mean, goal.std) for name, goal in self._goals.items()}

    def _simulate(self, measured: _Measured) -> None:
        """The stages one after another; fills in what is measured as far as it gets."""
        if "resting_potential" in self._goals:
            self._rest(measured)
        held = self._hold(measured) if self._needs_holding else None
        if held is not None and "input_resistance" in self._goals:
            self._input_resistance(held, measured)
        threshold_nA = self._threshold(held, measured) if held is not None and self._needs_threshold else None
        settled: dict[float, SettledState] = {}
        for protocol in self._protocols:
            holding_nA = protocol.stimulus.holding_nA
            if holding_nA is not None and holding_nA not in settled:
                settled[holding_nA] = self._clamp.settle(holding_nA, self._settings.settle_ms)
            state = held if holding_nA is None else settled[holding_nA]
            assert state is not None  # `_needs_holding` says so
            self._protocol(state, threshold_nA, protocol, measured)

    @property
    def _needs_threshold(self) -> bool:
        in_percent = any(protocol.stimulus.unit == "percent" for protocol in self._protocols)
        return in_percent or "threshold_current" in self._goals

    @property
    def _needs_holding(self) -> bool:
        own = any(protocol.stimulus.holding_nA is None for protocol in self._protocols)
        return own or self._needs_threshold or bool({"holding_current", "input_resistance"} & set(self._goals))

    def _rest(self, measured: _Measured) -> None:
        rest = self._clamp.settle(0.0, self._settings.settle_ms)
        self._refuse_spikes(rest.trace, "rest", "without any current")
        self._accept("resting_potential", rest.voltage_mV, measured)

    def _hold(self, measured: _Measured) -> SettledState:
        held = self._clamp.hold(self._targets.holding_voltage_mV, self._settings.settle_ms)
        self._accept("holding_current", held.holding_current_nA, measured)
        release = self._clamp.step(held, 0.0, self._settings.before_step_ms, 0.0, self._settings.before_step_ms)
        self._refuse_spikes(release, "holding", f"when held at {self._targets.holding_voltage_mV:.1f} mV")
        return held

    def _input_resistance(self, held: SettledState, measured: _Measured) -> None:
        amplitude_nA = -INPUT_RESISTANCE_DEFLECTION_mV / self._goals["input_resistance"].mean
        trace = self._clamp.step(held, amplitude_nA, 10.0, _RESISTANCE_STEP_MS, 0.0)
        self._accept("input_resistance", (trace.end_mV - held.voltage_mV) / amplitude_nA, measured)

    def _threshold(self, held: SettledState, measured: _Measured) -> float:
        def spikes(amplitude_nA: float) -> bool:
            trace = self._clamp.spikes_at(held, amplitude_nA, self._targets.threshold_duration_ms)
            return trace.spikes(self._targets.settings.spike_threshold_mV) > 0

        expected = self._goals.get("threshold_current")
        largest_nA = self._settings.largest_current_nA
        if expected is not None and expected.weight > 0.0:  # beyond the stage's limit the search ends anyway
            largest_nA = min(largest_nA, expected.mean + self._settings.stage_limit * expected.std)
        threshold_nA = find_threshold_current(
            spikes,
            first_guess_nA=self._likely_threshold(held, measured),
            largest_nA=largest_nA,
            precision=self._settings.threshold_precision,
        )
        if threshold_nA is None:
            raise StageFailure(f"threshold_current: no spike up to {largest_nA:.3g} nA")
        self._accept("threshold_current", threshold_nA, measured)
        return threshold_nA

    def _likely_threshold(self, held: SettledState, measured: _Measured) -> float:
        """Step (nA) that brings a passive membrane of the model's input resistance to where spikes usually begin."""
        resistance_MOhm = measured.features.get("input_resistance")
        if resistance_MOhm is None or held.voltage_mV >= _SPIKE_INITIATION_mV:
            expected = self._goals.get("threshold_current")
            return expected.mean if expected else 0.2
        return (_SPIKE_INITIATION_mV - held.voltage_mV) / resistance_MOhm

    def _protocol(
        self, state: SettledState, threshold_nA: float | None, protocol: ProtocolTargets, measured: _Measured
    ) -> None:
        stimulus, settings = protocol.stimulus, self._settings
        before_ms = settings.before_step_ms if stimulus.before_ms is None else stimulus.before_ms
        after_ms = settings.after_step_ms if stimulus.after_ms is None else stimulus.after_ms
        injected = stimulus.injected(before_ms, state.holding_current_nA, threshold_nA)
        watch = None
        if measured.bound is not None:
            watch = SpikeWatch(
                protocol,
                stimulus.measured(injected),
                measured.scores,
                measured.bound,
                self._targets.settings.spike_threshold_mV,
            )
        trace = self._clamp.inject(state, injected.pieces, injected.offset_ms + after_ms, watch)
        if watch is not None and not trace.complete:
            measured.scores.update(watch.scores)
            raise Excluded
        measured.traces[protocol.name] = trace
        measured.features.update(measure_protocol(protocol, trace, injected))
        self._score([protocol.objective(target) for target in protocol.features], measured)

    def _score(self, names: list[str], measured: _Measured) -> None:
        """Score what was just measured; ends the evaluation when that excludes the candidate."""
        for name in names:
            goal = self._goals[name]
            measured.scores[name] = z_score(measured.features.get(name), goal.mean, goal.std)
        if measured.bound is not None and measured.bound.excludes(measured.scores):
            raise Excluded

    def _accept(self, name: str, value: float, measured: _Measured) -> None:
        """Note an intrinsic property; a value too far off ends the evaluation, unless it weighs nothing."""
        goal = self._goals.get(name)
        if goal is None:
            return
        measured.features[name] = value
        score = z_score(value, goal.mean, goal.std)
        if goal.weight > 0.0 and score > self._settings.stage_limit:
            raise StageFailure(
                f"{name}: {value:.4g} {goal.unit} is {min(score, FAILURE_SCORE):.0f} standard deviations off"
            )
        self._score([name], measured)

    def _refuse_spikes(self, trace: Trace, stage: str, when: str) -> None:
        if trace.spikes(self._targets.settings.spike_threshold_mV):
            raise StageFailure(f"{stage}: the cell fires {when}")


def _sites(targets: FeatureTargets) -> dict[str, tuple[str, RecordingSite | None]]:
    """What is recorded beside the voltage at the soma: name in the traces -> (variable, place)."""
    places = {site.name: site for site in targets.sites}
    wanted = {site_name(target): target for protocol in targets.protocols for target in protocol.features}
    wanted.pop(SOMA, None)
    return {name: (target.variable, places.get(target.location)) for name, target in wanted.items()}
