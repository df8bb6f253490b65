"""eFEL's settings by name and type: what may be set, and what a wrong one is told."""

from __future__ import annotations

import difflib
import functools
from typing import TYPE_CHECKING, get_type_hints

from rheobase.features.errors import FeatureError

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = float | int | str | bool

# Settings that have names of their own in rheobase.
OWN_NAMES = {
    "Threshold": "spike_threshold",
    "interp_step": "interpolation_step",
    "strict_stiminterval": "strict_stimulus_interval",
}
_CHOICES = {"voltage_base_mode": ("mean", "median"), "current_base_mode": ("mean", "median")}
# Taken by eFEL's core although its Settings do not list them.
_ONLY_IN_THE_CORE: Mapping[str, type] = {"decay_start_after_stim": float, "decay_end_after_stim": float}


@functools.cache
def setting_types() -> dict[str, type]:
    """Type of each of eFEL's settings; without the file of its dependencies, which decides what features mean."""
    import efel

    listed = get_type_hints(efel.Settings)
    del listed["dependencyfile_path"]
    return {**listed, **_ONLY_IN_THE_CORE}


def check_setting(name: str, value: object) -> Value:
    """A value in the type that eFEL wants.

    Raises:
        FeatureError: There is no such setting, or the value is of another type.
    """
    types = setting_types()
    if name not in types:
        close = difflib.get_close_matches(name, types, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(sorted(types))}"
        raise FeatureError(f"eFEL has no setting '{name}'; {hint}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise FeatureError(f"eFEL's setting {name} must be {' or '.join(_CHOICES[name])}, got {value!r}")
    wanted = types[name]
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if wanted is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if wanted is bool and value in (0, 1):
        return bool(value)
    if wanted is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if wanted is str and isinstance(value, str):
        return value
    said = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}[wanted]
    raise FeatureError(f"eFEL's setting {name} must be {said}, got {value!r}")
