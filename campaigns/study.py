"""The campaign as an Optuna study, for dashboards: a copy of the record that can be made again at any time."""

from __future__ import annotations

import heapq
import logging
import os
import warnings
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.writing import writing
from rheobase.objectives.scores import summarize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rheobase.campaigns.record import RecordedEvaluation
    from rheobase.fitting.search.space import Dimension

# A dashboard reads every trial at each of its looks: beyond this many only the best are added.
ALL_OF_THE_FIRST = 2000
THEN_THE_BEST = 100


class StudyMirror:
    """Adds every evaluation to an Optuna journal as a finished trial.

    The value is the sum of scores; worst and median score, failure and features are user attributes.

    Args:
        journal: The journal file; one that cannot be read is set aside and made again from the record.
        name: Name of the study.
        dimensions: The free parameters.
        recorded: Evaluations that the record holds already.
    """

    def __init__(
        self, journal: Path, name: str, dimensions: Sequence[Dimension], recorded: Iterable[RecordedEvaluation]
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._optuna = optuna
        self._distributions: dict[str, Any] = {
            d.name: optuna.distributions.FloatDistribution(d.low, d.high, log=d.logarithmic) for d in dimensions
        }
        self._journal = journal
        self._added = 0
        self._best: list[float] = []
        with writing(journal):
            self._study, self._known = self._open_whole(journal.resolve(), name)
        for row in recorded:
            self.evaluated(row)

    def evaluated(self, row: RecordedEvaluation) -> None:
        """Add an evaluation, unless it is there or not worth it.

        Raises:
            CampaignError: the disk is full.
        """
        if self._worth_adding(row) and (row.search, row.number) not in self._known:
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
        from optuna.storages.journal import JournalFileBackend

        storage = self._optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
        study = self._optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
        study.set_metric_names(["sum of scores"])
        return study

    def _worth_adding(self, row: RecordedEvaluation) -> bool:
        total = summarize(row.scores).total
        self._added += 1
        if len(self._best) < THEN_THE_BEST:
            heapq.heappush(self._best, -total)
            return True
        is_elite = total < -self._best[0]
        if is_elite:
            heapq.heapreplace(self._best, -total)
        return is_elite or self._added <= ALL_OF_THE_FIRST

    def _add(self, row: RecordedEvaluation) -> None:
        summary = summarize(row.scores)
        attributes: dict[str, Any] = {
            "evaluation": f"{row.search} {row.number}",
            "worst score": summary.worst,
            "median score": summary.median,
            "CPU seconds": row.cpu_seconds,
            **({"failure": row.failure} if row.failure else {}),
            **{f"feature {name}": value for name, value in row.features.items()},
        }
        self._study.add_trial(
            self._optuna.trial.create_trial(
                params=row.parameters,
                distributions=self._distributions,
                value=summary.total,
                user_attrs=attributes,
            )
        )


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
