"""Features of a voltage trace, measured by eFEL. Nothing else in rheobase calls eFEL."""

from __future__ import annotations

import contextlib
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rheobase.features.efel_settings import OWN_NAMES, Value, check_setting
from rheobase.features.errors import FeatureError
from rheobase.features.strictness import STRICT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from rheobase.features.recording import Step


@dataclass(frozen=True)
class MeasurementSettings:
    """How features are measured; the same for recordings and models.

    Attributes:
        spike_threshold_mV: A spike is a crossing of this voltage (mV); eFEL's Threshold.
        interpolation_step_ms: Traces are interpolated to this step before they are measured (ms); its interp_step.
        strict_stimulus_interval: Whether spikes outside the stimulus are left out; its strict_stiminterval.
        efel: Further eFEL settings, name and value, sorted by name; what is not said has eFEL's default.
    """

    spike_threshold_mV: float = -20.0
    interpolation_step_ms: float = 0.1
    strict_stimulus_interval: bool = True
    efel: tuple[tuple[str, Value], ...] = ()
    __pydantic_config__ = STRICT

    def __post_init__(self) -> None:
        if not self.interpolation_step_ms > 0:
            raise FeatureError(f"the interpolation step must be above 0 ms, got {self.interpolation_step_ms:g} ms")
        if self.efel:  # eFEL is imported only then
            for name, _ in self.efel:
                if name in OWN_NAMES:
                    raise FeatureError(f"eFEL's setting {name} is called {OWN_NAMES[name]} here")
            checked = tuple(sorted((name, check_setting(name, value)) for name, value in self.efel))
            object.__setattr__(self, "efel", checked)

    @property
    def as_efel(self) -> dict[str, Value]:
        """All of them by eFEL's names."""
        return {
            "Threshold": self.spike_threshold_mV,
            "interp_step": self.interpolation_step_ms,
            "strict_stiminterval": self.strict_stimulus_interval,
            **dict(self.efel),
        }


def settings_from_efel(given: Mapping[str, object], base: MeasurementSettings | None = None) -> MeasurementSettings:
    """Settings from eFEL's names and values, as BluePyEfe's files give them.

    Args:
        given: Name and value.
        base: What holds where nothing is given; None: the defaults of MeasurementSettings.

    Raises:
        FeatureError: There is no such setting, or the value is of another type.
    """
    merged = {**(base or MeasurementSettings()).as_efel}
    merged.update({name: check_setting(name, value) for name, value in given.items()})
    return MeasurementSettings(
        float(merged.pop("Threshold")),
        float(merged.pop("interp_step")),
        bool(merged.pop("strict_stiminterval")),
        tuple(merged.items()),
    )


def measure(
    time_ms: NDArray[np.float64],
    voltage_mV: NDArray[np.float64],
    step: Step,
    names: Sequence[str],
    settings: MeasurementSettings,
    current_nA: NDArray[np.float64] | None = None,
) -> dict[str, float | None]:
    """Mean of every feature's values over the trace, as BluePyEfe takes it; None where the trace has none.

    One call of eFEL for all features; its global settings are put back as they were.

    Args:
        time_ms: Times (ms), increasing, not necessarily evenly spaced, shape (samples,).
        voltage_mV: Membrane potential (mV), shape (samples,).
        step: Where to measure, and the amplitude of the stimulus.
        names: eFEL's names of the features.
        settings: How to measure.
        current_nA: Injected current (nA), shape (samples,); needed by `CURRENT_FEATURES` only.
    """
    values = measure_values(time_ms, voltage_mV, step, names, settings, current_nA)
    return {name: _mean(found) for name, found in values.items()}


def measure_values(
    time_ms: NDArray[np.float64],
    voltage_mV: NDArray[np.float64],
    step: Step,
    names: Sequence[str],
    settings: MeasurementSettings,
    current_nA: NDArray[np.float64] | None = None,
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
    if current_nA is not None:
        trace["I"] = current_nA.tolist()
    with _efel_settings(settings), _quiet():
        found = efel.get_feature_values([trace], list(names), raise_warnings=False)[0]
        efel.cppcore.getgError()  # eFEL's messages of features that failed pile up in memory until they are fetched
    return {name: np.atleast_1d(np.asarray([] if found[name] is None else found[name], dtype=float)) for name in names}


def _mean(values: NDArray[np.float64]) -> float | None:
    values = values[~np.isnan(values)]
    mean = float(np.mean(values)) if len(values) else np.nan
    return mean if np.isfinite(mean) else None


@contextlib.contextmanager
def _efel_settings(settings: MeasurementSettings) -> Iterator[None]:
    """EFEL's defaults and what `settings` says, whatever others have set."""
    import efel

    current = vars(efel.get_settings())
    before = dict(current)
    try:
        current.clear()
        current.update(vars(efel.Settings()))
        for name, value in settings.as_efel.items():
            efel.set_setting(name, value)
        yield
    finally:
        current.clear()
        current.update(before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without eFEL's remarks on features that a trace does not have: that is told by their absence."""
    log = logging.getLogger("efel")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
