"""The report stage: gathers what a campaign's folder holds and writes the page."""

from __future__ import annotations

import platform
from collections import defaultdict
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from rheobase.campaigns.building import build_folder
from rheobase.campaigns.progress import working
from rheobase.campaigns.record import read_frame
from rheobase.campaigns.report.data import ModelTrace, RecordedTrace, ReportData
from rheobase.campaigns.report.page import render_report
from rheobase.campaigns.report.stages import fidelity_lines, stage_lines
from rheobase.campaigns.report.traces import main_figure
from rheobase.campaigns.stages import full_fidelity, widest_dimensions
from rheobase.campaigns.surrogates import read_hidden
from rheobase.campaigns.sweeps_file import read_sweeps
from rheobase.campaigns.traces_file import read_traces
from rheobase.campaigns.writing import replacing, write_whole
from rheobase.features.errors import CampaignError, RheobaseError
from rheobase.features.layout import read_recordings
from rheobase.features.targets_file import read_targets
from rheobase.fitting.ensembles.ensemble import read_ensemble

if TYPE_CHECKING:
    from pathlib import Path

    from rheobase.campaigns.folder import CampaignFolder
    from rheobase.campaigns.schema import Campaign
    from rheobase.fitting.cells.model import CellModel

_BEFORE_MS = 100.0  # how much of a sweep is shown before its step
_PACKAGES = ("rheobase", "neuron", "bluepyopt", "deap", "efel", "optuna", "ray", "numpy")


def write_report(campaign: Campaign, model: CellModel, folder: CampaignFolder) -> Path:
    """Write report.html, and its main figure as a picture; returns the page's path."""
    with working("report"):
        data = gather(campaign, model, folder)
        write_whole(folder.report, render_report(data))
        with replacing(folder.figure) as aside:
            main_figure(data).savefig(aside, dpi=150)
    return folder.report


def gather(campaign: Campaign, model: CellModel, folder: CampaignFolder) -> ReportData:
    """Everything that the report shows."""
    targets = read_targets(folder.targets)
    dimensions = widest_dimensions(campaign, model)
    frame = read_frame(folder.record)  # only reads: a campaign may be at work in the folder
    if frame is None:
        raise CampaignError(f"{folder.path} has no evaluations yet; run the campaign first")
    hidden = read_hidden(folder)
    states = folder.read_state().get("stages", {})
    return ReportData(
        name=campaign.name,
        description=campaign.description,
        targets=targets,
        dimensions=dimensions,
        units={parameter.name: parameter.unit for parameter in model.free_parameters},
        record=frame,
        ensemble=read_ensemble(folder.ensemble),
        recorded=_recorded(campaign, folder),
        simulated=_simulated(campaign, folder),
        hidden={d.name: [cell[d.name] for cell in hidden.values()] for d in dimensions} if hidden else {},
        surrogates=campaign.surrogates is not None,
        wall_seconds=sum(stage["seconds"] for stage in states.values()),
        environment=_environment(),
        stages=stage_lines(campaign, states, frame, targets),
        fidelities=fidelity_lines(frame, [d.name for d in dimensions], targets, str(full_fidelity(campaign))),
    )


def _recorded(campaign: Campaign, folder: CampaignFolder) -> dict[str, list[RecordedTrace]]:
    """One sweep of each cell under each target protocol; none when the recordings have gone."""
    if campaign.recordings is None:
        return {}
    wanted: dict[tuple[str, str, str], list[tuple[str, dict[str, object]]]] = defaultdict(list)
    for name, sweeps in read_sweeps(folder.sweeps).items():
        seen = set()
        for sweep in sweeps:
            if sweep["cell"] not in seen:
                seen.add(sweep["cell"])
                key = (str(sweep["cell"]), str(sweep["protocol"]).lower(), str(sweep["sweep"]))
                wanted[key].append((name, sweep))
    found: dict[str, list[RecordedTrace]] = defaultdict(list)
    try:
        for recording in read_recordings(build_folder(campaign, folder.surrogates)):
            key = (recording.cell, recording.protocol.lower(), recording.sweep)
            for name, sweep in wanted.get(key, ()):
                time = np.arange(len(recording.voltage_mV), dtype=np.float64)
                time = time * recording.time_step_ms - float(str(sweep["onset_ms"]))
                shown = time >= -_BEFORE_MS
                found[name].append(
                    RecordedTrace(
                        recording.cell,
                        recording.sweep,
                        float(str(sweep["amplitude_nA"])),
                        time[shown],
                        recording.voltage_mV[shown],
                    )
                )
    except RheobaseError:
        return dict(found)
    return dict(found)


def _simulated(campaign: Campaign, folder: CampaignFolder) -> dict[str, list[ModelTrace]]:
    onset = campaign.evaluation.before_step
    found: dict[str, list[ModelTrace]] = defaultdict(list)
    for member, traces in sorted(read_traces(folder.traces).items()):
        for protocol, (time, voltage) in traces.items():
            found[protocol].append(ModelTrace(member, time.astype(float) - onset, voltage.astype(float)))
    return dict(found)


def _environment() -> tuple[tuple[str, str], ...]:
    versions = tuple((name, version(name)) for name in _PACKAGES)
    return (("Python", platform.python_version()), *versions, ("machine", f"{platform.system()} {platform.machine()}"))
