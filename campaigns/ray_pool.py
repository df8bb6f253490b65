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
from rheobase.campaigns.pool import Outcome, Task
from rheobase.campaigns.progress import working
from rheobase.campaigns.supervisor import (
    BuildError,
    MEMORY_LIMIT_GiB,
    SimulatorDefect,
    SimulatorLost,
    SupervisedSimulator,
)
from rheobase.features.errors import CampaignError, RheobaseError

if TYPE_CHECKING:
    from collections.abc import Callable

_LOGGER = logging.getLogger("rheobase")
_TRIES = 4  # a task whose worker vanished is given to another one: nodes may be lost one after another
_LARGEST_LOSS = 10  # so many workers in a row that do not even start: something is wrong with the machines


class Worker:
    """A Ray actor: one supervised simulator."""

    def __init__(self, factory: Callable[..., object], arguments: tuple[object, ...], memory_limit_GiB: float) -> None:
        self._build = (factory, arguments, memory_limit_GiB)
        self._simulator: SupervisedSimulator | None = None

    def build(self) -> str | None:
        """Build the simulator; the text of an error that a user can mend, or None."""
        try:
            self._simulator = SupervisedSimulator(*self._build)
        except RheobaseError as error:
            return str(error)
        except SimulatorDefect as error:
            return f"the simulator could not be built (a defect): {error}"
        return None

    def run(self, task: Task) -> Outcome:
        """Run one task to its end, whatever that is.

        Raises:
            BuildError: the simulator was lost earlier and cannot be built again.
        """
        value, failure = None, None
        assert self._simulator is not None
        try:
            value = self._simulator.call(task.method, task.arguments, task.limit_s)
        except BuildError:
            raise  # the fault of this worker, not of the task
        except (SimulatorLost, RheobaseError) as error:
            failure = str(error)
        except SimulatorDefect as error:
            failure = f"defect: {error}"
        return Outcome(task.key, value, failure, self._simulator.cpu_seconds)


@dataclass
class _Running:
    task: Task
    actor: Any
    tries: int


class RayPool:
    """Actors with one CPU each; they become free as they have built what they should.

    Args:
        factory: Importable callable that builds what tasks are sent to.
        arguments: Its arguments.
        workers: Number of workers.
        memory_limit_GiB: A simulator that holds more than this in memory is ended (GiB).
        say: Called with a line for the user when there has been no worker for a while, as after the loss of all
            nodes, and when there is one again.
    """

    def __init__(
        self,
        factory: Callable[..., object],
        arguments: tuple[object, ...],
        workers: int,
        memory_limit_GiB: float = MEMORY_LIMIT_GiB,
        say: Callable[[str], None] = _LOGGER.warning,
    ) -> None:
        import ray

        self._ray = ray
        self._arguments = (factory, ray.put(arguments), memory_limit_GiB)
        self._absence = Absence(say, self._why_nobody_is_there)
        self._running: dict[Any, _Running] = {}
        self._idle: list[Any] = []
        self._building: dict[Any, Any] = {}
        self._orphans: list[_Running] = []
        self._lost_in_a_row = 0
        for _ in range(workers):
            self._hire()

    @property
    def free(self) -> int:
        """Number of workers without a task."""
        return max(0, len(self._idle) - len(self._orphans))

    @property
    def size(self) -> int:
        """Number of workers, those being built included."""
        return len(self._idle) + len(self._running) + len(self._building)

    def submit(self, task: Task) -> None:
        """Give a task to a free worker."""
        actor = self._idle.pop()
        self._give(_Running(task, actor, 0), actor)

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
            self._give(self._orphans.pop(0), self._idle.pop())
        self._absence.look(bool(self._idle or self._running))
        return outcomes

    def close(self) -> None:
        """End all workers, with them their simulators."""
        actors = [*self._idle, *(entry.actor for entry in self._running.values()), *self._building.values()]
        for actor in actors:
            self._dismiss(actor)
        self._idle, self._running, self._building, self._orphans = [], {}, {}, []

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
        self._building[actor.build.remote()] = actor

    def _welcome(self, reference: Any) -> None:
        actor = self._building.pop(reference)
        try:
            problem = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._lost_in_a_row += 1
            if self._lost_in_a_row >= _LARGEST_LOSS:
                problem = f"{self._lost_in_a_row} workers in a row were lost while they started: {_first_line(error)}"
            else:
                self._dismiss(actor)
                self._hire()  # its node is gone; Ray starts the new one where there is room
                return
        if problem is not None:
            self._dismiss(actor)
            self.close()
            raise BuildError(problem)
        self._lost_in_a_row = 0
        self._idle.append(actor)

    def _dismiss(self, actor: Any) -> None:
        with contextlib.suppress(Exception):  # an actor that is dead already is what we want
            self._ray.kill(actor)

    def _give(self, entry: _Running, actor: Any) -> None:
        self._running[actor.run.remote(entry.task)] = _Running(entry.task, actor, entry.tries + 1)

    def _collect(self, reference: Any) -> list[Outcome]:
        entry = self._running.pop(reference)
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._dismiss(entry.actor)
            self._hire()
            if entry.tries >= _TRIES:
                return [Outcome(entry.task.key, None, f"crash: its worker was lost ({_first_line(error)})", 0.0)]
            self._orphans.append(entry)
            return []
        self._idle.append(entry.actor)
        return [outcome]


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
            ray.init(**options)
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
