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

from rheobase.campaigns.last_words import LastWords
from rheobase.features.errors import RheobaseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

MEMORY_LIMIT_GiB = 4.0
BUILD_LIMIT_S = 600.0  # compiling mechanisms on a busy machine takes its time

_LOOK_EVERY_S = 0.25
_SLOWEST = 5.0  # a process that gets less than a fifth of a core for so long is taken for one that waits in vain
_DRAIN_S = 1.0  # for what a process that has ended wrote last
_GiB = float(1 << 30)


class SimulatorLost(Exception):
    """The process crashed, hung or used too much memory in a call; a fresh one is there for the next."""


class BuildError(RheobaseError):
    """What the process should build cannot be built."""


class SimulatorDefect(RuntimeError):
    """An error inside the simulator process that no user can mend; a fresh process is there for the next call."""


class SupervisedSimulator:
    """An object built in a process of its own, called over a pipe.

    Args:
        factory: Importable callable that builds the object.
        arguments: Its arguments; plain data, they are pickled.
        memory_limit_GiB: A process that holds more than this in memory is killed (GiB). One that has come half way to
            it by what earlier calls left behind is replaced between two calls, so that no candidate pays for others.

    Attributes:
        cpu_seconds: CPU time of the last call, as far as it was seen (s).

    Raises:
        RheobaseError: the factory raised an error that a user can mend.
        SimulatorDefect: the factory raised any other.
        BuildError: the factory crashed or hung, or no process can be started.
    """

    def __init__(
        self,
        factory: Callable[..., object],
        arguments: tuple[object, ...],
        memory_limit_GiB: float = MEMORY_LIMIT_GiB,
    ) -> None:
        self._factory, self._arguments = factory, arguments
        self._memory_limit_GiB = memory_limit_GiB
        self._process: subprocess.Popen[bytes] | None = None
        self.cpu_seconds = 0.0
        self._start()

    def call(self, method: str, arguments: tuple[object, ...], limit_s: float) -> Any:
        """Result of a method of the object.

        Args:
            method: Name of the method.
            arguments: Its arguments.
            limit_s: After this CPU time, or five times as long by the clock, the process is killed (s).

        Raises:
            SimulatorLost: the process crashed, hung or used too much memory; the message says which.
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
        if self._is_bloated():
            self._start_again()
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
        self._last_words.wait(_DRAIN_S)
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
        self._built_GiB = self._memory_GiB()

    def _start_again(self) -> None:
        """Have a fresh process ready; whatever forbids that is raised at the next call, not in this one."""
        of_the_call_s = self.cpu_seconds
        self.close()
        with contextlib.suppress(RheobaseError, SimulatorDefect):
            self._start()
        self.cpu_seconds = of_the_call_s  # building is no part of it

    def _open(self) -> None:
        import psutil

        ours, theirs = multiprocessing.Pipe()
        said, say = os.pipe()
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
                stderr=say,
                start_new_session=True,
            )
        except OSError:
            ours.close()
            os.close(said)
            raise
        finally:
            theirs.close()
            os.close(say)
        self._connection: Connection = ours
        self._last_words = LastWords(said)
        self._watched = psutil.Process(self._process.pid)

    def _exchange(self, message: object, limit_s: float) -> tuple[str, Any]:
        """Send a message and wait for the answer; a process that does not give it within its limits is ended."""
        begin_cpu_s, self.cpu_seconds = self._cpu_s(), 0.0
        try:
            self._connection.send(message)
            reason = self._wait(limit_s, begin_cpu_s)
            if reason is None:
                answer: tuple[str, Any] = self._connection.recv()
                self.cpu_seconds = self._cpu_s() - begin_cpu_s
                return answer
        except (EOFError, OSError):  # OSError too for an answer that breaks off
            reason = f"crash: {self._how_it_ended()}"
        self.close()
        raise SimulatorLost(reason)

    def _wait(self, limit_s: float, begin_cpu_s: float) -> str | None:
        """Wait until there is an answer, then None, or until a limit is exceeded, then which.

        CPU time, so that whether a candidate passes does not depend on what else its machine is doing.
        """
        begin = time.monotonic()
        while not self._connection.poll(min(_LOOK_EVERY_S, 0.25 * limit_s)):
            self.cpu_seconds = self._cpu_s() - begin_cpu_s
            if self._memory_GiB() > self._memory_limit_GiB:
                return f"memory: used more than {self._memory_limit_GiB:g} GiB"
            is_late = self.cpu_seconds > limit_s or time.monotonic() - begin > _SLOWEST * limit_s
            if is_late and not self._connection.poll(0):
                return f"timeout: no answer within {limit_s:g} s of CPU time"
        return None

    def _is_bloated(self) -> bool:
        room_GiB = self._memory_limit_GiB - self._built_GiB
        return self._memory_GiB() - self._built_GiB > 0.5 * room_GiB

    def _how_it_ended(self) -> str:
        assert self._process is not None
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return "the simulator closed its pipe"
        self._last_words.wait(_DRAIN_S)
        line = self._last_words.line()
        said = f"; it said: {line}" if line else ""
        if code < 0:
            return f"the simulator was ended by {signal.Signals(-code).name}{said}"
        return f"the simulator ended with exit code {code}{said}"

    def _cpu_s(self) -> float:
        """CPU time that the process has used (s); zero when it has gone."""
        import psutil

        try:
            used = self._watched.cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(used.user + used.system)

    def _memory_GiB(self) -> float:
        """Memory that the process holds (GiB); zero when it has gone."""
        import psutil

        try:
            return float(self._watched.memory_info().rss) / _GiB
        except psutil.NoSuchProcess:
            return 0.0
