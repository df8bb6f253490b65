"""Ranges of the options of searches."""

from __future__ import annotations

import math

from rheobase.features.errors import CampaignError


def check_range(name: str, value: float, low: float, high: float = math.inf, above: bool = False) -> None:
    """Refuse an option beyond its range.

    Args:
        name: The option.
        value: What was given.
        low: Smallest value.
        high: Largest value.
        above: Whether the smallest value itself is beyond it.

    Raises:
        CampaignError: it is, or it is not a number.
    """
    if (low < value if above else low <= value) and value <= high:
        return
    least = f"{'above' if above else 'at least'} {low:g}"
    most = f" and at most {high:g}" if high < math.inf else ""
    raise CampaignError(f"the option '{name}' is {least}{most}, got {value:g}")
