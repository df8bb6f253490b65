"""Whether a running trial is plainly off: populations that run away, or stay silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rheobase.fitting.circuits.circuit import RateLimits

# A population that should have fired this often is not silent by chance: exp(-5) is less than 1 %.
_SPIKES_MISSED = 5.0


class RateWatch:
    """Compares rates with their limits, one check interval after the other.

    Args:
        limits: The limits.
        sizes: Number of cells of each simulated population.
    """

    def __init__(self, limits: RateLimits, sizes: Mapping[str, int]) -> None:
        self._limits = limits
        self._sizes = dict(sizes)
        self._seen = np.zeros(len(sizes))

    def times_ms(self, duration_ms: float) -> NDArray[np.float64]:
        """When to look (ms): at the end of each check interval."""
        after, every = self._limits.after_ms, self._limits.every_ms
        end_ms = duration_ms if self._limits.until_ms is None else min(duration_ms, self._limits.until_ms)
        return np.arange(after + every, end_ms, every)

    def begin_ms(self, until_ms: float) -> float:
        """Begin of the check interval that ends at a time (ms)."""
        return until_ms - self._limits.every_ms

    def look(self, until_ms: float, counts: NDArray[np.float64]) -> str | None:
        """Why to stop, in words; None to go on.

        Args:
            until_ms: End of the check interval (ms).
            counts: Spikes of each population in the check interval, shape (populations,).
        """
        from_ms = self.begin_ms(until_ms)
        self._seen = self._seen + counts
        for (name, size), count in zip(self._sizes.items(), counts.tolist(), strict=True):
            largest = self._limits.largest_Hz.get(name)
            rate = 1000.0 * count / size / self._limits.every_ms
            if largest is not None and rate > largest:
                return (
                    f"{name} fired at {rate:.1f} Hz from {from_ms:g} to {until_ms:g} ms, more than the limit of "
                    f"{largest:g} Hz"
                )
        return self._silence(until_ms)

    def _silence(self, until_ms: float) -> str | None:
        watched_ms = until_ms - self._limits.after_ms
        if self._limits.silent_ms <= 0.0 or watched_ms < self._limits.silent_ms:
            return None
        for (name, size), seen in zip(self._sizes.items(), self._seen.tolist(), strict=True):
            expected = self._limits.expected_Hz.get(name, 0.0)
            if seen == 0.0 and expected * size * watched_ms / 1000.0 >= _SPIKES_MISSED:
                return (
                    f"{name} did not fire from {self._limits.after_ms:g} to {until_ms:g} ms, where {size} cells at "
                    f"{expected:g} Hz would have"
                )
        return None
