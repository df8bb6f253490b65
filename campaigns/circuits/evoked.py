"""Evoked responses of a circuit's campaign as targets, and how long a trial must last for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.circuits.durations import rest_ms, signals_ms
from rheobase.campaigns.circuits.sensors import build_sensor
from rheobase.campaigns.circuits.stimuli import StimulusOnsets, onsets
from rheobase.features.activity.populations import Units
from rheobase.features.activity.spike_trains import SpikeTrains
from rheobase.features.errors import CampaignError
from rheobase.features.signals.components import Component
from rheobase.features.signals.signal import Signal
from rheobase.fitting.circuits.circuit import CircuitResponse
from rheobase.fitting.circuits.evoked_judging import EvokedTarget, judge_evoked
from rheobase.objectives.evoked import ComponentTarget, SteadyStateTarget
from rheobase.objectives.objective import Target

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.schema_evoked import ComponentKeys, EvokedKeys, SteadyStateKeys
    from rheobase.fitting.circuits.head import Sensor

_STEP_MS = 1.0  # of the noise that targets are tried on


def build_evoked(campaign: CircuitCampaign) -> tuple[EvokedTarget, ...]:
    """Targets of responses to stimuli, each tried on noise of the length of a trial, so that none fails later.

    Raises:
        RheobaseError: a stimulus that does not exist, or comes while rates and spectrum are measured at rest; windows
            that nothing can be measured in. The message names the key.
    """
    found = []
    for place, keys in enumerate(campaign.targets.evoked):
        sensor = build_sensor(campaign, keys.signal)
        with campaign.blamed("targets", "evoked", str(place)):
            target = _target(campaign, keys, sensor)
            judge_evoked([_noise(signals_ms(campaign), campaign.tuning.transient)], target)
        found.append(target)
    return tuple(found)


def _target(campaign: CircuitCampaign, keys: EvokedKeys, sensor: Sensor) -> EvokedTarget:
    wanted, subtracted = _chosen(keys, _onsets(campaign, keys))
    first_ms = min((*wanted, *subtracted), default=0.0)
    if first_ms < rest_ms(campaign):
        raise CampaignError(
            f"'{keys.label}' comes first at {first_ms:g} ms, while rates and spectrum are measured at rest until "
            f"{rest_ms(campaign):g} ms of each trial; let it come later ('start', 'times' of the stimulus), or shorten "
            "tuning.duration or tuning.spectrum_duration"
        )
    if keys.steady_state is not None and len(wanted) < 2:
        raise CampaignError(
            f"'{keys.label}' comes {len(wanted)} time in a trial, but how reliably it is followed shows in two or more "
            "('trains' and 'every' of the stimulus)"
        )
    return EvokedTarget(
        onsets_ms=wanted,
        window_ms=keys.window,
        baseline_ms=keys.baseline,
        components=tuple(_component(one, sensor.unit) for one in keys.components),
        steady_state=None if keys.steady_state is None else _steady_state(keys.steady_state),
        subtracted_onsets_ms=subtracted,
        sensor=sensor,
        name=keys.label,
        scale=keys.scale,
    )


def _onsets(campaign: CircuitCampaign, keys: EvokedKeys) -> StimulusOnsets:
    if keys.stimulus is None:
        return StimulusOnsets(keys.onsets)
    stimuli = {} if campaign.circuit is None else campaign.circuit.stimuli
    if keys.stimulus not in stimuli:
        hint = ", ".join(stimuli) or "none (of circuits of others give 'onsets')"
        raise CampaignError(f"there is no stimulus '{keys.stimulus}' in circuit.stimuli; there are {hint}")
    return onsets(stimuli[keys.stimulus])


def _chosen(keys: EvokedKeys, times: StimulusOnsets) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Onsets whose response is measured, and those whose response is subtracted from it."""
    oddball = bool(times.standards_ms and times.deviants_ms)
    response = keys.response or ("difference" if oddball else "all")
    if response == "all":
        return times.all_ms, ()
    if not oddball:
        raise CampaignError(
            f"'{keys.stimulus}' has no {response}: only an oddball sequence with standards and deviants has; leave "
            "'response' out"
        )
    if response == "standards":
        return times.standards_ms, ()
    return times.deviants_ms, times.standards_ms if response == "difference" else ()


def _component(keys: ComponentKeys, unit: str) -> ComponentTarget:
    amplitude = keys.amplitude or keys.field  # of the signal: the schema has seen to it
    return ComponentTarget(
        Component(keys.name, keys.polarity, keys.window),
        unit,
        None if amplitude is None else Target(amplitude.value, amplitude.tolerance),
        None if keys.latency is None else Target(keys.latency.value, keys.latency.tolerance),
    )


def _steady_state(keys: SteadyStateKeys) -> SteadyStateTarget:
    return SteadyStateTarget(
        keys.frequency,
        None if keys.coherence is None else Target(keys.coherence.value, keys.coherence.tolerance),
        None if keys.power_ratio is None else Target(keys.power_ratio.value, keys.power_ratio.tolerance),
        keys.window,
    )


def _noise(duration_ms: float, dropped_ms: float) -> CircuitResponse:
    """A response without anything in it."""
    samples = int((duration_ms - dropped_ms) / _STEP_MS)
    values = np.random.default_rng(1).normal(size=(3, samples))
    dipole = Signal(values, 1000.0 / _STEP_MS, "nA um", ("x", "y", "z"), dropped_ms)
    spikes = SpikeTrains(np.empty(0), np.empty(0, int), Units.from_sizes({"none": 1}), dropped_ms, duration_ms)
    return CircuitResponse(spikes, dipole=dipole)
