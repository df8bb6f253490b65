"""The last values of a stream, in order of size: quantiles at a constant cost."""

from __future__ import annotations

import bisect
from collections import deque


class RecentValues:
    """The last so many values.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int = 500) -> None:
        self._most = most
        self._in_time: deque[float] = deque()
        self._in_size: list[float] = []

    def __len__(self) -> int:
        return len(self._in_size)

    def add(self, value: float) -> None:
        """Take in a value; the oldest one leaves."""
        if len(self) == self._most:
            del self._in_size[bisect.bisect_left(self._in_size, self._in_time.popleft())]
        self._in_time.append(value)
        bisect.insort(self._in_size, value)

    def quantile(self, fraction: float) -> float:
        """The value that this fraction of them do not exceed, of at least one value."""
        return self._in_size[min(int(fraction * len(self)), len(self) - 1)]
