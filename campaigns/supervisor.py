"""A supervised simulator: whatever a candidate does to its process, the supervisor answers in time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import RheobaseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

BUILD_LIMIT_S = 600.0  # compiling mechanisms on a busy machine takes its time

_LOOK_EVERY_S = 0.5
_SLOWEST = 5.0  # a process that gets less than a fifth of a core for so long is taken for one that waits in vain


class SimulatorLost(Exception):
    """The process crashed or hung in a call; a fresh one is there for the next."""


class BuildError(RheobaseError):
    """What the process should build cannot be built."""


class SimulatorDefect(RuntimeError):
    """An error inside the simulator process that no user can mend; a fresh process is there for the next call."""


class SupervisedSimulator:
    """An object built in a process of its own, called over a pipe.

    Args:
        factory: Importable callable that builds the object.
        arguments: Its arguments; plain data, they are pickled.

    Raises:
        RheobaseError: the factory raised an error that a user can mend.
        SimulatorDefect: the factory raised any other.
        BuildError: the factory crashed or hung, or no process can be started.
    """

    def __init__(self, factory: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._factory, self._arguments = factory, arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    def call(self, method: str, arguments: tuple[object, ...], limit_s: float) -> Any:
        """Result of a method of the object.

        Args:
            method: Name of the method.
            arguments: Its arguments.
            limit_s: After this CPU time, or five times as long by the clock, the process is killed (s).

        Raises:
            SimulatorLost: the process crashed or hung; the message says which.
            RheobaseError: raised by the method.
            SimulatorDefect: any other error in the method.
            BuildError: no process can be started any more.
        """
        if self._process is None:  # the last attempt to start a fresh one failed, or it was closed
            try:
                self._start()
            except (RheobaseError, SimulatorDefect) as error:
                raise BuildError(str(error)) from error
        try:
            kind, content = self._exchange((method, arguments), limit_s)
        except SimulatorLost:
            self._start_again()
            raise
        if kind == "error":
            raise RheobaseError(content)
        if kind == "defect":  # what the object is like after that, nobody knows
            self._start_again()
            raise SimulatorDefect(content)
        return content

    def close(self) -> None:
        """End the process, with whatever it has started."""
        if self._process is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(OSError):
            self._connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it leads its own group: compilers go with it
        process.wait()
        self._folder.cleanup()

    @property
    def process_id(self) -> int:
        """Identity of the process, for tests that kill it."""
        assert self._process is not None
        return self._process.pid

    def _start(self) -> None:
        """Start a process and build the object in it; without success none is left."""
        try:
            self._open()
        except OSError as error:
            raise BuildError(f"the simulator's process cannot be started: {error}") from error
        try:
            kind, content = self._exchange((self._factory, self._arguments), BUILD_LIMIT_S)
        except SimulatorLost as error:
            raise BuildError(f"the simulator could not be built: {error}") from error
        if kind != "done":
            self.close()
            raise RheobaseError(content) if kind == "error" else SimulatorDefect(content)

    def _start_again(self) -> None:
        """Have a fresh process ready; whatever forbids that is raised at the next call, not in this one."""
        self.close()
        with contextlib.suppress(RheobaseError, SimulatorDefect):
            self._start()

    def _open(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        try:
            # An empty working folder: NEURON loads ./x86_64 by itself, whatever that holds.
            self._folder = tempfile.TemporaryDirectory(prefix="rheobase-")
            environment = {**os.environ, "NEURON_MODULE_OPTIONS": "-nogui", "OMP_NUM_THREADS": "1"}
            environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in sys.path)  # noqa: PTH100
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rheobase.campaigns.simulator_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=self._folder.name,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._connection: Connection = ours

    def _exchange(self, message: object, limit_s: float) -> tuple[str, Any]:
        """Send a message and wait for the answer; without one in time the process is ended."""
        try:
            self._connection.send(message)
            if self._answers_within(limit_s):
                answer: tuple[str, Any] = self._connection.recv()
                return answer
            reason = f"timeout: no answer within {limit_s:g} s of CPU time"
        except (EOFError, OSError):  # OSError too for an answer that breaks off
            reason = f"crash: {self._how_it_ended()}"
        self.close()
        raise SimulatorLost(reason)

    def _answers_within(self, limit_s: float) -> bool:
        """Whether an answer comes before the process has used up its time.

        CPU time, so that whether a candidate passes does not depend on what else its machine is doing.
        """
        assert self._process is not None
        begin, begin_cpu_s = time.monotonic(), _cpu_s(self._process.pid)
        while not self._connection.poll(min(_LOOK_EVERY_S, 0.25 * limit_s)):
            waited_s = time.monotonic() - begin
            if _cpu_s(self._process.pid) - begin_cpu_s > limit_s or waited_s > _SLOWEST * limit_s:
                return self._connection.poll(0)
        return True

    def _how_it_ended(self) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return "the simulator closed its pipe"
        if code < 0:
            return f"the simulator was ended by {signal.Signals(-code).name}"
        return f"the simulator ended with exit code {code}"


def _cpu_s(process_id: int) -> float:
    """CPU time that a process has used (s)."""
    import psutil

    try:
        used = psutil.Process(process_id).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(used.user + used.system)
