"""Targets that use everything a targets file can hold."""

from __future__ import annotations

from rheobase.features.measurement import MeasurementSettings
from rheobase.features.sites import RecordingSite
from rheobase.features.target_stimuli import ProtocolStimulus, TargetPiece
from rheobase.features.targets import CellSummary, FeatureTarget, FeatureTargets, Outlier, ProtocolTargets

TARGETS = FeatureTargets(
    holding_voltage_mV=-84.1,
    threshold_duration_ms=2000.0,
    intrinsic=(FeatureTarget("threshold_current", 0.1 + 0.2, 1e-3, "nA", 5, 5),),
    protocols=(
        ProtocolTargets(
            "IDrest_150", ProtocolStimulus.step(149.7, 2000.0), 0.31,
            (
                FeatureTarget("mean_frequency", 7.25, 1.1, "Hz", 5, 7),
                FeatureTarget(
                    "Spikecount", 3.0, 1.0, "", 5, 7, name="Spikecount_late", weight=2.0, window_ms=(1000.0, 2000.0),
                    settings=MeasurementSettings(-10.0),
                ),
            ),
            MeasurementSettings(-30.0, 0.025, False, (("DerivativeThreshold", 5.0), ("voltage_base_mode", "median"))),
        ),
        ProtocolTargets(
            "bAP",
            ProtocolStimulus(
                (TargetPiece(0.0, 4.0, 1.5, 1.5), TargetPiece(10.0, 5.0, 0.0, -0.2)), "nA", (0.0, 60.0), 1, 700.0,
                250.0, -0.05,
            ),
            1.51,
            (
                FeatureTarget("Spikecount", 1.0, 0.01),
                FeatureTarget("maximum_voltage_from_voltagebase", 72.5, 5.4, "mV", 0, 0, "dend1"),
                FeatureTarget("maximum_voltage_from_voltagebase", 1.3e-4, 9e-5, "mM", 0, 0, "ca_soma", "cai"),
            ),
        ),
    ),
    junction_potential_mV=14.0,
    cells=(CellSummary("C1", 0.24, -0.03, -84.0, 9, True, 0.22), CellSummary("C2", None, 0.0, -80.0, 2, False)),
    notes=("cell C2 left out: µ",),
    settings=MeasurementSettings(-30.0),
    outliers=(Outlier("IDrest_150.soma.v.mean_frequency", "C1", "IDrest 7", 30.0, 7.0, 5.5, True),),
    sites=(
        RecordingSite("dend1", "apical", 208.0, "apical_trunk"),
        RecordingSite("ca_soma", "somatic", section=0, position=0.5),
    ),
)  # fmt: skip
