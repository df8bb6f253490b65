"""Objects that go wrong in the ways that simulators do; built in processes of their own."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np

from rheobase.features.errors import ModelError


class Faulty:
    """Counts its calls, and fails as asked."""

    def __init__(self, start: int = 0) -> None:
        self.count = start

    def add(self, number: int) -> int:
        self.count += number
        return self.count

    def slow_square(self, number: int, seconds: float) -> int:
        time.sleep(seconds)
        return number**2

    def process(self) -> int:
        return os.getpid()

    def echo(self, array: np.ndarray) -> np.ndarray:
        return array

    def user_error(self) -> None:
        raise ModelError("g_pas.all: out of bounds")

    def defect(self) -> None:
        self.count = -1000  # what an exception in the middle of something leaves behind
        raise ZeroDivisionError("division by zero")

    def segfault(self) -> None:
        ctypes.string_at(0)

    def hang(self) -> None:
        """In C code, deaf to everything but SIGKILL."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ctypes.CDLL(None).sleep(3600)

    def spin(self) -> None:
        """At work for ever."""
        while True:
            pass

    def leave(self, code: int) -> None:
        os._exit(code)

    def raise_exit(self) -> None:
        raise SystemExit(3)

    def eat_memory(self) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        np.ones(1 << 40)

    def hoard(self, megabytes: int, seconds: float = 0.0) -> int:
        """Take memory and keep it, some in every tenth of a second; then go on for a while."""
        for _ in range(0, megabytes, 50):
            self.hoarded = [*getattr(self, "hoarded", []), np.ones(50 * 125_000)]
            time.sleep(0.1 if seconds else 0.0)
        time.sleep(seconds)
        return os.getpid()

    def complain_and_abort(self, words: str) -> None:
        """As C code does that finds something wrong with itself."""
        os.write(2, words.encode())
        os.abort()

    def print_much(self, lines: int) -> int:
        """NEURON's print statements end in the same place."""
        for line in range(lines):
            print("line", line, "of what nobody reads")
        return lines

    def unsendable(self) -> object:
        return lambda: None

    def half_an_answer(self, connection_fd: int) -> None:
        """Begin an answer of a thousand bytes and die."""
        os.write(connection_fd, (1000).to_bytes(4, "big") + b"torn")
        os._exit(0)

    def start_child(self, path: str) -> None:
        """A grandchild, as a compiler is, then hang."""
        import subprocess

        child = subprocess.Popen(["sleep", "3600"])
        Path(path).write_text(str(child.pid), encoding="utf-8")
        time.sleep(3600)


class Once(Faulty):
    """Can be built until its file has gone."""

    def __init__(self, path: str) -> None:
        super().__init__()
        if not Path(path).exists():
            raise ModelError(f"{path} has gone")


class CrashesOnce(Faulty):
    """Crashes its process the first time that it is asked to, whoever does, and works after that."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path)

    def fragile_square(self, number: int) -> int:
        if not self._path.exists():
            self._path.touch()
            ctypes.string_at(0)
        return number**2


def refuses() -> object:
    raise ModelError("the mechanism 'NaTg' has no parameter 'gbar'")


def breaks() -> object:
    raise KeyError("somewhere")


def crashes() -> object:
    return ctypes.string_at(0)


def hoards() -> object:
    return Faulty().hoard(100_000, 3600.0)
