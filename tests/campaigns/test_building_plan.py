from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rheobase.campaigns.building import build_folder
from rheobase.campaigns.building_plan import build_plan
from rheobase.campaigns.loading import load_campaign
from rheobase.campaigns.schema import Campaign
from rheobase.campaigns.schema_types import CANONICAL
from rheobase.features.errors import CampaignError, FeatureError
from rheobase.features.measurement import MeasurementSettings
from rheobase.features.requests import (
    STANDARD_FEATURES_ABOVE,
    ExtractionPlan,
    FeatureRequest,
    Level,
    ProtocolRequest,
    plain,
)
from rheobase.features.rheobase import RheobaseSettings
from rheobase.features.statistics import StatisticsSettings

HEAD = """\
rheobase: 1
name: plan
recordings: {folder: ., junction_potential: 14 mV}
model:
  morphology: cell.swc
  parameters: {g_pas.all: 1e-5 to 1e-4 S/cm2}
"""
EVERYTHING = """\
features:
  spike_threshold: -30 mV
  strict_stimulus_interval: false
  efel: {DerivativeThreshold: 20, ignore_first_ISI: false}
  rheobase_protocols: [IDthresh]
  rheobase_method: majority
  rheobase_same_amplitude: 5 pA
  cell: C1
  statistics:
    over: sweeps
    minimum_sweeps: 3
    smallest_std: {mV: 1.0}
    smallest_std_of: {AP_width: 100 us, ISI_CV: 0.1, threshold_current: 5 pA}
    outlier_deviations: 4
    remove_outliers: true
    sweeps_for_own_std: 8
  protocols:
    IDrest:
      levels: {150 %: 5 %, 200 %: 20 %}
      features:
        - mean_frequency
        - {feature: AP_width, interpolation_step: 0.025 ms, weight: 2, efel: {DerivativeThreshold: 5}}
        - {feature: Spikecount, name: Spikecount_late, measure_in: 1 to 2 s}
    absolute:
      protocol: idrest
      levels: [100 pA, 0.2 nA]
      tolerance: 10 pA
      spike_threshold: -10 mV
    HyperDepol:
      levels: [-100 %]
      tolerance: 15 %
      amplitude_piece: 1
      measure_in: piece 2
      features_below: [sag_ratio1]
    SpikeRec: {levels: [600 %], gap: 15 to 25 ms, window: 10 to 13.5 ms, features: [Spikecount]}
"""


def load(tmp_path: Path, features: str) -> Campaign:
    path = tmp_path / "campaign.yaml"
    path.write_text(HEAD + features, encoding="utf-8")
    return load_campaign(path)


def test_everything(tmp_path: Path) -> None:
    settings = MeasurementSettings(-30.0, 0.1, False, (("DerivativeThreshold", 20.0), ("ignore_first_ISI", False)))
    fine = dataclasses.replace(
        settings,
        interpolation_step_ms=0.025,
        efel=(("DerivativeThreshold", 5.0), ("ignore_first_ISI", False)),
    )
    expected = ExtractionPlan(
        protocols=(
            ProtocolRequest(
                "IDrest",
                (Level(150.0, 5.0), Level(200.0, 20.0)),
                (
                    FeatureRequest("mean_frequency"),
                    FeatureRequest("AP_width", settings=fine, weight=2.0),
                    FeatureRequest("Spikecount", "Spikecount_late", measure_in=(1000.0, 2000.0)),
                ),
                name="IDrest",
            ),
            ProtocolRequest(
                "idrest",
                (Level(0.1, 0.01, "nA"), Level(0.2, 0.01, "nA")),
                plain(STANDARD_FEATURES_ABOVE),
                name="absolute",
                settings=dataclasses.replace(settings, spike_threshold_mV=-10.0),
            ),
            ProtocolRequest(
                "HyperDepol",
                (Level(-100.0, 15.0),),
                (),
                plain(["sag_ratio1"]),
                name="HyperDepol",
                amplitude_piece=0,
                measure_in=1,
            ),
            ProtocolRequest(
                "SpikeRec",
                (Level(600.0, 10.0),),
                plain(["Spikecount"]),
                name="SpikeRec",
                gap_ms=(15.0, 25.0),
                window_ms=(10.0, 13.5),
            ),
        ),
        rheobase=RheobaseSettings(("IDthresh",), "majority", 0.005),
        statistics=StatisticsSettings(
            over="sweeps",
            smallest_std=(("mV", 1.0),),
            minimum_sweeps=3,
            smallest_std_of=(("AP_width", 0.1), ("ISI_CV", 0.1), ("threshold_current", 0.005)),
            outlier_deviations=4.0,
            remove_outliers=True,
            sweeps_for_own_std=8,
        ),
        settings=settings,
        junction_potential_mV=14.0,
    )
    campaign = load(tmp_path, EVERYTHING)
    assert build_plan(campaign) == expected
    again = Campaign.model_validate(campaign.model_dump(mode="json"), context=CANONICAL)
    assert build_plan(again) == expected
    assert again.features == campaign.features
    wanted = build_folder(campaign, tmp_path).protocols
    assert wanted == ("IDrest", "idrest", "HyperDepol", "SpikeRec", "IDthresh")


def test_nothing_said(tmp_path: Path) -> None:
    assert build_plan(load(tmp_path, "")) == ExtractionPlan(junction_potential_mV=14.0)


def test_levels_as_earlier_versions_kept_them(tmp_path: Path) -> None:
    """As numbers in %."""
    content = load(tmp_path, "features: {protocols: {IDrest: {levels: [150 %]}}}").model_dump(mode="json")
    content["features"]["protocols"]["IDrest"]["levels"] = [150.0]
    campaign = Campaign.model_validate(content, context=CANONICAL)
    assert build_plan(campaign).protocols[0].levels == (Level(150.0, 10.0),)


@pytest.mark.parametrize(
    ("features", "place", "message"),
    [
        ("{efel: {DerivativThreshold: 5}}", "features.efel", "no setting 'DerivativThreshold'; did you mean Deriv"),
        ("{efel: {Threshold: -20}}", "features.efel", "eFEL's setting Threshold is the key 'spike_threshold' here"),
        ("{efel: {DerivativeThreshold: fast}}", "features.efel", "must be a number, got 'fast'"),
        ("{rheobase_method: middle}", "features.rheobase_method", "'lowest', 'majority' or 'interpolated'"),
        ("{statistics: {smallest_std_of: {AP_widt: 1 ms}}}", "smallest_std_of", "no feature 'AP_widt'; did you"),
        ("{statistics: {smallest_std_of: {AP_width: 1 mV}}}", "smallest_std_of", "expected a unit like ms, got 'mV'"),
        ("{statistics: {smallest_std_of: {ISI_CV: 1 ms}}}", "smallest_std_of", "ISI_CV has no unit: expected a number"),
        ("{statistics: {smallest_std_of: {ISI_CV: 0}}}", "smallest_std_of.ISI_CV", "greater than 0"),
        ("{protocols: {IDrest: {levels: [0.1 nA]}}}", "protocols.IDrest", "levels in nA need a tolerance, such as"),
        ("{protocols: {IDrest: {levels: [150]}}}", "protocols.IDrest.levels.0", "such as '1 %', got 150"),
        ("{protocols: {IDrest: {levels: [150 mV]}}}", "protocols.IDrest.levels.0", "expected a unit like nA, got 'mV'"),
        ("{protocols: {IDrest: {levels: {}}}}", "protocols.IDrest.levels", "at least 1 item"),
        ("{protocols: {IDrest: {levels: {150 %: 5}}}}", "protocols.IDrest.levels", "such as '1 %', got 5"),
        ("{protocols: {IDrest: {levels: {150 %: 5 pA}}}}", "protocols.IDrest", "must be above zero and in % too"),
        ("{protocols: {IDrest: {levels: [150 %], tolerance: 0 %}}}", "protocols.IDrest", "must be above zero and in %"),
        ("{protocols: {IDrest: {levels: [10 pA], tolerance: 5 %}}}", "protocols.IDrest", "above zero and in nA too"),
        ("{protocols: {IDrest: {levels: [150 %], features: [{feature: AP_widt}]}}}", "features.0.feature", "AP_widt"),
        ("{protocols: {IDrest: {levels: [150 %], features: [{feature: ISI_CV, wieght: 2}]}}}", "wieght", "'weight'"),
        ("{protocols: {IDrest: {levels: [150 %], measure_in: piece 0}}}", "measure_in", "such as 'piece 2', or a time"),
        ("{protocols: {IDrest: {levels: [150 %], measure_in: 3}}}", "measure_in", "such as 'piece 2', or a time"),
        ("{protocols: {IDrest: {levels: [150 %], amplitude_piece: 0}}}", "amplitude_piece", "greater than or equal"),
    ],
)  # fmt: skip
def test_mistakes(features: str, place: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=message) as raised:
        load(tmp_path, f"features: {features}")
    assert place in str(raised.value)
    assert "campaign.yaml" in str(raised.value)


def test_the_same_target_twice(tmp_path: Path) -> None:
    text = "features: {protocols: {IDrest: {levels: [150 %, 150 %]}}}"
    with pytest.raises(FeatureError, match=r"campaign.yaml, line 7, features.protocols: IDrest_150 is asked for twice"):
        build_plan(load(tmp_path, text))
