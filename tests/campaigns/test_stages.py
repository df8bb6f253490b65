"""Searches one after another: what they begin with, what moves, and that no interruption shows in the record."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from rheobase.campaigns.folder import CampaignFolder
from rheobase.campaigns.record import read_frame
from rheobase.campaigns.report.stages import fidelity_lines
from rheobase.campaigns.schema import Campaign
from rheobase.campaigns.schema_types import CANONICAL
from rheobase.campaigns.stages import plan_stage, stage_targets, widest_dimensions
from rheobase.campaigns.status import open_folder
from rheobase.features.errors import CampaignError
from rheobase.fitting.ensembles.ensemble import read_ensemble
from tests.campaigns.toy import (
    LEAK,
    MODEL,
    OBJECTIVES,
    POTASSIUM,
    SODIUM,
    TARGETS,
    THREE_STAGES,
    ToyRun,
    results,
    rows_of,
    toy_campaign,
)

BEST = {LEAK: 5e-5, SODIUM: 0.6, POTASSIUM: 1.0}
SECOND = {LEAK: 7e-5, SODIUM: 0.5, POTASSIUM: 0.5}


def _plan(best: list[dict[str, float]], **stage: Any) -> Any:
    stages = {"first": {}, "second": {"start": "best 2 of first", **stage}}
    return plan_stage(toy_campaign({"stages": stages}), "second", MODEL, TARGETS, best)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of three stages that ran without any interruption, on one worker."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert ToyRun(path, toy_campaign({"stages": THREE_STAGES, "rescored": 30})).run()
    return path


# ---------------------------------------------------------------------- what a stage is made of


def test_a_stage_begins_at_the_best_models() -> None:
    plan = _plan([BEST, SECOND])
    assert plan.start == tuple(
        tuple(pytest.approx(d.position(parameters[d.name])) for d in MODEL.dimensions) for parameters in (BEST, SECOND)
    )
    assert plan.dimensions == MODEL.dimensions
    assert plan.fixed == {}
    assert plan.notes == ()


def test_what_is_not_free_keeps_the_best_models_value() -> None:
    plan = _plan([BEST, SECOND], free=[SODIUM])
    assert plan.fixed == {LEAK: 5e-5, POTASSIUM: 1.0}
    assert [dimension.name for dimension in plan.dimensions] == [SODIUM]
    assert plan.start == ((0.6,), (0.5,))


def test_without_a_start_what_is_not_free_keeps_the_middle_of_its_bounds() -> None:
    stages = {"first": {"free": [SODIUM]}}
    plan = plan_stage(toy_campaign({"stages": stages}), "first", MODEL, TARGETS, [])
    assert plan.fixed == {LEAK: pytest.approx(1e-4), POTASSIUM: 1.0}
    assert plan.start == ()


def test_narrow_bounds_lie_around_the_best_model_within_the_models() -> None:
    leak, sodium, potassium = _plan([BEST, SECOND], narrow="20 %").dimensions
    assert (sodium.low, sodium.high) == (pytest.approx(0.4), pytest.approx(0.8))
    assert (potassium.low, potassium.high) == (pytest.approx(0.6), pytest.approx(1.4))
    assert (leak.low, leak.high) == (pytest.approx(5e-5 / 10**0.4), pytest.approx(5e-5 * 10**0.4))
    (sodium,) = _plan([{**BEST, SODIUM: 0.95}], narrow="20 %", free=[SODIUM]).dimensions
    assert (sodium.low, sodium.high) == (pytest.approx(0.75), 1.0)


def test_narrow_around_a_model_beyond_the_bounds_begins_at_the_bound() -> None:
    plan = _plan([{**BEST, SODIUM: 1.7}], narrow="20 %", free=[SODIUM])
    assert (plan.dimensions[0].low, plan.dimensions[0].high) == (pytest.approx(0.8), 1.0)
    assert plan.start == ((1.0,),)
    assert plan.notes == (
        f"Stage second: the best model that it starts from lies beyond the model's bounds in {SODIUM}; it is narrowed "
        "at the bound instead (give the stage 'bounds' of its own there)",
    )
    assert _plan([BEST], narrow="20 %", free=[SODIUM]).notes == ()


def test_models_to_start_from_beyond_the_bounds_are_moved_onto_them_and_that_is_said() -> None:
    plan = _plan([BEST, {**SECOND, SODIUM: 1.7}])
    assert [place[1] for place in plan.start] == [0.6, 1.0]
    assert plan.notes == (
        f"Stage second: of the 2 models that it starts from, some lie outside its bounds (1 in {SODIUM}) "
        "and are moved onto them",
    )


def test_bounds_may_be_wider_than_the_models() -> None:
    bounds = {SODIUM: "0 to 4 S/cm2", LEAK: "1e-6 to 1e-4 S/cm2"}
    plan = _plan([BEST], bounds=bounds)
    leak, sodium, _ = plan.dimensions
    assert (sodium.low, sodium.high) == (0.0, 4.0)
    assert plan.start[0][1] == pytest.approx(0.15)
    assert (leak.low, leak.high, leak.logarithmic) == (1e-6, 1e-4, True)
    stages = {"first": {}, "second": {"bounds": bounds}, "third": {"bounds": {SODIUM: "0.1 to 0.2 S/cm2"}}}
    widest = widest_dimensions(toy_campaign({"stages": stages}), MODEL)
    assert [(d.low, d.high) for d in widest] == [(1e-6, 1e-3), (0.0, 4.0), (0.0, 2.0)]


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        (None, OBJECTIVES),
        (["intrinsic"], OBJECTIVES[:2]),
        (["Step_200"], OBJECTIVES[4:]),
        (["Step"], OBJECTIVES[2:]),
        (["intrinsic", "Step_150"], OBJECTIVES[:4]),
    ],
)
def test_a_stage_may_look_at_some_of_the_targets(protocols: list[str] | None, expected: tuple[str, ...]) -> None:
    stages = {"only": {} if protocols is None else {"protocols": protocols}}
    config = toy_campaign({"stages": stages}).search.in_stages["only"]
    assert tuple(stage_targets(config, TARGETS).objectives) == expected


def test_a_stage_inherits_what_it_does_not_say_also_when_read_back_from_its_folder() -> None:
    search = {
        "algorithm": "nsga2",
        "options": {"crossover_eta": 5.0},
        "evaluations": 77,
        "wall_time": "2 min",
        "stages": {**THREE_STAGES, "other": {"algorithm": "cma_es", "population": 9, "start": "best 3 of a/b.json"}},
    }
    campaign = toy_campaign(search)
    stages = campaign.search.in_stages
    assert [stage.algorithm for stage in stages.values()] == ["nsga2"] * 3 + ["cma_es"]
    assert [stage.evaluations for stage in stages.values()] == [12, 18, 18, 77]
    assert [stage.population for stage in stages.values()] == [6, 6, 6, 9]
    assert [stage.options for stage in stages.values()] == [{"crossover_eta": 5.0}] * 3 + [{}]
    assert {stage.wall_time for stage in stages.values()} == {120.0}
    again = Campaign.model_validate(campaign.model_dump(mode="json"), context=CANONICAL)
    assert again.search.in_stages == stages
    assert again.essence() == campaign.essence()


# ---------------------------------------------------------------------- what a campaign in stages records


def test_every_stage_looks_at_what_it_is_told_to(whole: Path) -> None:
    rows = rows_of(whole)
    stage = {name: [row for row in rows if row.search == name] for name in (*THREE_STAGES, "rescored")}
    assert [len(stage[name]) for name in THREE_STAGES] == [12, 18, 18]
    assert all(set(row.parameters) == {LEAK, SODIUM, POTASSIUM} for row in rows)
    assert {(row.parameters[SODIUM], row.parameters[POTASSIUM]) for row in stage["passive"]} == {(0.5, 1.0)}
    assert all(set(row.scores) <= set(OBJECTIVES[:2]) for row in stage["passive"])
    assert {row.fidelity for row in stage["passive"]} == {"40 um, 0.001"}
    assert {row.fidelity for row in stage["coarse"]} == {"100 um, 0.001"}
    assert {row.fidelity for row in stage["fine"]} == {"40 um, 0.001"}
    assert {row.fidelity for row in stage["rescored"]} == {"40 um, 0.001"}


def _best(path: Path, search: str, number: int) -> list[dict[str, float]]:
    found = [row for row in rows_of(path) if row.search == search and not row.excluded and row.failure is None]
    return [row.parameters for row in sorted(found, key=lambda row: sum(row.scores.values()))[:number]]


@pytest.mark.parametrize(("earlier", "later", "number"), [("passive", "coarse", 2), ("coarse", "fine", 3)])
def test_the_first_candidates_are_the_best_models_of_the_stage_before(
    whole: Path, earlier: str, later: str, number: int
) -> None:
    first = [row.parameters for row in rows_of(whole) if row.search == later and row.number < number]
    for candidate, model in zip(first, _best(whole, earlier, number), strict=True):
        assert candidate == pytest.approx(model, rel=0.5 if later == "fine" else 1e-9)
    assert first[0] == pytest.approx(_best(whole, earlier, 1)[0], rel=1e-12)


def test_a_narrow_stage_stays_near_the_best_model(whole: Path) -> None:
    best = _best(whole, "coarse", 1)[0]
    values = [row.parameters[SODIUM] for row in rows_of(whole) if row.search == "fine"]
    assert max(values) - min(values) > 0.1
    assert all(abs(value - best[SODIUM]) <= 0.4 + 1e-12 for value in values)


def test_only_models_of_full_fidelity_are_chosen(whole: Path) -> None:
    members = read_ensemble(whole / "ensemble.json").members
    assert {member.search for member in members} <= {"fine", "rescored"}
    rows = {(row.search, row.number): row for row in rows_of(whole)}
    for member in members:
        assert rows[member.search, member.number].parameters == member.parameters
        assert rows[member.search, member.number].scores == member.scores


def test_workers_stay_while_the_next_stage_simulates_the_same(tmp_path: Path) -> None:
    stages = {
        "one": {"evaluations": 6},
        "two": {"start": "best 2 of one", "narrow": "10 %", "evaluations": 6},
        "three": {"free": [LEAK], "evaluations": 6},
        "coarse": {"absolute_tolerance": 1e-2, "evaluations": 6},
    }
    run = ToyRun(tmp_path / "run", toy_campaign({"stages": stages, "rescored": 24}))
    assert run.run()
    assert [settings.absolute_tolerance for *_, settings in run.pools][:2] == [1e-3, 1e-2]
    assert len(run.pools) == 3, "one for three stages, one for the coarse one, one to evaluate its models again"
    assert run.said == [
        f"Stage {name} has ended: its number of evaluations is reached" for name in ("one", "two", "three", "coarse")
    ]


def test_relaxed_bounds_reach_the_record_and_the_ensemble(tmp_path: Path) -> None:
    stages = {"inside": {"evaluations": 12}, "beyond": {"bounds": {POTASSIUM: "2.5 to 8 S/cm2"}, "evaluations": 12}}
    run = ToyRun(tmp_path / "run", toy_campaign({"stages": stages}, ensemble={"size": 24, "largest_score": 1e3}))
    assert run.run()
    assert all(row.parameters[POTASSIUM] >= 2.5 for row in run.rows() if row.search == "beyond")
    members = read_ensemble(tmp_path / "run" / "ensemble.json").members
    assert max(member.parameters[POTASSIUM] for member in members) > 2.5


@pytest.mark.parametrize(("workers", "order"), [(2, 1), (5, 2), (40, 3)])
def test_the_number_of_workers_does_not_matter(whole: Path, tmp_path: Path, workers: int, order: int) -> None:
    run = ToyRun(tmp_path / "run", toy_campaign({"stages": THREE_STAGES, "rescored": 30}), TARGETS, workers, order)
    assert run.run()
    assert results(tmp_path / "run") == results(whole)
    assert read_ensemble(tmp_path / "run" / "ensemble.json") == read_ensemble(whole / "ensemble.json")


@pytest.mark.parametrize("order", [None, 4])
def test_killed_at_any_instant_and_resumed(whole: Path, tmp_path: Path, order: int | None) -> None:
    """Copies of the folder as a SIGKILL would leave it, in the midst of every evaluation and between them."""
    campaign = toy_campaign({"stages": THREE_STAGES, "rescored": 30})
    run = ToyRun(tmp_path / "run", campaign, workers=3, order=order)
    copies: list[Path] = []

    def copy(_: object = None) -> bool:
        copies.append(tmp_path / f"copy_{len(copies)}")
        shutil.copytree(run.path, copies[-1])
        return False

    run.at_each, run.stop = copy, copy
    assert run.run()
    recorded = [len(rows_of(path)) for path in copies]
    if order is None:  # one by one
        assert set(recorded) == set(range(len(results(whole))))
    for place, path in enumerate(copies):
        if place % 7 == 0 or (recorded[place] > 46 and place % 2 == 0):  # the last: rescoring
            assert ToyRun(path, campaign, workers=1 + place % 3, order=place).run()
            assert results(path) == results(whole), f"killed with {recorded[place]} evaluations recorded"
            assert read_ensemble(path / "ensemble.json") == read_ensemble(whole / "ensemble.json")


def test_stopped_again_and_again(whole: Path, tmp_path: Path) -> None:
    campaign = toy_campaign({"stages": THREE_STAGES, "rescored": 30})
    for attempt in range(60):
        left = iter(range(3 + attempt % 4))
        stopping = ToyRun(tmp_path / "run", campaign, workers=2, order=attempt, stop=lambda: next(left, None) is None)  # noqa: B023
        if stopping.run():
            break
    assert attempt > 5
    assert results(tmp_path / "run") == results(whole)


# ---------------------------------------------------------------------- larger budgets


def _with_evaluations(**evaluations: int) -> Campaign:
    stages = {name: {**stage, "evaluations": evaluations.get(name, stage["evaluations"])} for name, stage in
              THREE_STAGES.items()}  # fmt: skip
    return toy_campaign({"stages": stages, "rescored": 30})


def test_a_larger_budget_of_the_last_stage_goes_on(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    assert ToyRun(path, _with_evaluations(fine=30)).run()
    at_once = tmp_path / "at_once"
    assert ToyRun(at_once, _with_evaluations(fine=30)).run()
    found, expected = results(path), results(at_once)
    assert {key: value for key, value in found.items() if key[0] != "rescored"} == {
        key: value for key, value in expected.items() if key[0] != "rescored"
    }
    assert {key[1] for key in found if key[0] == "fine"} == set(range(30))
    # Coarse models that were among the best before the larger budget stay evaluated.
    assert {key for key in expected if key[0] == "rescored"} <= {key for key in found if key[0] == "rescored"}


def test_a_stage_whose_later_stage_has_begun_is_not_continued(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    run = ToyRun(path, _with_evaluations(coarse=40))
    assert run.run()
    assert results(path) == results(whole)
    assert run.said[0] == "Stage coarse stays as it is: fine, which comes after it, has begun"


def test_a_larger_budget_goes_on_while_no_later_stage_has_begun(tmp_path: Path) -> None:
    path = tmp_path / "run"
    stopping = ToyRun(path, _with_evaluations())
    stopping.stop = lambda: any("Stage coarse has ended" in line for line in stopping.said)
    assert not stopping.run()
    assert ToyRun(path, _with_evaluations(coarse=30)).run()
    whole = tmp_path / "whole"
    assert ToyRun(whole, _with_evaluations(coarse=30)).run()
    assert results(path) == results(whole)


def test_a_finished_campaign_evaluates_nothing_anew(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    run = ToyRun(path, _with_evaluations())
    assert run.run()
    assert run.pools == []
    assert results(path) == results(whole)


# ---------------------------------------------------------------------- full fidelity


def _coarse(rescored: int) -> Campaign:
    stages = {"coarse": {"segment_length": "200 um", "evaluations": 24}}
    return toy_campaign({"stages": stages, "rescored": rescored})


def test_the_best_of_a_coarse_search_are_evaluated_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    assert ToyRun(path, _coarse(5), workers=2, order=1).run()
    rows = [row for row in rows_of(path) if row.search == "rescored"]
    assert [row.parameters for row in sorted(rows, key=lambda row: row.number)] == _best(path, "coarse", 5)
    assert {row.fidelity for row in rows} == {"40 um, 0.001"}
    assert {member.search for member in read_ensemble(path / "ensemble.json").members} == {"rescored"}


def test_what_a_fixed_time_step_does_to_the_scores_is_measured(tmp_path: Path) -> None:
    """A stage with one is coarse: its best are evaluated with the variable step, and the two are compared."""
    path = tmp_path / "run"
    campaign = toy_campaign({"stages": {"quick": {"time_step": "0.1 ms", "evaluations": 12}}, "rescored": 4})
    run = ToyRun(path, campaign)
    assert run.run()
    assert [(settings.integrator, settings.time_step_ms) for *_, settings in run.pools] == [
        ("fixed", 0.1),
        ("variable", 0.025),
    ]
    rows = rows_of(path)
    assert {row.fidelity for row in rows if row.search == "quick"} == {"40 um, steps of 0.1 ms"}
    assert {row.fidelity for row in rows if row.search == "rescored"} == {"40 um, 0.001"}
    frame = read_frame(path / "record")
    assert frame is not None
    (line,) = fidelity_lines(frame, [LEAK, SODIUM, POTASSIUM], TARGETS, "40 um, 0.001")
    assert (line.coarse, line.models) == ("40 um, steps of 0.1 ms", 4)
    assert {member.search for member in read_ensemble(path / "ensemble.json").members} == {"rescored"}


@pytest.mark.parametrize("integrator", ["fixed", "coreneuron"])
def test_a_campaign_with_fixed_steps_has_nothing_to_evaluate_again(tmp_path: Path, integrator: str) -> None:
    """Its stages are as fine as it is, but for those with longer steps or segments."""
    evaluation = {"integrator": integrator, "time_step": "0.05 ms"}
    stages = {
        "as_fine": {"evaluations": 12, "absolute_tolerance": 0.01},
        "coarse": {"evaluations": 12, "time_step": "0.1 ms"},
    }
    run = ToyRun(tmp_path / "run", toy_campaign({"stages": stages, "rescored": 4}, evaluation=evaluation))
    assert run.run()
    found = [(settings.integrator, settings.time_step_ms) for *_, settings in run.pools]
    assert found == [(integrator, 0.05), (integrator, 0.1), (integrator, 0.05)]
    words = " by CoreNEURON" if integrator == "coreneuron" else ""
    by_search = {(row.search, row.fidelity) for row in rows_of(tmp_path / "run")}
    fine, coarse = (f"40 um, steps of {step} ms{words}" for step in ("0.05", "0.1"))
    assert by_search == {("as_fine", fine), ("coarse", coarse), ("rescored", fine)}


def test_more_of_them_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "run"
    assert ToyRun(path, _coarse(3)).run()
    before = results(path)
    more = ToyRun(path, _coarse(8))
    assert more.run()
    found = results(path)
    assert before.items() <= found.items()
    assert {number for search, number in found if search == "rescored"} == set(range(8))


def test_a_model_that_fails_at_full_fidelity_is_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = ToyRun(path, _coarse(5))
    assert run.run()
    failing = _FailingPools(path)
    assert failing.run()
    again = ToyRun(failing.path, _coarse(5))
    assert again.run()
    assert again.pools == []
    assert len([row for row in rows_of(failing.path) if row.failure == "timeout: made up"]) == 5


class _FailingPools(ToyRun):
    """The same campaign beside, whose models fail at full fidelity."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.with_name("failing"), _coarse(5))

    def _note(self, task: Any) -> str | None:  # type: ignore[override]
        del task
        return "timeout: made up" if self.pools[-1][0].segment_length_um == 40.0 else None


def test_without_a_coarse_stage_nothing_is_evaluated_again(tmp_path: Path) -> None:
    run = ToyRun(tmp_path / "run", toy_campaign({"evaluations": 18}))
    assert run.run()
    assert {row.search for row in run.rows()} == {"search"}
    assert len(run.pools) == 1


def test_where_every_coarse_model_fails_there_is_a_result_all_the_same(tmp_path: Path) -> None:
    stages = {"coarse": {"segment_length": "200 um", "evaluations": 12, "bounds": {SODIUM: "0 to 0.05 S/cm2"}}}
    run = ToyRun(tmp_path / "run", toy_campaign({"stages": stages}))
    assert run.run()
    assert [row.search for row in run.rows()].count("rescored") == 1
    (member,) = read_ensemble(tmp_path / "run" / "ensemble.json").members
    assert not member.accepted


def test_nothing_can_start_from_a_stage_in_which_every_model_failed(tmp_path: Path) -> None:
    stages = {
        "first": {"evaluations": 6, "bounds": {SODIUM: "0 to 0.05 S/cm2"}},
        "second": {"start": "best 2 of first", "evaluations": 6},
    }
    with pytest.raises(CampaignError, match=r"stage 'first' has no model that could be evaluated, so 'second' cannot"):
        ToyRun(tmp_path / "run", toy_campaign({"stages": stages})).run()


def test_the_runner_keeps_why_and_when_a_stage_ended(whole: Path) -> None:
    stages = CampaignFolder(whole).read_state()["stages"]
    assert set(stages) == set(THREE_STAGES)
    assert {stage["ended"] for stage in stages.values()} == {"its number of evaluations is reached"}
    assert all(stage["seconds"] > 0.0 for stage in stages.values())


def test_the_folder_knows_the_stages_in_their_order(whole: Path) -> None:
    campaign, _ = open_folder(whole)
    assert list(campaign.search.in_stages) == list(THREE_STAGES)
    assert campaign.search.in_stages == toy_campaign({"stages": THREE_STAGES}).search.in_stages
