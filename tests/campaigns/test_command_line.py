"""Wrong usage, folders that cannot be used, and help."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rheobase.campaigns import cli
from tests.campaigns.processes import Running
from tests.campaigns.refusals import refused
from tests.campaigns.tiny import write_tiny


def test_the_folder_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        said = refused(capsys, monkeypatch, "run", write_tiny(tmp_path), "--out", out)
        assert re.match(rf"{re.escape(str(out))} cannot be written: (File exists|Not a directory)", said), said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"state\.json is damaged: .*begin in another folder"),
        (b"[]", r"state\.json: expected .*begin in another"),
    ],
)
def test_a_folder_of_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.json").write_bytes(content)
    said = refused(capsys, monkeypatch, "run", write_tiny(tmp_path), "--out", tmp_path / "run")
    assert re.search(message, said), said
    assert (tmp_path / "run" / "state.json").read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "Missing argument 'CAMPAIGN'"),
        (["rum"], "No such command 'rum'"),
        (["run", "demo", "--worker", "2"], "No such option"),
        (["run", "demo", "--workers", "0"], "'--workers': 0 is not in the range x>=1"),
        (["run", "demo", "--workers", "two"], "'two' is not a valid integer"),
        (["export", "."], "Missing option '--format'"),
        (["export", ".", "--format", "xml"], "'xml' is not one of 'hoc', 'json', 'csv'"),
    ],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["rheobase", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Usage:" in error


def test_from_a_shell(tmp_path: Path) -> None:
    path = write_tiny(tmp_path, ("  population: 6", "  populaton: 6"))
    run = Running("run", path, cwd=tmp_path)
    assert run.wait() == 2
    assert run.error.startswith(f"rheobase: {path}, line ")
    assert len(run.error.splitlines()) == 1
    assert run.out == ""
    assert not (tmp_path / "runs").exists()


_HEAVY = ("numpy", "scipy", "pandas", "ray", "neuron", "bluepyopt", "efel", "optuna", "pydantic", "pint", "matplotlib")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_is_quick_and_light(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        f"sys.argv = ['rheobase', *{arguments!r}]\n"
        "from rheobase.campaigns.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n"
        f"    print('loaded', end.code, sorted(set(sys.modules) & set({_HEAVY!r})))\n"
    )
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - begin)
    last = ended.stdout.splitlines()[-1]
    assert last in ("loaded 0 []", "loaded None []")
    assert statistics.median(seconds) < 1.0
