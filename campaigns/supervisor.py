"""A supervised simulator: whatever a candidate does to its process, the supervisor answers in time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from rheobase.features.errors import RheobaseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

BUILD_LIMIT_S = 600.0  # compiling mechanisms on a busy machine takes its time


class SimulatorLost(Exception):
    """The process crashed or hung in a call; a fresh one is there for the next."""


class BuildError(RheobaseError):
    """What the process should build cannot be built."""


class SimulatorDefect(RuntimeError):
    """An error inside the simulator process that no user can mend."""


class SupervisedSimulator:
    """An object built in a process of its own, called over a pipe.

    Args:
        factory: Importable callable that builds the object.
        arguments: Its arguments; plain data, they are pickled.

    Raises:
        BuildError: the factory raised an error that a user can mend.
    """

    def __init__(self, factory: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._factory, self._arguments = factory, arguments
        self._start()

    def call(self, method: str, arguments: tuple[object, ...], limit_s: float) -> Any:
        """Result of a method of the object.

        Args:
            method: Name of the method.
            arguments: Its arguments.
            limit_s: After this time the process is killed (s).

        Raises:
            SimulatorLost: the process crashed or hung; the message says which.
            RheobaseError: raised by the method.
            SimulatorDefect: any other error in the method.
        """
        return self._exchange((method, arguments), limit_s)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._connection.close()
        self._kill()

    @property
    def process_id(self) -> int:
        """Identity of the process, for tests that kill it."""
        return self._process.pid

    def _start(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        # An empty working folder: NEURON loads ./x86_64 by itself, whatever that holds.
        self._folder = tempfile.TemporaryDirectory(prefix="rheobase-")
        environment = {**os.environ, "NEURON_MODULE_OPTIONS": "-nogui", "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
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
        theirs.close()
        self._connection: Connection = ours
        try:
            self._exchange((self._factory, self._arguments), BUILD_LIMIT_S, restart=False)
        except SimulatorLost as error:
            raise BuildError(f"the simulator could not be built: {error}") from error
        except (RheobaseError, SimulatorDefect):
            self._kill()
            raise

    def _exchange(self, message: object, limit_s: float, restart: bool = True) -> Any:
        try:
            self._connection.send(message)
            if not self._connection.poll(limit_s):
                self._lost(f"timeout: no answer within {limit_s:g} s", restart)
            kind, content = self._connection.recv()
        except (EOFError, ConnectionError, BrokenPipeError):
            self._lost(f"crash: {self._how_it_ended()}", restart)
        if kind == "error":
            raise RheobaseError(content)
        if kind == "defect":
            raise SimulatorDefect(content)
        return content

    def _lost(self, reason: str, restart: bool) -> None:
        self._kill()
        with contextlib.suppress(OSError):
            self._connection.close()
        if restart:
            self._start()
        raise SimulatorLost(reason)

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return "the simulator closed its pipe"
        if code < 0:
            return f"the simulator was ended by {signal.Signals(-code).name}"
        return f"the simulator ended with exit code {code}"

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._folder.cleanup()
