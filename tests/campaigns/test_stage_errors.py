"""What is wrong with the stages of a campaign file: one message with file, line and key before anything runs."""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import TYPE_CHECKING

import pytest

from rheobase.campaigns import cli
from rheobase.campaigns.checking_stages import check_protocols
from rheobase.features.errors import CampaignError
from tests.campaigns.refusals import refused
from tests.campaigns.tiny import write_tiny
from tests.campaigns.toy import SODIUM, TARGETS, ToyRun, toy_campaign

if TYPE_CHECKING:
    from pathlib import Path

SEARCH = """\
search:
  population: 6
  deterministic: true
  evaluations: 18
"""

# (what comes in place of the search, piece of the line blamed, key, message)
CASES = [
    ("search: {algorithm: ibae}\n", "ibae", "search.algorithm", r"there is no 'ibae'; did you mean 'ibea'\?"),
    ("search: {algorithm: magic}\n", "magic", "search.algorithm", r"there is no 'magic'; there are ibea, nsga2, "),
    ("search:\n  stages:\n    one: {}\n    two: {algorithm: cmaes}\n", "cmaes", "search.stages.two.algorithm",
     r"there is no 'cmaes'; did you mean 'cma_es'\?"),
    ("search:\n  algorithm: ibae\n  stages:\n    one: {}\n", "ibae", "search.algorithm", r"did you mean 'ibea'\?"),
    ("search:\n  options: {crossover: 3}\n", "crossover", "search.options",
     r"the search 'ibea' has the options crossover_eta, .*, got 'crossover'"),
    ("search:\n  stages:\n    one: {population: 3}\n", "population", "search.stages.one.population",
     r"greater than or equal to 4, got 3"),
    ("search:\n  stages:\n    first: {}\n    two: {start: best 3 of won}\n", "won", "search.stages.two.start",
     r"there is no stage 'won' before it; the stages before it are first; a path needs a slash, such as \./runs/first"),
    ("search:\n  stages:\n    coarse: {}\n    two: {start: best 3 of coars}\n", "coars}", "search.stages.two.start",
     r"there is no stage 'coars' before it; did you mean 'coarse'\?"),
    ("search:\n  stages:\n    one: {start: best 3 of one}\n", "start", "search.stages.one.start",
     r"there is no stage 'one' before it; there is no stage before it"),
    ("search: {start: best 3 of coarse}\n", "start", "search.start", r"there is no stage 'coarse' before it"),
    ("search:\n  stages:\n    one: {}\n    two: {start: the best of one}\n", "the best", "search.stages.two.start",
     r"expected 'best NUMBER of STAGE', for example 'best 20 of coarse'.*got 'the best of one'"),
    ("search:\n  stages:\n    one: {}\n    two: {start: best 0 of one}\n", "best 0", "search.stages.two.start",
     r"expected 'best NUMBER of STAGE'.*got 'best 0 of one'"),
    ("search: {start: best 3 of ./nowhere}\n", "nowhere", "search.start", r"there is no folder or file .*/nowhere"),
    ("search: {start: best 3 of nowhere.json}\n", "nowhere", "search.start",
     r"there is no folder or file .*/nowhere\.json"),
    ("search: {start: best 3 of ./tiny.yaml}\n", "tiny.yaml", "search.start", r"tiny\.yaml is not an ensemble"),
    ("search: {start: best 3 of ./morphologies}\n", "morphologies", "search.start",
     r"morphologies is not the folder of a campaign"),
    ("search:\n  stages:\n    one: {narrow: 20 %}\n", "narrow", "search.stages.one.narrow",
     r"no 'start' says around what; give one, such as 'best 20 of STAGE'"),
    ("search:\n  stages:\n    one: {}\n    two: {start: best 3 of one, narrow: 0.2}\n", "narrow",
     "search.stages.two.narrow", r"expected a quantity with its unit, such as '1 %', got 0\.2"),
    ("search:\n  stages:\n    one: {free: [g_pas.al]}\n", "g_pas.al", "search.stages.one.free.0",
     r"there is no 'g_pas\.al'; did you mean 'g_pas\.all'\?"),
    ("search:\n  stages:\n    one: {free: [g_pas.all, cm.all]}\n", "cm.all", "search.stages.one.free.1",
     r"there is no 'cm\.all'; there are g_pas\.all, "),
    ("search:\n  stages:\n    one: {free: []}\n", "free", "search.stages.one.free", r"no parameter is left to move"),
    ("search:\n  stages:\n    one:\n      bounds: {g_pas.al: 1e-5 to 1e-4 S/cm2}\n", "g_pas.al",
     "search.stages.one.bounds.g_pas.al", r"there is no 'g_pas\.al'; did you mean 'g_pas\.all'\?"),
    ("search:\n  stages:\n    one:\n      bounds: {g_pas.all: 1e-5 to 1e-4 mV}\n", "1e-4 mV",
     "search.stages.one.bounds.g_pas.all", r"expected a unit like S/cm2, got 'mV'"),
    ("search:\n  stages:\n    one:\n      bounds: {g_pas.all: 1e-4 S/cm2}\n", "g_pas.all: 1e-4",
     "search.stages.one.bounds.g_pas.all", r"expected a range with its unit, .* got '1e-4 S/cm2'"),
    ("search:\n  stages:\n    one:\n      bounds: {g_pas.all: 1e-3 to 1e-4 S/cm2}\n", "1e-3 to",
     "search.stages.one.bounds.g_pas.all", r"the lower bound must be below the upper one"),
    ("search:\n  stages:\n    one:\n      bounds: {g_pas.all: 0 to 1e-4 S/cm2}\n", "0 to",
     "search.stages.one.bounds.g_pas.all", r"a logarithmic scale needs a lower bound above zero"),
    ("search:\n  stages:\n    one:\n      free: [gNaTgbar_NaTg.somatic]\n"
     "      bounds: {g_pas.all: 1e-5 to 1e-4 S/cm2}\n", "bounds: {", "search.stages.one.bounds.g_pas.all",
     r"the parameter does not move in this stage; name it under 'free' too"),
    ("search:\n  stages:\n    one: {segment_length: 100}\n", "segment_length", "search.stages.one.segment_length",
     r"expected a quantity with its unit, such as '1 um', got 100"),
    ("search:\n  stages:\n    one: {budget: 3}\n", "budget", "search.stages.one.budget", r"unknown key; known keys"),
    ("search:\n  stages:\n    first stage: {}\n", "first stage", "search.stages.first stage",
     r"expected the name of a stage, letters, digits, '_' and '-' .* got 'first stage'"),
    ("search:\n  stages:\n    rescored: {}\n", "rescored", "search.stages.rescored", r"give another name"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("search", "piece", "key", "message"), CASES, ids=[f"{case[2]}-{number}" for number, case in enumerate(CASES)]
)
def test_what_is_wrong_is_said_with_file_line_and_key(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    search: str,
    piece: str,
    key: str,
    message: str,
) -> None:
    path = write_tiny(tmp_path, (SEARCH, search))
    for command in (["check", path], ["run", path, "--out", tmp_path / "run"]):
        said = refused(capsys, monkeypatch, *command)
        found = re.fullmatch(rf"{re.escape(str(path))}, line (\d+), {re.escape(key)}: (.*)", said)
        assert found, said
        assert re.search(message, found[2]), said
        assert piece in path.read_text(encoding="utf-8").splitlines()[int(found[1]) - 1]
        assert not (tmp_path / "run" / "record").exists()


def test_an_override_is_blamed_for_what_it_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiny(tmp_path, (SEARCH, "search:\n  stages:\n    one: {}\n    two: {}\n"))
    override = "search.stages.two.start=best 3 of won"
    said = refused(capsys, monkeypatch, "check", path, "--set", override)
    assert said.startswith("--set search.stages.two.start: there is no stage 'won' before it")


def test_a_campaign_in_stages_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = "    coarse: {segment_length: 100 um, wall_time: 10 min}\n    fine: {start: best 3 of coarse}\n"
    stages += "    last: {algorithm: bayesian, cpu_time: 90 s}\n"
    path = write_tiny(tmp_path, (SEARCH, f"search:\n  evaluations: 40\n  stages:\n{stages}"))
    monkeypatch.setattr(sys, "argv", ["rheobase", "check", str(path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert not ended.value.code, said.err
    assert re.search(
        r"(?m)^  coarse: ibea, population 50, 40 evaluations; at most \d+ minutes .*, 10 minutes", said.out
    )
    assert re.search(r"(?m)^  fine: ibea, population 50, from the best 3 of coarse, 40 evaluations; at most", said.out)
    # One that has no population is shown none.
    assert re.search(r"(?m)^  last: bayesian, 40 evaluations; at most .* workers, 1\.5 CPU minutes as the", said.out)
    assert said.out.endswith("Everything is in order.\n")


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"protocols": ["Step_15"]}, r"stages\.only\.protocols\.0: there is no 'Step_15'; did you mean 'Step_150'"),
        ({"protocols": ["intrinsic", "IV"]}, r"protocols\.1: there is no 'IV'; there are intrinsic, Step_150, Step, "),
        ({"protocols": ["intrinsic", "Step_150"]}, r"search\.stages\.only\.protocols: no stage looks at all targets"),
        ({"protocols": []}, r"search\.stages\.only\.protocols: what the stage looks at has no target"),
    ],
)  # fmt: skip
def test_protocols_are_checked_as_soon_as_there_are_targets(stage: dict[str, object], message: str) -> None:
    campaign = toy_campaign({"stages": {"before": {"protocols": ["Step"]}, "only": stage}})
    with pytest.raises(CampaignError, match=message):
        check_protocols(campaign, TARGETS)


def test_wrong_names_of_protocols_may_be_mended_before_anything_is_recorded(tmp_path: Path) -> None:
    def run(protocol: str) -> ToyRun:
        stages = {"some": {"protocols": [protocol], "evaluations": 6}, "all": {"evaluations": 6}}
        return ToyRun(tmp_path / "run", toy_campaign({"stages": stages}))

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "targets.json").write_text("{}", encoding="utf-8")  # made before stages are looked at
    with pytest.raises(CampaignError, match="there is no 'Stepp_200'"):
        run("Stepp_200").run()
    assert run("Step_200").run()
    with pytest.raises(CampaignError, match=r"begun with another campaign: search\.stages\.some\.protocols was"):
        run("Step_150").run()


def test_weights_of_zero_leave_nothing_to_look_at() -> None:
    silent = dataclasses.replace(TARGETS.protocols[1].features[0], weight=0.0)
    protocols = (TARGETS.protocols[0], dataclasses.replace(TARGETS.protocols[1], features=(silent,)))
    targets = dataclasses.replace(TARGETS, protocols=protocols)
    check_protocols(toy_campaign({"stages": {"only": {"free": [SODIUM]}}}), targets)
    with pytest.raises(CampaignError, match="has only targets with a weight of zero"):
        check_protocols(toy_campaign({"stages": {"some": {"protocols": ["Step_200"]}, "all": {}}}), targets)
