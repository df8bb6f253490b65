"""The study mirrors the record for dashboards, and can be made again from it at any time."""

from __future__ import annotations

import dataclasses
import json
import random
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rheobase.campaigns.study import ALL_OF_THE_FIRST, ELITES, THEN_PER_DOUBLING, StudyMirror
from rheobase.fitting.search.space import Dimension
from rheobase.objectives.scores import summarize
from tests.campaigns.processes import Running
from tests.campaigns.rows import PARAMETERS, row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rheobase.campaigns.record import RecordedEvaluation

DIMENSIONS = (Dimension(PARAMETERS[0], 1e-5, 1e-3, logarithmic=True), Dimension(PARAMETERS[1], 0.0, 1.0))

_READ = """
import json, sys, optuna
storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(sys.argv[1]))
study = optuna.load_study(study_name="tiny", storage=storage)
print(json.dumps([
    {"state": trial.state.name, "value": trial.value, "parameters": trial.params, "attributes": trial.user_attrs}
    for trial in study.trials
]))
"""


def _mirror(journal: Path, recorded: Iterable[RecordedEvaluation] = ()) -> StudyMirror:
    mirror = StudyMirror(journal, "tiny", DIMENSIONS)
    for entry in recorded:
        mirror.recorded(entry)
    return mirror


def _trials(journal: Path) -> list[dict[str, Any]]:
    """The trials as another process sees them."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _READ, str(journal)], capture_output=True, text=True, check=True
    )
    trials: list[dict[str, Any]] = json.loads(ended.stdout.splitlines()[-1])
    return trials


def test_every_evaluation_can_be_read_by_another_process(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    mirror = _mirror(journal)
    for number in range(12):
        mirror.evaluated(row(number))
    trials = _trials(journal)
    assert len(trials) == 12
    for number, trial in enumerate(trials):
        recorded = row(number)
        total = pytest.approx(summarize(recorded.scores).total)
        assert trial["state"] == ("FAIL" if recorded.failure else "COMPLETE")
        assert trial["value"] == (None if recorded.failure else total)
        assert trial["attributes"]["sum of scores"] == total
        assert trial["parameters"] == recorded.parameters
        assert trial["attributes"]["evaluation"] == f"search {number}"
        assert trial["attributes"]["worst score"] == pytest.approx(max(recorded.scores.values()))
        assert trial["attributes"].get("failure") == recorded.failure
        assert trial["attributes"]["feature threshold_current"] == recorded.features["threshold_current"]


def test_resuming_adds_what_is_missing_and_nothing_twice(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    mirror = _mirror(journal)
    for number in range(5):
        mirror.evaluated(row(number))
    again = _mirror(journal, [row(number) for number in range(8)])  # three were recorded and not mirrored
    again.evaluated(row(8))
    _mirror(journal, [row(number) for number in range(9)]).evaluated(row(3))  # torn from the record, evaluated again
    assert [trial["attributes"]["evaluation"] for trial in _trials(journal)] == [f"search {n}" for n in range(9)]


@pytest.mark.parametrize("damage", ["torn", "torn a little", "middle", "zeros", "text"])
def test_a_damaged_journal_is_set_aside_and_made_again(tmp_path: Path, damage: str) -> None:
    journal = tmp_path / "study.journal"
    rows = [row(number) for number in range(6)]
    _mirror(journal, rows)
    content = journal.read_bytes()
    lines = content.splitlines(keepends=True)
    spoilt = {
        "torn": content[:-40],
        "torn a little": content[:-1],
        "middle": b"".join(lines[:3]) + b'{"op_code":\n' + b"".join(lines[4:]),
        "zeros": content[:100] + bytes(len(content) - 101) + b"\n",
        "text": b"not a journal\nat all\n",
    }[damage]
    journal.write_bytes(spoilt)
    mirror = _mirror(journal, rows)
    mirror.evaluated(row(6))
    assert [trial["attributes"]["evaluation"] for trial in _trials(journal)] == [f"search {n}" for n in range(7)]
    assert (tmp_path / "study.journal.damaged").read_bytes().startswith(spoilt)


def test_the_lock_of_a_killed_run_does_not_hang_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna locks with a symbolic link; with a relative path it would wait for ever, with any other half a minute."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    _mirror(tmp_path / "runs" / "study.journal", [row(0)])
    Path("runs/study.journal.lock").symlink_to("runs/study.journal")
    script = (
        "from pathlib import Path\n"
        "from tests.campaigns.test_study import _mirror, row\n"
        "_mirror(Path('runs/study.journal'), [row(0)]).evaluated(row(1))\n"
    )
    root = str(Path(__file__).parents[2])
    run = Running(command=(sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{script}"), cwd=tmp_path)
    assert run.wait(20.0) == 0, run.error
    assert len(_trials(tmp_path / "runs" / "study.journal")) == 2


def test_partial_rows_and_fidelities(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    partial = {"parameters": {PARAMETERS[0]: 2e-5}, "scores": {"threshold_current": 3.0}, "features": {}}
    excluded = dataclasses.replace(row(0), **partial, excluded=True)
    coarse = dataclasses.replace(row(2), fidelity="100 um")
    _mirror(journal, [excluded, coarse])
    first, second = _trials(journal)
    assert (first["state"], first["value"], first["parameters"]) == ("PRUNED", None, {PARAMETERS[0]: 2e-5})
    assert first["attributes"]["sum of scores"] == 3.0
    assert "fidelity" not in first["attributes"]
    assert (second["state"], second["attributes"]["fidelity"]) == ("COMPLETE", "100 um")


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the rows that the mirror adds; nothing is written, which would take a millisecond each."""
    numbers: list[int] = []
    monkeypatch.setattr(StudyMirror, "_add", lambda _, entry: numbers.append(entry.number))
    return numbers


def _whole(number: int, total: float) -> RecordedEvaluation:
    return dataclasses.replace(row(number, total), failure=None)


def test_beyond_the_first_thousands_only_elites_are_added(tmp_path: Path, added: list[int]) -> None:
    mirror = _mirror(tmp_path / "study.journal")
    for number in range(ALL_OF_THE_FIRST):
        mirror.evaluated(_whole(number, 1000.0 - number / 10))
    assert len(added) == ALL_OF_THE_FIRST
    best_so_far = 1000.0 - (ALL_OF_THE_FIRST - 1) / 10
    hundredth = 1000.0 - (ALL_OF_THE_FIRST - ELITES) / 10
    cases = [(hundredth + 1.0, False), (1e6, False), (hundredth - 0.01, True), (best_so_far - 1, True), (2000.0, False)]
    for place, (total, _) in enumerate(cases):
        mirror.evaluated(_whole(ALL_OF_THE_FIRST + place, total))
    assert added[ALL_OF_THE_FIRST:] == [ALL_OF_THE_FIRST + place for place, (_, wanted) in enumerate(cases) if wanted]
    mirror.evaluated(dataclasses.replace(_whole(5000, 1.0), failure="holding: the cell fires"))
    mirror.evaluated(dataclasses.replace(_whole(5001, 1.0), excluded=True))
    assert added[-1] < 5000


def test_a_search_that_gets_better_all_the_time_does_not_fill_the_journal(tmp_path: Path, added: list[int]) -> None:
    mirror = _mirror(tmp_path / "study.journal")
    generator = random.Random(1)
    count = 16 * ALL_OF_THE_FIRST
    totals = [(1000.0 - 900.0 * number / count) * generator.uniform(0.9, 1.1) for number in range(count)]
    for number, total in enumerate(totals):
        mirror.evaluated(_whole(number, total))
    clearly_better = 250  # at most ln(1000 / 81) / ln(1 / 0.99)
    assert len(added) <= ALL_OF_THE_FIRST + 5 * THEN_PER_DOUBLING + clearly_better
    for begin in (2 * ALL_OF_THE_FIRST, 4 * ALL_OF_THE_FIRST, 8 * ALL_OF_THE_FIRST):
        assert sum(begin <= number < 2 * begin for number in added) >= 50, "a part of the search cannot be seen"
    assert min(totals[number] for number in added) <= 1.01 * min(totals)


def test_resuming_chooses_the_same(tmp_path: Path, added: list[int]) -> None:
    generator = random.Random(2)
    rows = [_whole(number, generator.uniform(50, 5000)) for number in range(3 * ALL_OF_THE_FIRST)]
    _mirror(tmp_path / "one.journal", rows)
    at_once = added.copy()
    added.clear()
    mirror = _mirror(tmp_path / "two.journal", rows[:2500])
    for entry in rows[2500:]:
        mirror.evaluated(entry)
    assert added == at_once


def test_a_dashboard_shows_the_campaign(tmp_path: Path) -> None:
    pytest.importorskip("optuna_dashboard", reason="needs the extra 'dashboard'")
    journal = tmp_path / "study.journal"
    _mirror(journal, [row(number) for number in range(9)])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (sys.executable, "-c", "from optuna_dashboard._cli import main; main()")
    server = Running(journal, "--host", "127.0.0.1", "--port", port, command=command)
    try:
        studies = _get(f"http://127.0.0.1:{port}/api/studies", server)["study_summaries"]
        assert [study["study_name"] for study in studies] == ["tiny"]
        number = studies[0]["study_id"]
        shown = _get(f"http://127.0.0.1:{port}/api/studies/{number}?after=0", server)
        assert len(shown["trials"]) == 9
        for number, trial in enumerate(shown["trials"]):
            if row(number).failure:
                assert trial["state"] == "Fail"
            else:
                assert trial["state"] == "Complete"
                assert float(trial["values"][0]) == pytest.approx(summarize(row(number).scores).total)
    finally:
        server.kill()
        server.wait()


def _get(address: str, server: Running) -> Any:
    end = time.monotonic() + 40.0
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10.0) as answer:
                return json.load(answer)
        except OSError:
            assert not server.is_over, "the dashboard has ended"
            assert time.monotonic() < end, "the dashboard does not answer"
            time.sleep(0.2)
