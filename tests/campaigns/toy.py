"""A campaign in stages whose evaluator is a formula: everything of a run but NEURON and Ray."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.checking_stages import check_protocols, check_stages
from rheobase.campaigns.choosing import choose_ensemble
from rheobase.campaigns.elites import complete
from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.record import EvaluationRecord, RecordedEvaluation
from rheobase.campaigns.running_stages import StagePools, StageRunner
from rheobase.campaigns.schema import Campaign
from rheobase.campaigns.stages import full_fidelity, model_names, weights_of, widest_dimensions
from rheobase.campaigns.starting import keep_starts
from rheobase.features.target_stimuli import ProtocolStimulus
from rheobase.features.targets import FeatureTarget, FeatureTargets, ProtocolTargets
from rheobase.features.targets_file import write_targets
from rheobase.fitting.cells.model import CellModel, CellParameter
from rheobase.fitting.cells.morphology import Morphology
from rheobase.fitting.ensembles.ensemble import write_ensemble
from rheobase.fitting.evaluation import Evaluation
from rheobase.objectives.scores import FAILURE_SCORE, z_score
from tests.campaigns.inline_pool import InlinePool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rheobase.campaigns.pool import Task
    from rheobase.fitting.cells.evaluator import EvaluationSettings
    from rheobase.fitting.evaluation import Bound

LEAK, SODIUM, POTASSIUM = "g_pas.all", "gNaTgbar_NaTg.somatic", "gSKv3_1bar_SKv3_1.somatic"

MODEL = CellModel(
    "toy",
    Morphology("toy.swc", b""),
    (),
    (
        CellParameter("g_pas", "all", "S/cm2", bounds=(1e-5, 1e-3), logarithmic=True),
        CellParameter("gNaTgbar_NaTg", "somatic", "S/cm2", bounds=(0.0, 1.0)),
        CellParameter("gSKv3_1bar_SKv3_1", "somatic", "S/cm2", bounds=(0.0, 2.0)),
        CellParameter("cm", "all", "uF/cm2", value=1.0),
    ),
)

TARGETS = FeatureTargets(
    holding_voltage_mV=-80.0,
    threshold_duration_ms=500.0,
    intrinsic=(
        FeatureTarget("input_resistance", 100.0, 10.0, "MOhm"),
        FeatureTarget("threshold_current", 0.2, 0.02, "nA"),
    ),
    protocols=(
        ProtocolTargets(
            "Step_150",
            ProtocolStimulus.step(150.0, 500.0),
            0.3,
            (FeatureTarget("mean_frequency", 12.0, 2.0, "Hz"), FeatureTarget("AP_amplitude", 80.0, 5.0, "mV")),
        ),
        ProtocolTargets(
            "Step_200", ProtocolStimulus.step(200.0, 500.0), 0.4, (FeatureTarget("mean_frequency", 20.0, 2.0, "Hz"),)
        ),
    ),
)
OBJECTIVES = tuple(TARGETS.objectives)

THREE_STAGES: dict[str, Any] = {
    "passive": {"free": [LEAK], "protocols": ["intrinsic"], "evaluations": 12},
    "coarse": {"start": "best 2 of passive", "segment_length": "100 um", "evaluations": 18},
    "fine": {"start": "best 3 of coarse", "narrow": "40 %", "evaluations": 18},
}


def toy_campaign(search: Mapping[str, Any], **sections: Any) -> Campaign:
    """A campaign of the model above."""
    parameters = {
        LEAK: {"value": "1e-5 to 1e-3 S/cm2", "scale": "logarithmic"},
        SODIUM: "0 to 1 S/cm2",
        POTASSIUM: "0 to 2 S/cm2",
    }
    return Campaign.model_validate(
        {
            "rheobase": 1,
            "name": "toy",
            "seed": 5,
            "targets": {"features": "targets.json"},
            "model": {"morphology": "toy.swc", "parameters": parameters},
            "search": {"population": 6, "deterministic": True, **search},
            "ensemble": {"size": 4, "largest_score": 3.0},
            **sections,
        }
    )


class ToyEvaluator:
    """Features that are smooth in the parameters and differ a little with the discretisation; some models fail."""

    def __init__(self, model: CellModel, targets: FeatureTargets, settings: EvaluationSettings) -> None:
        self.model, self.targets, self.settings = model, targets, settings
        self._goals = targets.objectives

    def evaluate(
        self, parameters: Mapping[str, float], keep_traces: bool = False, bound: Bound | None = None
    ) -> Evaluation:
        del keep_traces
        assert set(parameters) == set(model_names(self.model)), "every parameter of the campaign, and no other"
        coarse = self.model.segment_length_um / 1000.0
        leak, sodium, potassium = parameters[LEAK], parameters[SODIUM], parameters[POTASSIUM]
        values = {
            "input_resistance": 5e-3 / leak * (1.0 - coarse),
            "threshold_current": 0.1 + 1e3 * leak * (1.2 - sodium),
            "Step_150.soma.v.mean_frequency": 20.0 * sodium + 5.0 * potassium + 50.0 * coarse,
            "Step_150.soma.v.AP_amplitude": 60.0 + 60.0 * sodium - 10.0 * potassium,
            "Step_200.soma.v.mean_frequency": 35.0 * sodium + 4.0 * potassium,
        }
        cpu_seconds = 1.0 / (1.0 + 10.0 * coarse)
        if sodium < 0.1 and "threshold_current" in self._goals:
            known = {"input_resistance": values["input_resistance"]}
            scores = {n: z_score(known.get(n), goal.mean, goal.std) for n, goal in self._goals.items()}
            return Evaluation(known, scores, "threshold_current: no spike up to 5 nA", cpu_seconds=0.1)
        features: dict[str, float] = {}
        scores = {}
        for name, goal in self._goals.items():
            if name.endswith("AP_amplitude") and potassium > 1.9:  # has no such feature
                scores[name] = FAILURE_SCORE
                continue
            features[name] = values[name]
            scores[name] = z_score(values[name], goal.mean, goal.std)
            if bound is not None and bound.excludes(scores):
                return Evaluation(features, scores, excluded=True, cpu_seconds=0.5 * cpu_seconds)
        return Evaluation(features, scores, cpu_seconds=cpu_seconds)


@dataclass
class ToyRun:
    """One run of a campaign in a folder.

    Attributes:
        path: The folder.
        campaign: The campaign.
        targets: What it is held against.
        workers: Number of workers.
        order: Seed of the order in which evaluations end; None: as submitted.
        stop: Asked often.
        at_each: Called with every task that ends.
        said: What the user was told.
        pools: What evaluators were made of.
    """

    path: Path
    campaign: Campaign
    targets: FeatureTargets = TARGETS
    workers: int = 1
    order: int | None = None
    stop: Callable[[], bool] = lambda: False
    at_each: Callable[[Task], None] = lambda _: None
    said: list[str] = field(default_factory=list)
    pools: list[tuple[CellModel, FeatureTargets, EvaluationSettings]] = field(default_factory=list)

    def run(self) -> bool:
        """Run or resume the searches; whether they came to their end."""
        self.path.mkdir(exist_ok=True)
        folder = CampaignFolder(self.path)
        folder.begin(self.campaign, MODEL)
        check_stages(self.campaign, MODEL)
        check_protocols(self.campaign, self.targets)
        keep_starts(self.campaign, MODEL, folder, self.said.append)
        write_targets(self.targets, folder.targets)
        record = EvaluationRecord(folder.record, model_names(MODEL), tuple(self.targets.objectives))
        pools = StagePools(self._pool)
        runner = StageRunner(self.campaign, MODEL, self.targets, folder, record, pools, self.said.append, self.stop)
        try:
            ended = runner.run()
            if ended:
                weights = weights_of(self.targets)
                evaluations = complete(record.frame(), weights, [str(full_fidelity(self.campaign))])
                dimensions = widest_dimensions(self.campaign, MODEL)
                write_ensemble(choose_ensemble(self.campaign, evaluations, dimensions, weights), folder.ensemble)
            return ended
        finally:
            pools.close()
            record.close()

    def rows(self) -> list[RecordedEvaluation]:
        """What is recorded."""
        return rows_of(self.path)

    def _pool(self, model: CellModel, targets: FeatureTargets, settings: EvaluationSettings) -> InlinePool:
        self.pools.append((model, targets, settings))
        return InlinePool(ToyEvaluator(model, targets, settings), self.workers, self.order, self._note)

    def _note(self, task: Task) -> None:
        self.at_each(task)


def rows_of(path: Path) -> list[RecordedEvaluation]:
    """What is recorded in a campaign's folder."""
    record = EvaluationRecord(path / "record", model_names(MODEL), OBJECTIVES)
    try:
        return list(record.rows())
    finally:
        record.close()


def results(path: Path) -> dict[tuple[str, int], tuple[object, ...]]:
    """All that must be the same however and wherever a deterministic campaign ran."""
    rows = rows_of(path)
    found: dict[tuple[str, int], tuple[object, ...]] = {
        (row.search, row.number): (
            row.parameters, row.features, row.scores, row.failure, row.excluded, row.fidelity
        )
        for row in rows
    }  # fmt: skip
    assert len(found) == len(rows), "a candidate was recorded twice"
    return found
