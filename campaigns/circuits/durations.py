"""How long trials of a circuit's campaign last: at rest first, then while stimuli come."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.stimuli import onsets

if TYPE_CHECKING:
    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.schema_evoked import EvokedKeys

_MARGIN_MS = 10.0
_CPU_S_PER_SIMULATED_S = 300.0
_LEAST_LIMIT_S = 300.0
_MARGIN_S = 60.0  # a command ends at its limit by itself, and says so


def rest_ms(campaign: CircuitCampaign) -> float:
    """Until when rates and spectrum are measured (ms from the start of a trial); evoked responses come after it."""
    tuning = campaign.tuning
    with_spectrum = campaign.targets.spectrum is not None
    return tuning.transient + (tuning.spectrum_duration if with_spectrum else tuning.duration)


def signals_ms(campaign: CircuitCampaign) -> float:
    """Length of the trials with targets beside rates (ms): until the last stimulus has been responded to."""
    if not campaign.targets.evoked:
        return campaign.tuning.transient + campaign.tuning.spectrum_duration
    ends = [_last_onset_ms(campaign, keys) + keys.window[1] + _MARGIN_MS for keys in campaign.targets.evoked]
    return float(math.ceil(max(rest_ms(campaign), *ends)))


def limit_s(campaign: CircuitCampaign, duration_ms: float) -> float:
    """CPU time after which a trial is given up (s).

    Args:
        campaign: Commands and functions of others have their own limit.
        duration_ms: How long the trial lasts (ms).
    """
    if campaign.external is not None:
        return campaign.external.time_limit + _MARGIN_S
    return max(_LEAST_LIMIT_S, _CPU_S_PER_SIMULATED_S * duration_ms / 1000.0)


def _last_onset_ms(campaign: CircuitCampaign, keys: EvokedKeys) -> float:
    stimuli = {} if campaign.circuit is None else campaign.circuit.stimuli
    if keys.stimulus is None:
        return max(keys.onsets)
    return max(onsets(stimuli[keys.stimulus]).all_ms) if keys.stimulus in stimuli else 0.0
