"""`rheobase check`: everything that can be known before a campaign runs, and what it will cost."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from rheobase.campaigns.building import build_folder, build_model, build_settings
from rheobase.campaigns.building_plan import build_plan
from rheobase.campaigns.checking_stages import check_protocols, check_stages
from rheobase.campaigns.extracting import read_table
from rheobase.campaigns.progress import RecordingBar, working
from rheobase.campaigns.starting import outside_starts, read_start
from rheobase.campaigns.supervisor import SupervisedSimulator
from rheobase.campaigns.surrogates import hidden_parameters
from rheobase.features.layout import read_recordings
from rheobase.fitting.cells.probe import Cost, CostProbe
from rheobase.fitting.search.factory import has_population

if TYPE_CHECKING:
    from collections.abc import Callable

    from rheobase.campaigns.schema import Campaign
    from rheobase.fitting.cells.model import CellModel

_LIMIT_S = 120.0


def check_campaign(campaign: Campaign, say: Callable[[str], None]) -> None:
    """Validate a campaign and print its plan.

    Builds the model in NEURON once and integrates a few milliseconds; nothing is written.

    Raises:
        RheobaseError: the first thing that is wrong.
    """
    model = build_model(campaign)
    check_stages(campaign, model)
    starts = {name: len(read_start(campaign, model, name, say)) for name in outside_starts(campaign)}
    say(f"Campaign {campaign.name}")
    if campaign.targets is not None:
        targets = read_table(campaign)
        check_protocols(campaign, targets)
        say(f"  targets: {len(targets.objectives)} features of {len(targets.protocols)} protocols in a table")
    else:
        say(f"  recordings: {_recordings(campaign, model)}")
    plan = build_plan(campaign)
    asked = [f"{request.label} at {', '.join(map(str, request.levels))}" for request in plan.protocols]
    say(f"  features: {'; '.join(asked) or 'the standard ones of every protocol with steps'}")
    cost, built_s = _probe(campaign, model)
    size = f"{cost.sections} sections, {cost.segments} segments"
    say(f"  model: {model.morphology.name}, {size} (built in {built_s:.1f} s)")
    for parameter in model.free_parameters:
        low, high = parameter.bounds or (0.0, 0.0)
        scale = ", logarithmic" if parameter.logarithmic else ""
        say(f"    {parameter.name}: {low:g} to {high:g} {parameter.unit}{scale}".replace(" ,", ","))
    simulated_s = _simulated_s(campaign)
    seconds = cost.cpu_seconds_per_simulated_second * simulated_s
    say(f"  cost of an evaluation, estimated: {simulated_s:.1f} s simulated and up to {seconds:.1f} CPU s")
    workers = campaign.cluster.workers or os.cpu_count() or 1
    for name, stage in campaign.search.in_stages.items():
        minutes = seconds * stage.evaluations / workers / 60.0
        in_populations = stage.population is not None and has_population(stage.algorithm)
        population = f", population {stage.population}" if in_populations else ""
        given = (stage.wall_time, "minutes"), (stage.cpu_time, "CPU minutes")
        limits = [f"{limit_s / 60.0:g} {unit}" for limit_s, unit in given if limit_s is not None]
        limit = f", {' and '.join(limits)} as the campaign says" if limits else ""
        start = "" if stage.start is None else f", from the {stage.start}"
        start += f" ({starts[name]} found)" if name in starts else ""
        say(
            f"  {name}: {stage.algorithm}{population}{start}, {stage.evaluations} evaluations; "
            f"at most {minutes:.0f} minutes on {workers} workers{limit}"
        )
    say("Everything is in order.")


def _probe(campaign: Campaign, model: CellModel) -> tuple[Cost, float]:
    """Cost of the model, and how long it took to build (s); its mechanisms are compiled the first time."""
    begin = time.monotonic()
    with working("model"):
        simulator = SupervisedSimulator(CostProbe, (model, build_settings(campaign)))
        try:
            built_s = time.monotonic() - begin
            cost: Cost = simulator.call("measure", (), _LIMIT_S)
        finally:
            simulator.close()
    return cost, built_s


def _recordings(campaign: Campaign, model: CellModel) -> str:
    config = campaign.recordings
    assert config is not None
    if config.surrogates is not None:
        virtual = hidden_parameters(campaign, config.surrogates, model)
        return f"surrogates, {len(virtual)} virtual cells"
    assert config.folder is not None  # the schema asks for one or the other
    folder = build_folder(campaign, config.folder[0])
    progress = RecordingBar()
    cells: dict[str, None] = {}
    sweeps = 0
    try:
        with campaign.blamed("recordings"):
            for recording in read_recordings(folder):
                cells[recording.cell] = None
                sweeps += 1
                progress.read(recording)
    finally:
        progress.close()
    shown = ", ".join([*list(cells)[:6], *(["..."] if len(cells) > 6 else [])])
    return f"{sweeps} sweeps of {len(cells)} cells in {folder} ({shown})"


def _simulated_s(campaign: Campaign) -> float:
    """Simulated time of an evaluation (s), with steps of two seconds where the recordings will tell their length."""
    config = campaign.evaluation
    protocols = campaign.features.protocols
    levels = sum(len(protocol.levels) for protocol in protocols.values()) or 5
    step_ms = 2000.0
    if campaign.surrogates is not None:
        step_ms = max(protocol.duration for protocol in campaign.surrogates.protocols.values())
    threshold_ms = 5 * step_ms
    return (2 * config.settle + threshold_ms + levels * (config.before_step + step_ms + config.after_step)) / 1000.0
