"""Commands in processes of their own, and a look at what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK = "RHEOBASE_TEST_RUN"
COMMAND = (sys.executable, "-m", "rheobase.campaigns.cli")


class Running:
    """A command in a session of its own; every process that it starts carries its mark in the environment."""

    def __init__(self, *arguments: object, cwd: Path | None = None, command: tuple[str, ...] = COMMAND) -> None:
        self.mark = uuid.uuid4().hex
        self._process = subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, _MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.out = ""
        self.error = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def wait(self, limit_s: float = 300.0) -> int:
        """Exit code; the process is killed when it takes longer."""
        try:
            self.out, self.error = self._process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self.out, self.error = self._process.communicate()
            raise AssertionError(f"no end within {limit_s} s: {self.error}") from None
        return self._process.returncode

    def signal(self, number: int, *, group: bool = False) -> None:
        if group:
            os.killpg(self.pid, number)
        else:
            os.kill(self.pid, number)

    def kill(self) -> None:
        if not self.is_over:
            self.signal(signal.SIGKILL)

    def left_behind(self, within_s: float = 20.0, pattern: str = "") -> list[str]:
        """Processes of this run that are still there after the time; empty as soon as there are none."""
        end = time.monotonic() + within_s
        while found := [line for line in processes_with(self.mark) if pattern in line]:
            if time.monotonic() > end:
                break
            time.sleep(0.2)
        return found

    def wait_until(self, condition: Callable[[], bool], limit_s: float = 180.0) -> None:
        """Wait for a condition while the process lives."""
        end = time.monotonic() + limit_s
        while not condition():
            if self.is_over:
                self.wait()
                raise AssertionError(f"it ended too early: {self.error}")
            assert time.monotonic() < end, "the moment did not come"
            time.sleep(0.002)


def processes_with(mark: str) -> list[str]:
    """Command lines of all living processes with a mark in their environment."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append(f"{folder.name} " + (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # gone meanwhile, or a zombie
            continue
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def ends(pid: int, within_s: float = 10.0) -> bool:
    """Whether a process has ended within the time."""
    end = time.monotonic() + within_s
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(pid)
