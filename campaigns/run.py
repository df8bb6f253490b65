"""A campaign from its recordings to its report; each stage skips what an earlier run has finished."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.building import build_model, build_settings
from rheobase.campaigns.checking_stages import check_protocols, check_stages
from rheobase.campaigns.choosing import choose_ensemble
from rheobase.campaigns.elites import complete
from rheobase.campaigns.extracting import make_targets
from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.pool import Task
from rheobase.campaigns.progress import bar
from rheobase.campaigns.ray_pool import RayPool, ray_cluster
from rheobase.campaigns.record import EvaluationRecord
from rheobase.campaigns.running_stages import StagePools, StageRunner
from rheobase.campaigns.schema_search import BUDGET_KEYS
from rheobase.campaigns.stages import full_fidelity, weights_of, widest_dimensions
from rheobase.campaigns.starting import keep_starts
from rheobase.campaigns.surrogates import hidden_parameters, make_surrogates
from rheobase.campaigns.traces_file import write_traces
from rheobase.campaigns.writing import replacing
from rheobase.fitting.cells.evaluator import CellEvaluator
from rheobase.fitting.ensembles.ensemble import Ensemble, write_ensemble

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rheobase.campaigns.pool import Pool
    from rheobase.campaigns.schema import Campaign
    from rheobase.features.targets import FeatureTargets
    from rheobase.fitting.cells.model import CellModel


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
    check_stages(campaign, model)
    if campaign.surrogates is not None:
        hidden_parameters(campaign, campaign.surrogates, model)  # wrong ones are said at once
    with folder.locked():
        folder.begin(campaign, model)
        if _is_finished(campaign, folder):
            say(f"Nothing is left to do. Report: {folder.report}")
            return True
        keep_starts(campaign, model, folder, say)
        to_record = campaign.surrogates is not None and not folder.surrogates.exists()
        # Needs no worker: what is wrong with recordings is said at once.
        targets = None if to_record else _targets(campaign, folder, workers, say)
        with ray_cluster(campaign.cluster.address, workers):
            if targets is None:
                say("Recording virtual cells (surrogates: a hidden model, not real recordings)")
                if not make_surrogates(
                    campaign, model, folder, lambda factory, given: RayPool(factory, given, workers), stop
                ):
                    return False
                targets = _targets(campaign, folder, workers, say)
            ended = _search_and_choose(campaign, model, targets, folder, workers, say, stop)
        if ended:
            from rheobase.campaigns.reporting import write_report

            say(f"Report: {write_report(campaign, model, folder)}")
            folder.write_state(finished=_goal(campaign))
    return ended


def _targets(campaign: Campaign, folder: CampaignFolder, workers: int, say: Callable[[str], None]) -> FeatureTargets:
    targets = make_targets(campaign, folder, workers, say)
    check_protocols(campaign, targets)
    return targets


def _goal(campaign: Campaign) -> dict[str, Any]:
    """What of a campaign may change in its folder, and would give it more to do."""
    content = campaign.model_dump(mode="json")
    budgets = {
        name: {key: getattr(stage, key) for key in BUDGET_KEYS} for name, stage in campaign.search.in_stages.items()
    }
    return {"search": budgets, "rescored": campaign.search.rescored, "ensemble": content["ensemble"]}


def _is_finished(campaign: Campaign, folder: CampaignFolder) -> bool:
    made = (folder.targets, folder.record, folder.ensemble, folder.traces, folder.report)
    return folder.read_state().get("finished") == _goal(campaign) and all(path.exists() for path in made)


def _search_and_choose(
    campaign: Campaign,
    model: CellModel,
    targets: FeatureTargets,
    folder: CampaignFolder,
    workers: int,
    say: Callable[[str], None],
    stop: Callable[[], bool],
) -> bool:
    weights, dimensions = weights_of(targets), widest_dimensions(campaign, model)
    record = EvaluationRecord(folder.record, [dimension.name for dimension in dimensions], tuple(weights))
    ahead = not campaign.search.deterministic
    pools = StagePools(lambda *what: RayPool(CellEvaluator, what, workers, ahead=ahead))
    try:
        if not StageRunner(campaign, model, targets, folder, record, pools, say, stop).run():
            return False
        evaluations = complete(record.frame(), weights, (str(full_fidelity(campaign)), ""))
        ensemble = choose_ensemble(campaign, evaluations, dimensions, weights)
        say(_verdict(ensemble))
        pool = pools.get(model, targets, build_settings(campaign))
        if not _simulate_members(ensemble, pool, folder, campaign, stop):
            return False
        with replacing(folder.ensemble) as aside:
            write_ensemble(ensemble, aside)
        return True
    finally:
        pools.close()
        record.close()


def _verdict(ensemble: Ensemble) -> str:
    best = ensemble.members[0]
    said = f"Best model: worst score {best.worst:.2f}, sum {best.total:.1f} over {len(best.scores)} features"
    if ensemble.accepted_in_record == 0:
        return f"{said}. No model reached the limit of {ensemble.largest_score:g} standard deviations"
    return f"{said}. {ensemble.accepted_in_record} models accepted, {len(ensemble.members)} chosen"


def _simulate_members(
    ensemble: Ensemble, pool: Pool, folder: CampaignFolder, campaign: Campaign, stop: Callable[[], bool]
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
