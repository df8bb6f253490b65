"""A campaign from its recordings to its report; each stage skips what an earlier run has finished."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.building import build_folder, build_model, build_plan, build_settings
from rheobase.campaigns.choosing import choose_ensemble
from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.pool import Task
from rheobase.campaigns.progress import RecordingBar, SearchBar, bar
from rheobase.campaigns.ray_pool import RayPool, ray_cluster
from rheobase.campaigns.record import EvaluationRecord
from rheobase.campaigns.searching import Budget, run_search
from rheobase.campaigns.study import StudyMirror
from rheobase.campaigns.surrogates import hidden_parameters, make_surrogates
from rheobase.campaigns.sweeps_file import write_sweeps
from rheobase.campaigns.traces_file import write_traces
from rheobase.campaigns.writing import replacing
from rheobase.features.errors import CampaignError, FeatureError
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
    if campaign.recordings.surrogates is not None:
        hidden_parameters(campaign, campaign.recordings.surrogates, model)  # wrong ones are said at once
    with folder.locked():
        folder.begin(campaign, model)
        if _is_finished(campaign, folder):
            say(f"Nothing is left to do. Report: {folder.report}")
            return True
        to_record = campaign.recordings.surrogates is not None and not folder.surrogates.exists()
        # Needs no worker: what is wrong with recordings is said at once.
        targets = None if to_record else _targets(campaign, folder, say)
        with ray_cluster(campaign.cluster.address, workers):
            if targets is None:
                say("Recording virtual cells (surrogates: a hidden model, not real recordings)")
                if not make_surrogates(
                    campaign, model, folder, lambda factory, given: RayPool(factory, given, workers), stop
                ):
                    return False
                targets = _targets(campaign, folder, say)
            ended = _search_and_choose(campaign, model, targets, folder, workers, say, stop)
        if ended:
            from rheobase.campaigns.reporting import write_report

            say(f"Report: {write_report(campaign, model, folder)}")
            folder.write_state(finished=_goal(campaign))
    return ended


def _goal(campaign: Campaign) -> dict[str, Any]:
    """What of a campaign may change in its folder, and would give it more to do."""
    content = campaign.model_dump(mode="json")
    budget = {key: content["search"][key] for key in ("evaluations", "wall_time")}
    return {"search": budget, "ensemble": content["ensemble"]}


def _is_finished(campaign: Campaign, folder: CampaignFolder) -> bool:
    made = (folder.targets, folder.record, folder.ensemble, folder.traces, folder.report)
    return folder.read_state().get("finished") == _goal(campaign) and all(path.exists() for path in made)


def _targets(campaign: Campaign, folder: CampaignFolder, say: Callable[[str], None]) -> FeatureTargets:
    if not folder.targets.exists():
        progress = RecordingBar()
        try:
            with campaign.blamed("recordings"):
                recordings = read_recordings(build_folder(campaign, folder.surrogates))
                extraction = extract(recordings, build_plan(campaign), progress.read)
        finally:
            progress.close()
        if not extraction.targets.objectives:
            notes = "; ".join(extraction.targets.notes[:5])
            raise FeatureError(f"{campaign.where('features')}: no feature could be measured: {notes}")
        with replacing(folder.sweeps) as aside:
            write_sweeps(extraction.sweeps, aside)
        with replacing(folder.targets) as aside:  # last: its presence says that the stage is done
            write_targets(extraction.targets, aside)
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
    dimensions = model.dimensions
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
                    targets.groups if config.selection == "protocols" else None,
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
            with contextlib.suppress(CampaignError):  # on a full disk; the search's own message says so
                folder.write_state(search_seconds=used_s + time.monotonic() - begin)
        if ended:
            ensemble = choose_ensemble(campaign, record.frame(), dimensions, objectives)
            say(_verdict(ensemble))
            ended = _simulate_members(ensemble, pool, folder, campaign, stop)
        if ended:
            with replacing(folder.ensemble) as aside:
                write_ensemble(ensemble, aside)
        return ended
    finally:
        pool.close()
        record.close()


def _verdict(ensemble: Ensemble) -> str:
    best = ensemble.members[0]
    said = f"Best model: worst score {best.worst:.2f}, sum {best.total:.1f} over {len(best.scores)} features"
    if ensemble.accepted_in_record == 0:
        return f"{said}. No model reached the limit of {ensemble.largest_score:g} standard deviations"
    return f"{said}. {ensemble.accepted_in_record} models accepted, {len(ensemble.members)} chosen"


def _simulate_members(
    ensemble: Ensemble, pool: RayPool, folder: CampaignFolder, campaign: Campaign, stop: Callable[[], bool]
) -> bool:
    """Voltage traces of the ensemble, for the report; False when stopped before all are there."""
    waiting = list(enumerate(ensemble.members))
    traces: dict[int, Any] = {}
    progress = bar("ensemble", len(waiting), "models")
    while len(traces) < len(ensemble.members) and not stop():
        while waiting and pool.free:
            place, member = waiting.pop(0)
            pool.submit(Task(place, "evaluate", (member.parameters, True), campaign.evaluation.time_limit * 2))
        for outcome in pool.wait(1.0):
            traces[outcome.key] = outcome.value.traces if outcome.value is not None else {}
            progress.update()
    progress.close()
    if len(traces) < len(ensemble.members):
        return False
    write_traces(traces, folder.traces)
    return True
