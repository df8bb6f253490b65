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
        self._lock = threading.Lock()

    def problem(self, path: Path) -> str:
        """What the process found wrong with a file, or how it ended; '' for nothing, or when it cannot be started."""
        with self._lock:
            process = self._running()
            if process is None or process.stdin is None or process.stdout is None:
                return ""
            try:
                process.stdin.write(json.dumps(str(path.resolve())) + "\n")
                process.stdin.flush()
                limit_s = self._limit_s + _LIMIT_PER_BYTE_S * path.stat().st_size
                if not select.select([process.stdout], [], [], limit_s)[0]:
                    self.stop()
                    return f"HDF5 has not returned from it for {limit_s:g} s, the file is damaged"
                answer = process.stdout.readline()
            except BrokenPipeError:
                answer = ""
            if not answer:
                self.stop()
                return "HDF5 crashes on it, the file is damaged"
            return str(json.loads(answer))

    def _running(self) -> subprocess.Popen[str] | None:
        if self._owner != os.getpid():  # a fork must not share the pipes
            self._process, self._owner = None, os.getpid()
        if self._process is None or self._process.poll() is not None:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", str(self._program)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            except OSError:
                self._process = None
        return self._process

    def stop(self) -> None:
        """End the process of this process, if it runs."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.communicate()


_PROBE = Probe(Path(__file__).with_name("hdf5_probe.py"))
atexit.register(_PROBE.stop)


def check_hdf5(path: Path) -> None:
    """Raise ValueError when the texts and attributes of a file cannot be read, or crash HDF5, or hang it."""
    problem = _PROBE.problem(path)
    if problem:
        raise ValueError(problem)
