"""Cells to be fitted by BluePyOpt and by us: the same model, stimuli in nA, and targets for both.

Stimuli are given as BluePyOpt knows them, with a fixed holding current and fixed amplitudes: no threshold search.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rheobase.campaigns.building import build_folder, build_model
from rheobase.campaigns.building_plan import build_plan
from rheobase.campaigns.loading import library, load_campaign
from rheobase.campaigns.schema import Campaign, Recordings
from rheobase.features.extraction import extract
from rheobase.features.layout import read_recordings
from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from rheobase.fitting.cells.evaluator import CellEvaluator, EvaluationSettings
from rheobase.fitting.cells.model import CellModel

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETTLE_MS, BEFORE_MS, AFTER_MS = 600.0, 100.0, 100.0
SETTINGS = EvaluationSettings(settle_ms=SETTLE_MS, before_step_ms=BEFORE_MS, after_step_ms=AFTER_MS)


@dataclass(frozen=True)
class Problem:
    """A cell and what it is fitted to."""

    name: str
    model: CellModel
    targets: FeatureTargets
    settings: EvaluationSettings = SETTINGS


def hidden_conductances(campaign: Campaign) -> dict[str, float]:
    """Those of the virtual cells that a campaign makes its recordings from."""
    assert isinstance(campaign.recordings, Recordings)
    assert campaign.recordings.surrogates is not None
    return {name: float(text.split()[0]) for name, text in campaign.recordings.surrogates.hidden.items()}


def small_problem() -> Problem:
    """The demo's cell (six free conductances); targets are the features of its hidden conductances."""
    campaign = load_campaign(library()["demo"])
    model = build_model(campaign)
    hidden = hidden_conductances(campaign)
    steps = {
        "IV": (-0.05, 400.0, ("ohmic_input_resistance_vb_ssse", "sag_ratio1", "voltage_base")),
        "IDrest_150": (0.15, 400.0, ("mean_frequency", "time_to_first_spike", "AP_amplitude", "AHP_depth")),
        "IDrest_200": (0.2, 400.0, ("mean_frequency", "inv_first_ISI", "adaptation_index2", "AHP_depth")),
        "IDrest_300": (0.3, 400.0, ("mean_frequency", "time_to_first_spike", "AP_amplitude", "AHP_depth")),
        "APWaveform": (0.3, 50.0, ("AP_amplitude", "AP_duration_half_width", "AHP_depth")),
    }
    unknown = tuple(
        ProtocolTargets(
            name, _stimulus(amplitude, length, -0.02), amplitude, tuple(FeatureTarget(f, 0.0, 1.0) for f in features)
        )
        for name, (amplitude, length, features) in steps.items()
    )
    targets = FeatureTargets(-84.0, 400.0, (), unknown)
    found = CellEvaluator(model, targets, SETTINGS).evaluate(hidden)
    assert found.failure is None
    known = tuple(
        dataclasses.replace(
            protocol,
            features=tuple(
                dataclasses.replace(target, mean=value, std=max(0.05 * abs(value), 0.01))
                for target in protocol.features
                if (value := found.features.get(protocol.objective(target))) is not None
            ),
        )
        for protocol in unknown
    )
    return Problem("small", model, dataclasses.replace(targets, protocols=known))


def l5_problem(segment_length_um: float = 40.0) -> Problem:
    """The layer 5 pyramidal cell of `rat_l5_pyramidal` (22 free parameters), its targets at mean currents."""
    overrides = [
        f"recordings.folder={DATA / 'rat_l5_pyramidal'}",
        f"model.morphology={DATA / 'morphologies' / 'C060114A5.asc'}",
    ]
    campaign = load_campaign(library()["rat_l5_pyramidal"], overrides)
    targets = extract(read_recordings(build_folder(campaign, DATA)), build_plan(campaign)).targets
    holding_nA = float(np.mean([cell.holding_current_nA for cell in targets.cells]))
    protocols = tuple(
        dataclasses.replace(
            protocol, stimulus=_stimulus(round(protocol.amplitude_nA, 4), protocol.duration_ms, round(holding_nA, 4))
        )
        for protocol in targets.protocols
    )
    absolute = dataclasses.replace(targets, intrinsic=(), protocols=protocols)
    model = dataclasses.replace(build_model(campaign), segment_length_um=segment_length_um)
    return Problem("l5", model, absolute)


def _stimulus(amplitude_nA: float, duration_ms: float, holding_nA: float) -> ProtocolStimulus:
    piece = TargetPiece(0.0, duration_ms, amplitude_nA, amplitude_nA)
    return ProtocolStimulus((piece,), "nA", holding_nA=holding_nA)
