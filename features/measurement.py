"""Features of a voltage trace, measured by eFEL. Nothing else in rheobase calls eFEL."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from rheobase.features.recording import Step

# Shapes of single action potentials: meaningless when a spike is a handful of samples.
SPIKE_SHAPE_FEATURES = frozenset(
    {
        "AP_width", "AP_duration", "AP_duration_half_width", "AP_rise_time", "AP_fall_time", "AP_rise_rate",
        "AP_fall_rate", "AP_peak_upstroke", "AP_peak_downstroke", "AP_phaseslope", "AP_begin_width", "AP1_width",
        "AP2_width", "APlast_width", "AP1_begin_width", "AP2_begin_width", "spike_half_width", "spike_width2",
        "AP_begin_voltage", "AP1_begin_voltage", "AP2_begin_voltage", "AP_duration_change", "AP_rise_rate_change",
        "AP_fall_rate_change", "AP_duration_half_width_change", "phaseslope_max",
    }
)  # fmt: skip


@dataclass(frozen=True)
class MeasurementSettings:
    """How features are measured; the same for recordings and models.

    Attributes:
        spike_threshold_mV: A spike is a crossing of this voltage (mV).
        interpolation_step_ms: Traces are interpolated to this step before they are measured (ms).
        strict_stimulus_interval: Whether spikes outside the stimulus are left out.
        efel: Further eFEL settings, name and value.
    """

    spike_threshold_mV: float = -20.0
    interpolation_step_ms: float = 0.1
    strict_stimulus_interval: bool = True
    efel: tuple[tuple[str, float | int | str], ...] = ()


@functools.cache
def feature_names() -> tuple[str, ...]:
    """Names of all features that can be measured, sorted."""
    import efel

    return tuple(sorted(efel.get_feature_names()))


def check_feature_name(name: str) -> None:
    """Raise FeatureError when eFEL has no feature of this name."""
    if name not in feature_names():
        close = difflib.get_close_matches(name, feature_names(), n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "see eFEL's list of features"
        raise FeatureError(f"there is no feature '{name}'; {hint}")


def unit(name: str) -> str:
    """Unit of a feature ("" where eFEL states none)."""
    from efel import units

    try:
        text = str(units.get_unit(name))
    except KeyError:
        return ""
    return {"constant": "", "wrong unit": ""}.get(text, text)


def measure(
    time_ms: NDArray[np.float64],
    voltage_mV: NDArray[np.float64],
    step: Step,
    names: Sequence[str],
    settings: MeasurementSettings,
) -> dict[str, float | None]:
    """Mean of every feature's values over the trace; None where the trace has none.

    One call of eFEL for all features; its global settings are put back as they were.

    Args:
        time_ms: Times (ms), increasing, not necessarily evenly spaced, shape (samples,).
        voltage_mV: Membrane potential (mV), shape (samples,).
        step: The stimulus.
        names: eFEL's names of the features.
        settings: How to measure.
    """
    values = measure_values(time_ms, voltage_mV, step, names, settings)
    means = {name: float(np.mean(found)) if len(found) else None for name, found in values.items()}
    return {name: mean if mean is not None and np.isfinite(mean) else None for name, mean in means.items()}


def measure_values(
    time_ms: NDArray[np.float64],
    voltage_mV: NDArray[np.float64],
    step: Step,
    names: Sequence[str],
    settings: MeasurementSettings,
) -> dict[str, NDArray[np.float64]]:
    """All values of every feature (one per spike, interval, ...), arrays of shape (values,)."""
    import efel

    trace = {
        "T": time_ms.tolist(),  # lists: eFEL's copy of an array is slower
        "V": voltage_mV.tolist(),
        "stim_start": [step.onset_ms],
        "stim_end": [step.offset_ms],
        "stimulus_current": [step.amplitude_nA],
    }
    with _efel_settings(settings):
        found = efel.get_feature_values([trace], list(names), raise_warnings=False)[0]
    return {name: np.atleast_1d(np.asarray([] if found[name] is None else found[name], dtype=float)) for name in names}


@contextlib.contextmanager
def _efel_settings(settings: MeasurementSettings) -> Iterator[None]:
    import efel

    before = dataclasses.asdict(efel.get_settings())
    chosen = {
        "Threshold": settings.spike_threshold_mV,
        "interp_step": settings.interpolation_step_ms,
        "strict_stiminterval": settings.strict_stimulus_interval,
        **dict(settings.efel),
    }
    try:
        for name, value in chosen.items():
            efel.set_setting(name, value)
        yield
    finally:
        for name in chosen:
            efel.set_setting(name, before[name])
