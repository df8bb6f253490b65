"""How far the campaign of a circuit is, from what its folder holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.circuits.building import build_targets
from rheobase.campaigns.circuits.folder import CircuitFolder
from rheobase.campaigns.circuits.running import make_tuner
from rheobase.campaigns.circuits.schema import CircuitCampaign
from rheobase.campaigns.circuits.subject import make_subject
from rheobase.campaigns.circuits.trial_record import read_trials
from rheobase.campaigns.circuits.unitary_limits import read_limits
from rheobase.campaigns.schema_types import CANONICAL

if TYPE_CHECKING:
    from pathlib import Path


def is_circuit(state: dict[str, Any]) -> bool:
    """Whether a folder's state is that of a circuit's campaign."""
    return not {"circuit", "external"}.isdisjoint(state.get("configuration", {}))


def open_circuit_folder(path: Path) -> tuple[CircuitCampaign, CircuitFolder]:
    """The campaign that a folder was begun with."""
    folder = CircuitFolder(path)
    configuration = folder.base.read_state()["configuration"]
    return CircuitCampaign.model_validate(configuration, context=CANONICAL), folder


def describe_circuit(path: Path) -> str:
    """Stages, trials and best values, as text."""
    campaign, folder = open_circuit_folder(path)
    trials = list(read_trials(folder.trials))
    lines = [f"{campaign.name} in {path}: {len(trials)} trials"]
    counted = Counter(trial.stage for trial in trials)
    stopped = Counter(trial.stage for trial in trials if trial.told.outcome.stopped is not None)
    for stage, count in counted.items():
        seconds = sum(trial.told.outcome.cpu_seconds for trial in trials if trial.stage == stage)
        lines.append(f"  {stage}: {count} trials, {stopped[stage]} stopped early, {seconds / 60.0:.1f} CPU minutes")
    lines.append(f"  tuned circuit: {folder.tuned if folder.tuned.exists() else 'not yet'}")
    lines.append(f"  report: {folder.report if folder.report.exists() else 'not yet'}")
    return "\n".join(lines)


def report_circuit(path: Path) -> Path:
    """Write the report of a campaign that has ended again; its path."""
    from rheobase.campaigns.circuits.reporting import write_report

    campaign, folder = open_circuit_folder(path)
    subject, targets = make_subject(campaign), build_targets(campaign)
    tuner = make_tuner(campaign, subject, targets, read_limits(folder))
    tuner.repeat([trial.told for trial in read_trials(folder.trials)])
    write_report(campaign, subject, targets, tuner, folder)
    return folder.report
