"""The searches of a campaign one after another, then the best models once more at full fidelity."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.building import build_settings
from rheobase.campaigns.elites import RESCORED, best_rows, coarse_elites, complete, evaluate_again, models_of
from rheobase.campaigns.ending import Budget
from rheobase.campaigns.progress import SearchBar
from rheobase.campaigns.schema_search import BUDGET_KEYS
from rheobase.campaigns.searching import SearchRun, run_search
from rheobase.campaigns.stages import (
    full_fidelity,
    model_names,
    plan_stage,
    stage_fidelity,
    stage_targets,
    weights_of,
    widest_dimensions,
)
from rheobase.campaigns.starting import kept_start
from rheobase.campaigns.study import StudyMirror
from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rheobase.campaigns.folder import CampaignFolder
    from rheobase.campaigns.pool import Pool
    from rheobase.campaigns.record import EvaluationRecord, RecordedEvaluation
    from rheobase.campaigns.schema import Campaign
    from rheobase.campaigns.schema_search import Stage
    from rheobase.campaigns.stages import StagePlan
    from rheobase.features.targets import FeatureTargets
    from rheobase.fitting.cells.evaluator import EvaluationSettings
    from rheobase.fitting.cells.model import CellModel

_WRITE_EVERY_S = 30.0


class StagePools:
    """Workers for one way of simulating at a time: they stay while the next stage simulates the same.

    Args:
        make: Makes a pool of workers that evaluate a model against targets with settings.
    """

    def __init__(self, make: Callable[[CellModel, FeatureTargets, EvaluationSettings], Pool]) -> None:
        self._make = make
        self._what: tuple[CellModel, FeatureTargets, EvaluationSettings] | None = None
        self._pool: Pool | None = None

    def get(self, model: CellModel, targets: FeatureTargets, settings: EvaluationSettings) -> Pool:
        """Workers that evaluate the model against the targets with the settings."""
        if self._pool is None or (model, targets, settings) != self._what:
            self.close()
            self._pool, self._what = self._make(model, targets, settings), (model, targets, settings)
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
        self._weights = weights_of(targets)
        self._dimensions = widest_dimensions(campaign, model)
        self._mirror = StudyMirror(folder.journal, campaign.name, self._dimensions, self._weights)

    def run(self) -> bool:
        """Run all stages, and evaluate the best models at full fidelity; False when stopped."""
        stages = self._campaign.search.in_stages
        begun = {row.search for row in self._record.rows()} if len(stages) > 1 else set()
        for place, (name, config) in enumerate(stages.items()):
            later = [other for other in list(stages)[place + 1 :] if other in begun]
            if later or self._is_done(name, config):
                if not self._is_done(name, config):
                    self._say(f"Stage {name} stays as it is: {later[0]}, which comes after it, has begun")
                for row in self._record.rows(name):
                    self._mirror.recorded(row)
            elif not self._run_stage(name, config):
                return False
        return self._evaluate_elites()

    def _run_stage(self, name: str, config: Stage) -> bool:
        plan = plan_stage(self._campaign, name, self._model, self._targets, self._best(config, name))
        for note in plan.notes:
            self._say(note)
        pool = self._pools.get(plan.model, plan.targets, plan.settings)
        clock = _Clock(self._folder, name)
        progress = SearchBar(name, config.evaluations, plan.weights)
        reason = None
        try:
            reason = run_search(
                self._search_run(plan, clock.earlier_s),
                plan.make_search(),
                pool,
                self._record,
                [progress, self._mirror, clock],
                self._stop,
            )
        finally:
            progress.close()
            with contextlib.suppress(CampaignError):  # on a full disk; the search's own message says so
                clock.write({"ended": reason, "budget": _budget(config)} if reason else {})
        if reason is not None and self._campaign.search.stages:
            self._say(f"Stage {name} has ended: {reason}")
        return reason is not None

    def _search_run(self, plan: StagePlan, earlier_s: float) -> SearchRun:
        config = plan.config
        return SearchRun(
            name=plan.name,
            budget=Budget(
                config.evaluations,
                None if config.wall_time is None else config.wall_time - earlier_s,
                config.cpu_time,
                config.worst_score,
                config.stagnation,
            ),
            objectives=tuple(plan.targets.objectives),
            evaluation_limit_s=self._campaign.evaluation.time_limit,
            deterministic=plan.deterministic,
            fixed=plan.fixed,
            fidelity=str(plan.fidelity),
            weights=plan.weights,
            means={name: goal.mean for name, goal in plan.targets.objectives.items()},
        )

    def _best(self, config: Stage, name: str) -> list[dict[str, float]]:
        """The models that a stage starts from."""
        if config.start is None:
            return []
        if config.start.stage is None:
            return kept_start(self._folder, name)
        earlier = config.start.stage
        weights = weights_of(stage_targets(self._campaign.search.in_stages[earlier], self._targets))
        frame = self._record.frame()
        frame = frame[(frame["search"] == earlier) & frame["failure"].isna()]
        frame = complete(frame, weights, frame["fidelity"].unique())
        if len(frame) == 0:
            raise CampaignError(
                f"stage '{earlier}' has no model that could be evaluated, so '{name}' cannot start from it; "
                "give it more evaluations or, in another folder, wider bounds"
            )
        names = model_names(self._model)
        return models_of(best_rows(frame, names, weights, config.start.best), names)

    def _evaluate_elites(self) -> bool:
        """Evaluate the best of coarser stages at full fidelity; False when stopped."""
        campaign = self._campaign
        for row in self._record.rows(RESCORED):
            self._mirror.recorded(row)
        full = full_fidelity(campaign)
        if all(stage_fidelity(campaign, name) == full for name in campaign.search.in_stages):
            return True
        models = coarse_elites(
            self._record.frame(),
            self._dimensions,
            self._weights,
            str(full),
            campaign.search.rescored,
            campaign.ensemble.largest_score,
        )
        if not models:
            return True
        return evaluate_again(
            models,
            self._pools.get(self._model, self._targets, build_settings(campaign)),
            self._record,
            str(full),
            campaign.evaluation.time_limit,
            [self._mirror],
            self._stop,
        )

    def _is_done(self, name: str, config: Stage) -> bool:
        state = stage_state(self._folder, name)
        return bool(state.get("ended")) and state.get("budget") == _budget(config)


class _Clock:
    """Keeps the time that a stage has run, so that a killed run loses hardly any of it.

    Args:
        folder: The campaign's folder.
        stage: The stage.
    """

    def __init__(self, folder: CampaignFolder, stage: str) -> None:
        self._folder, self._stage = folder, stage
        self.earlier_s = float(stage_state(folder, stage).get("seconds", 0.0))
        self._begin = self._written = time.monotonic()

    def recorded(self, row: RecordedEvaluation) -> None:
        """Its time was counted then."""

    def evaluated(self, row: RecordedEvaluation) -> None:  # noqa: ARG002
        """Now and then it is time to write the time."""
        if time.monotonic() - self._written > _WRITE_EVERY_S:
            self.write({})

    def write(self, further: Mapping[str, object]) -> None:
        """Write the time, and what else there is to say of the stage.

        Args:
            further: What else.

        Raises:
            CampaignError: the disk is full.
        """
        self._written = time.monotonic()
        stages = self._folder.read_state().get("stages", {})
        state = {"seconds": self.earlier_s + (self._written - self._begin), **further}
        self._folder.write_state(stages={**stages, self._stage: state})


def stage_state(folder: CampaignFolder, stage: str) -> dict[str, Any]:
    """What is kept of a stage: "seconds" it has run; "ended" and "budget" when it has."""
    found: dict[str, Any] = folder.read_state().get("stages", {}).get(stage, {})
    return found


def _budget(config: Stage) -> dict[str, Any]:
    return {key: getattr(config, key) for key in BUDGET_KEYS}
