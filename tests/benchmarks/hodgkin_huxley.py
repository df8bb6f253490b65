"""The Hodgkin-Huxley surrogate: three conductances, to be found from features of the voltage.

One compartment with NEURON's `hh` at 6.3 degC (Hodgkin & Huxley 1952), two steps of current, and as targets
the features of the true conductances.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rheobase.features.measurement import MeasurementSettings, measure
from rheobase.features.recording import Step
from rheobase.fitting.search.space import Dimension
from rheobase.objectives.scores import deviations, z_score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rheobase.fitting.evaluation import Bound

TRUE = {"gnabar": 0.12, "gkbar": 0.036, "gl": 0.0003}  # S/cm2
# A decade to either side.
DIMENSIONS = tuple(Dimension(name, value / 10.0, value * 10.0, logarithmic=True) for name, value in TRUE.items())
ONSET_MS, OFFSET_MS, END_MS = 5.0, 35.0, 40.0
AMPLITUDES_nA = {"hyperpolarising": -0.03, "depolarising": 0.08}
# Standard deviations as of recordings: mV, ms, Hz.
TARGETS = {
    "hyperpolarising": {"voltage_base": 0.5, "steady_state_voltage_stimend": 0.5, "minimum_voltage": 0.5},
    "depolarising": {
        "voltage_base": 0.5,
        "mean_frequency": 2.0,
        "time_to_first_spike": 0.1,
        "AP_amplitude": 1.0,
        "AP_duration_half_width": 0.05,
        "AHP_depth_abs": 0.5,
    },
}
GROUPS = {f"{protocol}.{feature}": protocol for protocol, features in TARGETS.items() for feature in features}
SETTINGS = MeasurementSettings(interpolation_step_ms=0.05)


class HodgkinHuxley:
    """Scores of conductances; a process of its own is needed, as NEURON's state is global."""

    def __init__(self) -> None:
        os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
        from neuron import h

        self._h = h
        h.load_file("stdrun.hoc")
        self._soma = h.Section(name="soma")
        self._soma.L = self._soma.diam = 12.6157  # um: 500 um2
        self._soma.insert("hh")
        self._clamp = h.IClamp(self._soma(0.5))
        self._clamp.delay, self._clamp.dur = ONSET_MS, OFFSET_MS - ONSET_MS
        self._time = h.Vector().record(h._ref_t)
        self._voltage = h.Vector().record(self._soma(0.5)._ref_v)
        h.celsius = 6.3
        h.cvode_active(1)
        self._set(TRUE)
        self._goals = {protocol: self._features(protocol) for protocol in TARGETS}

    def scores(
        self, conductances: Mapping[str, float], bound: Bound | None = None
    ) -> tuple[dict[str, float], dict[str, float], bool]:
        """Scores of one protocol after another, deviations from what is wanted, and whether a bound ended that."""
        self._set(conductances)
        scores: dict[str, float] = {}
        features: dict[str, float] = {}
        means: dict[str, float] = {}
        for protocol, targets in TARGETS.items():
            if bound is not None and bound.excludes(scores):
                return scores, {}, True
            found, goals = self._features(protocol), self._goals[protocol]
            for name, std in targets.items():
                goal = goals[name]
                assert goal is not None
                objective, value = f"{protocol}.{name}", found[name]
                scores[objective], means[objective] = z_score(value, goal, std), goal
                if value is not None:
                    features[objective] = value
        return scores, deviations(scores, features, means), False

    def _set(self, conductances: Mapping[str, float]) -> None:
        for name, value in conductances.items():
            setattr(self._soma, f"{name}_hh", value)

    def _features(self, protocol: str) -> dict[str, float | None]:
        self._clamp.amp = AMPLITUDES_nA[protocol]
        self._h.finitialize(-65.0)
        self._h.continuerun(END_MS)
        step = Step(ONSET_MS, OFFSET_MS, AMPLITUDES_nA[protocol], 0.0)
        names = list(TARGETS[protocol])
        return measure(self._time.as_numpy(), self._voltage.as_numpy(), step, names, SETTINGS)
