"""The trials of a circuit's campaign as Optuna studies, one for each stage, for dashboards: a copy of the record."""

from __future__ import annotations

import logging
import math
import warnings
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.writing import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rheobase.campaigns.circuits.trial_record import RecordedTrial
    from rheobase.fitting.tuning.stage import TuningStage


class StageStudies:
    """Adds trials to an Optuna journal as finished ones; the journal is written anew when a campaign is resumed.

    Parameters are the factors of the stage's knobs, the value is the root mean square deviation of its targets, in
    tolerances. Trials that were stopped early are pruned ones.

    Args:
        journal: The journal file.
        name: Name of the campaign.
        stages: Its stages.
        trials: What the record holds.

    Raises:
        CampaignError: the disk is full.
    """

    def __init__(
        self, journal: Path, name: str, stages: Sequence[TuningStage], trials: Iterable[RecordedTrial]
    ) -> None:
        import optuna

        from rheobase.campaigns.journal import QuickJournal

        optuna.logging.set_verbosity(logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._optuna = optuna
        self._name, self._journal = name, journal
        self._stages = {stage.name: stage for stage in stages}
        self._studies: dict[str, Any] = {}
        with writing(journal):
            for old in (journal, journal.with_name(f"{journal.name}.lock")):
                old.unlink(missing_ok=True)
            self._storage = optuna.storages.JournalStorage(QuickJournal(journal))
        for trial in trials:
            self.add(trial)

    def add(self, trial: RecordedTrial) -> None:
        """Add a trial.

        Raises:
            CampaignError: the disk is full.
        """
        stage = self._stages[trial.stage]
        outcome = trial.told.outcome
        deviations = [target.judged(outcome.values.get(target.key)).deviation for target in stage.targets]
        value = math.sqrt(sum(deviation**2 for deviation in deviations) / len(deviations))
        pruned = outcome.stopped is not None
        values = {key: found for key, found in outcome.values.items() if found is not None}
        with writing(self._journal):
            self._study(stage).add_trial(
                self._optuna.trial.create_trial(
                    state=self._optuna.trial.TrialState["PRUNED" if pruned else "COMPLETE"],
                    params={
                        knob.name: min(max(math.exp(x), knob.bounds[0]), knob.bounds[1])
                        for knob, x in zip(stage.free, trial.told.position, strict=True)
                    },
                    distributions={
                        knob.name: self._optuna.distributions.FloatDistribution(*knob.bounds, log=True)
                        for knob in stage.free
                    },
                    value=None if pruned else value,
                    user_attrs={
                        "trial": trial.told.number,
                        "origin": trial.origin,
                        "seed": trial.seed,
                        "CPU seconds": outcome.cpu_seconds,
                        **({"stopped": outcome.stopped} if pruned else {}),
                        **values,
                    },
                )
            )

    def _study(self, stage: TuningStage) -> Any:
        if stage.name not in self._studies:
            study = self._optuna.create_study(storage=self._storage, study_name=f"{self._name}: {stage.name}")
            study.set_metric_names(["root mean square deviation"])
            self._studies[stage.name] = study
        return self._studies[stage.name]
