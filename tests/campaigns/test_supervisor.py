"""Real processes that crash, hang and leave: the supervisor answers, and goes on."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rheobase.campaigns.supervisor import BuildError, SimulatorDefect, SimulatorLost, SupervisedSimulator
from rheobase.features.errors import RheobaseError
from tests.campaigns import faults
from tests.campaigns.processes import Running, ends, is_alive

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT_S = 30.0


@pytest.fixture
def simulator() -> Iterator[SupervisedSimulator]:
    built = SupervisedSimulator(faults.Faulty, (10,))
    yield built
    built.close()


def test_calls_keep_what_was_built(simulator: SupervisedSimulator) -> None:
    assert simulator.call("add", (1,), _LIMIT_S) == 11
    assert simulator.call("add", (1,), _LIMIT_S) == 12
    assert simulator.call("process", (), _LIMIT_S) == simulator.process_id != os.getpid()


def test_large_messages_pass(simulator: SupervisedSimulator) -> None:
    array = np.random.default_rng(1).normal(size=3_000_000)
    assert np.array_equal(simulator.call("echo", (array,), _LIMIT_S), array)


def test_errors_of_the_user_leave_the_object_in_place(simulator: SupervisedSimulator) -> None:
    simulator.call("add", (1,), _LIMIT_S)
    with pytest.raises(RheobaseError, match=r"^g_pas\.all: out of bounds$"):
        simulator.call("user_error", (), _LIMIT_S)
    assert simulator.call("add", (1,), _LIMIT_S) == 12


def test_a_defect_is_told_and_the_object_is_built_anew(simulator: SupervisedSimulator) -> None:
    with pytest.raises(SimulatorDefect, match=r"^ZeroDivisionError: division by zero$"):
        simulator.call("defect", (), _LIMIT_S)
    assert simulator.call("add", (1,), _LIMIT_S) == 11, "the next candidate met what the defect left behind"


@pytest.mark.parametrize(
    ("method", "arguments", "error", "message"),
    [
        ("segfault", (), SimulatorLost, r"^crash: the simulator was ended by SIGSEGV$"),
        ("leave", (7,), SimulatorLost, r"^crash: the simulator ended with exit code 7$"),
        ("raise_exit", (), SimulatorLost, r"^crash: the simulator ended with exit code 3$"),
        ("eat_memory", (), SimulatorDefect, r"^(numpy\.)?_?\w*MemoryError: Unable to allocate"),
        ("unsendable", (), SimulatorDefect, r"^its result cannot be sent: .*lambda"),
        ("no_such_method", (), SimulatorDefect, r"^AttributeError: .*no_such_method"),
    ],
)
def test_the_next_call_works_after(
    simulator: SupervisedSimulator, method: str, arguments: tuple[object, ...], error: type[Exception], message: str
) -> None:
    before = simulator.process_id
    with pytest.raises(error, match=message):
        simulator.call(method, arguments, _LIMIT_S)
    assert simulator.call("add", (1,), _LIMIT_S) == 11
    assert simulator.process_id != before
    assert ends(before)


@pytest.mark.parametrize("method", ["hang", "spin"])
def test_a_hang_costs_its_time_limit(simulator: SupervisedSimulator, method: str) -> None:
    before, begin = simulator.process_id, time.monotonic()
    with pytest.raises(SimulatorLost, match=r"^timeout: no answer within 0\.5 s of CPU time$"):
        simulator.call(method, (), 0.5)
    assert time.monotonic() - begin < 10.0
    assert not is_alive(before)
    assert simulator.call("add", (1,), _LIMIT_S) == 11


def test_memory_beyond_the_limit_ends_the_process() -> None:
    simulator = SupervisedSimulator(faults.Faulty, (10,), memory_limit_GiB=0.5)
    before, begin = simulator.process_id, time.monotonic()
    with pytest.raises(SimulatorLost, match=r"^memory: used more than 0\.5 GiB$"):
        simulator.call("hoard", (100_000, 3600.0), _LIMIT_S)
    assert time.monotonic() - begin < 10.0
    assert ends(before)
    assert simulator.call("hoard", (50, 0.3), _LIMIT_S) == simulator.process_id
    simulator.close()


def test_what_calls_leave_behind_in_memory_is_not_charged_to_a_later_one() -> None:
    simulator = SupervisedSimulator(faults.Faulty, (10,), memory_limit_GiB=0.6)
    processes = [simulator.call("hoard", (100,), _LIMIT_S) for _ in range(12)]
    assert 2 <= len(set(processes)) <= 6, "600 MB would have been exceeded, or each call began anew"
    simulator.close()


def test_a_factory_that_needs_too_much_memory() -> None:
    with pytest.raises(BuildError, match=r"could not be built: memory: used more than 0\.3 GiB$"):
        SupervisedSimulator(faults.hoards, (), memory_limit_GiB=0.3)


def test_cpu_time_of_calls_is_known(simulator: SupervisedSimulator) -> None:
    with pytest.raises(SimulatorLost, match="timeout"):
        simulator.call("spin", (), 0.5)
    assert 0.4 < simulator.cpu_seconds < 5.0
    simulator.call("slow_square", (3, 0.6), _LIMIT_S)
    assert simulator.cpu_seconds < 0.2, "sleep takes none"


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        ("nrn: out of segments\n", "; it said: nrn: out of segments"),
        ("first\nfree(): invalid pointer\n\n  \n", "; it said: free\\(\\): invalid pointer"),
        ("no end of line", "; it said: no end of line"),
        ("\xe9\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "; it said: .+"),
        ("x" * 100_000 + "\n", f"; it said: {'x' * 200}"),
        ("", ""),
    ],
)
def test_last_words_are_quoted(simulator: SupervisedSimulator, words: str, quoted: str) -> None:
    with pytest.raises(SimulatorLost, match=rf"^crash: the simulator was ended by SIGABRT{quoted}$"):
        simulator.call("complain_and_abort", (words,), _LIMIT_S)
    assert simulator.call("add", (1,), _LIMIT_S) == 11


def test_words_of_earlier_calls_are_not(simulator: SupervisedSimulator) -> None:
    assert simulator.call("print_much", (100_000,), _LIMIT_S) == 100_000, "a full pipe has stopped it"
    with pytest.raises(SimulatorLost, match=r"^crash: the simulator was ended by SIGSEGV$"):
        simulator.call("segfault", (), _LIMIT_S)


def test_an_answer_that_breaks_off_is_a_crash(simulator: SupervisedSimulator) -> None:
    descriptor = _pipe_of(simulator.process_id)
    with pytest.raises(SimulatorLost, match=r"^crash: the simulator ended with exit code 0$"):
        simulator.call("half_an_answer", (descriptor,), _LIMIT_S)
    assert simulator.call("add", (1,), _LIMIT_S) == 11


def test_killed_from_outside_between_calls(simulator: SupervisedSimulator) -> None:
    os.kill(simulator.process_id, signal.SIGKILL)
    with pytest.raises(SimulatorLost, match=r"^crash: the simulator was ended by SIGKILL$"):
        simulator.call("add", (1,), _LIMIT_S)
    assert simulator.call("add", (1,), _LIMIT_S) == 11


def test_what_it_started_ends_with_it(simulator: SupervisedSimulator, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(SimulatorLost, match="timeout"):
        simulator.call("start_child", (str(note),), 2.0)
    assert ends(int(note.read_text(encoding="utf-8")))


def test_close_leaves_no_process_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    simulator = SupervisedSimulator(faults.Faulty, ())
    pid, descriptors = simulator.process_id, _open_files()
    for _ in range(3):
        with pytest.raises(SimulatorLost, match="SIGSEGV"):
            simulator.call("segfault", (), _LIMIT_S)
    assert _open_files() == descriptors
    pid = simulator.process_id
    simulator.close()
    simulator.close()
    assert not Path(f"/proc/{pid}").exists(), "not even a zombie"
    assert list(tmp_path.iterdir()) == []
    assert _open_files() == descriptors - 2, "the pipe to the process, and the one it speaks through"


@pytest.mark.parametrize(
    ("factory", "error", "message"),
    [
        (faults.refuses, RheobaseError, r"^the mechanism 'NaTg' has no parameter 'gbar'$"),
        (faults.breaks, SimulatorDefect, r"^KeyError: 'somewhere'$"),
        (faults.crashes, BuildError, r"could not be built: crash: the simulator was ended by SIGSEGV$"),
    ],
)
def test_a_factory_that_fails(factory: object, error: type[Exception], message: str, tmp_path: Path) -> None:
    descriptors = _open_files()
    with pytest.raises(error, match=message):
        SupervisedSimulator(factory, ())  # type: ignore[arg-type]
    assert _open_files() == descriptors


def test_what_cannot_be_built_again_says_so_and_may_come_back(tmp_path: Path) -> None:
    needed = tmp_path / "needed"
    needed.touch()
    simulator = SupervisedSimulator(faults.Once, (str(needed),))
    needed.unlink()
    with pytest.raises(SimulatorLost, match="SIGSEGV"):
        simulator.call("segfault", (), _LIMIT_S)
    with pytest.raises(BuildError, match="needed has gone"):
        simulator.call("add", (1,), _LIMIT_S)
    needed.touch()
    assert simulator.call("add", (1,), _LIMIT_S) == 1
    simulator.close()


def test_no_room_for_another_process_is_a_build_error(
    simulator: SupervisedSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    with pytest.raises(SimulatorLost, match="SIGSEGV"):
        simulator.call("segfault", (), _LIMIT_S)
    with pytest.raises(BuildError, match=r"process cannot be started: .*No such file or directory"):
        simulator.call("add", (1,), _LIMIT_S)
    monkeypatch.undo()
    assert simulator.call("add", (1,), _LIMIT_S) == 11


_PARENT = """
import sys, time
from rheobase.campaigns.supervisor import SupervisedSimulator
from tests.campaigns.faults import Faulty
simulator = SupervisedSimulator(Faulty, ())
with open(sys.argv[2], "w") as note:
    print(simulator.process_id, file=note)
if sys.argv[1] == "busy":
    simulator.call("hang", (), 3600.0)
time.sleep(3600)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_it_dies_with_its_supervisor(state: str, tmp_path: Path) -> None:
    note = tmp_path / "out"
    root = Path(__file__).parents[2]
    parent = Running(state, note, cwd=root, command=(sys.executable, "-c", _PARENT))
    try:
        parent.wait_until(lambda: note.exists() and note.read_text(encoding="utf-8").endswith("\n"))
        child = int(note.read_text(encoding="utf-8"))
        assert is_alive(child)
        time.sleep(0.3)
    finally:
        parent.kill()
        parent.wait()
    assert ends(child)
    assert parent.left_behind(5.0) == []


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _pipe_of(pid: int) -> int:
    """Descriptor of the socket that a simulator process answers through, from its command line."""
    return int(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[3])
