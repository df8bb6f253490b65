"""The campaign as an Optuna study, for dashboards: a copy of the record that can be made again at any time."""

from __future__ import annotations

import heapq
import logging
import math
import os
import warnings
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.writing import writing
from rheobase.objectives.scores import summarize, total_score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rheobase.campaigns.record import RecordedEvaluation
    from rheobase.fitting.search.space import Dimension

# A dashboard reads every trial at each of its looks, and Optuna keeps them all in memory: beyond the first thousands
# only some of the best are added, so many for each doubling of the record, and whatever beats all before it by 1 %.
ALL_OF_THE_FIRST = 2000
THEN_PER_DOUBLING = 100
ELITES = 100
_CLEARLY_BETTER = 0.99


class StudyMirror:
    """Adds evaluations to an Optuna journal as finished trials.

    The value is the sum of scores; worst and median score, failure and features are user attributes. Evaluations that
    failed become failed trials; those that were excluded early, and those of a stage that looks at some objectives
    only, become pruned ones. Both are without a value, for theirs could not be compared with the others'.

    Args:
        journal: The journal file; one that cannot be read is set aside and made again from the record.
        name: Name of the study.
        dimensions: The free parameters.
        weights: Weight of each objective in the sum of scores; None: 1, of whatever a row has.
    """

    def __init__(
        self, journal: Path, name: str, dimensions: Sequence[Dimension], weights: Mapping[str, float] | None = None
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._optuna = optuna
        self._distributions: dict[str, Any] = {
            d.name: optuna.distributions.FloatDistribution(d.low, d.high, log=d.logarithmic) for d in dimensions
        }
        self._journal = journal
        self._weights = weights
        self._choice = _Choice()
        with writing(journal):
            self._study, self._known = self._open_whole(journal.resolve(), name)

    def recorded(self, row: RecordedEvaluation) -> None:
        """Add an evaluation of an earlier run, should it be missing; like any other."""
        self.evaluated(row)

    def evaluated(self, row: RecordedEvaluation) -> None:
        """Add an evaluation, unless it is there or not worth it.

        Raises:
            CampaignError: the disk is full.
        """
        total = total_score(row.scores, self._weights) if self._state(row) == "COMPLETE" else None
        if self._choice.takes(total) and (row.search, row.number) not in self._known:
            with writing(self._journal):
                self._add(row)

    def _open_whole(self, journal: Path, name: str) -> tuple[Any, set[tuple[str, int]]]:
        """The study and what it holds; a journal that a crash has damaged is set aside."""
        # Only one run works in a campaign's folder, so a lock of Optuna's that is there was left by one that was
        # killed. Optuna would wait for it half a minute, or for ever.
        journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
        try:
            if _is_torn(journal):
                raise ValueError("the last line is torn")
            study = self._open(journal, name)
            return study, {_key(trial) for trial in study.get_trials(deepcopy=False)}
        except OSError:
            raise
        except Exception:  # whatever a damaged journal raises: the record is the original
            journal.replace(journal.with_name(f"{journal.name}.damaged"))
            return self._open(journal, name), set()

    def _open(self, journal: Path, name: str) -> Any:
        from rheobase.campaigns.journal import QuickJournal

        storage = self._optuna.storages.JournalStorage(QuickJournal(journal))
        study = self._optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
        study.set_metric_names(["sum of scores"])
        return study

    def _add(self, row: RecordedEvaluation) -> None:
        summary = summarize(row.scores, self._weights)
        state = self._state(row)
        attributes: dict[str, Any] = {
            "evaluation": f"{row.search} {row.number}",
            "sum of scores": summary.total,
            "worst score": summary.worst,
            "median score": summary.median,
            "CPU seconds": row.cpu_seconds,
            **({"failure": row.failure} if row.failure else {}),
            **({"fidelity": row.fidelity} if row.fidelity else {}),
            **{f"feature {name}": value for name, value in row.features.items()},
        }
        self._study.add_trial(
            self._optuna.trial.create_trial(
                state=self._optuna.trial.TrialState[state],
                params=row.parameters,
                distributions={name: self._distributions[name] for name in row.parameters},
                value=summary.total if state == "COMPLETE" else None,
                user_attrs=attributes,
            )
        )

    def _state(self, row: RecordedEvaluation) -> str:
        """Name of the state that the evaluation has as a trial."""
        if row.failure is not None:
            return "FAIL"
        return "PRUNED" if row.excluded or not (self._weights or {}).keys() <= row.scores.keys() else "COMPLETE"


class _Choice:
    """Which evaluations are worth adding: the same for the same sequence of them."""

    def __init__(self) -> None:
        self._seen = 0
        self._taken = 0
        self._best = math.inf
        self._elites: list[float] = []  # a heap of negated sums

    def takes(self, total: float | None) -> bool:
        """Whether to add an evaluation with this sum of scores, None for one without a value."""
        self._seen += 1
        is_wanted = total is not None and self._is_wanted(total)
        is_taken = is_wanted or self._seen <= ALL_OF_THE_FIRST
        self._taken += is_taken
        return is_taken

    def _is_wanted(self, total: float) -> bool:
        """Whether it is clearly the best so far, or one of the best and there is room."""
        is_best = total < _CLEARLY_BETTER * self._best
        if len(self._elites) < ELITES:
            heapq.heappush(self._elites, -total)
            is_elite = True
        else:
            is_elite = -heapq.heappushpop(self._elites, -total) > total
        room = ALL_OF_THE_FIRST + THEN_PER_DOUBLING * (1.0 + math.log2(max(1.0, self._seen / ALL_OF_THE_FIRST)))
        if is_best or (is_elite and self._taken < room):
            self._best = min(self._best, total)
            return True
        return False


def _is_torn(journal: Path) -> bool:
    """Whether the file ends within a line; Optuna would append to that one and then read nothing any more."""
    if not journal.exists() or journal.stat().st_size == 0:
        return False
    with journal.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() != b"\n"


def _key(trial: Any) -> tuple[str, int]:
    search, _, number = str(trial.user_attrs.get("evaluation", " -1")).rpartition(" ")
    return search, int(number)
