"""The searches of a campaign one after another, then the best models once more at full fidelity."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.building import build_settings
from rheobase.campaigns.elites import RESCORED, best_models, complete, rescore
from rheobase.campaigns.ending import Budget
from rheobase.campaigns.progress import SearchBar
from rheobase.campaigns.schema_search import BUDGET_KEYS
from rheobase.campaigns.searching import SearchRun, run_search
from rheobase.campaigns.stages import StagePlan, full_fidelity, mirrored_dimensions, model_names, plan_stage
from rheobase.campaigns.study import StudyMirror
from rheobase.features.errors import CampaignError
from rheobase.fitting.cells.evaluator import CellEvaluator

if TYPE_CHECKING:
    from collections.abc import Callable

    from rheobase.campaigns.folder import CampaignFolder
    from rheobase.campaigns.pool import Pool
    from rheobase.campaigns.record import EvaluationRecord
    from rheobase.campaigns.schema import Campaign
    from rheobase.campaigns.schema_search import Stage
    from rheobase.features.targets import FeatureTargets
    from rheobase.fitting.cells.model import CellModel


class StagePools:
    """Workers for one way of simulating at a time: they stay while the next stage simulates the same.

    Args:
        make: Makes a pool from a factory and its arguments.
    """

    def __init__(self, make: Callable[[Callable[..., object], tuple[object, ...]], Pool]) -> None:
        self._make = make
        self._arguments: tuple[object, ...] | None = None
        self._pool: Pool | None = None

    def get(self, *arguments: object) -> Pool:
        """Workers that evaluate a model against targets with settings."""
        if self._pool is None or arguments != self._arguments:
            self.close()
            self._pool, self._arguments = self._make(CellEvaluator, arguments), arguments
        return self._pool

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


class StageRunner:
    """Runs or resumes the searches of a campaign.

    Args:
        campaign: What to do.
        model: The campaign's cell.
        targets: What it is held against.
        folder: Keeps the state of the stages.
        record: Keeps the evaluations.
        pools: Where workers come from.
        say: Called with a line for the user.
        stop: Asked often; True stops as soon as that is safe.
    """

    def __init__(
        self,
        campaign: Campaign,
        model: CellModel,
        targets: FeatureTargets,
        folder: CampaignFolder,
        record: EvaluationRecord,
        pools: StagePools,
        say: Callable[[str], None],
        stop: Callable[[], bool],
    ) -> None:
        self._campaign, self._model, self._targets = campaign, model, targets
        self._folder, self._record, self._pools = folder, record, pools
        self._say, self._stop = say, stop
        self._mirror = StudyMirror(folder.journal, campaign.name, mirrored_dimensions(campaign, model))

    def run(self) -> bool:
        """Run all stages, and evaluate the best models at full fidelity; False when stopped."""
        stages = self._campaign.search.in_stages
        begun = {row.search for row in self._record.rows()} if len(stages) > 1 else set()
        for place, (name, config) in enumerate(stages.items()):
            later_begun = bool(begun & set(list(stages)[place + 1 :]))
            if self._is_done(name, config) or later_begun:  # a later stage was built on what this one had
                for row in self._record.rows(name):
                    self._mirror.recorded(row)
            elif not self._run_stage(name, config):
                return False
        return self._rescore()

    def _run_stage(self, name: str, config: Stage) -> bool:
        plan = plan_stage(self._campaign, name, self._model, self._targets, self._best(config))
        pool = self._pools.get(plan.model, plan.targets, plan.settings)
        used_s = float(self._state(name).get("seconds", 0.0))
        begin = time.monotonic()
        progress = SearchBar(name, config.evaluations)
        reason = None
        try:
            reason = run_search(
                self._search_run(plan, used_s),
                plan.make_search(),
                pool,
                self._record,
                [progress, self._mirror],
                self._stop,
            )
        finally:
            progress.close()
            with contextlib.suppress(CampaignError):  # on a full disk; the search's own message says so
                ended = {"ended": reason, "budget": _budget(config)} if reason else {}
                self._write_state(name, {"seconds": used_s + time.monotonic() - begin, **ended})
        if reason is not None and self._campaign.search.stages:
            self._say(f"Stage {name} has ended: {reason}")
        return reason is not None

    def _search_run(self, plan: StagePlan, used_s: float) -> SearchRun:
        config = plan.config
        return SearchRun(
            name=plan.name,
            budget=Budget(
                config.evaluations,
                None if config.wall_time is None else config.wall_time - used_s,
                config.cpu_time,
                config.worst_score,
                config.stagnation,
            ),
            objectives=tuple(plan.targets.objectives),
            evaluation_limit_s=self._campaign.evaluation.time_limit,
            deterministic=plan.deterministic,
            fixed=plan.fixed,
            fidelity=str(plan.fidelity),
        )

    def _best(self, config: Stage) -> list[dict[str, float]]:
        """The models that a stage starts from."""
        if config.start is None:
            return []
        earlier = config.start.stage
        protocols = self._campaign.search.in_stages[earlier].protocols
        objectives = [name for name, group in self._targets.groups.items() if protocols is None or group in protocols]
        frame = self._record.frame()
        frame = frame[(frame["search"] == earlier) & frame["failure"].isna()]
        frame = complete(frame, objectives, frame["fidelity"].unique())
        if len(frame) == 0:
            raise CampaignError(
                f"stage '{earlier}' has no model that could be evaluated, so nothing can start from it; "
                "give it more evaluations or wider bounds"
            )
        return best_models(frame, model_names(self._model), objectives, config.start.best)

    def _rescore(self) -> bool:
        """Evaluate the best of coarser stages at full fidelity; False when stopped."""
        full = str(full_fidelity(self._campaign))
        frame = self._record.frame()
        objectives = tuple(self._targets.objectives)
        coarse = complete(frame, objectives, set(frame["fidelity"]) - {full, ""})
        if len(coarse) == 0:
            return True
        models = best_models(coarse, model_names(self._model), objectives, self._campaign.search.rescored)
        for row in self._record.rows(RESCORED):
            self._mirror.recorded(row)
        return rescore(
            models,
            self._pools.get(self._model, self._targets, build_settings(self._campaign)),
            self._record,
            full,
            self._campaign.evaluation.time_limit,
            [self._mirror],
            self._stop,
        )

    def _is_done(self, name: str, config: Stage) -> bool:
        state = self._state(name)
        return bool(state.get("ended")) and state.get("budget") == _budget(config)

    def _state(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self._folder.read_state().get("stages", {}).get(name, {})
        return found

    def _write_state(self, name: str, values: dict[str, Any]) -> None:
        stages = self._folder.read_state().get("stages", {})
        self._folder.write_state(stages={**stages, name: values})


def _budget(config: Stage) -> dict[str, Any]:
    return {key: getattr(config, key) for key in BUDGET_KEYS}
