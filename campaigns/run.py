"""A campaign from its recordings to its report; each stage skips what an earlier run has finished."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.building import build_folder, build_model, build_plan, build_settings
from rheobase.campaigns.choosing import choose_ensemble
from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.pool import Task
from rheobase.campaigns.progress import RecordingBar, SearchBar, bar
from rheobase.campaigns.ray_pool import RayPool, ray_cluster
from rheobase.campaigns.record import EvaluationRecord, writing
from rheobase.campaigns.searching import Budget, run_search
from rheobase.campaigns.study import StudyMirror
from rheobase.campaigns.surrogates import make_surrogates
from rheobase.campaigns.sweeps_file import write_sweeps
from rheobase.campaigns.traces_file import write_traces
from rheobase.features.errors import FeatureError
from rheobase.features.extraction import extract
from rheobase.features.layout import read_recordings
from rheobase.features.targets import FeatureTargets, read_targets, write_targets
from rheobase.fitting.cells.evaluator import CellEvaluator
from rheobase.fitting.ensembles.ensemble import Ensemble, write_ensemble
from rheobase.fitting.search.evolution import EvolutionarySearch, EvolutionSettings
from rheobase.objectives.scores import summarize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rheobase.campaigns.schema import Campaign
    from rheobase.fitting.cells.model import CellModel

SEARCH_NAME = "search"


def run_campaign(campaign: Campaign, path: Path, say: Callable[[str], None], stop: Callable[[], bool]) -> bool:
    """Run or resume a campaign.

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
    folder = CampaignFolder(path)
    model = build_model(campaign)
    with folder.locked():
        folder.begin(campaign, model)
        with ray_cluster(campaign.cluster.address, workers):
            if campaign.recordings.surrogates is not None and not folder.surrogates.exists():
                say("Recording virtual cells (surrogates: a hidden model, not real recordings)")
                make_surrogates(campaign, model, folder, lambda factory, given: RayPool(factory, given, workers))
            targets = _targets(campaign, folder, say)
            ended = _search_and_choose(campaign, model, targets, folder, workers, say, stop)
        if ended:
            from rheobase.campaigns.reporting import write_report

            say(f"Report: {write_report(campaign, model, folder)}")
    return ended


def _targets(campaign: Campaign, folder: CampaignFolder, say: Callable[[str], None]) -> FeatureTargets:
    if not folder.targets.exists():
        progress = RecordingBar()
        try:
            extraction = extract(
                read_recordings(build_folder(campaign, folder.surrogates)), build_plan(campaign), progress.read
            )
        finally:
            progress.close()
        if not extraction.targets.objectives:
            raise FeatureError("no feature could be measured: " + "; ".join(extraction.targets.notes[:5]))
        with writing(folder.targets):
            write_sweeps(extraction.sweeps, folder.sweeps)
            write_targets(extraction.targets, folder.targets)  # last: its presence says that the stage is done
    targets = read_targets(folder.targets)
    say(
        f"Targets: {len(targets.objectives)} features of {len(targets.protocols)} protocols, "
        f"{len(targets.cells)} cells ({folder.targets})"
    )
    return targets


def _search_and_choose(
    campaign: Campaign,
    model: CellModel,
    targets: FeatureTargets,
    folder: CampaignFolder,
    workers: int,
    say: Callable[[str], None],
    stop: Callable[[], bool],
) -> bool:
    objectives = tuple(targets.objectives)
    dimensions = [parameter.dimension for parameter in model.free_parameters]
    config = campaign.search
    record = EvaluationRecord(folder.record, [dimension.name for dimension in dimensions], objectives)
    pool = RayPool(CellEvaluator, (model, targets, build_settings(campaign)), workers)
    state = folder.read_state()
    begin = time.monotonic()
    try:
        done = [summarize(row.scores).total for row in record.rows()]
        progress = SearchBar(config.evaluations, done)
        used_s = float(state.get("search_seconds", 0.0))
        try:
            ended = run_search(
                SEARCH_NAME,
                EvolutionarySearch(
                    dimensions,
                    objectives,
                    EvolutionSettings(config.algorithm, config.population, config.deterministic),
                    campaign.seed,
                ),
                pool,
                record,
                objectives,
                Budget(
                    config.evaluations,
                    None if config.wall_time is None else config.wall_time - used_s,
                    campaign.evaluation.time_limit,
                ),
                [progress, StudyMirror(folder.journal, campaign.name, dimensions, record.rows())],
                stop,
            )
        finally:
            progress.close()
            folder.write_state(search_seconds=used_s + time.monotonic() - begin)
        if ended:
            ensemble = choose_ensemble(campaign, record.frame(), dimensions, objectives)
            say(_verdict(ensemble))
            _simulate_members(ensemble, pool, folder, campaign)
            with writing(folder.ensemble):
                write_ensemble(ensemble, folder.ensemble)
        return ended
    finally:
        record.close()
        pool.close()


def _verdict(ensemble: Ensemble) -> str:
    best = ensemble.members[0]
    said = f"Best model: worst score {best.worst:.2f}, sum {best.total:.1f} over {len(best.scores)} features"
    if ensemble.accepted_in_record == 0:
        return f"{said}. No model reached the limit of {ensemble.largest_score:g} standard deviations"
    return f"{said}. {ensemble.accepted_in_record} models accepted, {len(ensemble.members)} chosen"


def _simulate_members(ensemble: Ensemble, pool: RayPool, folder: CampaignFolder, campaign: Campaign) -> None:
    """Voltage traces of the ensemble, for the report."""
    waiting = list(enumerate(ensemble.members))
    traces: dict[int, Any] = {}
    progress = bar("ensemble", len(waiting), "models")
    while len(traces) < len(ensemble.members):
        while waiting and pool.free:
            place, member = waiting.pop(0)
            pool.submit(Task(place, "evaluate", (member.parameters, True), campaign.evaluation.time_limit * 2))
        for outcome in pool.wait(1.0):
            traces[outcome.key] = outcome.value.traces if outcome.value is not None else {}
            progress.update()
    progress.close()
    write_traces(traces, folder.traces)
