"""From a campaign's section `features` to the plan of an extraction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from rheobase.campaigns.schema import MeasurementKeys
    from rheobase.campaigns.schema_features import FeatureEntry, LevelEntry, ProtocolFeatures, Statistics

_TOLERANCE_PERCENT = 10.0


def build_plan(campaign: MeasurementKeys) -> ExtractionPlan:
    """What to extract from the recordings.

    Raises:
        FeatureError: Two entries ask for the same target.
    """
    config = campaign.features
    settings = MeasurementSettings(
        config.spike_threshold, config.interpolation_step, config.strict_stimulus_interval, tuple(config.efel.items())
    )
    with campaign.blamed("features", "protocols"):
        return ExtractionPlan(
            protocols=tuple(_request(name, entry, settings) for name, entry in config.protocols.items()),
            rheobase=RheobaseSettings(
                config.rheobase_protocols, config.rheobase_method, config.rheobase_same_amplitude
            ),
            intrinsic=config.intrinsic,
            statistics=_statistics(config.statistics),
            settings=settings,
            junction_potential_mV=campaign.junction_potential,
        )


def _statistics(config: Statistics) -> StatisticsSettings:
    return StatisticsSettings(
        over=config.over,
        minimum_cells=config.minimum_cells,
        smallest_std_fraction=config.smallest_std_fraction,
        smallest_std=tuple(config.smallest_std.items()),
        minimum_sweeps=config.minimum_sweeps,
        smallest_std_of=tuple(config.smallest_std_of.items()),
        outlier_deviations=config.outlier_deviations,
        remove_outliers=config.remove_outliers,
        sweeps_for_own_std=config.sweeps_for_own_std,
    )


def _request(name: str, config: ProtocolFeatures, settings: MeasurementSettings) -> ProtocolRequest:
    own = _settings(config, settings)
    features = tuple(_feature(entry, own or settings) for entry in config.features)
    below = config.features_below
    return ProtocolRequest(
        protocol=config.protocol or name,
        levels=tuple(_level(level, config) for level in config.levels),
        features=features or (() if below else plain(STANDARD_FEATURES_ABOVE)),
        features_below=None if below is None else tuple(_feature(entry, own or settings) for entry in below),
        name=name,
        amplitude_piece=None if config.amplitude_piece is None else config.amplitude_piece - 1,
        measure_in=config.measure_in,
        gap_ms=config.gap,
        window_ms=config.window,
        settings=own,
    )


def _level(level: LevelEntry, config: ProtocolFeatures) -> Level:
    tolerance = level.tolerance or config.tolerance
    return Level(
        level.amplitude.value, _TOLERANCE_PERCENT if tolerance is None else tolerance.value, level.amplitude.unit
    )


def _feature(entry: FeatureEntry, settings: MeasurementSettings) -> FeatureRequest:
    return FeatureRequest(entry.feature, entry.name, _settings(entry, settings), entry.measure_in, entry.weight)


def _settings(entry: ProtocolFeatures | FeatureEntry, base: MeasurementSettings) -> MeasurementSettings | None:
    """Settings of an entry where it says something else than those around it."""
    strict = entry.strict_stimulus_interval
    own = replace(
        base,
        spike_threshold_mV=base.spike_threshold_mV if entry.spike_threshold is None else entry.spike_threshold,
        interpolation_step_ms=entry.interpolation_step or base.interpolation_step_ms,
        strict_stimulus_interval=base.strict_stimulus_interval if strict is None else strict,
        efel=tuple({**dict(base.efel), **entry.efel}.items()),
    )
    return None if own == base else own
