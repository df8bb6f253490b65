"""Is an HDF5 file safe to read? A process of its own tries, since a damaged one may crash or hang the library."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

_LIMIT_PER_BYTE_S = 1e-8
_START_LIMIT_S = 120.0


class Probe:
    """A process that tries, started when it is first needed and after each time that it died.

    Args:
        program: What runs in it, see `hdf5_probe`.
        limit_s: Time for a small file (s); more for a large one.
    """

    def __init__(self, program: Path, limit_s: float = 20.0) -> None:
        self._program, self._limit_s = program, limit_s
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._can_start = True
        self._lock = threading.Lock()

    def problem(self, path: Path) -> str:
        """What the process found wrong with a file, or how it ended; '' for nothing, or when it cannot be started."""
        with self._lock:
            if not self._is_running():
                self._start()
            if not self._can_start:
                return ""
            limit_s = self._limit_s + _LIMIT_PER_BYTE_S * path.stat().st_size
            try:
                answer = self._answer(json.dumps(str(path.resolve())), limit_s)
            except TimeoutError:
                self.stop()
                return f"HDF5 has not returned from it for {limit_s:g} s, the file is damaged"
            if not answer:
                self.stop()
                return "HDF5 crashes on it, the file is damaged"
            return str(json.loads(answer))

    def stop(self) -> None:
        """End the process, if it runs and is one of this process."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.communicate()

    def _is_running(self) -> bool:
        # A fork must not share the pipes.
        return self._process is not None and self._owner == os.getpid() and self._process.poll() is None

    def _start(self) -> None:
        self.stop()
        self._owner = os.getpid()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(self._program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                text=True,
                start_new_session=True,  # Ctrl-C is not for it: a probe that it ended would blame the file
            )
            self._can_start = bool(self._answer("", _START_LIMIT_S))
        except OSError:  # a TimeoutError is one
            self._can_start = False
        if not self._can_start:
            self.stop()

    def _answer(self, question: str, limit_s: float) -> str:
        """Line that answers a question ('': the first line); '' when the process has ended.

        Raises:
            TimeoutError: There was no answer in time.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if question:
                self._process.stdin.write(question + "\n")
                self._process.stdin.flush()
        except BrokenPipeError:
            return ""
        if not select.select([self._process.stdout], [], [], limit_s)[0]:
            raise TimeoutError
        return self._process.stdout.readline()


_PROBE = Probe(Path(__file__).with_name("hdf5_probe.py"))
atexit.register(_PROBE.stop)


def check_hdf5(path: Path) -> None:
    """Raise ValueError when the texts and attributes of a file cannot be read, or crash HDF5, or hang it."""
    problem = _PROBE.problem(path)
    if problem:
        raise ValueError(problem)
