"""How long an evaluation may take: what the campaign allows, or less once it is known what evaluations take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rheobase.campaigns.recent import RecentValues

if TYPE_CHECKING:
    from rheobase.campaigns.record_format import RecordedEvaluation

RECENT = 500  # evaluations that the limit is learnt from
_ENOUGH = 100  # before so many are known the campaign's limit holds
_QUANTILE = 0.99
_FACTOR = 3.0
_SMALLEST_S = 2.0


class TimeLimit:
    """Limit of CPU time for one evaluation.

    When it learns, it is three times the 99th percentile of the last 500 evaluations, never above the campaign's.
    What is given up is recorded as a failure with its reason and is not tried again, as under the campaign's limit.

    Selection loses nothing that matters by this: only evaluations that ran to their end are learnt from (those that
    failed or were excluded are shorter), a candidate is given up at three times what 99 of 100 of them take, and one
    that was given up counts as the limit itself. Should good models become slow, more than one in a hundred is
    given up, the percentile is then the limit and the next limit is three times as long, until the campaign's own.
    So in the long run hardly more than one evaluation in a hundred can be lost to it, whatever times there are.

    It must not learn in a deterministic search: CPU times differ from machine to machine, and so would the result.

    Args:
        largest_s: The campaign's limit (s).
        learns: Whether it goes below.
    """

    def __init__(self, largest_s: float, *, learns: bool) -> None:
        self._largest_s = largest_s
        self._learns = learns
        self._seconds = RecentValues(RECENT)

    @property
    def limit_s(self) -> float:
        """The limit now (s)."""
        if not self._learns or len(self._seconds) < _ENOUGH:
            return self._largest_s
        learnt_s = _FACTOR * self._seconds.quantile(_QUANTILE)
        return round(min(max(learnt_s, _SMALLEST_S), self._largest_s), 2)

    def learn(self, row: RecordedEvaluation) -> None:
        """Take an evaluation into account."""
        if row.failure is None and not row.excluded:
            self._seconds.add(row.cpu_seconds)
        elif row.failure is not None and row.failure.startswith("timeout:"):
            self._seconds.add(self.limit_s)
