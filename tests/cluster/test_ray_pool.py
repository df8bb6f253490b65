"""Workers on a real Ray: what a candidate or a machine does costs that candidate at most."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rheobase.campaigns.pool import Outcome, Task
from rheobase.campaigns.ray_pool import RayPool, ray_cluster
from rheobase.campaigns.supervisor import BuildError, MEMORY_LIMIT_GiB
from rheobase.features.errors import CampaignError
from tests.campaigns import faults
from tests.campaigns.processes import Running, ends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("ray_runtime")

_LIMIT_S = 30.0


@pytest.fixture
def open_pool() -> Iterator[Callable[..., RayPool]]:
    pools = []

    def opened(
        factory: Callable[..., object],
        arguments: tuple[object, ...] = (),
        workers: int = 2,
        memory_limit_GiB: float = MEMORY_LIMIT_GiB,
        ahead: bool = False,
    ) -> RayPool:
        pools.append(RayPool(factory, arguments, workers, memory_limit_GiB, ahead=ahead))
        return pools[-1]

    yield opened
    for pool in pools:
        pool.close()


def _all(pool: RayPool, tasks: list[Task], at: Callable[[int], None] = lambda _: None) -> dict[int, Outcome]:
    """Outcomes of all tasks; `at` is called with how many there are, often."""
    waiting, outcomes = list(tasks), dict[int, Outcome]()
    end = time.monotonic() + 90.0
    while len(outcomes) < len(tasks):
        assert time.monotonic() < end, f"only {sorted(outcomes)} came back"
        while waiting and pool.free:
            pool.submit(waiting.pop(0))
        for outcome in pool.wait(0.2):
            assert outcome.key not in outcomes
            outcomes[outcome.key] = outcome
        at(len(outcomes))
    return outcomes


def _squares(count: int, seconds: float = 0.0) -> list[Task]:
    return [Task(number, "slow_square", (number, seconds), _LIMIT_S) for number in range(count)]


def test_tasks_come_back_once_each(open_pool: Callable[..., RayPool]) -> None:
    pool = open_pool(faults.Faulty)
    outcomes = _all(pool, _squares(40))
    assert {key: outcome.value for key, outcome in outcomes.items()} == {number: number**2 for number in range(40)}
    assert all(outcome.failure is None and outcome.cpu_seconds < 10.0 for outcome in outcomes.values())


def test_two_workers_work_at_once(open_pool: Callable[..., RayPool]) -> None:
    pool = open_pool(faults.Faulty)
    while pool.free < 2:
        assert pool.wait(1.0) == []
    processes = _all(pool, [Task(key, "process", (), _LIMIT_S) for key in range(30)])
    assert len({outcome.value for outcome in processes.values()}) == 2
    assert pool.size == 2


def test_short_tasks_are_queued_where_that_is_wanted(
    open_pool: Callable[..., RayPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = open_pool(faults.Faulty, ahead=True)
    while pool.free < 2:
        pool.wait(0.5)
    assert pool.free == 2, "nothing is known of the tasks yet"
    _all(pool, _squares(10))
    assert pool.free == 4
    for key, seconds in enumerate((0.5, 0.5, 0.0, 0.0)):
        pool.submit(Task(key, "slow_square", (key, seconds), _LIMIT_S))
    assert pool.free == 0
    begin, outcomes = time.monotonic(), list[Outcome]()
    while len(outcomes) < 4:
        outcomes.extend(pool.wait(5.0))
    assert {outcome.key: outcome.value for outcome in outcomes} == {0: 0, 1: 1, 2: 4, 3: 9}
    assert time.monotonic() - begin < 0.95, "both long ones went to one worker"
    assert pool.free == 4
    monkeypatch.setattr("rheobase.campaigns.ray_pool._SHORT_S", 0.0)
    assert pool.free == 2, "long tasks are not queued"
    monkeypatch.undo()
    pool.close()
    other = open_pool(faults.Faulty)
    _all(other, _squares(10))
    assert other.free <= 2


def test_tasks_queued_at_a_worker_that_is_lost_are_done_by_others(open_pool: Callable[..., RayPool]) -> None:
    import ray

    pool, killed = open_pool(faults.Faulty, ahead=True), list[Any]()
    _all(pool, _squares(10))

    def kill(done: int) -> None:
        pairs = [entry.worker for entry in pool._running.values() if entry.worker.tasks == 2]
        if 3 <= done < 10 and pairs and len(killed) < 2:
            ray.kill(pairs[0].actor)
            killed.append(pairs[0])

    outcomes = _all(pool, _squares(16, 0.3), kill)
    assert len(killed) == 2
    assert {key: outcome.value for key, outcome in outcomes.items()} == {number: number**2 for number in range(16)}
    while pool.free < 4:
        assert pool.wait(1.0) == []
    assert pool.size == 2


def test_faults_cost_only_their_own_candidate(open_pool: Callable[..., RayPool]) -> None:
    faulty = {
        3: (Task(3, "segfault", (), _LIMIT_S), "crash: the simulator was ended by SIGSEGV"),
        7: (Task(7, "hang", (), 0.5), "timeout: no answer within 0.5 s of CPU time"),
        8: (Task(8, "leave", (9,), _LIMIT_S), "crash: the simulator ended with exit code 9"),
        11: (Task(11, "defect", (), _LIMIT_S), "defect: ZeroDivisionError: division by zero"),
        12: (Task(12, "user_error", (), _LIMIT_S), "g_pas.all: out of bounds"),
        13: (Task(13, "eat_memory", (), _LIMIT_S), "defect: "),
        14: (Task(14, "unsendable", (), _LIMIT_S), "defect: its result cannot be sent"),
    }
    tasks = [faulty[task.key][0] if task.key in faulty else task for task in _squares(20)]
    outcomes = _all(open_pool(faults.Faulty), tasks)
    for key, outcome in outcomes.items():
        if key in faulty:
            assert outcome.value is None
            assert outcome.failure is not None
            assert outcome.failure.startswith(faulty[key][1])
        else:
            assert (outcome.value, outcome.failure) == (key**2, None)


def test_memory_has_a_limit(open_pool: Callable[..., RayPool]) -> None:
    pool = open_pool(faults.Faulty, (), 1, memory_limit_GiB=0.4)
    outcomes = _all(pool, [Task(99, "hoard", (100_000, 60.0), _LIMIT_S), *_squares(3)])
    assert outcomes.pop(99).failure == "memory: used more than 0.4 GiB"
    assert {key: outcome.value for key, outcome in outcomes.items()} == {0: 0, 1: 1, 2: 4}


def test_a_killed_worker_s_task_is_done_by_another(open_pool: Callable[..., RayPool]) -> None:
    import ray

    pool, killed = open_pool(faults.Faulty), list[Any]()

    def kill(done: int) -> None:
        if done >= 3 and not killed and pool._running:
            entry = next(iter(pool._running.values()))
            ray.kill(entry.worker.actor)
            killed.append(entry.task.key)

    outcomes = _all(pool, _squares(14, 0.3), kill)
    assert killed
    assert {key: outcome.value for key, outcome in outcomes.items()} == {number: number**2 for number in range(14)}
    assert pool.size == 2


def test_a_worker_process_that_the_system_kills(open_pool: Callable[..., RayPool]) -> None:
    """As the kernel does when memory runs out: the actor's own process, the simulator's supervisor, is gone."""
    pool, killed = open_pool(faults.Faulty), list[tuple[int, int]]()
    children = _all(pool, [Task(key, "process", (), _LIMIT_S) for key in range(10)])
    child = next(iter(children.values())).value

    def kill(done: int) -> None:
        if done >= 3 and not killed:
            supervisor = int(Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            os.kill(supervisor, signal.SIGKILL)
            killed.append((supervisor, child))

    outcomes = _all(pool, _squares(14, 0.3), kill)
    assert killed
    assert {key: outcome.value for key, outcome in outcomes.items()} == {number: number**2 for number in range(14)}
    assert ends(child), "the simulator outlived its worker"


def test_a_task_that_loses_worker_after_worker_is_given_up(open_pool: Callable[..., RayPool]) -> None:
    import ray

    pool = open_pool(faults.Faulty, (), 1)
    outcomes: list[Outcome] = []
    while not pool.free:
        pool.wait(0.5)
    pool.submit(Task(1, "slow_square", (1, 20.0), 60.0))
    end = time.monotonic() + 60.0
    while not outcomes and time.monotonic() < end:
        for entry in list(pool._running.values()):
            ray.kill(entry.worker.actor)
        outcomes = pool.wait(0.5)
    assert outcomes[0].value is None
    assert str(outcomes[0].failure).startswith("crash: its worker was lost (")
    assert _all(pool, _squares(2))[1].value == 1, "the pool is of no use afterwards"


def test_a_worker_that_cannot_build_its_simulator_again_ends_the_campaign(
    open_pool: Callable[..., RayPool], tmp_path: Path
) -> None:
    """Otherwise every further candidate would fail, and the record would fill with failures."""
    needed = tmp_path / "needed"
    needed.touch()
    pool = open_pool(faults.Once, (str(needed),))
    assert _all(pool, _squares(4))[3].value == 9
    needed.unlink()
    with pytest.raises(BuildError, match="needed has gone"):
        _all(pool, [Task(key, "segfault", (), _LIMIT_S) for key in range(20)])


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (faults.refuses, r"^the mechanism 'NaTg' has no parameter 'gbar'$"),
        (faults.breaks, r"^the simulator could not be built \(a defect\): KeyError: 'somewhere'$"),
        (faults.crashes, r"^the simulator could not be built: crash: the simulator was ended by SIGSEGV$"),
    ],
)
def test_what_cannot_be_built_says_why(
    open_pool: Callable[..., RayPool], factory: Callable[..., object], message: str
) -> None:
    pool = open_pool(factory)
    with pytest.raises(BuildError, match=message):
        _all(pool, _squares(1))


def test_close_leaves_no_simulator(open_pool: Callable[..., RayPool]) -> None:
    pool = open_pool(faults.Faulty)
    children = {outcome.value for outcome in _all(pool, [Task(k, "process", (), 9.0) for k in range(20)]).values()}
    while pool.free:
        pool.submit(Task(99, "hang", (), 3600.0))
    pool.close()
    pool.close()
    assert children
    assert all(ends(child) for child in children)
    assert pool.free == 0
    assert pool.wait(0.1) == []


def test_no_cluster_at_the_address() -> None:
    script = (
        "from rheobase.campaigns.ray_pool import ray_cluster\n"
        "from rheobase.features.errors import CampaignError\n"
        "import sys\n"
        "try:\n"
        "    with ray_cluster(sys.argv[1], 1): pass\n"
        "except CampaignError as error:\n"
        "    print(error, file=sys.stderr)\n"
        "    sys.exit(2)\n"
    )
    run = Running("127.0.0.1:1", command=(sys.executable, "-c", script))
    assert run.wait(120.0) == 2, run.error
    assert "cluster.address: no Ray cluster at '127.0.0.1:1' (" in run.error
    assert "leave the key out to run on this machine" in run.error
    assert run.left_behind() == []


def test_ray_that_cannot_start_here(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "os.environ['RAY_TMPDIR'] = sys.argv[1]\n"
        "from rheobase.campaigns.ray_pool import ray_cluster\n"
        "from rheobase.features.errors import CampaignError\n"
        "try:\n"
        "    with ray_cluster('local', 1): pass\n"
        "except CampaignError as error:\n"
        "    print(error, file=sys.stderr)\n"
        "    sys.exit(2)\n"
    )
    too_long = tmp_path / ("x" * 100)  # sockets' paths have 107 bytes at most
    too_long.mkdir()
    run = Running(too_long, command=(sys.executable, "-c", script))
    assert run.wait(120.0) == 2, run.error
    assert "Ray could not be started on this machine: " in run.error
    assert "RAY_TMPDIR" in run.error
    assert run.left_behind() == []


@pytest.mark.parametrize(("slow_starts", "code"), [(1, 0), (4, 2)])
def test_ray_is_started_again_on_a_machine_that_is_too_busy(slow_starts: int, code: int, tmp_path: Path) -> None:
    # Ray's own clock is put forward by a minute while it waits for its node, so that its time is over at once.
    script = (
        "import sys, time\n"
        "import ray\n"
        "from rheobase.campaigns.ray_pool import ray_cluster\n"
        "from rheobase.features.errors import CampaignError\n"
        "slow, get_node = int(sys.argv[1]), ray._private.services.get_node\n"
        "class Clock:\n"
        "    ahead_s = 0.0\n"
        "    def __getattr__(self, name): return getattr(time, name)\n"
        "    def monotonic(self): return time.monotonic() + self.ahead_s\n"
        "ray._private.node.time = clock = Clock()\n"
        "def no_node(*arguments, **named):\n"
        "    global slow\n"
        "    if slow == 0: return get_node(*arguments, **named)\n"
        "    slow -= 1\n"
        "    clock.ahead_s += 60.0\n"
        "    raise RuntimeError('no node yet')\n"
        "ray._private.services.get_node = no_node\n"
        "try:\n"
        "    with ray_cluster('local', 1): print(ray.get(ray.remote(lambda: 42).remote()))\n"
        "except CampaignError as error:\n"
        "    print(error, file=sys.stderr)\n"
        "    sys.exit(2)\n"
    )
    run = Running(tmp_path, command=(sys.executable, "-c", script, str(slow_starts)))
    assert run.wait(300.0) == code, run.error
    assert run.error.count("Ray has not started in 30 s") == slow_starts
    assert ("not within 30 s, in 4 attempts: this machine is too busy" in run.error) == (code == 2)
    assert run.left_behind() == []


def test_handlers_of_signals_are_ours_while_ray_runs() -> None:
    assert CampaignError.__mro__  # the runtime is there already: nothing is started, nothing replaced
    before = signal.getsignal(signal.SIGTERM)
    with ray_cluster("local", 2):
        assert signal.getsignal(signal.SIGTERM) is before


def test_all_nodes_are_lost_one_after_another_and_one_comes_in() -> None:
    root = Path(__file__).parents[2]
    run = Running(cwd=root, command=(sys.executable, "-m", "tests.cluster.two_nodes"))
    assert run.wait(240.0) == 0, run.error
    told = json.loads(next(line for line in run.out.splitlines() if line.startswith("{")))
    assert told["state"] == "one added", told
    assert told["wrong"] == []
    assert told["right"] == 30
    waited, back = told["said"]
    why = "the cluster has no CPU left; start a node with `ray start|2 are being started, the cluster reports \\d CPUs"
    assert re.match(rf"No worker for \d s: ({why})", waited)
    assert re.match(r"Workers are there again, after \d+ s", back)
    assert run.left_behind() == []
