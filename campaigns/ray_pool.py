"""Workers on Ray: each is an actor that supervises one simulator process. The only module that imports ray."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rheobase.campaigns.absence import Absence
from rheobase.campaigns.pool import Outcome
from rheobase.campaigns.progress import working
from rheobase.campaigns.recent import RecentValues
from rheobase.campaigns.supervisor import BuildError, MEMORY_LIMIT_GiB
from rheobase.campaigns.worker import Worker
from rheobase.features.errors import CampaignError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rheobase.campaigns.pool import Task

_LOGGER = logging.getLogger("rheobase")
_TRIES = 4  # a task whose worker vanished is given to another one: nodes may be lost one after another
_STARTS = 4  # of Ray on a machine too busy for it
_LARGEST_LOSS = 10  # so many workers in a row that do not even start: something is wrong with the machines
_SHORT_S = 2.0  # tasks below this are worth queueing: the way from one to the next is some milliseconds
_ENOUGH = 10  # tasks that tell how long they take


@dataclass(eq=False)
class _Hired:
    """A worker: its actor, and how many tasks it has."""

    actor: Any
    tasks: int = 0
    is_lost: bool = False


@dataclass
class _Running:
    task: Task
    worker: _Hired
    tries: int


class RayPool:
    """Actors with one CPU each; they become free as they have built what they should.

    With `ahead` every worker has a second task queued, as soon as tasks are known to be short (2 s of CPU time): it
    begins that one while the driver looks at the result of the first. For long ones it would gain nothing, and a
    search would propose candidates before it knows what it could know.

    Args:
        factory: Importable callable that builds what tasks are sent to.
        arguments: Its arguments.
        workers: Number of workers.
        memory_limit_GiB: A simulator that holds more than this in memory is ended (GiB).
        say: Called with a line for the user when there has been no worker for a while, as after the loss of all
            nodes, and when there is one again.
        ahead: Whether tasks may be queued; where one waits for all of them, some workers would end later by it.
    """

    def __init__(
        self,
        factory: Callable[..., object],
        arguments: tuple[object, ...],
        workers: int,
        memory_limit_GiB: float = MEMORY_LIMIT_GiB,
        say: Callable[[str], None] = _LOGGER.warning,
        ahead: bool = False,
    ) -> None:
        import ray

        self._ray = ray
        self._arguments = (factory, ray.put(arguments), memory_limit_GiB)
        self._absence = Absence(say, self._why_nobody_is_there)
        self._ahead = ahead
        self._seconds = RecentValues(100)
        self._running: dict[Any, _Running] = {}
        self._idle: list[_Hired] = []
        self._busy: dict[_Hired, None] = {}  # those with one task, the one that has it longest first
        self._building: dict[Any, _Hired] = {}
        self._orphans: list[_Running] = []
        self._lost_in_a_row = 0
        for _ in range(workers):
            self._hire()

    @property
    def free(self) -> int:
        """Number of tasks that would be taken now."""
        depth = self._depth
        return max(0, depth * len(self._idle) + (depth - 1) * len(self._busy) - len(self._orphans))

    @property
    def size(self) -> int:
        """Number of workers, those being built included."""
        return len(self._everyone)

    def submit(self, task: Task) -> None:
        """Give a task to a free worker."""
        self._give(task, 0)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Tasks that ended within the time; new workers are taken in on the way.

        Raises:
            BuildError: a worker cannot build what it should; all of them are ended.
        """
        references = [*self._running, *self._building]
        if not references:
            return []
        outcomes = []
        for reference in self._ended(references, timeout_s):
            if reference in self._building:
                self._welcome(reference)
            else:
                outcomes.extend(self._collect(reference))
        while self._orphans and self._idle:
            orphan = self._orphans.pop(0)
            self._give(orphan.task, orphan.tries)
        self._absence.look(bool(self._idle or self._running))
        return outcomes

    def close(self) -> None:
        """End all workers, with them their simulators."""
        for worker in self._everyone:
            self._dismiss(worker)
        self._idle, self._busy, self._running, self._building, self._orphans = [], {}, {}, {}, []

    @property
    def _everyone(self) -> set[_Hired]:
        at_work = {entry.worker for entry in self._running.values() if not entry.worker.is_lost}
        return at_work.union(self._idle, self._building.values())

    @property
    def _depth(self) -> int:
        """Number of tasks that a worker takes at the same time."""
        is_short = len(self._seconds) >= _ENOUGH and self._seconds.quantile(0.5) < _SHORT_S
        return 2 if self._ahead and is_short else 1

    def _ended(self, references: list[Any], timeout_s: float) -> list[Any]:
        """Those that end first, within the time, and all others that have ended by then: one look for a thousand."""
        ready, rest = self._ray.wait(references, num_returns=1, timeout=timeout_s, fetch_local=True)
        if ready and rest:
            ready += self._ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=True)[0]
        return list(ready)

    def _why_nobody_is_there(self) -> str:
        there, free = (
            resources().get("CPU", 0.0) for resources in (self._ray.cluster_resources, self._ray.available_resources)
        )
        if there == 0:
            return "the cluster has no CPU left; start a node with `ray start --address`"
        return f"{len(self._building)} are being started, the cluster reports {there:g} CPUs, {free:g} of them free"

    def _hire(self) -> None:
        # No restarts by Ray: while one goes on, calls fail for seconds. We hire anew instead.
        actor = self._ray.remote(num_cpus=1, max_restarts=0)(Worker).remote(*self._arguments)
        self._building[actor.build.remote()] = _Hired(actor)

    def _welcome(self, reference: Any) -> None:
        worker = self._building.pop(reference)
        try:
            problem = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._lost_in_a_row += 1
            if self._lost_in_a_row >= _LARGEST_LOSS:
                problem = f"{self._lost_in_a_row} workers in a row were lost while they started: {_first_line(error)}"
            else:
                self._dismiss(worker)
                self._hire()  # its node is gone; Ray starts the new one where there is room
                return
        if problem is not None:
            self._dismiss(worker)
            self.close()
            raise BuildError(problem)
        self._lost_in_a_row = 0
        self._idle.append(worker)

    def _dismiss(self, worker: _Hired) -> None:
        with contextlib.suppress(Exception):  # an actor that is dead already is what we want
            self._ray.kill(worker.actor)

    def _give(self, task: Task, tries: int) -> None:
        """Give a task to a worker without any, or queue it where the one before is likely to end first."""
        worker = self._idle.pop() if self._idle else next(iter(self._busy))
        self._busy.pop(worker, None)
        worker.tasks += 1
        if worker.tasks == 1:
            self._busy[worker] = None
        self._running[worker.actor.run.remote(task)] = _Running(task, worker, tries + 1)

    def _collect(self, reference: Any) -> list[Outcome]:
        entry = self._running.pop(reference)
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._replace(entry.worker)
            if entry.tries >= _TRIES:
                return [Outcome(entry.task.key, None, f"crash: its worker was lost ({_first_line(error)})", 0.0)]
            self._orphans.append(entry)
            return []
        self._seconds.add(outcome.cpu_seconds)
        self._release(entry.worker)
        return [outcome]

    def _release(self, worker: _Hired) -> None:
        """One task less."""
        worker.tasks -= 1
        self._busy.pop(worker, None)
        if worker.is_lost:  # with the other of its tasks
            return
        if worker.tasks:
            self._busy[worker] = None
        else:
            self._idle.append(worker)

    def _replace(self, worker: _Hired) -> None:
        """Hire anew for a worker that was lost; each of its tasks says so."""
        if worker.is_lost:
            return
        worker.is_lost = True
        self._busy.pop(worker, None)
        self._dismiss(worker)
        self._hire()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _no_cluster(address: str, error: Exception) -> CampaignError:
    return CampaignError(
        f"cluster.address: no Ray cluster at '{address}' ({_first_line(error)}); "
        "start one with `ray start --head`, or leave the key out to run on this machine"
    )


def _knock(address: str) -> None:
    """Make sure that somebody listens at HOST:PORT: Ray itself would try for minutes, and say nothing."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():  # "auto", which Ray looks up at once
        return
    try:
        socket.create_connection((host.rpartition("/")[2].strip("[]"), int(port)), timeout=10.0).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _start(options: dict[str, Any]) -> None:
    """Start or join Ray, again where a busy machine has not managed it in the 30 s that Ray gives it.

    Raises:
        RuntimeError: not in all these times either.
    """
    import psutil
    import ray

    this = psutil.Process()
    for _ in range(_STARTS):
        before = set(this.children(recursive=True))
        try:
            ray.init(**options)
        except Exception as error:  # Ray has no narrower one for this
            if "timed out during startup" not in str(error):
                raise
            _LOGGER.warning("Ray has not started in 30 s; this machine is very busy")
            for process in set(this.children(recursive=True)) - before:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        else:
            return
    raise RuntimeError(f"not within 30 s, in {_STARTS} attempts: this machine is too busy")


@contextlib.contextmanager
def ray_cluster(address: str, workers: int) -> Any:
    """A Ray runtime for the time of a campaign: our own on this machine, or a cluster's.

    Args:
        address: "local", or a cluster's address ("auto" finds the one this machine belongs to).
        workers: CPUs of a local one.

    Raises:
        CampaignError: there is no cluster at the address, or Ray cannot be started here.
        KeyboardInterrupt: the process was asked to end while Ray started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "include_dashboard": False}
    if address == "local":
        options.update(address="local", num_cpus=workers)
    else:
        _knock(address)
        options = {"address": address, "logging_level": logging.ERROR, "log_to_driver": False}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with working("starting Ray" if address == "local" else f"joining Ray at {address}"):
            _start(options)
    except SystemExit as error:  # Ray's own handler of SIGTERM, in place until we put ours back
        raise KeyboardInterrupt from error
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if address == "local":
            raise CampaignError(
                f"Ray could not be started on this machine: {_first_line(error)}; it needs room in /tmp (or in the "
                "folder that RAY_TMPDIR names) and in /dev/shm"
            ) from error
        raise _no_cluster(address, error) from error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)  # Ray puts its own in place, which end the process at once
    try:
        yield
    finally:
        ray.shutdown()
