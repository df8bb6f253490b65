"""Which features eFEL has, their units, and which of them need a finely sampled spike."""

from __future__ import annotations

import difflib
import functools

from rheobase.features.errors import FeatureError

# Shapes of single action potentials: meaningless when a spike is a handful of samples.
SPIKE_SHAPE_FEATURES = frozenset(
    {
        "AP_width", "AP_duration", "AP_duration_half_width", "AP_rise_time", "AP_fall_time", "AP_rise_rate",
        "AP_fall_rate", "AP_peak_upstroke", "AP_peak_downstroke", "AP_phaseslope", "AP_begin_width", "AP1_width",
        "AP2_width", "APlast_width", "AP1_begin_width", "AP2_begin_width", "AP2_AP1_begin_width_diff",
        "AP_width_between_threshold", "spike_half_width", "spike_width2", "AP_begin_voltage", "AP1_begin_voltage",
        "AP2_begin_voltage", "AP_duration_change", "AP_rise_rate_change", "AP_fall_rate_change",
        "AP_duration_half_width_change", "phaseslope_max",
    }
)  # fmt: skip

# Measured in the injected current.
CURRENT_FEATURES = frozenset({"current", "current_base", "steady_state_current_stimend", "impedance"})

# What eFEL's own table lacks; its documentation has it.
_UNITS_MISSING_IN_EFEL = {
    "ISIs": "ms",
    "Spikecount": "",
    "Spikecount_stimint": "",
    "current": "nA",
    "depol_block": "",
    "is_not_stuck": "",
    "time": "ms",
    "trace_check": "",
    "voltage": "mV",
}
_SPELLED_AS_OURS = {"constant": "", "MΩ": "MOhm", "1/(ms)": "ms-1"}


@functools.cache
def feature_names() -> tuple[str, ...]:
    """Names of all features that can be measured, sorted."""
    import efel

    return tuple(sorted(set(efel.get_feature_names())))


def check_feature_name(name: str) -> None:
    """Raise FeatureError when eFEL has no feature of this name."""
    if name not in feature_names():
        close = difflib.get_close_matches(name, feature_names(), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "see eFEL's list of features"
        raise FeatureError(f"there is no feature '{name}'; {hint}")


def unit(name: str) -> str:
    """Unit of a feature; "" for counts, ratios and indices.

    Raises:
        FeatureError: eFEL has no such feature.
    """
    from efel import units

    if name in _UNITS_MISSING_IN_EFEL:
        return _UNITS_MISSING_IN_EFEL[name]
    check_feature_name(name)
    text = str(units.get_unit(name))
    return _SPELLED_AS_OURS.get(text, text)
