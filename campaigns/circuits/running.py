"""A circuit's campaign from its cells to its report; the record tells where an earlier run was."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rheobase.campaigns.circuits.building import build_targets
from rheobase.campaigns.circuits.confirming import confirm
from rheobase.campaigns.circuits.durations import limit_s
from rheobase.campaigns.circuits.folder import CircuitFolder
from rheobase.campaigns.circuits.saving import save_tuned
from rheobase.campaigns.circuits.simulator import CircuitSimulator
from rheobase.campaigns.circuits.stages import build_stages
from rheobase.campaigns.circuits.study import StageStudies
from rheobase.campaigns.circuits.subject import make_subject
from rheobase.campaigns.circuits.trial_record import RecordedTrial, TrialRecord
from rheobase.campaigns.circuits.unitary_limits import limit_notes, limits_mV, measure_limits, read_limits
from rheobase.campaigns.pool import Task
from rheobase.campaigns.progress import bar
from rheobase.campaigns.ray_pool import RayPool, ray_cluster
from rheobase.features.errors import CampaignError
from rheobase.fitting.circuits.evoked_judging import wanted_of
from rheobase.fitting.tuning.trials import Outcome
from rheobase.fitting.tuning.tuner import Tuner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rheobase.campaigns.circuits.schema import CircuitCampaign
    from rheobase.campaigns.circuits.subject import Subject
    from rheobase.campaigns.pool import Outcome as TaskOutcome
    from rheobase.campaigns.pool import Pool
    from rheobase.fitting.circuits.judging import CircuitTargets
    from rheobase.fitting.tuning.trials import Asked

# Simulations planned together; the same for any number of workers, so that the result does not depend on it.
AT_ONCE = 2
_OF_THE_TRIAL = ("timeout:", "memory:", "crash:")  # failures that other gains may not have


def run_circuit(campaign: CircuitCampaign, path: Path, say: Callable[[str], None], stop: Callable[[], bool]) -> bool:
    """Run or resume the campaign of a circuit.

    Args:
        campaign: What to do.
        path: Its folder.
        say: Called with a line for the user now and then.
        stop: Asked often; True stops as soon as that is safe.

    Returns:
        Whether the campaign has reached its report; False when it was stopped.

    Raises:
        RheobaseError: whatever a user can mend.
    """
    workers = campaign.cluster.workers or os.cpu_count() or 1
    folder = CircuitFolder(path)
    subject, targets = make_subject(campaign), build_targets(campaign)
    make_tuner(campaign, subject, targets, {})  # what is wrong with stages is said before anything begins
    limits_mV(campaign, subject)
    with folder.base.locked():
        folder.begin(campaign, subject)
        for note in subject.blueprint.notes if subject.blueprint is not None else ():
            say(note)
        record = TrialRecord(folder.trials)
        try:
            with ray_cluster(campaign.cluster.address, workers):
                pool = RayPool(CircuitSimulator, (subject, targets), workers)
                try:
                    if not measure_limits(campaign, subject, pool, folder, stop):
                        return False
                    tuner = _resumed(campaign, subject, targets, folder, record, say)
                    stages = build_stages(campaign, subject, targets)
                    studies = StageStudies(folder.base.journal, campaign.name, stages, record.trials)
                    loop = TuningLoop(campaign, tuner, Kept(record, studies), folder, pool, say)
                    if not loop.run(stop) or not confirm(campaign, tuner.parameters, pool, folder, stop):
                        return False
                finally:
                    pool.close()
        finally:
            record.close()
        save_tuned(campaign, subject, tuner.parameters, folder)
        from rheobase.campaigns.circuits.reporting import write_report

        verdict = write_report(campaign, subject, targets, tuner, folder)
        say(verdict)
        say(f"Report: {folder.report}")
    return True


def _resumed(
    campaign: CircuitCampaign,
    subject: Subject,
    targets: CircuitTargets,
    folder: CircuitFolder,
    record: TrialRecord,
    say: Callable[[str], None],
) -> Tuner:
    """A tuner that is where the record ends."""
    for note in limit_notes(folder):
        say(note)
    tuner = make_tuner(campaign, subject, targets, read_limits(folder))
    tuner.repeat([trial.told for trial in record.trials])
    return tuner


def make_tuner(
    campaign: CircuitCampaign, subject: Subject, targets: CircuitTargets, limits: Mapping[str, tuple[float, float]]
) -> Tuner:
    """A tuner at its beginning.

    Args:
        campaign: What to do.
        subject: The circuit.
        targets: What it should do.
        limits: Of parameters, by data (`read_limits`).

    Raises:
        CampaignError: stages that do not fit the circuit or each other; the message names the key.
    """
    stages = build_stages(campaign, subject, targets)
    limits = {**subject.limits, **limits}
    with campaign.blamed("tuning", "stages"):
        return Tuner(subject.populations, subject.parameters, stages, campaign.seed, AT_ONCE, limits=limits)


@dataclass(frozen=True)
class Kept:
    """Where trials go.

    Attributes:
        record: The original.
        studies: The copy for dashboards.
    """

    record: TrialRecord
    studies: StageStudies

    def append(self, trial: RecordedTrial) -> None:
        """Add a trial to both."""
        self.record.append(trial)
        self.studies.add(trial)


class TuningLoop:
    """Asks, simulates, tells, records, until the tuner has finished or the time is over.

    Args:
        campaign: What is done.
        tuner: What asks; it knows what the record holds.
        kept: Where trials go.
        folder: The campaign's folder.
        pool: Workers.
        say: Called with a line for the user now and then.
    """

    def __init__(
        self,
        campaign: CircuitCampaign,
        tuner: Tuner,
        kept: Kept,
        folder: CircuitFolder,
        pool: Pool,
        say: Callable[[str], None],
    ) -> None:
        self._tuner, self._kept, self._folder, self._pool, self._say = tuner, kept, folder, pool, say
        self._campaign = campaign
        self._limit_s = campaign.tuning.wall_time
        self._spent_s = float(folder.base.read_state().get("seconds", 0.0))
        self._waiting = list(tuner.awaited)
        self._at_work: dict[int, Asked] = {}
        self._said: set[str] = {stage.name for stage in tuner.progress() if stage.verdict is not None}

    def run(self, stop: Callable[[], bool]) -> bool:
        """Whether it came to an end; False when it was stopped."""
        begin = time.monotonic()
        progress = bar("tuning", None, "trials")
        try:
            while not self._tuner.finished:
                if stop():
                    return False
                spent_s = self._spent_s + time.monotonic() - begin
                if self._limit_s is not None and spent_s > self._limit_s:
                    self._say(f"The time of the campaign is over after {spent_s / 60.0:.0f} minutes")
                    return self._await(stop)
                self._submit()
                progress.update(self._collect())
            return self._await(stop)
        finally:
            progress.close()
            self._folder.base.write_state(seconds=round(self._spent_s + time.monotonic() - begin, 1))

    def _await(self, stop: Callable[[], bool]) -> bool:
        """Take in what is still at work; whether nothing is."""
        while self._at_work and not stop():
            self._collect()
        return not self._at_work

    def _collect(self) -> int:
        """Take in what has ended; how many that were."""
        outcomes = self._pool.wait(0.5)
        for outcome in outcomes:
            self._told(outcome)
        self._say_verdicts()
        return len(outcomes)

    def _submit(self) -> None:
        while self._pool.free:
            asked = self._waiting.pop(0) if self._waiting else self._tuner.ask()
            if asked is None:
                return
            self._at_work[asked.number] = asked
            seconds = limit_s(self._campaign, asked.trial.duration_ms)
            self._pool.submit(Task(asked.number, "measure", (asked.trial,), seconds))

    def _told(self, ended: TaskOutcome) -> None:
        asked = self._at_work.pop(ended.key)
        outcome = ended.value
        if outcome is None:
            failure = ended.failure or "lost"
            if not failure.startswith(_OF_THE_TRIAL):
                raise CampaignError(f"a simulation of stage '{asked.stage}' failed: {failure}")
            outcome = Outcome({}, failure, 0.0, ended.cpu_seconds)
        told = self._tuner.tell(asked.number, outcome)
        self._kept.append(
            RecordedTrial(
                told,
                asked.stage,
                asked.place,
                asked.origin,
                asked.repetition,
                dict(asked.trial.parameters),
                asked.trial.seed,
                time.time(),
            )
        )

    def _say_verdicts(self) -> None:
        for stage in self._tuner.progress():
            if stage.verdict is not None and stage.name not in self._said:
                self._said.add(stage.name)
                state = "met" if stage.verdict.met else "not met"
                lines = "".join(f"\n    {sentence}" for sentence in stage.verdict.sentences)
                self._say(
                    f"Stage '{stage.name}': {state} after {stage.simulations} simulations, "
                    f"{stage.cpu_seconds / 60.0:.1f} CPU minutes{lines}"
                )


def check_circuit(campaign: CircuitCampaign, say: Callable[[str], None]) -> None:
    """Build everything that can be built without a simulation, and say what would be done.

    Raises:
        RheobaseError: whatever is wrong with the campaign.
    """
    subject, targets = make_subject(campaign), build_targets(campaign)
    stages = build_stages(campaign, subject, targets)
    make_tuner(campaign, subject, targets, {})  # what is wrong with stages is said
    projections = sum(name.startswith("weight:") for name in subject.parameters)
    say(
        f"Circuit '{campaign.name}': {sum(subject.populations.values())} cells in {len(subject.populations)} "
        f"populations, {projections} projections"
    )
    for stage in stages:
        say(
            f"  {stage.name}: {len(stage.free)} factors, {len(stage.targets)} targets, at most {stage.budget} trials "
            f"of {stage.simulated.duration_ms / 1000.0:g} s"
        )
    limited = limits_mV(campaign, subject)
    if limited:
        say(f"  gains of {len(limited)} projections limited by unitary potentials, measured when the campaign begins")
    for target in targets.evoked:
        standards = len(target.subtracted_onsets_ms)
        less = f" less {standards} standards" if standards else ""
        measured = ", ".join(one.name.removeprefix(f"{target.name}.") for one in wanted_of(target))
        say(f"  response to {target.name}: {len(target.onsets_ms)} onsets{less}, {measured}")
