"""What a process wrote last: kept in a few kilobytes, so that the reason of a crash can quote it."""

from __future__ import annotations

import os
import threading

NEW_CALL = "\x1e"  # what the process writes when a call begins: lines before it have nothing to do with it
_KEPT_BYTES = 4096
_LONGEST_LINE = 200


class LastWords:
    """Reads a pipe to its end in a thread of its own, and closes it.

    Args:
        descriptor: The end to read from.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept = b""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="last words", daemon=True)
        self._thread.start()

    def line(self) -> str:
        """The last line of the last call that is not empty, shortened; empty when nothing was said."""
        with self._lock:
            said = self._kept.decode(errors="replace").rpartition(NEW_CALL)[2]
        lines = [line.strip() for line in said.splitlines()]
        return next((line[:_LONGEST_LINE] for line in reversed(lines) if line), "")

    def wait(self, limit_s: float) -> None:
        """Wait until all ends for writing are closed and everything is read."""
        self._thread.join(limit_s)

    def _read(self) -> None:
        while chunk := os.read(self._descriptor, _KEPT_BYTES):
            with self._lock:
                self._kept = (self._kept + chunk)[-_KEPT_BYTES:]
        os.close(self._descriptor)
